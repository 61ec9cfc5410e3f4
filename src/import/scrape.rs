//! What a blackbox exporter is asked about: Prometheus' scrape configuration, or the command line.

use super::sheet::go_duration;
use super::value::Value;

/// Prometheus' own when nothing is said.
const USUAL_INTERVAL_MS: u64 = 60_000;
const USUAL_TIMEOUT_MS: u64 = 10_000;

/// A target and the module that asks it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which module; none means every one.
    pub module: Option<String>,
    /// What is asked.
    pub address: String,
    /// The job it stands in: a file of its own.
    pub job: Option<String>,
    /// Labels, as `name=value`.
    pub labels: Vec<String>,
    /// How often.
    pub every_ms: u64,
    /// How long at most, unless the module says so.
    pub timeout_ms: u64,
    /// Where it stands.
    pub at: String,
}

/// What a scrape configuration comes to.
#[derive(Debug, Default)]
pub struct Scrapes {
    /// Every target.
    pub targets: Vec<Target>,
    /// What could not be carried over.
    pub left_out: Vec<String>,
}

/// Targets of the command line: `MODULE=ADDRESS`, or `ADDRESS` for every module.
pub fn named(given: &[String], modules: &[&str]) -> Vec<Target> {
    given
        .iter()
        .map(|text| {
            let split = text
                .split_once('=')
                .filter(|(module, _)| modules.contains(module));
            Target {
                module: split.map(|(module, _)| module.to_owned()),
                address: split.map_or(text.as_str(), |(_, address)| address).to_owned(),
                job: None,
                labels: Vec::new(),
                every_ms: USUAL_INTERVAL_MS,
                timeout_ms: USUAL_TIMEOUT_MS,
                at: "--target".to_owned(),
            }
        })
        .collect()
}

/// Reads `scrape_configs` that ask a blackbox exporter.
pub fn read(root: &Value) -> Scrapes {
    let mut scrapes = Scrapes::default();
    for job in root.get("scrape_configs").items() {
        if job.find(&["params", "module"]).is_there() {
            read_job(job, root, &mut scrapes);
        } else {
            let name = job.get("job_name").text().unwrap_or_default();
            scrapes
                .left_out
                .push(format!("{}: the job `{name}` asks no blackbox exporter", job.at));
        }
    }
    for (key, value) in root.entries() {
        if !matches!(key.as_str(), "global" | "scrape_configs") {
            scrapes
                .left_out
                .push(format!("{}: `{key}`: it is Prometheus' own", value.at));
        }
    }
    scrapes
}

fn read_job(job: &Value, root: &Value, scrapes: &mut Scrapes) {
    let time = |key: &str, usual: u64| {
        [job.get(key), root.find(&["global", key])]
            .into_iter()
            .find_map(|value| value.text().and_then(go_duration))
            .unwrap_or(usual)
    };
    let name = job.get("job_name").text().unwrap_or("blackbox");
    let modules = job.find(&["params", "module"]).texts();
    let (every_ms, timeout_ms) = (
        time("scrape_interval", USUAL_INTERVAL_MS),
        time("scrape_timeout", USUAL_TIMEOUT_MS),
    );
    for group in job.get("static_configs").items() {
        let labels: Vec<String> = group
            .get("labels")
            .entries()
            .iter()
            .map(|(key, value)| format!("{key}={}", value.text().unwrap_or_default()))
            .collect();
        for target in group.get("targets").items() {
            let Some(address) = target.text() else { continue };
            scrapes.targets.push(Target {
                module: modules.first().map(|module| (*module).to_owned()),
                address: address.to_owned(),
                job: Some(name.to_owned()),
                labels: labels.clone(),
                every_ms,
                timeout_ms,
                at: target.at.clone(),
            });
        }
    }
    for (key, value) in job.entries() {
        let why = match key.as_str() {
            "job_name" | "params" | "static_configs" | "scrape_interval" | "scrape_timeout"
            | "metrics_path" => continue,
            "relabel_configs" if only_the_usual(value) => continue,
            "relabel_configs" => {
                "it may change targets and labels: compare the checks with what Prometheus asks"
            }
            key if key.ends_with("_sd_configs") => {
                "targets that are discovered are not written; a `matrix:` lists them"
            }
            _ => "it is Prometheus' own",
        };
        scrapes
            .left_out
            .push(format!("{}: `{key}` of the job `{name}`: {why}", value.at));
    }
}

/// The three rules that every blackbox job has: target → parameter → instance, and the exporter's address.
fn only_the_usual(rules: &Value) -> bool {
    rules.items().iter().all(|rule| {
        matches!(
            rule.get("target_label").text(),
            Some("__param_target" | "instance" | "__address__")
        ) && !rule.get("regex").is_there()
    })
}
