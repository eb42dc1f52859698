//! Names of the service's metrics, shared with alert rules and dashboards.
//!
//! Input: none. Output: constants. The two Redis names are those of the predecessor; all others have the prefix
//! `adaptive_exam_`. Label values are bounded: never an exam, an item or a person. Must not know: what is measured.

/// Counter: operations on the store by `operation` and `outcome`.
pub const REDIS_OPERATIONS_TOTAL: &str = "redis_operations_total";
/// Histogram: seconds of an operation on the store by `operation`.
pub const REDIS_OPERATION_SECONDS: &str = "redis_operation_seconds";
/// Counter: requests by `route`, `method` and `status`.
pub const REQUESTS_TOTAL: &str = "adaptive_exam_requests_total";
/// Histogram: seconds of a request by `route`.
pub const REQUEST_SECONDS: &str = "adaptive_exam_request_seconds";
/// Counter: events committed to the log by `kind`.
pub const EVENTS_TOTAL: &str = "adaptive_exam_events_total";
/// Counter: exams rebuilt from the log because the snapshot was of no use, by `reason`.
pub const REBUILDS_TOTAL: &str = "adaptive_exam_rebuilds_total";
/// Counter: open exams whose snapshots were put back into a store that had lost them.
pub const REWARMED_TOTAL: &str = "adaptive_exam_rewarmed_total";
/// Counter: submissions that found their event already in the log, by `outcome`.
pub const REPEATS_TOTAL: &str = "adaptive_exam_repeats_total";
/// Gauge: 1 for the store mode that runs, 0 for the others, by `mode`.
pub const STORE_MODE: &str = "adaptive_exam_store_mode";
/// Gauge: masters of the store that have a problem, by `reason`, one of [`STORE_PROBLEMS`].
pub const STORE_PROBLEM: &str = "adaptive_exam_store_problem";
/// What a problem of the store may be.
pub const STORE_PROBLEMS: [&str; 11] = [
    "unreachable",
    "slow",
    "password",
    "permission",
    "address",
    "replica",
    "certificate",
    "tls",
    "version",
    "memory",
    "other",
];
/// Gauge: circuit breakers of the store that are open, one for each master: requests are kept away from these.
pub const STORE_BREAKER_OPEN: &str = "adaptive_exam_store_breaker_open";
/// Histogram: seconds until an event is durable in the database of record.
pub const COMMIT_SECONDS: &str = "adaptive_exam_commit_seconds";
/// Histogram: starts and events that were committed together.
pub const COMMIT_BATCH: &str = "adaptive_exam_commit_batch";
/// Gauge: exams that have started and not ended.
pub const OPEN_EXAMS: &str = "adaptive_exam_open_exams";
/// Counter: exams that have ended, by `reason`.
pub const ENDED_TOTAL: &str = "adaptive_exam_ended_total";
/// Histogram: standard error of the final ability, by `exam_type`.
pub const STANDARD_ERROR: &str = "adaptive_exam_standard_error";
/// Histogram: answers of an exam that has ended, by `exam_type`.
pub const ITEMS: &str = "adaptive_exam_items";
/// Gauge: the share of exams that the most shown item was given in, by `bank`, since the process started.
pub const EXPOSURE_HIGHEST: &str = "adaptive_exam_exposure_highest_ratio";
/// Gauge: the share of items that no exam was given, by `bank`, since the process started.
pub const EXPOSURE_UNUSED: &str = "adaptive_exam_exposure_unused_ratio";
/// Gauge: requests that are being served.
pub const REQUESTS_IN_FLIGHT: &str = "adaptive_exam_requests_in_flight";
/// Gauge: connections to the database of record, by `state` (busy, idle).
pub const DB_CONNECTIONS: &str = "adaptive_exam_db_connections";
/// Gauge: most connections to the database of record.
pub const DB_CONNECTIONS_MAX: &str = "adaptive_exam_db_connections_max";
/// Gauge: starts and events that wait to be written.
pub const WRITES_WAITING: &str = "adaptive_exam_writes_waiting";
/// Gauge: 1 while the database of record answers.
pub const DATABASE_UP: &str = "adaptive_exam_database_up";
/// Gauge: seconds added to the database's clock because it was set while exams were open.
pub const CLOCK_CORRECTION_SECONDS: &str = "adaptive_exam_clock_correction_seconds";
/// Counter: seconds in which no replica could reach the database of record.
pub const OUTAGE_SECONDS_TOTAL: &str = "adaptive_exam_outage_seconds_total";
/// Gauge: 1 while a Settings text is refused and an older one is in use.
pub const SETTINGS_REJECTED: &str = "adaptive_exam_settings_rejected";
/// Gauge: always 1; labels `version` and `settings_revision`.
pub const BUILD_INFO: &str = "adaptive_exam_build_info";
