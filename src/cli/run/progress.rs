//! What is said while checks run, and at the end.

use std::io::{self, IsTerminal, Write};

use super::super::use_colours;
use super::rates::Rate;
use crate::model::{CheckId, Level, Reason, format_duration};
use crate::report::Judged;

/// A line per check that is done, and on a terminal how many are.
pub(in crate::cli) struct Progress {
    total: usize,
    done: usize,
    live: bool,
    colours: bool,
    /// Stdout is taken by data.
    to_stderr: bool,
}

impl Progress {
    pub(in crate::cli) fn new(total: usize, to_stderr: bool) -> Self {
        Self {
            total,
            done: 0,
            live: io::stderr().is_terminal(),
            colours: if to_stderr {
                use_colours(&io::stderr())
            } else {
                use_colours(&io::stdout())
            },
            to_stderr,
        }
    }

    fn line(&self, text: &str) {
        say(text, self.to_stderr);
    }

    pub(in crate::cli) fn tell(&mut self, run: &Judged) {
        self.done += 1;
        self.clear();
        let verdict = &run.record.verdict;
        let took = format_duration(run.record.took);
        let flaky = if run.record.is_flaky() {
            "  (flaky: passed on a retry)"
        } else {
            ""
        };
        self.line(&format!(
            "{} {}  {took}{flaky}",
            self.word(verdict.level),
            run.record.check
        ));
        if verdict.level > Level::Ok {
            self.line(&format!("         at {}", run.place));
        }
        for (level, reason) in &verdict.reasons {
            self.line(&format!("         {level}: {reason}"));
            if let Reason::Broken { detail, .. } = reason {
                for line in detail.lines() {
                    self.line(&format!("           {line}"));
                }
            }
        }
        if let Some(excerpt) = &run.record.outcome.evidence.excerpt {
            self.line(&format!(
                "         received: {}",
                excerpt.replace('\n', "\n         ")
            ));
        }
        for file in &run.record.outcome.evidence.files {
            self.line(&format!("         {}: {}", file.what, file.path.display()));
        }
        for remark in &run.record.outcome.remarks {
            self.line(&format!("         remark: {remark}"));
        }
        self.show();
    }

    /// How many are done, on a terminal.
    pub(in crate::cli) fn show(&self) {
        if self.live && self.done < self.total {
            eprint!("{} of {} done", self.done, self.total);
            let _ = io::stderr().flush();
        }
    }

    fn word(&self, level: Level) -> String {
        let word = format!("{:<8}", level.as_str());
        let paint = match level {
            Level::Ok => "32",
            Level::Warning => "33",
            Level::Unknown => "35",
            Level::Critical => "31",
        };
        if self.colours {
            format!("\x1b[{paint}m{word}\x1b[0m")
        } else {
            word
        }
    }

    fn clear(&self) {
        if self.live {
            eprint!("\r\x1b[K");
        }
    }

    pub(in crate::cli) fn finish(&self) {
        self.clear();
    }
}

/// Data goes to stdout; when a file of data does, everything else goes to stderr.
pub(super) fn say(text: &str, to_stderr: bool) {
    if to_stderr {
        eprintln!("{text}");
    } else {
        out!("{text}");
    }
}

/// How many were run, at which levels, and which of them cannot be relied on.
pub(in crate::cli) fn print_summary(
    runs: &[Judged],
    not_run: usize,
    rates: &[(CheckId, Rate)],
    to_stderr: bool,
) {
    for (check, rate) in rates {
        say(&format!("{check} passed {rate}"), to_stderr);
    }
    let count = |level: Level| {
        runs.iter()
            .filter(|run| run.record.verdict.level == level)
            .count()
    };
    let parts: Vec<String> = Level::ALL
        .into_iter()
        .map(|level| (level, count(level)))
        .filter(|(_, count)| *count > 0)
        .map(|(level, count)| format!("{count} {level}"))
        .collect();
    let cut = if not_run > 0 {
        format!("; {not_run} not run")
    } else {
        String::new()
    };
    say(
        &format!("{} run: {}{cut}", runs.len(), parts.join(", ")),
        to_stderr,
    );
}
