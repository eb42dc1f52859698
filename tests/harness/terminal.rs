//! A program on a pseudo-terminal: reads what it draws, presses keys, and checks that the terminal is restored.

use crate::process::Process;
use crate::wait;
use anyhow::{Context, Result};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{InputModes, LocalModes, OutputModes, Winsize, tcgetattr, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::process::Command;

/// How long a screen may take to show something.
const SOON: Duration = Duration::from_secs(10);

/// How a terminal treats what is typed and what is written.
pub type Modes = (InputModes, OutputModes, LocalModes);

/// A terminal, and the program on it.
pub struct Terminal {
    process: Process,
    master: File,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts a program on a terminal of so many rows and columns; gives the terminal's modes before.
    ///
    /// # Errors
    /// The system has no terminal, or the program does not start.
    pub fn start(program: &Path, words: &[&str], (rows, columns): (u16, u16)) -> Result<(Self, Modes)> {
        Self::start_with(program, words, (rows, columns), &[])
    }

    /// As [`Terminal::start`], with more in its environment.
    ///
    /// # Errors
    /// As [`Terminal::start`].
    pub fn start_with(
        program: &Path,
        words: &[&str],
        (rows, columns): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Result<(Self, Modes)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        let name = ptsname(&master, Vec::new())?;
        let slave = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
        let master = File::from(master);
        let before = modes(&master)?;
        // The program's own session, so that this is the terminal it finds.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program).args(words).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.envs(environment.iter().copied());
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(Stdio::from(slave));
        let process = Process::start("setsid", &mut command)?;
        // What holds the other end in this process goes with the command.
        drop(command);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 200)));
        let (mut output, seen) = (master.try_clone()?, Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with the last program that holds the other end.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().expect("no holder of the screen should panic").process(&bytes[..count]);
            }
        });
        Ok((Self { process, master, screen, reader }, before))
    }

    /// Waits until the screen shows all of these texts; gives the screen.
    ///
    /// # Errors
    /// It does not in time; the error holds what it shows.
    pub async fn shows(&self, texts: &[&str]) -> Result<String> {
        let all = |screen: &String| texts.iter().all(|text| screen.contains(text));
        let wanted = texts.join(", ");
        let shown = wait::until(&wanted, SOON, || async { Some(self.text()).filter(all) });
        shown.await.with_context(|| format!("the screen shows\n{}", self.text()))
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.with(|screen| screen.contents())
    }

    /// Whether the program has a screen of its own, above the one that was there before.
    pub fn is_above(&self) -> bool {
        self.with(vt100::Screen::alternate_screen)
    }

    /// Whether no cursor is shown.
    pub fn hides_cursor(&self) -> bool {
        self.with(vt100::Screen::hide_cursor)
    }

    fn with<T>(&self, read: impl FnOnce(&vt100::Screen) -> T) -> T {
        read(self.screen.lock().expect("no holder of the screen should panic").screen())
    }

    /// Presses keys.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.master.write_all(keys.as_bytes())?)
    }

    /// Its modes now.
    ///
    /// # Errors
    /// The system's.
    pub fn modes(&self) -> Result<Modes> {
        modes(&self.master)
    }

    /// Waits until the program has ended and its last word is on the screen; gives whether it ended well.
    ///
    /// # Errors
    /// It does not end, or something still holds the terminal.
    pub async fn ended(&mut self) -> Result<bool> {
        let well = tokio::time::timeout(SOON, self.process.ended()).await.context("it does not end")??;
        wait::until("all is read", SOON, || async { self.reader.is_finished().then_some(()) }).await?;
        Ok(well)
    }

    /// The program's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn modes(terminal: &File) -> Result<Modes> {
    let modes = tcgetattr(terminal)?;
    Ok((modes.input_modes, modes.output_modes, modes.local_modes))
}
