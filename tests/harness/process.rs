//! Child processes: started, watched, and ended by pid, at the latest with the test.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::PathBuf;
use tokio::process::{Child, Command};

/// A child process that ends when this value does.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program.
    ///
    /// # Errors
    /// It is not there, or does not start.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command.kill_on_drop(true).spawn();
        let child = child.with_context(|| format!("{name} does not start; is it installed?"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// The process's pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The child, to read its output.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal to this process alone.
    ///
    /// # Errors
    /// It has ended already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let Some(pid) = pid else { bail!("{} has ended", self.name) };
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it ends by itself; gives whether it ended well.
    ///
    /// # Errors
    /// The system's.
    pub async fn ended(&mut self) -> Result<bool> {
        Ok(self.child.wait().await?.success())
    }
}

/// Bytes of memory that a process holds now.
///
/// # Errors
/// It has ended.
pub fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kibibytes: u64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kibibytes * 1024)
}

/// Ports below those that the system gives to outgoing connections and to listeners on port 0.
const PORTS: Range<u16> = 10_000..30_000;

/// A port of one's own, also while the program that listens on it is stopped and started again: as long as
/// this value lives, no other has the same number, in this process or in another of the tests.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Nobody uses UDP here: that half of the port tells who has the other.
    _kept: UdpSocket,
}

impl Port {
    /// One that nothing listens on.
    ///
    /// # Errors
    /// None is left.
    pub fn free() -> Result<Self> {
        for _ in 0..1000 {
            let at = (Ipv4Addr::LOCALHOST, rand::random_range(PORTS));
            let Ok(kept) = UdpSocket::bind(at) else { continue };
            if TcpListener::bind(at).is_ok() {
                return Ok(Self { number: at.1, _kept: kept });
            }
        }
        bail!("no port is free in {PORTS:?}")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// One of the workspace's programs, in the target folder of the program that runs.
///
/// # Errors
/// It has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let running = std::env::current_exe()?;
    // A test is one folder below the programs, beside which the demo is.
    let folders = running.ancestors().skip(1).take(2);
    match folders.map(|folder| folder.join(name)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("{name} is not built; `make programs` does that"),
    }
}
