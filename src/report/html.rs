//! Runs as one HTML file that needs nothing beside it: no other file, no network, no script.
//!
//! It is read at night, on a telephone, out of an archive: the worst run comes first, with the
//! reason, the step and its picture; what is well is folded away. The policy in its head lets
//! a browser load nothing, so what a page wrote cannot do anything here.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use askama::Template;

use super::Judged;
use super::embed::{Files, files};
use crate::model::{
    FailedRequest, Level, Outcome, PageVisit, Reason, StepRecord, StepResult, Timestamp, Verdict,
    format_duration,
};

/// A PNG file of the evidence, read by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// As the evidence names it.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    heading: String,
    counts: Vec<(&'static str, usize)>,
    bad: usize,
    made: Timestamp,
    runs: Vec<Run<'a>>,
}

struct Run<'a> {
    number: usize,
    name: &'a str,
    id: &'a str,
    place: &'a str,
    level: &'static str,
    ok: bool,
    headline: String,
    started: Timestamp,
    took: String,
    tries: u32,
    reasons: Vec<Why<'a>>,
    failed: Option<Step<'a>>,
    excerpt: Option<&'a str>,
    steps: Vec<Step<'a>>,
    whole: String,
    pages: Vec<Visit<'a>>,
    requests: Vec<(String, &'a FailedRequest)>,
    console: Vec<(bool, &'a str)>,
    outcome: &'a Outcome,
    files: Files<'a>,
}

struct Why<'a> {
    level: &'static str,
    text: String,
    detail: &'a str,
}

#[derive(Clone)]
struct Step<'a> {
    number: usize,
    text: &'a str,
    place: &'a str,
    at: String,
    took: String,
    left: String,
    width: String,
    mark: &'static str,
    word: &'static str,
    is_failed: bool,
    why: &'a str,
}

struct Visit<'a> {
    at: String,
    address: &'a str,
    ready: String,
    loaded: String,
    failed: &'a str,
}

/// The whole file, the worst runs first. Of `pictures` and `sources` (path and text) those are
/// taken that the evidence names; a file that it names and nobody brought is listed as absent.
///
/// # Errors
/// When the template cannot be filled.
pub fn html(
    runs: &[Judged],
    pictures: &[Picture],
    sources: &[(PathBuf, String)],
    made: Timestamp,
) -> Result<String, String> {
    let mut ordered: Vec<&Judged> = runs.iter().collect();
    ordered.sort_by_key(|run| Reverse(run.record.verdict.level));
    let count = |level: Level| {
        let at_level = runs.iter().filter(|run| run.record.verdict.level == level);
        at_level.count()
    };
    let bad = runs.len() - count(Level::Ok);
    let report = Report {
        heading: heading(runs.len(), bad),
        counts: Level::ALL
            .into_iter()
            .rev()
            .map(|level| (level.as_str(), count(level)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        bad,
        made,
        runs: ordered
            .into_iter()
            .zip(1..)
            .map(|(judged, number)| view(judged, number, pictures, sources))
            .collect(),
    };
    report.render().map_err(|error| error.to_string())
}

fn heading(runs: usize, bad: usize) -> String {
    match (runs, bad) {
        (0, _) => "No runs".into(),
        (1, 0) => "The run is ok".into(),
        (1, _) => "The run is not ok".into(),
        (_, 0) => format!("All {runs} runs are ok"),
        _ => format!("{bad} of {runs} runs not ok"),
    }
}

fn view<'a>(
    judged: &'a Judged,
    number: usize,
    pictures: &[Picture],
    sources: &'a [(PathBuf, String)],
) -> Run<'a> {
    let record = &judged.record;
    let evidence = &record.outcome.evidence;
    let whole_ms = evidence.steps.iter().map(end_ms).max().unwrap_or(0).max(1);
    let steps: Vec<Step> = evidence
        .steps
        .iter()
        .zip(1..)
        .map(|(record, number)| step(record, number, whole_ms))
        .collect();
    let ok = record.verdict.level == Level::Ok;
    Run {
        number,
        name: &judged.name,
        id: record.check.as_str(),
        place: &judged.place,
        level: record.verdict.level.as_str(),
        ok,
        headline: record.verdict.headline(),
        started: record.started,
        took: format_duration(super::took(judged)),
        tries: record.outcome.attempts,
        reasons: reasons(&record.verdict),
        failed: steps.iter().find(|step| step.is_failed).cloned(),
        excerpt: evidence.excerpt.as_deref(),
        steps,
        whole: span(whole_ms),
        pages: evidence.pages.iter().map(visit).collect(),
        requests: evidence
            .failed_requests
            .iter()
            .map(|request| (span(request.at_ms), request))
            .collect(),
        // They are kept as `error: text`, with the level as the browser names it.
        console: evidence
            .console
            .iter()
            .map(|line| (line.starts_with("error:"), line.as_str()))
            .collect(),
        files: files(evidence, !ok, pictures, sources),
        outcome: &record.outcome,
    }
}

