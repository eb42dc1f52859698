//! Has changes of the Settings file, of the secrets it names and of bank files adopted.
//!
//! Input: paths, every [`POLL`]. Output: calls of [`App::adopt`] or [`App::reject`]. A file in a mounted `ConfigMap` is
//! replaced by way of links, so files are looked at, not watched. Must not know: what a change builds.

use super::report::faults;
use super::sources::secrets;
use contract::Settings;
use contract::settings::{BankFrom, revision};
use service::app::App;
use service::live::Rejected;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Settings that the command line overrides.
#[derive(Clone, Copy)]
pub(super) struct Overrides {
    pub api: Option<SocketAddr>,
    pub ops: Option<SocketAddr>,
}

impl Overrides {
    pub(super) fn apply(self, settings: &mut Settings) {
        settings.api.bind = self.api.unwrap_or(settings.api.bind);
        settings.ops.bind = self.ops.unwrap_or(settings.ops.bind);
    }
}

/// What tells one content of the bank files from another without reading them; none for a file that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps(Vec<(String, Option<Stamp>)>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: SystemTime,
}

impl Stamps {
    /// Looks at the bank files that Settings name.
    pub fn of(settings: &Settings) -> Self {
        let files = settings.banks.iter().filter_map(|bank| match &bank.from {
            BankFrom::File(file) => Some(file.file.clone()),
            BankFrom::Version { .. } => None,
        });
        let stamp = |file: &String| {
            let metadata = std::fs::metadata(file).ok()?;
            Some(Stamp { inode: metadata.ino(), length: metadata.len(), modified: metadata.modified().ok()? })
        };
        Self(files.map(|file| (file.clone(), stamp(&file))).collect())
    }
}

/// Looks at all files from time to time. A bank file is read when it has not changed since the look before, so that
/// one that is still being written is not.
pub(super) async fn watch(path: PathBuf, app: App, overrides: Overrides, adopted: Stamps) {
    let mut ticks = tokio::time::interval(POLL);
    let (mut adopted, mut seen, mut tried) = (adopted.clone(), adopted, None);
    loop {
        ticks.tick().await;
        // While the file is being replaced it may not be there.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let revision = revision(&text);
        let reject = |reason: String| app.reject(Rejected { revision: revision.clone(), reason });
        let mut settings = match Settings::parse(&text) {
            Ok(settings) => settings,
            Err(found) => {
                reject(faults(&path.display().to_string(), &found).to_string());
                continue;
            }
        };
        overrides.apply(&mut settings);
        let secrets = match secrets(&settings) {
            Ok(secrets) => secrets,
            Err(error) => {
                reject(format!("{error:#}"));
                continue;
            }
        };
        let stamps = Stamps::of(&settings);
        let is_steady = seen == stamps;
        seen.clone_from(&stamps);
        if *app.live().revision == *revision && app.live().is(&settings, &secrets) {
            if stamps == adopted {
                app.accept();
                continue;
            }
            if !is_steady || tried.as_ref() == Some(&stamps) {
                continue;
            }
            tracing::info!("a bank file has changed");
        }
        tried = Some(stamps.clone());
        let read = |path: &str| std::fs::read(path).map_err(|error| error.to_string());
        match app.adopt(&settings, &revision, &secrets, read).await {
            Ok(()) => adopted = stamps,
            Err(error) => reject(error.to_string()),
        }
    }
}
