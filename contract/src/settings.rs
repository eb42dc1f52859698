//! Settings: the complete configuration of a service, as one TOML text.
//!
//! Input: a text, or the two environment variables of the predecessor. Output: [`Settings`], or every fault of the
//! text. It contains no secrets, only the paths of files that do. Must not know: files, the environment, the use of
//! the values.

mod exams;
mod read;
mod store;

pub use exams::{Bank, BankFile, BankForm, BankFormat, BankFrom, ExamType, SAMPLE_BANK, Shown};
pub use store::{HostPort, Place, Redis, RedisUrl, Store};

use crate::{API_PORT, Fault, OPS_PORT, SNAPSHOT_TTL_SECONDS};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Everything a service is told at its start. [`Settings::default`] is the embedded mode: loopback,
/// a SQLite file beside the caller, snapshots in memory, the built-in sample bank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// The exam API.
    pub api: Api,
    /// The listener of probes, metrics and state.
    pub ops: Listener,
    /// Who may call the exam API.
    pub auth: Auth,
    /// How often one caller may call; absent: as often as they like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The database of record.
    pub database: Database,
    /// Where snapshots live.
    pub store: Store,
    /// How the log is written.
    pub log: Log,
    /// What holds after an outage.
    #[serde(skip_serializing_if = "Outage::is_default")]
    pub outage: Outage,
    /// Where traces go.
    #[serde(skip_serializing_if = "Trace::is_off")]
    pub trace: Trace,
    /// Item banks beside the built-in `sample`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub banks: Vec<Bank>,
    /// Exam types by the name that `start` is called with.
    pub exam_types: BTreeMap<String, ExamType>,
}

/// The exam API: where it listens, and which pages of others may call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Api {
    /// Address and port; port 0 lets the system choose one.
    pub bind: SocketAddr,
    /// Origins (`https://HOST[:PORT]`) whose pages a browser lets call this service; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<String>,
}

impl From<SocketAddr> for Api {
    /// A listener that no page of others may call.
    fn from(bind: SocketAddr) -> Self {
        Self { bind, allow_origins: Vec::new() }
    }
}

/// A TCP listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// Address and port; port 0 lets the system choose one.
    pub bind: SocketAddr,
}

/// Who may call the exam API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Auth {
    /// Everybody who can reach the port. Refused on other addresses than loopback unless
    /// `allow_public` says that the network itself is trusted.
    None {
        /// Whether an address other than loopback is accepted.
        allow_public: bool,
    },
    /// Callers that send `Authorization: Bearer <token>`; they are trusted to grade.
    Token {
        /// File with one token a line.
        token_file: String,
    },
    /// Callers that send `Authorization: Bearer <JSON Web Token>` (RFC 7519). Its `sub` owns the exams it
    /// starts; its `role` (or `roles`) is `student`, `proctor` or `admin`, and without one `student`.
    Jwt {
        /// File with what verifies a token: a JSON Web Key Set, or what `algorithm` says.
        key_file: String,
        /// Absent: `key_file` is a JSON Web Key Set, whose keys name theirs.
        #[serde(skip_serializing_if = "Option::is_none")]
        algorithm: Option<Algorithm>,
        /// A token's `aud` has to hold this.
        audience: String,
        /// A token's `iss` has to be this; absent: any.
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256; the file holds the secret, 32 bytes or more.
    HS256,
    /// ECDSA on P-256; the file holds the public key (PEM).
    ES256,
    /// ECDSA on P-384; the file holds the public key (PEM).
    ES384,
    /// Ed25519; the file holds the public key (PEM).
    EdDSA,
}

/// How often one caller may call. A caller is the `sub` of a token, a token, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Requests a second in the long run (1 to 100000).
    pub requests_per_second: u32,
    /// Requests at once after a pause (1 to 100000).
    pub burst: u32,
    /// How many proxies of one's own stand before the service, each of which appends to `X-Forwarded-For` whom
    /// it heard (0 to 8). 0: the header is not read.
    pub trusted_proxies: u8,
}

/// The database of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Where it is.
    #[serde(flatten)]
    pub url: DatabaseUrl,
    /// File with PostgreSQL's password, if it wants one and the URL does not hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// File with the certificates of the authority (PEM): the connection is encrypted, and the server has to have a
    /// certificate by it for the host of the URL. Absent: as the URL says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

impl Database {
    /// A database at a URL, with no file beside it.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: DatabaseUrl::Url(url.into()), password_file: None, ca_file: None }
    }
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseUrl {
    /// `sqlite:PATH`, made when it is absent, or `postgres://USER@HOST:PORT/DATABASE` without a password.
    Url(String),
    /// File with the URL of a PostgreSQL, which may hold the password.
    UrlFile(String),
}

/// What holds after the service or its database could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// How long after an outage the exams whose time it took are not ended, in seconds (0 to 86400).
    pub grace_seconds: u32,
}

impl Outage {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Outage {
    fn default() -> Self {
        Self { grace_seconds: 600 }
    }
}

/// Where traces go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// A collector that takes OTLP over HTTP, as in `http://collector:4318`; absent: there are no traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

impl Trace {
    /// What an endpoint has to look like.
    pub const FORM: &str = "must be http://HOST:PORT of a collector that takes OTLP over HTTP, as in \
                            http://collector:4318; for TLS put a collector beside the service";

    /// Whether a text is an endpoint.
    pub fn is_endpoint(text: &str) -> bool {
        text.strip_prefix("http://").is_some_and(|rest| {
            let host = rest.split(['/', ':']).next().unwrap_or_default();
            !host.is_empty() && !rest.contains(|c: char| c.is_whitespace() || "@?#".contains(c))
        })
    }

    fn is_off(&self) -> bool {
        self.endpoint.is_none()
    }
}

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Log {
    /// `text` for people, `json` for collectors.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            api: loopback(API_PORT).into(),
            ops: Listener { bind: loopback(OPS_PORT) },
            auth: Auth::None { allow_public: false },
            limits: None,
            database: Database::at("sqlite:exams.db"),
            store: Store::Memory { ttl_seconds: SNAPSHOT_TTL_SECONDS },
            log: Log { format: LogFormat::Text },
            outage: Outage::default(),
            trace: Trace::default(),
            banks: Vec::new(),
            exam_types: exams::defaults(),
        }
    }
}

impl Settings {
    /// Reads a Settings text. A field that is absent has its default.
    ///
    /// # Errors
    /// Every fault of the text: bad TOML, unknown fields, wrong types, values out of range, and
    /// pairs that do not go together.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        read::settings(text)
    }

    /// The embedded defaults with the two values of the environment that are honoured when there
    /// is no Settings file: `REDIS_URL` (a password may be part of it) and `DATABASE_URL`.
    ///
    /// # Errors
    /// Every fault of the two values.
    pub fn embedded(redis_url: Option<&str>, database_url: Option<&str>) -> Result<Self, Vec<Fault>> {
        read::embedded(redis_url, database_url)
    }

    /// The text that [`Settings::parse`] reads back to the same value.
    pub fn to_text(&self) -> String {
        toml::to_string_pretty(self).expect("Settings should have a TOML form")
    }
}

/// Short name of a Settings text: the first 12 hexadecimal digits of its SHA-256.
pub fn revision(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String should take any text");
        hex
    })
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
