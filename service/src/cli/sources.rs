//! Where a subcommand reads from: the Settings file, the files of secrets, the database.
//!
//! Input: arguments. Output: Settings with the hash of their text, secrets, how a database is reached.
//! Must not know: what the subcommand does with them.

use super::arguments::{Source, Where};
use super::report::faults;
use anyhow::Context;
use contract::Settings;
use contract::settings::{Auth, Database, DatabaseUrl, Store, revision};
use service::live::Secrets;
use service::records::DatabaseAccess;
use service::store::redis::access::StoreSecrets;
use std::path::Path;

/// The Settings that arguments name, and the revision of their text.
pub fn settings(source: &Source) -> anyhow::Result<(Settings, String)> {
    match &source.settings {
        Some(path) => {
            let text = read(path)?;
            let settings =
                Settings::parse(&text).map_err(|found| faults(&path.display().to_string(), &found))?;
            Ok((settings, revision(&text)))
        }
        None => {
            let settings = Settings::embedded(source.redis_url.as_deref(), source.database_url.as_deref())
                .map_err(|found| faults("the environment", &found))?;
            let revision = revision(&settings.to_text());
            Ok((settings, revision))
        }
    }
}

/// The database that arguments name: themselves, by a Settings file, or by default.
pub fn database(place: &Where) -> anyhow::Result<DatabaseAccess> {
    let database = match (&place.database, &place.settings) {
        (Some(url), _) => Database::at(url),
        (None, Some(path)) => {
            let name = path.display().to_string();
            let settings = Settings::parse(&read(path)?).map_err(|found| faults(&name, &found))?;
            settings.database
        }
        (None, None) => Settings::default().database,
    };
    database_access(&database)
}

/// How a database is reached, with what the files say that its settings name.
///
/// # Errors
/// A file cannot be read, or holds no URL.
pub fn database_access(database: &Database) -> anyhow::Result<DatabaseAccess> {
    let url = match &database.url {
        DatabaseUrl::Url(url) => url.clone(),
        DatabaseUrl::UrlFile(file) => {
            let url = secret(file)?;
            let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
            anyhow::ensure!(
                is_url,
                "{file} (database.url_file) must hold postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            );
            url
        }
    };
    let password = database.password_file.as_deref().map(secret).transpose()?;
    Ok(DatabaseAccess { url, password, ca_file: database.ca_file.clone() })
}

/// The secrets that the files named by Settings hold.
///
/// # Errors
/// A file cannot be read.
pub fn secrets(settings: &Settings) -> anyhow::Result<Secrets> {
    let tokens = match &settings.auth {
        Auth::Token { token_file: file } | Auth::Jwt { key_file: file, .. } => Some(read(Path::new(file))?),
        Auth::None { .. } => None,
    };
    let store = store_secrets(&settings.store)?;
    let database = database_access(&settings.database)?;
    Ok(Secrets { store, database, tokens })
}

/// The secrets of the store, and its certificates.
///
/// # Errors
/// A file cannot be read.
pub fn store_secrets(store: &Store) -> anyhow::Result<StoreSecrets> {
    let Some(redis) = store.redis() else { return Ok(StoreSecrets::default()) };
    let word = |file: &Option<String>| file.as_deref().map(secret).transpose();
    let text = |file: &Option<String>| file.as_deref().map(|file| read(Path::new(file))).transpose();
    Ok(StoreSecrets {
        password: word(&redis.password_file)?,
        sentinel_password: word(&redis.sentinel_password_file)?,
        ca: text(&redis.ca_file)?,
        certificate: text(&redis.cert_file)?.zip(text(&redis.key_file)?),
    })
}

/// A secret, without the end of its line.
pub fn secret(file: &str) -> anyhow::Result<String> {
    Ok(read(Path::new(file))?.trim_end_matches(['\r', '\n']).to_owned())
}

/// The text of a file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The bytes of a file.
pub fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
