//! What operator and service agree on: ports, paths, metric names, keys and files, and [`Settings`], the text that
//! one writes and the other reads.
//!
//! Input: plain values and texts. Output: plain values and texts. Must not know: HTTP, Kubernetes, Redis, a
//! database, the file system or the environment.

pub mod fields;
pub mod metrics;
pub mod settings;

pub use fields::{Fault, Fields};
pub use settings::Settings;

/// Port of the exam API.
pub const API_PORT: u16 = 8000;
/// Port of probes, metrics and state; never exposed to examinees.
pub const OPS_PORT: u16 = 9000;

/// Prefix of every exam call on the API port.
pub const API_PREFIX: &str = "/api/adaptive";

/// Liveness on the ops port: the process answers.
pub const LIVEZ_PATH: &str = "/livez";
/// Readiness on the ops port: the database is migrated and the process is not draining.
pub const READYZ_PATH: &str = "/readyz";
/// Prometheus metrics on the ops port.
pub const METRICS_PATH: &str = "/metrics";
/// What this process runs, as JSON, on the ops port: see [`State`].
pub const STATE_PATH: &str = "/state";
/// Path of the ops port: how far all open exams are, as one number.
pub const DIGEST_PATH: &str = "/digest";

/// Key of a snapshot in the store is this prefix and the exam's number.
pub const KEY_PREFIX: &str = "adaptive_engine:";
/// Sliding lifetime of a snapshot in the store, in seconds.
pub const SNAPSHOT_TTL_SECONDS: u64 = 7200;

/// Environment variable that names the Settings file; the same as `--settings`.
pub const SETTINGS_ENV: &str = "EXAM_SETTINGS";
/// Key of the Settings text in its ConfigMap: one key per schema version, so that an older
/// image still finds the text it understands.
pub const SETTINGS_KEY: &str = "settings.v1.toml";

/// How far all open exams are, from the database of record, at [`DIGEST_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OpenExams {
    /// How many there are.
    pub count: u64,
    /// 16 hexadecimal digits that are the same while no exam starts, ends or gets an answer: the sum, modulo 2⁶⁴, of the first
    /// eight bytes of SHA-256 over each exam's number and the number of its last event (both as 8 bytes, big-endian).
    pub digest: String,
}

/// What a service reports of itself at [`STATE_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct State {
    /// Store mode that runs now: `memory`, `basic`, `sentinel` or `cluster`.
    pub mode: String,
    /// [`settings::revision`] of the Settings text in use.
    pub settings_revision: String,
    /// [`settings::revision`] of a newer text that was refused; its faults are in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_rejected: Option<String>,
    /// Why that text was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_faults: Option<String>,
    /// Health of the store as this process sees it: `up`, `down` or `disabled`.
    pub store: String,
    /// What is wrong with the store, and which setting mends it; absent while nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_problem: Option<String>,
    /// What the database of record promises of a commit, in its own words.
    pub durability: String,
    /// Whether the database of record answers just now: `up` or `down`; absent from services that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Exams that have started and not ended, from the database of record; while it does not answer, as it said last.
    pub open_exams: u64,
    /// Seconds added to the database's clock, because it was set while exams were open; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_correction_seconds: Option<i64>,
    /// Version of the service.
    pub version: String,
}
