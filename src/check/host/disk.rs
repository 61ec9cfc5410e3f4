//! Mounted disks: how full, and for how long still.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{StatVfs, statvfs};
use tokio::time::timeout_at;

use super::trend::Trend;
use crate::check::attempt::Limit;
use crate::model::{Quantity, Timestamp};

/// What is remembered of this machine's disks, over runs and reloads.
#[derive(Default)]
pub struct Disks(Mutex<BTreeMap<String, Arc<Disk>>>);

#[derive(Default)]
struct Disk {
    trend: Mutex<Trend>,
    /// Held while somebody looks at the disk. A look that hangs keeps it, so that no second
    /// thread is lost to the same disk.
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// How full a disk is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Space {
    /// Used bytes.
    pub used: u64,
    /// Bytes that ordinary users can still write.
    pub free: u64,
    /// Used inodes and all inodes; none on file systems that have no fixed number.
    pub inodes: Option<(u64, u64)>,
}

impl Space {
    fn of(stat: &StatVfs) -> Self {
        let size = match stat.f_frsize {
            0 => stat.f_bsize,
            size => size,
        };
        Self {
            used: stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(size),
            free: stat.f_bavail.saturating_mul(size),
            inodes: (stat.f_files > 0).then(|| (stat.f_files.saturating_sub(stat.f_ffree), stat.f_files)),
        }
    }

    /// In percent of what ordinary users can use: blocks reserved for root count as neither,
    /// as `df` has it.
    #[must_use]
    pub fn used_percent(&self) -> Option<f64> {
        share(self.used, self.used + self.free)
    }

    /// In percent of all inodes.
    #[must_use]
    pub fn inodes_percent(&self) -> Option<f64> {
        self.inodes.and_then(|(used, all)| share(used, all))
    }

    /// For the reader.
    #[must_use]
    pub fn told(&self) -> String {
        format!(
            "{} used, {} free",
            Quantity::bytes(self.used),
            Quantity::bytes(self.free)
        )
    }
}

/// A part in percent; none of nothing.
pub(super) fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 * 100.0 / all as f64)
}

/// Why a disk was not measured.
#[derive(Debug, PartialEq, Eq)]
pub enum NoSpace {
    /// It does not answer: it is broken.
    Hangs(String),
    /// There is nothing to measure.
    Unknown(String),
}

impl Disks {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Disk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self, path: &str) -> Arc<Disk> {
        Arc::clone(self.lock().entry(path.to_owned()).or_default())
    }

    /// Remembers how full a disk was.
    pub fn note(&self, path: &str, at: Timestamp, used_percent: f64) {
        let disk = self.disk(path);
        let mut trend = disk.trend.lock().unwrap_or_else(PoisonError::into_inner);
        trend.note(at, used_percent);
    }

    /// How long until a disk is full; none while too little is known.
    #[must_use]
    pub fn full_in(&self, path: &str, used_percent: f64) -> Option<std::time::Duration> {
        let disk = self.disk(path);
        let trend = disk.trend.lock().unwrap_or_else(PoisonError::into_inner);
        trend.full_in(used_percent)
    }

    /// Looks at a disk. One that hangs, as network disks do, holds up nobody longer than
    /// `limit`.
    ///
    /// # Errors
    /// Why it was not measured, in words for people.
    pub async fn look(&self, path: &str, limit: &Limit) -> Result<Space, NoSpace> {
        let late = || {
            NoSpace::Hangs(format!(
                "`{path}` did not answer within {}: the disk hangs",
                limit.text
            ))
        };
        let looking = Arc::clone(&self.disk(path).looking);
        let turn = timeout_at(limit.until(), looking.lock_owned())
            .await
            .map_err(|_| late())?;
        let owned = path.to_owned();
        let look = tokio::task::spawn_blocking(move || {
            let space = look(&owned);
            drop(turn);
            space
        });
        match timeout_at(limit.until(), look).await {
            Ok(Ok(space)) => space.map_err(NoSpace::Unknown),
            Ok(Err(_)) => Err(NoSpace::Unknown(format!("`{path}` could not be looked at"))),
            Err(_) => Err(late()),
        }
    }
}

