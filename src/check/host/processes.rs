//! Running processes by name.

use regex::Regex;

use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec, Value};

/// The keys of one entry of `processes:`.
pub(super) static PROCESS: Spec = Spec {
    name: "a process",
    example: "nginx: { command: \"nginx: worker\" }",
    keys: &[Key::new(
        "command",
        Shape::Plain,
        "A regular expression over the whole command line, instead of the name.",
    )],
};

/// The kernel keeps this much of a process's name.
const COMM_BYTES: usize = 15;

/// Which processes are counted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The measurement is `processes.NAME`.
    pub name: String,
    command: Option<Regex>,
}

/// A process, as `/proc` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    comm: String,
    /// Program and arguments; empty for kernel threads.
    cmdline: Vec<String>,
}

impl Wanted {
    /// A list of names, or a map from names to which processes are meant.
    pub(super) fn read_all(node: &Node, reader: &mut Reader<'_>) -> Vec<Self> {
        if matches!(node.value, Value::List(_)) {
            return reader.list(node, |reader, item| {
                let name = reader.plain(item)?;
                if name.contains('/') {
                    reader.report(
                        Problem::error(&item.place, format!("`{name}` is a path, and processes are known by their name"))
                            .hint("write the name that `ps -o comm` shows, or `NAME: { command: regex }` for the whole command line"),
                    );
                }
                Some(Self { name, command: None })
            });
        }
        let mut all = Vec::new();
        for entry in reader.entries(node) {
            if let Some(fields) = Fields::open(&entry.node, &PROCESS, reader) {
                let command = fields.get("command").and_then(|node| reader.regex(node));
                all.push(Self {
                    name: entry.key.clone(),
                    command,
                });
            }
        }
        all
    }

    /// Whether this process is meant: its name is the one that `ps -o comm` shows, or, where
    /// that is cut, its program is called so; with `command`, its command line matches.
    pub(super) fn is(&self, process: &Seen) -> bool {
        if let Some(command) = &self.command {
            return command.is_match(&process.cmdline.join(" "));
        }
        if self.name.len() <= COMM_BYTES {
            return process.comm == self.name;
        }
        let program = process.cmdline.first().map(String::as_str).unwrap_or_default();
        self.name.starts_with(&process.comm)
            && process.comm.len() >= COMM_BYTES
            && program.rsplit('/').next() == Some(self.name.as_str())
    }
}

/// Every running process that can be seen; those that have ended and wait for their parent
/// are not running.
///
/// # Errors
/// When processes are hidden from us, in words for people.
pub(super) fn all() -> Result<Vec<Seen>, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("the list of processes cannot be read: {error}");
    // Where only one's own are shown, the first process is not.
    if std::fs::metadata("/proc/1/stat").is_err() {
        return Err("other users' processes are hidden from haetae (`hidepid`)".into());
    }
    let processes = procfs::process::all_processes().map_err(|error| unreadable(&error))?;
    Ok(processes
        .flatten()
        .filter_map(|process| {
            // One that is gone by now is not running.
            let stat = process.stat().ok()?;
            let cmdline = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
            let is_running = !matches!(stat.state, 'Z' | 'X' | 'x');
            is_running.then(|| Seen {
                comm: stat.comm,
                cmdline: words(&cmdline),
            })
        })
        .collect())
}

fn words(cmdline: &[u8]) -> Vec<String> {
    cmdline
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_name_or_its_command_line() {
        let wanted = |name: &str, command: &str| Wanted {
            name: name.into(),
            command: (!command.is_empty()).then(|| Regex::new(command).unwrap()),
        };
        for (name, command, comm, cmdline, is) in [
            ("nginx", "", "nginx", "nginx: worker process", true),
            ("nginx", "", "nginx-debug", "nginx-debug", false),
            ("NGINX", "", "nginx", "nginx", false),
            ("worker", "nginx: worker", "nginx", "nginx: worker process", true),
            ("worker", "nginx: worker", "nginx", "nginx: master process", false),
            (
                "worker",
                "^python3 .*/queue\\.py$",
                "python3",
                "python3 /srv/queue.py",
                true,
            ),
            // 15 bytes are kept: `systemd-timesyncd` is `systemd-timesyn`.
            (
                "systemd-timesyncd",
                "",
                "systemd-timesyn",
                "/lib/systemd/systemd-timesyncd",
                true,
            ),
            (
                "systemd-timesyncd",
                "",
                "systemd-timesyn",
                "/lib/systemd/systemd-timesync2",
                false,
            ),
            ("systemd-timesyncd", "", "systemd", "/lib/systemd/systemd", false),
            ("kthreadd", "", "kthreadd", "", true),
        ] {
            let process = Seen {
                comm: comm.into(),
                cmdline: cmdline.split(' ').map(str::to_owned).collect(),
            };
            assert_eq!(
                wanted(name, command).is(&process),
                is,
                "{name} {command} {cmdline}"
            );
        }
    }

    #[test]
    fn a_command_line_is_taken_apart() {
        assert_eq!(words(b"sleep\x0010\0"), ["sleep", "10"]);
        assert_eq!(words(b""), Vec::<String>::new());
    }
}
