//! The reports of a run: JUnit, HTML, JSON.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::super::Exit;
use super::RunArgs;
use super::rates::Rate;
use crate::clock::wall_now;
use crate::evidence::read_files;
use crate::model::CheckId;
use crate::report::{
    Judged,
    html::html,
    junit::{junit, junit_by_step},
    worst,
};

/// What reports tell.
pub(super) struct Told<'r> {
    /// Every run.
    pub all: &'r [Judged],
    /// The one that counts, of each check.
    pub worst: Vec<Judged>,
    /// How many runs passed, where there were several.
    pub rates: Vec<(CheckId, Rate)>,
    /// Checks that never came to an end.
    pub not_run: Vec<CheckId>,
    /// The signal that ended it.
    pub ended_by: Option<&'static str>,
}

pub(super) async fn write_reports(args: &RunArgs, told: &Told<'_>) -> Result<(), Exit> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        eprintln!("{} cannot be written: {error}", path.display());
        Exit::Internal
    };
    let runs = &told.worst;
    if let Some(path) = &args.junit {
        let write = if args.junit_steps { junit_by_step } else { junit };
        let xml = write(runs, args.fail_on.level()).map_err(|error| failed(path, &error))?;
        write_by_rename(path, xml.as_bytes()).map_err(|error| failed(path, &error))?;
    }
    if let Some(path) = &args.html {
        let (pictures, sources) = read_files(runs).await;
        let page = html(runs, &pictures, &sources, wall_now()).map_err(|error| failed(path, &error))?;
        write_by_rename(path, page.as_bytes()).map_err(|error| failed(path, &error))?;
    }
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", json_of(told));
        if path.as_os_str() == "-" {
            out!("{}", text.trim_end());
        } else {
            write_by_rename(path, text.as_bytes()).map_err(|error| failed(path, &error))?;
        }
    }
    Ok(())
}

fn json_of(told: &Told<'_>) -> Value {
    let rows: Vec<_> = told
        .all
        .iter()
        .map(|run| json!({ "name": run.name, "run": run.record }))
        .collect();
    let mut whole = json!({ "worst": worst(&told.worst), "runs": rows });
    if !told.rates.is_empty() {
        let rates = told.rates.iter();
        whole["rates"] = rates
            .map(|(check, rate)| json!({ "check": check, "passed": rate.passed, "of": rate.of }))
            .collect();
    }
    if let Some(signal) = told.ended_by {
        whole["ended_by"] = json!(signal);
        whole["not_run"] = json!(told.not_run);
    }
    whole
}

/// A reader never sees half a file.
pub(in crate::cli) fn write_by_rename(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    std::fs::write(&part, content)?;
    std::fs::rename(&part, path)
}