fn reasons(verdict: &Verdict) -> Vec<Why<'_>> {
    verdict
        .reasons
        .iter()
        .map(|(level, reason)| Why {
            level: level.as_str(),
            text: reason.to_string(),
            detail: match reason {
                Reason::Broken { detail, .. } => detail.as_str(),
                _ => "",
            },
        })
        .collect()
}

fn end_ms(step: &StepRecord) -> u64 {
    step.at_ms.saturating_add(step.took_ms)
}

fn step(record: &StepRecord, number: usize, whole_ms: u64) -> Step<'_> {
    let (mark, word, why) = match &record.result {
        StepResult::Done => ("✓", "done", ""),
        StepResult::Skipped(why) => ("–", "skipped", why.as_str()),
        StepResult::Failed(why) => ("✗", "failed", why.as_str()),
    };
    let percent = |ms: u64| format!("{:.2}", ms as f64 * 100.0 / whole_ms as f64);
    Step {
        number,
        text: &record.step,
        place: &record.place,
        at: span(record.at_ms),
        took: span(record.took_ms),
        left: percent(record.at_ms),
        width: percent(record.took_ms),
        mark,
        word,
        is_failed: matches!(record.result, StepResult::Failed(_)),
        why,
    }
}

fn visit(page: &PageVisit) -> Visit<'_> {
    let after = |ms: Option<u64>| ms.map_or_else(|| "–".into(), span);
    Visit {
        at: span(page.at_ms),
        address: &page.url,
        ready: after(page.dom_content_loaded_ms),
        loaded: after(page.load_ms),
        failed: page.failed.as_deref().unwrap_or_default(),
    }
}

