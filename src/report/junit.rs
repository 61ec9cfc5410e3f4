//! JUnit XML as Jenkins reads it: a suite per group, a case per check.
//!
//! Source of the form: the xUnit plugin's junit-10.xsd. No properties inside a test case,
//! `time` with at most three decimals, characters that XML 1.0 forbids left out.

use std::collections::BTreeMap;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Judged;
use crate::model::{Level, Reason, StepResult, format_duration};

/// The whole file. Failure is a level at or above `fail_on`, error is unknown; warnings below
/// it stand in `system-out`.
///
/// # Errors
/// When the XML cannot be written.
pub fn junit(runs: &[Judged], fail_on: Level) -> Result<String, String> {
    write(runs, |run| vec![case(run, fail_on)])
}

/// The same with a case for each step, where a run has steps. What is wrong with the run as a whole, such as
/// a threshold, has a case of its own.
///
/// # Errors
/// When the XML cannot be written.
pub fn junit_by_step(runs: &[Judged], fail_on: Level) -> Result<String, String> {
    write(runs, |run| {
        if run.record.outcome.evidence.steps.is_empty() {
            return vec![case(run, fail_on)];
        }
        steps(run, fail_on)
    })
}

fn write(runs: &[Judged], cases: impl Fn(&Judged) -> Vec<TestCase>) -> Result<String, String> {
    let mut report = Report::new("haetae");
    let mut groups: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for run in runs {
        groups.entry(run.record.check.group()).or_default().push(run);
    }
    for (group, runs) in groups {
        let mut suite = TestSuite::new(if group.is_empty() { "checks" } else { group });
        suite.set_time(runs.iter().map(|run| super::took(run)).sum());
        let flaky: Vec<&str> = runs
            .iter()
            .filter(|run| run.record.is_flaky())
            .map(|run| run.record.check.as_str())
            .collect();
        if !flaky.is_empty() {
            suite.add_property(("flaky", flaky.join(" ").as_str()));
        }
        for run in runs {
            suite.add_test_cases(cases(run));
        }
        report.add_test_suite(suite);
    }
    let xml = report.to_string().map_err(|error| error.to_string())?;
    Ok(as_the_schema_has_it(xml))
}

/// The schema knows how many were skipped in a suite, and not in all of them.
fn as_the_schema_has_it(mut xml: String) -> String {
    let tag = xml.find("<testsuites").and_then(|start| {
        let end = start + xml[start..].find('>')?;
        let from = start + xml[start..end].find(" skipped=\"")?;
        let value = from + " skipped=\"".len();
        Some(from..value + xml[value..end].find('"')? + 1)
    });
    if let Some(tag) = tag {
        xml.replace_range(tag, "");
    }
    xml
}

fn case(run: &Judged, fail_on: Level) -> TestCase {
    let id = run.record.check.as_str();
    let name = id.rsplit('/').next().unwrap_or(id);
    let class = run.record.check.group().replace('/', ".");
    let mut case = TestCase::new(name, status(run, fail_on));
    case.set_classname(if class.is_empty() {
        "checks".to_owned()
    } else {
        class
    });
    case.set_time(super::took(run));
    let out = output(run);
    if !out.is_empty() {
        case.set_system_out(legal(&out));
    }
    case
}

/// What the verdict is to Jenkins.
fn status(run: &Judged, fail_on: Level) -> TestCaseStatus {
    let verdict = &run.record.verdict;
    let (kind, level) = match verdict.level {
        Level::Unknown => (NonSuccessKind::Error, "unknown"),
        Level::Critical => (NonSuccessKind::Failure, "critical"),
        Level::Warning if fail_on == Level::Warning => (NonSuccessKind::Failure, "warning"),
        Level::Warning | Level::Ok => return TestCaseStatus::success(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(legal(&verdict.headline())).set_type(level);
    status.set_description(legal(&details(run)));
    status
}

/// A case for each step of a run, and one for the run where no step is to blame.
fn steps(run: &Judged, fail_on: Level) -> Vec<TestCase> {
    let class = run.record.check.as_str().replace('/', ".");
    let whole = status(run, fail_on);
    let is_bad = matches!(whole, TestCaseStatus::NonSuccess { .. });
    let steps = &run.record.outcome.evidence.steps;
    let blamed = steps
        .iter()
        .position(|step| is_bad && matches!(step.result, StepResult::Failed(_)));
    let mut cases: Vec<TestCase> = steps
        .iter()
        .enumerate()
        .map(|(n, step)| {
            let status = match &step.result {
                _ if blamed == Some(n) => whole.clone(),
                StepResult::Skipped(why) => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(legal(why));
                    status
                }
                StepResult::Done | StepResult::Failed(_) => TestCaseStatus::success(),
            };
            let mut case = TestCase::new(legal(&format!("{}. {}", n + 1, step.step)), status);
            case.set_classname(class.clone());
            case.set_time(std::time::Duration::from_millis(step.took_ms));
            if let StepResult::Failed(why) = &step.result {
                case.set_system_out(legal(&format!("{}: {why}", step.place)));
            }
            case
        })
        .collect();
    // Screenshots belong to the step that failed, and to the last one otherwise.
    let told = match (blamed, is_bad) {
        (None, true) => {
            let mut case = case(run, fail_on);
            case.set_classname(class);
            cases.push(case);
            None
        }
        (Some(n), _) => Some(n),
        (None, false) => steps.len().checked_sub(1),
    };
    if let Some(case) = told.and_then(|n| cases.get_mut(n)) {
        let out = output(run);
        if !out.is_empty() {
            case.set_system_out(legal(&out));
        }
    }
    cases
}

/// Without the characters that XML 1.0 forbids (XML 1.0, § 2.2).
fn legal(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..))
        .collect()
}

