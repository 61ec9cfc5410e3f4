//! One program, run once: its output bounded, its time too, and nothing of it left behind.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{Instant, sleep_until, timeout};

/// So much of an output is kept.
pub const KEPT_BYTES: usize = 64 * 1024;
/// A program that writes more than this is ended.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Output that is still open so long after its program ended is held open by another one.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A killed process is gone within this time, unless the kernel holds it.
const REAPED_WITHIN: Duration = Duration::from_secs(1);
/// In the environment of everything that a run starts, so that all of it can be found again.
pub const MARK: &str = "HAETAE_RUN";

/// What a program did.
pub struct Ended {
    /// How it ended.
    pub how: How,
    /// What it wrote, as far as it was kept.
    pub stdout: Kept,
    /// What it wrote besides.
    pub stderr: Kept,
    /// Something that it started was still running, and was ended.
    pub left_behind: bool,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// It was still running when its time was up.
    Late,
    /// It wrote without end.
    TooMuch,
    /// Nobody can say: the system lost it.
    Lost,
}

impl How {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Lost,
        }
    }
}

/// The beginning of an output.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
}

impl Kept {
    fn take(&mut self, chunk: &[u8]) {
        let room = KEPT_BYTES - self.bytes.len();
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        self.cut |= chunk.len() > room;
    }

    /// As text. What was cut ends with a whole word, so that no number is half a number.
    #[must_use]
    pub fn text(&self) -> String {
        let whole = match self.bytes.iter().rposition(u8::is_ascii_whitespace) {
            Some(end) if self.cut => &self.bytes[..end],
            _ => &self.bytes,
        };
        String::from_utf8_lossy(whole).into_owned()
    }
}

/// A process group that is ended when it is dropped.
struct Group(Option<Pid>);

impl Group {
    fn kill(&self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a program until it ends, at most until `limit`; then ends all that it started.
/// `mark` is unique to this run.
///
/// # Errors
/// When it cannot be started.
pub async fn run(mut command: Command, mark: &str, limit: Instant) -> io::Result<Ended> {
    let mut child = command
        .env(MARK, mark)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let group = Group(id.and_then(Pid::from_raw));
    let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (how, held_open) = {
        let gather = async { tokio::try_join!(gather(out, &mut stdout), gather(err, &mut stderr)) };
        tokio::pin!(gather);
        let mut gathered = false;
        let how = loop {
            tokio::select! {
                status = child.wait() => break status.map_or(How::Lost, How::of),
                written = &mut gather, if !gathered => match written {
                    Ok(_) => gathered = true,
                    Err(Endless) => break How::TooMuch,
                },
                () = sleep_until(limit) => break How::Late,
            }
        };
        group.kill();
        let _ = timeout(REAPED_WITHIN, child.wait()).await;
        let held_open = !gathered && how != How::TooMuch && timeout(LAST_WORDS, gather).await.is_err();
        (how, held_open)
    };
    // Whoever left the group is found by the mark; that costs a look at every process.
    let escaped = held_open || matches!(how, How::Late | How::TooMuch);
    let left_behind = escaped && kill_marked(mark).await > 0;
    Ok(Ended {
        how,
        stdout,
        stderr,
        left_behind: left_behind || held_open,
    })
}

/// There is more output than anybody reads.
struct Endless;

/// Reads to the end of an output.
async fn gather(output: Option<impl AsyncRead + Unpin>, kept: &mut Kept) -> Result<(), Endless> {
    let Some(mut output) = output else { return Ok(()) };
    let (mut chunk, mut read) = (vec![0; 8 * 1024], 0);
    while let Ok(count) = output.read(&mut chunk).await {
        if count == 0 {
            break;
        }
        kept.take(&chunk[..count]);
        read += count;
        if read > MOST_BYTES {
            return Err(Endless);
        }
    }
    Ok(())
}

/// Ends every process that carries the mark; says how many.
async fn kill_marked(mark: &str) -> usize {
    let wanted = format!("{MARK}={mark}");
    let look = tokio::task::spawn_blocking(move || {
        let marked = marked(wanted.as_bytes());
        for process in &marked {
            let _ = kill_process(*process, Signal::KILL);
        }
        marked.len()
    });
    // A process that the kernel holds may hold up who looks at it.
    timeout(REAPED_WITHIN, look)
        .await
        .map_or(0, Result::unwrap_or_default)
}

fn marked(wanted: &[u8]) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let process = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == wanted)
                .then_some(process)
        })
        .collect()
}
