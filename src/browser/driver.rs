//! A ChromeDriver process of our own: started, watched over, ended with all its children.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::leftovers;

/// ChromeDriver must say its port within this time.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The process group must be gone within this time of being killed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How ChromeDriver is started.
#[derive(Debug, Clone)]
pub struct DriverCommand {
    /// The program, looked up in `PATH`.
    pub program: String,
}

impl Default for DriverCommand {
    fn default() -> Self {
        Self {
            program: "chromedriver".into(),
        }
    }
}

/// A running ChromeDriver in a process group, and where possible a PID namespace, of its own.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    group: Option<Pid>,
    folder: PathBuf,
    /// Kept open, so that the driver can go on writing.
    _output: Lines<BufReader<ChildStdout>>,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Driver {
    /// Starts one.
    ///
    /// # Errors
    /// In words for people, with what to install.
    pub async fn start(command: &DriverCommand, number: u64) -> Result<Self, String> {
        let program = which(&command.program).ok_or_else(|| {
            format!(
                "`{}` is not installed: install the packages chromium and chromium-driver, or set `webdriver:` in haetae.yaml",
                command.program
            )
        })?;
        let folder = leftovers::folder_for(number);
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
        let mut words = contained().to_vec();
        words.push(program.display().to_string());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--port=0", "--log-level=WARNING"])
            .env("TMPDIR", &folder)
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("ChromeDriver could not be started: {error}"))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let Some(stdout) = child.stdout.take() else {
            return Err("ChromeDriver has no output".into());
        };
        let mut output = BufReader::new(stdout).lines();
        let port = timeout(START_TIMEOUT, port_from(&mut output))
            .await
            .ok()
            .flatten();
        let mut driver = Self {
            child,
            group,
            folder,
            _output: output,
            port: port.unwrap_or(0),
        };
        if port.is_none() {
            driver.end().await;
            return Err("ChromeDriver ended, or did not say its port within 10s".into());
        }
        Ok(driver)
    }

    /// The process at the top of its tree.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where it and its browsers keep their files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills the driver and every browser it started, waits for them, and removes their folder.
    pub async fn end(&mut self) {
        self.kill();
        if timeout(END_TIMEOUT, self.child.wait()).await.is_err() {
            tracing::warn!(port = self.port, "driver did not end when killed");
        }
        leftovers::end_processes_of(&self.folder);
        leftovers::remove(&self.folder);
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A run that is dropped in the middle must not leave a browser behind either.
impl Drop for Driver {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.kill();
            leftovers::end_processes_of(&self.folder);
        }
        leftovers::remove(&self.folder);
    }
}

async fn port_from(output: &mut Lines<BufReader<ChildStdout>>) -> Option<u16> {
    while let Ok(Some(line)) = output.next_line().await {
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if let Ok(port) = digits.parse() {
                return Some(port);
            }
        }
    }
    None
}

/// The words before the driver's own that make it end with us: `setpriv` ends it when our
/// process dies however that happens, and `unshare` puts it into a PID namespace whose
/// processes all die with it. Empty where the machine allows neither.
fn contained() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let ways: [&[&str]; 3] = [
            &[
                "setpriv",
                "--pdeathsig",
                "KILL",
                "unshare",
                "--user",
                "--map-current-user",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ],
            &[
                "setpriv",
                "--pdeathsig",
                "KILL",
                "unshare",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ],
            &["setpriv", "--pdeathsig", "KILL"],
        ];
        ways.iter()
            .find(|words| works(words))
            .map(|words| words.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    })
}

fn works(words: &[&str]) -> bool {
    std::process::Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether Chromium can use its sandbox: it refuses to as root, and needs user namespaces,
/// which most container runtimes do not grant.
pub fn can_sandbox() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let can = !rustix::process::geteuid().is_root() && works(&["unshare", "--user"]);
        if !can {
            tracing::info!(
                "browsers run without their sandbox: we are root, or user namespaces are not allowed"
            );
        }
        can
    })
}

fn which(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// The browser to use: `chromium-headless-shell` where it is installed, which costs a third
/// of a whole Chromium, unless a window is wanted.
#[must_use]
pub fn find_browser(headed: bool) -> Option<PathBuf> {
    let shells = ["/usr/lib/chromium/chromium-headless-shell"];
    let shell = shells
        .iter()
        .map(Path::new)
        .find(|path| path.is_file())
        .map(Path::to_path_buf)
        .or_else(|| which("chromium-headless-shell"));
    let whole = || {
        ["chromium", "chromium-browser", "google-chrome"]
            .iter()
            .find_map(|name| which(name))
    };
    if headed { whole() } else { shell.or_else(whole) }
}
