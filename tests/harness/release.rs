//! Releases of Redis and Valkey: the machine's own, and those that `make servers` unpacks.
//!
//! Input: a release. Output: the paths of its programs. Must not know: how they are configured.

use anyhow::{Result, bail};
use std::path::PathBuf;

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// What the machine has: Redis 7.0 on Debian 12.
    Machine,
    /// Redis 6.0, which is too old.
    Redis60,
    /// Redis 8.0.
    Redis80,
    /// Valkey 8.1.
    Valkey81,
}

impl Release {
    /// The path of `redis-server`, `redis-sentinel` or `redis-cli`.
    ///
    /// # Errors
    /// It has not been unpacked.
    pub fn program(self, name: &str) -> Result<PathBuf> {
        let folder = match self {
            Self::Machine => return Ok(PathBuf::from(name)),
            Self::Redis60 => "redis-6.0",
            Self::Redis80 => "redis-8.0",
            Self::Valkey81 => "valkey-8.1",
        };
        let running = std::env::current_exe()?;
        let mut paths = running
            .ancestors()
            .skip(1)
            .take(3)
            .map(|above| above.join("servers").join(folder).join("bin").join(name));
        match paths.find(|path| path.is_file()) {
            Some(path) => Ok(path),
            None => bail!("{folder} is not unpacked; `make servers` does that"),
        }
    }
}
