//! `host`: the machine that haetae runs on (Linux).
//!
//! Invariant: a disk that hangs holds up no run, and costs one thread at most.

mod disk;
mod machine;
mod processes;
mod trend;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::timeout_at;

pub use self::disk::Disks;
use self::disk::{NoSpace, Space};
use self::processes::{PROCESS, Seen, Wanted};
use super::attempt::Limit;
use super::expect::{NOTHING, broken, refuse_blocks};
use super::services::Services;
use super::{Blocks, Kind, Past, Pool, Probe, RunContext};
use crate::decode::{Fields, Key, Node, Reader, Shape, Spec};
use crate::model::{Answer, Level, Outcome, Quantity, Unit};

/// The table's line.
pub static KIND: Kind = Kind {
    name: "host",
    doc: "The machine that haetae runs on: disks, processes, memory, open files, load.",
    settings: &HOST,
    expect: &NOTHING,
    steps: None,
    pool: Pool::Light,
    measures: &[
        ("memory_used", Unit::Percent),
        ("swap_used", Unit::Percent),
        ("open_files_used", Unit::Percent),
        ("run_queue", Unit::Count),
        ("blocked", Unit::Count),
        ("load_per_core", Unit::Count),
    ],
    read,
};

static HOST: Spec = Spec {
    name: "host",
    example: "host: { disk: [/, /data], processes: [nginx] }",
    keys: &[
        Key::or(
            "disk",
            Shape::OneOrMany(&Shape::Plain),
            "/",
            "Where the disks to look at are mounted.",
        ),
        Key::new(
            "processes",
            Shape::Either(&[Shape::List(&Shape::Plain), Shape::Map(&Shape::Object(&PROCESS))]),
            "Which processes to count: a list of names, or a map `name: { command: regex }`.",
        ),
    ],
};

/// The trend's window, at a run every ten seconds.
const MOST_RECALLED: u32 = 2_160;

struct HostProbe {
    disks: Vec<String>,
    processes: Vec<Wanted>,
    attempt_timeout: Duration,
}

fn read(blocks: &Blocks<'_>, reader: &mut Reader<'_>) -> Option<Box<dyn Probe>> {
    let before = reader.failures();
    let fields = Fields::open(blocks.settings, &HOST, reader)?;
    let disks = match fields.get("disk") {
        Some(node) => reader.one_or_many(node, |reader, item| read_path(item, reader)),
        None => vec!["/".to_owned()],
    };
    let processes = fields
        .get("processes")
        .map(|node| Wanted::read_all(node, reader))
        .unwrap_or_default();
    let mut names = BTreeSet::new();
    if let Some(twice) = processes.iter().find(|wanted| !names.insert(&wanted.name)) {
        let what = format!("the process `{}` is named twice", twice.name);
        reader.error(fields.get("processes").unwrap_or(blocks.settings), what);
    }
    refuse_blocks(blocks, KIND.name, reader);
    let probe = HostProbe {
        disks,
        processes,
        attempt_timeout: blocks.attempt_timeout,
    };
    (reader.failures() == before).then(|| Box::new(probe) as Box<dyn Probe>)
}

fn read_path(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let path = reader.plain(node)?;
    if !path.starts_with('/') {
        reader.error(
            node,
            format!("`{path}` does not begin with `/`: a disk is named by where it is mounted"),
        );
        return None;
    }
    let short = path.trim_end_matches('/');
    Some(if short.is_empty() {
        "/".to_owned()
    } else {
        short.to_owned()
    })
}

#[async_trait]
impl Probe for HostProbe {
    async fn run(&self, run: &RunContext) -> Outcome {
        let limit = Limit::new(run.deadline, self.attempt_timeout);
        let mut outcome = Outcome::seen();
        let mut unknown = machine::measure(&mut outcome);
        let looks = self
            .disks
            .iter()
            .map(|path| run.services.disks.look(path, &limit));
        let (spaces, processes) = tokio::join!(join_all(looks), self.all_processes(&limit));
        for (path, space) in self.disks.iter().zip(spaces) {
            match space {
                Ok(space) => measure_disk(path, space, run, &mut outcome),
                Err(NoSpace::Hangs(what)) => outcome.broken.push(broken(Level::Critical, what)),
                Err(NoSpace::Unknown(why)) => unknown.push(why),
            }
        }
        match processes {
            Ok(processes) => self.count(&processes, &mut outcome),
            Err(why) => unknown.push(why),
        }
        if !unknown.is_empty() {
            outcome.answer = Answer::NotMeasured(unknown.join("; "));
        }
        outcome
    }

    fn extra_measures(&self) -> Vec<(String, Option<Unit>)> {
        let of_disk = [
            ("disk_used", Unit::Percent),
            ("inodes_used", Unit::Percent),
            ("disk_full_in", Unit::Ms),
        ];
        let disks = self.disks.iter().flat_map(|path| {
            of_disk
                .iter()
                .map(move |(name, unit)| (format!("{name}.{path}"), Some(*unit)))
        });
        let processes = self
            .processes
            .iter()
            .map(|wanted| (format!("processes.{}", wanted.name), Some(Unit::Count)));
        disks.chain(processes).collect()
    }

    fn recalls(&self) -> u32 {
        match self.disks.is_empty() {
            true => 0,
            false => MOST_RECALLED,
        }
    }

    fn recall(&self, services: &Services, past: &[Past]) {
        for path in &self.disks {
            let name = format!("disk_used.{path}");
            for run in past {
                if let Some(used) = run.measurements.get(&name) {
                    services.disks.note(path, run.started, used.value);
                }
            }
        }
    }
}

impl HostProbe {
    /// Every process; none when none is counted. A process that the kernel holds can hold
    /// up who looks at it.
    async fn all_processes(&self, limit: &Limit) -> Result<Vec<Seen>, String> {
        if self.processes.is_empty() {
            return Ok(Vec::new());
        }
        let look = tokio::task::spawn_blocking(processes::all);
        match timeout_at(limit.until(), look).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) => Err("the list of processes could not be read".into()),
            Err(_) => Err(format!(
                "the list of processes was not read within {}",
                limit.text
            )),
        }
    }

    fn count(&self, seen: &[Seen], outcome: &mut Outcome) {
        for wanted in &self.processes {
            let count = seen.iter().filter(|process| wanted.is(process)).count();
            outcome.measure(
                format!("processes.{}", wanted.name),
                Quantity::count(count as f64),
            );
        }
    }
}

fn measure_disk(path: &str, space: Space, run: &RunContext, outcome: &mut Outcome) {
    let percent = |value| Quantity {
        value,
        unit: Unit::Percent,
    };
    outcome.fact(&format!("disk {path}"), space.told());
    if let Some(inodes) = space.inodes_percent() {
        outcome.measure(format!("inodes_used.{path}"), percent(inodes));
    }
    let Some(used) = space.used_percent() else { return };
    outcome.measure(format!("disk_used.{path}"), percent(used));
    run.services.disks.note(path, run.started, used);
    if let Some(span) = run.services.disks.full_in(path, used) {
        outcome.measure(format!("disk_full_in.{path}"), Quantity::time(span));
    } else {
        outcome.learning.push(format!("disk_full_in.{path}"));
    }
}
