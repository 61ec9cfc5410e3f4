//! What a plugin wrote: a message, more text, performance data.

use super::perfdata::{self, Datum};

/// A plugin's output, taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    /// The first line, before `|`.
    pub message: String,
    /// The further lines, before the second `|`.
    pub long: String,
    /// All performance data, in order.
    pub data: Vec<Datum>,
    /// What should be performance data and is not.
    pub odd: Vec<String>,
}

impl Said {
    /// Takes output apart as the Nagios Plugin Development Guidelines lay it out: text up to
    /// `|` and performance data behind it on the first line; then lines of text, and from
    /// the next `|` on nothing but performance data.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let (first, further) = output.split_once('\n').unwrap_or((output, ""));
        let (message, first_data) = first.split_once('|').unwrap_or((first, ""));
        let (long, more_data) = further.split_once('|').unwrap_or((further, ""));
        let (data, odd) = perfdata::parse(&format!("{first_data} {more_data}"));
        Self {
            message: message.trim().to_owned(),
            long: long.trim_end().to_owned(),
            data,
            odd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(output: &str) -> String {
        let said = Said::parse(output);
        let labels: Vec<&str> = said.data.iter().map(|datum| datum.label.as_str()).collect();
        format!(
            "{} / {} / {}",
            said.message,
            said.long.escape_debug(),
            labels.join(" ")
        )
    }

    #[test]
    fn output_is_laid_out_as_the_guidelines_say() {
        for (output, wanted) in [
            ("", " /  / "),
            ("OK", "OK /  / "),
            ("OK\n", "OK /  / "),
            ("OK - fine | a=1 b=2\n", "OK - fine /  / a b"),
            ("OK|a=1\r\n", "OK /  / a"),
            ("OK | a=1\nline 1\nline 2\n", "OK / line 1\\nline 2 / a"),
            (
                "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n/boot 68 MB (69%); | /boot=68MB;88;93;0;98\n/home=69357MB;253404;253409;0;253414\n",
                "DISK OK - free space: / 3326 MB (56%); / / 15272 MB (77%);\\n/boot 68 MB (69%); / / /boot /home",
            ),
            ("OK\nlong | a=1\nb=2\n'c d'=3", "OK / long / a b c d"),
            ("| a=1", " /  / a"),
            ("\nsecond", " / second / "),
        ] {
            assert_eq!(shown(output), wanted, "{output:?}");
        }
    }
}