fn look(path: &str) -> Result<Space, String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| format!("the list of mounted disks cannot be read: {error}"))?;
    if let Some(on) = not_mounted(path, &mounts) {
        return Err(match Path::new(path).symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => format!("`{path}` does not exist"),
            _ => format!("nothing is mounted at `{path}`: it lies on the disk of `{on}`"),
        });
    }
    let stat = statvfs(path).map_err(|error| format!("`{path}` cannot be looked at: {error}"))?;
    let space = Space::of(&stat);
    match space.used + space.free {
        0 => Err(format!("`{path}` is no disk: it has no size")),
        _ => Ok(space),
    }
}

/// The mount point that `path` lies on when it is none itself.
fn not_mounted(path: &str, mountinfo: &str) -> Option<String> {
    let path = Path::new(path);
    let points: Vec<String> = mountinfo.lines().filter_map(mount_point).collect();
    if points.iter().any(|point| Path::new(point) == path) {
        return None;
    }
    let above = points.into_iter().filter(|point| path.starts_with(point));
    Some(above.max_by_key(String::len).unwrap_or_else(|| "/".into()))
}

/// The fifth field of a line of `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`); space, tab,
/// line break and backslash are written in octal.
fn mount_point(line: &str) -> Option<String> {
    let field = line.split(' ').nth(4)?;
    let mut point = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        point.push_str(before);
        let code = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok())?;
        point.push(char::from(code));
        rest = &after[3..];
    }
    point.push_str(rest);
    Some(point)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:20 / /proc rw - proc proc rw
31 22 8:1 / /data rw - xfs /dev/sda1 rw
32 31 8:2 / /data/back\\040ups rw - xfs /dev/sdb1 rw
33 22 8:3 / /odd\\134name rw - xfs /dev/sdc1 rw
";

    #[test]
    fn only_a_mount_point_is_a_disk() {
        for (path, on) in [
            ("/", None),
            ("/data", None),
            ("/data/", None),
            ("/data/back ups", None),
            ("/odd\\name", None),
            ("/database", Some("/")),
            ("/data/pg", Some("/data")),
            ("/data/back ups/x", Some("/data/back ups")),
            ("/srv", Some("/")),
        ] {
            assert_eq!(not_mounted(path, MOUNTS).as_deref(), on, "{path}");
        }
    }

    #[test]
    fn shares_are_those_of_df() {
        let space = Space {
            used: 60,
            free: 20,
            inodes: Some((25, 1_000)),
        };
        assert_eq!(
            (space.used_percent(), space.inodes_percent()),
            (Some(75.0), Some(2.5))
        );
        let nothing = Space {
            used: 0,
            free: 0,
            inodes: None,
        };
        assert_eq!((nothing.used_percent(), nothing.inodes_percent()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_holds_up_nobody_and_costs_one_thread() {
        let disks = Disks::default();
        let span = Duration::from_millis(500);
        let limit = || Limit::new(Instant::now() + span, span);
        // As an earlier look does that never comes back.
        let hanging = Arc::clone(&disks.disk("/").looking).lock_owned().await;
        let began = Instant::now();
        let hangs = NoSpace::Hangs("`/` did not answer within 500ms: the disk hangs".into());
        assert_eq!(disks.look("/", &limit()).await, Err(hangs));
        assert!(began.elapsed() <= span);
        assert!(
            Arc::strong_count(&disks.disk("/").looking) == 2,
            "nobody waits any longer"
        );
        drop(hanging);
        // Paused time would be over before a thread has looked.
        tokio::time::resume();
        let space = disks.look("/", &limit()).await;
        assert!(space.is_ok_and(|space| space.used > 0));
    }
}
