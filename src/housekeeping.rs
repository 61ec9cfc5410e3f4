//! Calendar work inside haetae: what is old goes. On tokio-cron-scheduler, whose jobs here
//! are few, cheap, in UTC and harmless to skip or repeat.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_cron_scheduler::{Job, JobScheduler};

use crate::clock::wall_now;
use crate::config::Retention;
use crate::store::{Horizon, Store};

/// Seventeen past every hour: off the full hour, when everybody else is busy.
const HOURLY: &str = "0 17 * * * *";

/// Planned calendar work.
pub struct Housekeeping {
    scheduler: JobScheduler,
}

impl Housekeeping {
    /// Ends it.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "calendar work did not end cleanly");
        }
    }
}

/// Plans it.
///
/// # Errors
/// When the scheduler does not start; in words for people.
pub async fn start(
    store: Arc<dyn Store>,
    retention: Retention,
    evidence_dir: PathBuf,
) -> Result<Housekeeping, String> {
    let failed =
        |error: tokio_cron_scheduler::JobSchedulerError| format!("calendar work cannot be planned: {error}");
    let scheduler = JobScheduler::new_with_channel_size(1024).await.map_err(failed)?;
    let job = Job::new_async(HOURLY, move |_, _| {
        let (store, evidence_dir) = (Arc::clone(&store), evidence_dir.clone());
        Box::pin(async move {
            tidy(&*store, retention, evidence_dir).await;
        })
    })
    .map_err(failed)?;
    scheduler.add(job).await.map_err(failed)?;
    scheduler.start().await.map_err(failed)?;
    Ok(Housekeeping { scheduler })
}

/// Removes what is older than its retention, from the store and from the evidence folder.
pub async fn tidy(store: &dyn Store, retention: Retention, evidence_dir: PathBuf) {
    let now = wall_now();
    let horizon = Horizon {
        results: now - retention.results,
        incidents: now - retention.incidents,
        audit: now - retention.audit,
    };
    match store.prune(horizon).await {
        Ok(rows) => tracing::info!(rows, "old rows removed"),
        Err(error) => tracing::error!(%error, "old rows could not be removed"),
    }
    let age = retention.evidence;
    let limit = retention.evidence_bytes;
    let removed = tokio::task::spawn_blocking(move || {
        remove_older(&evidence_dir, age) + remove_beyond(&evidence_dir, limit)
    })
    .await;
    if let Ok(files) = removed {
        tracing::info!(files, "old evidence removed");
    }
}

/// Removes files older than `age` below a folder, and folders that are empty then.
fn remove_older(folder: &Path, age: Duration) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            removed += remove_older(&path, age);
            // Fails while something is in it, as it should.
            let _ = std::fs::remove_dir(&path);
        } else if is_older(&path, age) && std::fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    removed
}

/// Removes the oldest files below a folder until the rest takes no more than `limit` bytes.
fn remove_beyond(folder: &Path, limit: u64) -> usize {
    let mut files = Vec::new();
    list(folder, &mut files);
    let mut taken: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    files.sort();
    let mut removed = 0;
    for (_, bytes, path) in files {
        if taken <= limit {
            break;
        }
        if std::fs::remove_file(&path).is_ok() {
            taken -= bytes;
            removed += 1;
            // Fails while something is in it, as it should.
            let _ = path.parent().map(std::fs::remove_dir);
        }
    }
    removed
}

fn list(folder: &Path, files: &mut Vec<(SystemTime, u64, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(&path, files);
        } else if let Ok(data) = entry.metadata() {
            let modified = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((modified, data.len(), path));
        }
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = std::fs::metadata(path).and_then(|data| data.modified());
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(wall_now().as_unix_us().unsigned_abs());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|past| past > age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, at_s) in [("new", 3_000), ("old", 1_000), ("middle", 2_000)] {
            let path = folder.path().join(name).join("failed.png");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, vec![0; 100]).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at_s))
                .unwrap();
        }
        assert_eq!(remove_beyond(folder.path(), 300), 0);
        assert_eq!(remove_beyond(folder.path(), 250), 1);
        assert!(!folder.path().join("old").exists());
        assert_eq!(remove_beyond(folder.path(), 0), 2);
    }

    #[test]
    fn only_what_is_old_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("shop/buy/r1");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("failed.png"), "x").unwrap();
        assert_eq!(remove_older(folder.path(), Duration::from_hours(1)), 0);
        assert!(run.exists());
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let file = std::fs::File::options()
            .write(true)
            .open(run.join("failed.png"))
            .unwrap();
        file.set_modified(old).unwrap();
        assert_eq!(remove_older(folder.path(), Duration::from_hours(1)), 1);
        assert!(!run.exists() && folder.path().exists());
    }
}
