//! A watch over what a browser's processes use: a page that takes too much is ended, alone.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Between two looks. A page can take a GiB in that time.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The tab in which the driver translates BiDi keeps something of every command: beyond this it
/// gets slow, and its browser is to be replaced, in bytes.
pub const WORN_TRANSLATOR: u64 = 256 << 20;
/// A page may flood it: then it is ended, and the browser is lost, in bytes.
const TRANSLATOR_LIMIT: u64 = 1 << 30;
/// A crash so soon after an ending is that ending.
const SAME: Duration = Duration::from_secs(3);

/// What a browser's processes use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// By all of them, in bytes, what they share not counted.
    pub bytes: u64,
    /// By the tab in which the driver translates BiDi, in bytes.
    pub translator_bytes: u64,
    /// A page was ended a moment ago because it used more than this, in bytes.
    pub ended_above: Option<u64>,
}

/// Watches until it is dropped.
pub struct MemoryGuard {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    bytes: AtomicU64,
    translator: Option<u32>,
    translator_bytes: AtomicU64,
    ended: Mutex<Option<Instant>>,
    limit: u64,
}

impl MemoryGuard {
    /// Watches the processes below `root`; one page may use `limit` bytes. To be called before
    /// the first page is opened.
    pub fn start(root: u32, limit: u64) -> Self {
        let shared = Arc::new(Shared {
            bytes: AtomicU64::new(0),
            translator: translator(root),
            translator_bytes: AtomicU64::new(0),
            ended: Mutex::new(None),
            limit,
        });
        let task = tokio::spawn(watch(root, Arc::clone(&shared)));
        Self { shared, task }
    }

    /// As of the last look.
    #[must_use]
    pub fn used(&self) -> Used {
        let ended = *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        Used {
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            translator_bytes: self.shared.translator_bytes.load(Ordering::Relaxed),
            ended_above: ended.filter(|at| at.elapsed() < SAME).map(|_| self.shared.limit),
        }
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(root: u32, shared: Arc<Shared>) {
    loop {
        sleep(LOOK_EVERY).await;
        let mut all = 0;
        for process in descendants(root) {
            let used = private_bytes(process).unwrap_or(0);
            all += used;
            if shared.translator == Some(process) {
                shared.translator_bytes.store(used, Ordering::Relaxed);
                if used > TRANSLATOR_LIMIT {
                    tracing::warn!(used, "a browser was flooded and is ended");
                    kill(process);
                }
            } else if used > shared.limit && is_page(process) {
                tracing::warn!(
                    used,
                    limit = shared.limit,
                    "a page used too much memory and was ended"
                );
                *shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                kill(process);
            }
        }
        shared.bytes.store(all, Ordering::Relaxed);
    }
}

fn kill(process: u32) {
    if let Some(id) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::KILL);
    }
}

/// The renderer that has worked most before any page was opened: ChromeDriver runs its BiDi
/// translator in a hidden tab.
fn translator(root: u32) -> Option<u32> {
    descendants(root)
        .into_iter()
        .filter(|process| is_page(*process))
        .max_by_key(|process| cpu_ticks(*process))
}

/// User and system time of `/proc/PID/stat`, behind the name in brackets.
fn cpu_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let numbers = behind.split_whitespace().skip(11).take(2);
    numbers.filter_map(|number| number.parse::<u64>().ok()).sum()
}

/// All processes below one, by the kernel's own lists of each thread's children.
fn descendants(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&process) = found.get(next) {
        next += 1;
        for thread in fs::read_dir(format!("/proc/{process}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|id| id.parse::<u32>().ok()),
            );
        }
    }
    found
}

/// Resident and shared with nobody: `/proc/PID/statm`, in pages of 4 KiB.
fn private_bytes(process: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let mut numbers = statm.split_whitespace().map(str::parse::<u64>);
    let resident = numbers.nth(1)?.ok()?;
    let shared = numbers.next()?.ok()?;
    Some(resident.saturating_sub(shared) * 4096)
}

fn is_page(process: u32) -> bool {
    fs::read(format!("/proc/{process}/cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).contains("--type=renderer"))
}
