//! Memory, load and open files, from `/proc`.

use procfs::sys::fs::FileState;
use procfs::{Current, CurrentSI, KernelStats, LoadAverage, Meminfo, ProcResult};

use super::disk::share;
use crate::model::{Outcome, Quantity, Unit};

/// Measures what there is one of per machine. What could not be read is told.
pub(super) fn measure(outcome: &mut Outcome) -> Vec<String> {
    let stats = told("/proc/stat", KernelStats::current());
    let average = told("/proc/loadavg", LoadAverage::current());
    let memory = told("/proc/meminfo", Meminfo::current());
    let files = told("/proc/sys/fs/file-nr", procfs::sys::fs::file_nr());
    let cores = stats.as_ref().map_or(0, |stats| stats.cpu_time.len());
    let all = [
        stats.as_ref().map(queue),
        average.as_ref().map(|average| load(average, cores)),
        memory.as_ref().map(used_memory),
        files.as_ref().map(open_files),
    ];
    let mut unread = Vec::new();
    for numbers in all {
        match numbers {
            Ok(numbers) => numbers
                .into_iter()
                .for_each(|(name, number)| number.into_iter().for_each(|it| outcome.measure(name, it))),
            Err(why) => unread.push(why.clone()),
        }
    }
    if let Ok(LoadAverage {
        one, five, fifteen, ..
    }) = average
    {
        outcome.fact(
            "load",
            format!("{one:.2} {five:.2} {fifteen:.2} (1, 5, 15 minutes)"),
        );
        outcome.fact("cores", cores.to_string());
    }
    if let Some((used, all)) = memory.ok().and_then(|memory| memory_in_use(&memory)) {
        let told = format!("{} of {} used", Quantity::bytes(used), Quantity::bytes(all));
        outcome.fact("memory", told);
    }
    unread
}

fn told<T>(what: &str, read: ProcResult<T>) -> Result<T, String> {
    read.map_err(|error| format!("{what} cannot be read: {error}"))
}

type Numbers = Vec<(&'static str, Option<Quantity>)>;

fn percent(part: u64, all: u64) -> Option<Quantity> {
    share(part, all).map(|value| Quantity {
        value,
        unit: Unit::Percent,
    })
}

/// What `vmstat` shows as `r` and `b`. Whoever reads `/proc/stat` is running at that moment
/// and counted in `procs_running`; like `vmstat`, we leave ourselves out.
fn queue(stats: &KernelStats) -> Numbers {
    let count = |number: Option<u32>, ours: u32| {
        number.map(|number| Quantity::count(f64::from(number.saturating_sub(ours))))
    };
    vec![
        ("run_queue", count(stats.procs_running, 1)),
        ("blocked", count(stats.procs_blocked, 0)),
    ]
}

/// The load of one minute, shared by the cores.
fn load(average: &LoadAverage, cores: usize) -> Numbers {
    let per_core = (cores > 0).then(|| Quantity::count(f64::from(average.one) / cores as f64));
    vec![("load_per_core", per_core)]
}

/// Used and all bytes. Used is what would not be available to a new program: caches that
/// the kernel would give up do not count.
fn memory_in_use(memory: &Meminfo) -> Option<(u64, u64)> {
    let available = memory.mem_available?;
    Some((memory.mem_total.saturating_sub(available), memory.mem_total))
}

fn used_memory(memory: &Meminfo) -> Numbers {
    let swapped = memory.swap_total.saturating_sub(memory.swap_free);
    let swap_used = match memory.swap_total {
        // A machine without swap has swapped nothing.
        0 => percent(0, 1),
        total => percent(swapped, total),
    };
    let used = memory_in_use(memory).and_then(|(used, all)| percent(used, all));
    vec![("memory_used", used), ("swap_used", swap_used)]
}

/// Of all processes together, against what the kernel allows (`fs.file-max`).
fn open_files(files: &FileState) -> Numbers {
    let open = files.allocated.saturating_sub(files.free);
    vec![("open_files_used", percent(open, files.max))]
}

#[cfg(test)]
mod tests {
    use procfs::{FromBufRead, FromBufReadSI, FromRead};

    use super::*;

    fn shown(numbers: Numbers) -> String {
        let one = |(name, number): (&str, Option<Quantity>)| {
            format!(
                "{name}={}",
                number.map_or("-".into(), |number| number.to_string())
            )
        };
        numbers.into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn stats(running: &str) -> KernelStats {
        let text = format!(
            "cpu  1 2 3 4 5 6 7 8 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nctxt 1\nbtime 1\nprocesses 9\n{running}"
        );
        KernelStats::from_buf_read(text.as_bytes(), procfs::current_system_info()).unwrap()
    }

    #[test]
    fn the_run_queue_is_vmstats() {
        for (running, wanted) in [
            ("procs_running 6\nprocs_blocked 2\n", "run_queue=5 blocked=2"),
            ("procs_running 1\nprocs_blocked 0\n", "run_queue=0 blocked=0"),
            ("procs_running 0\nprocs_blocked 0\n", "run_queue=0 blocked=0"),
            ("", "run_queue=- blocked=-"),
        ] {
            assert_eq!(shown(queue(&stats(running))), wanted, "{running}");
        }
    }

    #[test]
    fn load_is_shared_by_the_cores() {
        let average = LoadAverage::from_read("3.00 2.00 1.00 2/500 1234\n".as_bytes()).unwrap();
        assert_eq!(shown(load(&average, 4)), "load_per_core=0.75");
        assert_eq!(shown(load(&average, 0)), "load_per_core=-");
    }

    fn memory(total: u64, available: &str, swap: (u64, u64)) -> Meminfo {
        let zero = "MemFree: 1 kB\nBuffers: 0 kB\nCached: 0 kB\nSwapCached: 0 kB\nActive: 0 kB\nInactive: 0 kB\nDirty: 0 kB\nWriteback: 0 kB\nMapped: 0 kB\nSlab: 0 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n";
        let text = format!(
            "MemTotal: {total} kB\n{available}SwapTotal: {} kB\nSwapFree: {} kB\n{zero}",
            swap.0, swap.1
        );
        Meminfo::from_buf_read(text.as_bytes()).unwrap()
    }

    #[test]
    fn used_memory_is_what_is_not_available() {
        for (memory, wanted) in [
            (
                memory(1_000, "MemAvailable: 250 kB\n", (100, 60)),
                "memory_used=75% swap_used=40%",
            ),
            (
                memory(1_000, "MemAvailable: 1000 kB\n", (0, 0)),
                "memory_used=0% swap_used=0%",
            ),
            // Before Linux 3.14.
            (memory(1_000, "", (0, 0)), "memory_used=- swap_used=0%"),
        ] {
            assert_eq!(shown(used_memory(&memory)), wanted);
        }
    }

    #[test]
    fn open_files_are_those_of_the_whole_machine() {
        let files = |allocated, free, max| FileState { allocated, free, max };
        assert_eq!(shown(open_files(&files(500, 0, 1_000))), "open_files_used=50%");
        assert_eq!(shown(open_files(&files(500, 250, 1_000))), "open_files_used=25%");
        assert_eq!(shown(open_files(&files(500, 0, u64::MAX))), "open_files_used=0%");
    }
}