/// Every reason, with what helps to mend it.
fn details(run: &Judged) -> String {
    let mut lines = vec![run.name.clone()];
    for (level, reason) in &run.record.verdict.reasons {
        lines.push(format!("{level}: {reason}"));
        if let Reason::Broken { detail, .. } = reason {
            lines.extend(detail.lines().map(|line| format!("  {line}")));
        }
    }
    lines.extend(run.record.outcome.evidence.excerpt.clone());
    lines.join("\n")
}

/// What Jenkins shows as output: warnings, steps, and the screenshots as attachments.
fn output(run: &Judged) -> String {
    let outcome = &run.record.outcome;
    let mut lines = Vec::new();
    if run.record.verdict.level == Level::Warning {
        lines.push(details(run));
    }
    for step in &outcome.evidence.steps {
        let result = match &step.result {
            StepResult::Done => format_duration(std::time::Duration::from_millis(step.took_ms)),
            StepResult::Skipped(why) => format!("skipped: {why}"),
            StepResult::Failed(why) => format!("FAILED: {why}"),
        };
        lines.push(format!("{}  ({}, {result})", step.step, step.place));
    }
    lines.extend(outcome.remarks.iter().map(|remark| format!("remark: {remark}")));
    for file in &outcome.evidence.files {
        let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
        lines.push(attachment(&path));
    }
    lines.join("\n")
}

/// Jenkins' attachments plugin wants this alone on its line.
fn attachment(path: &Path) -> String {
    format!("[[ATTACHMENT|{}]]", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::model::{Broken, CheckId, Outcome, RunId, RunRecord, StepRecord, Timestamp, Verdict};

    fn run(id: &str, level: Level, what: &str) -> Judged {
        let mut outcome = Outcome::seen();
        let mut verdict = Verdict::default();
        if level != Level::Ok {
            outcome.broken.push(Broken {
                level,
                what: what.into(),
                detail: "line 1\nline 2".into(),
            });
            verdict = crate::judge::judge(
                &outcome,
                &[],
                &crate::judge::Past::default(),
                Timestamp::from_unix_ms(0),
            );
            verdict.level = level;
        }
        Judged {
            record: RunRecord {
                run: RunId("r".into()),
                check: CheckId::parse(id).unwrap(),
                started: Timestamp::from_unix_ms(0),
                took: Duration::from_micros(1_234_567),
                outcome,
                verdict,
            },
            name: id.into(),
            place: String::new(),
        }
    }

    #[test]
    fn another_parser_reads_back_what_was_said() {
        let hostile = "expected \"a\" & <b> ]]> '결제' 🔥 \u{1}\u{8}\u{FFFE} end";
        let runs = [
            run("shop/buy", Level::Critical, hostile),
            run("shop/look", Level::Ok, ""),
            run("shop/slow", Level::Warning, "slow"),
            run("mail", Level::Unknown, "no browser"),
        ];
        let xml = junit(&runs, Level::Critical).unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let suites: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("testsuite"))
            .collect();
        assert_eq!(suites.len(), 2);
        assert_eq!(suites[1].attribute("failures"), Some("1"));
        assert_eq!(suites[0].attribute("errors"), Some("1"));
        let failure = document
            .descendants()
            .find(|node| node.has_tag_name("failure"))
            .unwrap();
        let message = failure.attribute("message").unwrap();
        assert!(
            message.starts_with("expected \"a\" & <b> ]]> '결제' 🔥"),
            "{message}"
        );
        assert!(message.ends_with(" end") && !message.contains('\u{1}'));
        assert!(failure.text().unwrap().contains("line 2"));
        let case = failure.parent().unwrap();
        assert_eq!(case.attribute("time"), Some("1.235"));
    }

    #[test]
    fn warnings_are_failures_only_when_asked() {
        let runs = [run("a", Level::Warning, "slow")];
        assert!(!junit(&runs, Level::Critical).unwrap().contains("<failure"));
        assert!(junit(&runs, Level::Warning).unwrap().contains("<failure"));
        assert!(junit(&runs, Level::Critical).unwrap().contains("slow"));
    }

    #[test]
    fn steps_are_cases_and_the_one_that_failed_is_blamed() {
        let mut bad = run("shop/buy", Level::Critical, "the button is covered");
        let step = |text: &str, result| StepRecord {
            step: text.into(),
            place: "checks/shop/buy.yaml:3".into(),
            at_ms: 0,
            took_ms: 12,
            result,
        };
        bad.record.outcome.evidence.steps = vec![
            step("open: /", StepResult::Done),
            step("click: Accept", StepResult::Skipped("not seen".into())),
            step("click: Buy", StepResult::Failed("covered".into())),
        ];
        let xml = junit_by_step(&[bad.clone()], Level::Critical).unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let told: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("testcase"))
            .map(|case| {
                let inner = case.children().find(roxmltree::Node::is_element);
                (
                    case.attribute("name").unwrap(),
                    inner.map_or("", |node| node.tag_name().name()),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("1. open: /", ""),
                ("2. click: Accept", "skipped"),
                ("3. click: Buy", "failure")
            ]
        );
        // Without a step to blame, the run has a case of its own.
        bad.record.outcome.evidence.steps.truncate(1);
        let xml = junit_by_step(&[bad], Level::Critical).unwrap();
        assert!(
            xml.contains("tests=\"2\"") && xml.contains("name=\"buy\""),
            "{xml}"
        );
        assert!(
            !xml.contains("<testsuites name=\"haetae\" tests=\"2\" skipped"),
            "{xml}"
        );
    }
}
