//! Real servers from the system's packages, each started by its test on a free port and in a
//! folder of its own, and ended with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::PATIENCE;

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A program on the PATH, or where Debian puts servers.
pub fn program_of(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    places
        .map(|place| Path::new(place).join(name))
        .find(|program| program.exists())
        .unwrap_or_else(|| panic!("{name} is not installed; run scripts/install-test-servers.sh"))
}

/// A server that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub dir: tempfile::TempDir,
    process: Child,
}

impl Server {
    /// Starts what `command` makes of the port and the folder, and waits until it takes
    /// connections.
    pub fn start(command: impl FnOnce(u16, &Path) -> Command) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().unwrap();
        let mut command = command(port, dir.path());
        let log = std::fs::File::create(dir.path().join("server.log")).unwrap();
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            dir,
            process,
        };
        server.wait();
        server
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("server.log")).unwrap_or_default()
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "another process says in no other way that it is ready"
    )]
    fn wait(&mut self) {
        let mut left = PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended ({ended:?}):\n{}", self.log());
            assert!(!left.is_zero(), "the server did not start:\n{}", self.log());
            let pause = Duration::from_millis(20);
            std::thread::sleep(pause);
            left = left.saturating_sub(pause);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let _ = kill_process_group(id.unwrap(), Signal::KILL);
        let _ = self.process.wait();
    }
}