fn span(ms: u64) -> String {
    format_duration(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::{Broken, CheckId, EvidenceFile, Quantity, RunId, RunRecord};

    const HOSTILE: &str = "\"따옴표\" & <script>alert('결제')</script> 🔥";

    fn judged(id: &str, level: Level, mut outcome: Outcome) -> Judged {
        if level != Level::Ok {
            outcome.broken.push(Broken {
                level,
                what: HOSTILE.into(),
                detail: format!("line 1\n{HOSTILE}"),
            });
        }
        Judged {
            record: RunRecord {
                run: RunId("r".into()),
                check: CheckId::parse(id).unwrap(),
                started: Timestamp::from_unix_ms(1_795_463_340_000),
                took: Duration::from_millis(4_500),
                verdict: crate::judge::judge(
                    &outcome,
                    &[],
                    &crate::judge::Past::default(),
                    Timestamp::from_unix_ms(0),
                ),
                outcome,
            },
            name: HOSTILE.into(),
            place: "checks/shop.yaml:2".into(),
        }
    }

    fn full() -> Outcome {
        let mut outcome = Outcome::seen();
        outcome.measure("duration", Quantity::time(Duration::from_millis(4_500)));
        outcome.fact(HOSTILE, HOSTILE);
        outcome.remarks.push(HOSTILE.into());
        let evidence = &mut outcome.evidence;
        evidence.excerpt = Some(HOSTILE.into());
        let results = [
            StepResult::Done,
            StepResult::Skipped(HOSTILE.into()),
            StepResult::Failed(HOSTILE.into()),
        ];
        for (result, n) in results.into_iter().zip(0..) {
            evidence.steps.push(StepRecord {
                step: HOSTILE.into(),
                place: format!("checks/shop.yaml:{n}"),
                at_ms: n * 1_000,
                took_ms: if n == 2 { 2_000 } else { 1_000 },
                result,
            });
        }
        evidence.pages.push(PageVisit {
            at_ms: 0,
            url: format!("https://shop.example/{HOSTILE}"),
            dom_content_loaded_ms: Some(120),
            load_ms: None,
            failed: Some(HOSTILE.into()),
        });
        evidence.failed_requests.push(FailedRequest {
            at_ms: 150,
            method: "GET".into(),
            url: format!("https://shop.example/{HOSTILE}"),
            what: "503".into(),
        });
        evidence.console.push(format!("error: {HOSTILE}"));
        for (what, name) in [
            ("screenshot", "cart.png"),
            ("screenshot", "failed.png"),
            ("page source", "page.html"),
        ] {
            evidence.files.push(EvidenceFile {
                what: what.into(),
                path: PathBuf::from("out/shop").join(name),
            });
        }
        outcome
    }

    fn report(runs: &[Judged]) -> String {
        let picture = Picture {
            path: "out/shop/failed.png".into(),
            bytes: b"\x89PNG".to_vec(),
        };
        let sources = [(PathBuf::from("out/shop/page.html"), HOSTILE.to_owned())];
        html(runs, &[picture], &sources, Timestamp::from_unix_ms(0)).unwrap()
    }

    fn escaped(text: &str) -> String {
        text.chars()
            .map(|c| match c {
                '"' | '&' | '\'' | '<' | '>' => format!("&#{};", u32::from(c)),
                _ => c.to_string(),
            })
            .collect()
    }

    #[test]
    fn what_pages_and_users_wrote_is_escaped_and_whole() {
        let html = report(&[judged("shop/buy", Level::Critical, full())]);
        assert!(!html.contains("<script"));
        assert!(html.matches('🔥').count() >= 15);
        assert_eq!(
            html.matches('🔥').count(),
            html.matches(&escaped(HOSTILE)).count()
        );
    }

    #[test]
    fn a_picture_is_embedded_and_one_that_nobody_brought_is_named() {
        let html = report(&[judged("shop/buy", Level::Critical, full())]);
        assert!(html.contains("<li>screenshot: out/shop/cart.png</li>"));
        assert!(html.contains("<img src=\"data:image/png;base64,iVBORw==\""));
    }

    #[test]
    fn the_worst_comes_first_and_what_is_well_is_folded_away() {
        let runs = [
            judged("a", Level::Ok, Outcome::seen()),
            judged("b", Level::Warning, full()),
            judged("c", Level::Critical, full()),
        ];
        let html = report(&runs);
        assert!(html.contains("<h1>2 of 3 runs not ok</h1>"));
        for folded in [
            "<details class=\"incident critical\" id=\"run-1\" open>",
            "<details class=\"incident warning\" id=\"run-2\" open>",
            "<details class=\"incident ok\" id=\"run-3\">",
        ] {
            assert!(html.contains(folded), "{folded}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let html = report(&[judged("shop/buy", Level::Critical, full())]);
        for outside in ["src=\"http", "href=\"http", "<link", "<script", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\""));
    }

    #[test]
    fn sections_with_nothing_in_them_are_left_out() {
        let html = report(&[judged("a", Level::Ok, Outcome::seen())]);
        assert!(html.contains("<h1>The run is ok</h1>") && html.contains("2026-11-23T19:49:00Z"));
        assert!(!html.contains("<h3>") && !html.contains("<table") && !html.contains("<img"));
    }

    #[test]
    fn bars_are_shares_of_the_time_of_all_steps() {
        let html = report(&[judged("shop/buy", Level::Critical, full())]);
        assert!(html.contains("class=\"bar failed\" style=\"margin-left:50.00%;width:50.00%\""));
    }
}
