//! What a killed haetae left behind: browsers and their folders.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// Every driver's folder is called so, followed by our process id, the moment our process
/// started (in clock ticks since boot) and a number.
const PREFIX: &str = "haetae-browser-";

/// The folder for a driver's temporary files and profiles, not yet made.
#[must_use]
pub fn folder_for(number: u64) -> PathBuf {
    let pid = std::process::id();
    let started = start_ticks(pid).unwrap_or(0);
    std::env::temp_dir().join(format!("{PREFIX}{pid}-{started}-{number}"))
}

/// Ends browsers and removes folders of haetae processes that are gone. Returns how many
/// folders were removed.
#[must_use]
pub fn clean_leftovers() -> usize {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return 0;
    };
    let orphaned: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_orphaned(path))
        .collect();
    for folder in &orphaned {
        end_processes_of(folder);
        remove(folder);
    }
    orphaned.len()
}

fn is_orphaned(folder: &Path) -> bool {
    let owner = || {
        let name = folder.file_name()?.to_str()?.strip_prefix(PREFIX)?;
        let mut parts = name.split('-');
        let pid: u32 = parts.next()?.parse().ok()?;
        let started: u64 = parts.next()?.parse().ok()?;
        Some((pid, started))
    };
    owner().is_some_and(|(pid, started)| start_ticks(pid) != Some(started))
}

/// When a process started, field 22 of `/proc/PID/stat`; none when there is no such process,
/// or only the entry of one that has ended and that nobody has asked about.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; the fields after it do not.
    let fields = stat.rsplit_once(") ")?.1;
    if fields.starts_with(['Z', 'X']) {
        return None;
    }
    fields.split(' ').nth(19)?.parse().ok()
}

/// Kills every process that was started with this folder as its place for temporary files.
pub fn end_processes_of(folder: &Path) {
    let mark = format!("TMPDIR={}", folder.display());
    let Ok(entries) = fs::read_dir("/proc") else {
        return;
    };
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let marked = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes());
        if marked && let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Removes a driver's folder. A dying browser may still write into it, so that one attempt
/// is not always enough; the next start takes what is left.
pub fn remove(folder: &Path) {
    for _ in 0..3 {
        if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            return;
        }
    }
    tracing::debug!(folder = %folder.display(), "browser folder not removed yet");
}
