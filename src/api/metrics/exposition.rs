//! Families of samples as text: the format of Prometheus, and that of `OpenMetrics`.

use std::fmt::Write as _;

/// What a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, and begins anew at a start; its name ends in `_total`.
    Counter,
    /// Counts in buckets, with their sum.
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// Names and values, in the order in which they are written.
pub type Labels = Vec<(&'static str, String)>;

/// One number.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What follows the family's name: `_bucket` and its kin, mostly empty.
    pub suffix: &'static str,
    /// What tells it from others.
    pub labels: Labels,
    /// In the unit that the family's name ends in.
    pub value: f64,
}

/// Samples of one name.
#[derive(Debug, Clone)]
pub struct Family {
    /// As it is queried.
    pub name: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// The numbers.
    pub samples: Vec<Sample>,
}

impl Family {
    /// A family without numbers.
    pub const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    /// The same with one more number.
    pub fn add(&mut self, labels: Labels, value: f64) {
        self.samples.push(Sample {
            suffix: "",
            labels,
            value,
        });
    }
}

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Version 0.0.4.
    Prometheus,
    /// Version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a scraper asks for; the format of Prometheus is understood by all.
    pub fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The media type of the text.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// `OpenMetrics` names a counter's family without the ending of its samples.
    fn family_name(self, family: &Family) -> &'static str {
        match self {
            Self::OpenMetrics if family.kind == Kind::Counter => {
                family.name.strip_suffix("_total").unwrap_or(family.name)
            }
            Self::Prometheus | Self::OpenMetrics => family.name,
        }
    }
}

/// All families as text.
pub fn write(families: &[Family], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        let name = format.family_name(family);
        let _ = writeln!(text, "# HELP {name} {}", family.help);
        let _ = writeln!(text, "# TYPE {name} {}", family.kind.word());
        for sample in &family.samples {
            write_sample(&mut text, family.name, sample);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) {
    text.push_str(name);
    text.push_str(sample.suffix);
    let mut open = '{';
    for (label, value) in &sample.labels {
        let _ = write!(text, "{open}{label}=\"{}\"", escaped(value));
        open = ',';
    }
    if !sample.labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {}", number(sample.value));
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Infinity is written with its sign and a capital.
pub fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".into()
    } else if value == f64::NEG_INFINITY {
        "-Inf".into()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Vec<Family> {
        let mut counter = Family::new("a_total", "Things.", Kind::Counter);
        counter.add(
            vec![("what", "say \"hi\"\\\nbye".into()), ("who", "나".into())],
            3.0,
        );
        let mut gauge = Family::new("b_seconds", "Time.", Kind::Gauge);
        gauge.add(Vec::new(), f64::INFINITY);
        gauge.add(Vec::new(), 1_764_000_000.5);
        vec![counter, gauge]
    }

    #[test]
    fn both_formats_are_as_their_specifications_say() {
        let samples = "a_total{what=\"say \\\"hi\\\"\\\\\\nbye\",who=\"나\"} 3\n";
        let gauge =
            "# HELP b_seconds Time.\n# TYPE b_seconds gauge\nb_seconds +Inf\nb_seconds 1764000000.5\n";
        assert_eq!(
            write(&families(), Format::Prometheus),
            format!("# HELP a_total Things.\n# TYPE a_total counter\n{samples}{gauge}")
        );
        assert_eq!(
            write(&families(), Format::OpenMetrics),
            format!("# HELP a Things.\n# TYPE a counter\n{samples}{gauge}# EOF\n")
        );
    }

    #[test]
    fn a_scraper_gets_what_it_asks_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
        assert_eq!(Format::wanted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::wanted("*/*"), Format::Prometheus);
    }
}
