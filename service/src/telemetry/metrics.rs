//! The metrics of the service. Their names come from the contract.
//!
//! Input: counts and durations from other rooms. Output: the Prometheus text. The values of labels are bounded.
//! Must not know: HTTP, SQL, Redis.

mod exams;

use crate::exam::Exam;
use contract::metrics as names;
use exams::Measured;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::time::Duration;

/// 1 ms to 10 s; 0.25 s is the deadline of a store operation.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Store modes; the gauge of exactly one of them is 1.
const MODES: [&str; 4] = ["memory", "basic", "sentinel", "cluster"];

/// The metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    store_operations: IntCounterVec,
    store_seconds: HistogramVec,
    store_mode: IntGaugeVec,
    breaker_open: IntGauge,
    store_problems: IntGaugeVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    events: IntCounterVec,
    rebuilds: IntCounterVec,
    repeats: IntCounterVec,
    rewarmed: IntCounter,
    commit_seconds: Histogram,
    commit_batch: Histogram,
    open_exams: IntGauge,
    build_info: IntGaugeVec,
    in_flight: IntGauge,
    db_connections: IntGaugeVec,
    db_connections_max: IntGauge,
    writes_waiting: IntGauge,
    settings_rejected: IntGauge,
    database_up: IntGauge,
    clock_correction: IntGauge,
    outage_seconds: IntCounter,
    measured: Measured,
}

/// Values that are sampled on each scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampled {
    /// Number of open exams, if the database answers.
    pub open_exams: Option<u64>,
    /// Whether the database answered.
    pub database_up: bool,
    /// Use of the database of record.
    pub database: Usage,
    /// What is added to the database's clock, in milliseconds.
    pub clock_correction: i64,
    /// Whether a Settings text is rejected.
    pub settings_rejected: bool,
}

/// What the database of record is used for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Busy connections.
    pub busy: usize,
    /// Idle connections.
    pub idle: usize,
    /// Maximum of connections.
    pub most: u32,
    /// Queued starts and events.
    pub waiting: usize,
}

/// A request in flight; counted until it is dropped.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// New metrics, including those of the process.
    pub fn new() -> Self {
        let registry = Registry::new();
        let made = Self {
            store_operations: counter(
                names::REDIS_OPERATIONS_TOTAL,
                "Operations on the snapshot store, by operation and outcome.",
                &["operation", "outcome"],
            ),
            store_seconds: histogram(
                names::REDIS_OPERATION_SECONDS,
                "Seconds of an operation on the snapshot store.",
                &["operation"],
            ),
            store_mode: gauges(names::STORE_MODE, "1 for the store mode that runs.", &["mode"]),
            breaker_open: gauge(
                names::STORE_BREAKER_OPEN,
                "Circuit breakers of the snapshot store that are open: one for each master.",
            ),
            store_problems: gauges(
                names::STORE_PROBLEM,
                "Masters of the snapshot store that have a problem, by reason.",
                &["reason"],
            ),
            requests: counter(
                names::REQUESTS_TOTAL,
                "Requests, by route, method and status.",
                &["route", "method", "status"],
            ),
            request_seconds: histogram(names::REQUEST_SECONDS, "Seconds of a request, by route.", &["route"]),
            events: counter(names::EVENTS_TOTAL, "Events committed to the log, by kind.", &["kind"]),
            rebuilds: counter(
                names::REBUILDS_TOTAL,
                "Exams rebuilt from the log because the snapshot was unusable, by reason.",
                &["reason"],
            ),
            rewarmed: IntCounter::with_opts(Opts::new(
                names::REWARMED_TOTAL,
                "Snapshots of open exams that were restored into a store that had lost them.",
            ))
            .expect("a metric's name should be valid"),
            repeats: counter(
                names::REPEATS_TOTAL,
                "Repeated and conflicting submissions, by outcome.",
                &["outcome"],
            ),
            commit_seconds: Histogram::with_opts(
                HistogramOpts::new(names::COMMIT_SECONDS, "Seconds until an event is durable.")
                    .buckets(SECONDS.to_vec()),
            )
            .expect("a metric's name and buckets should be valid"),
            commit_batch: Histogram::with_opts(
                HistogramOpts::new(names::COMMIT_BATCH, "Starts and events in one transaction.")
                    .buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            )
            .expect("a metric's name and buckets should be valid"),
            open_exams: gauge(names::OPEN_EXAMS, "Open exams: started and not ended."),
            build_info: gauges(
                names::BUILD_INFO,
                "Always 1; the version and the Settings revision that run.",
                &["version", "settings_revision"],
            ),
            in_flight: gauge(names::REQUESTS_IN_FLIGHT, "Requests that are being served."),
            db_connections: gauges(
                names::DB_CONNECTIONS,
                "Connections to the database of record, by state.",
                &["state"],
            ),
            db_connections_max: gauge(
                names::DB_CONNECTIONS_MAX,
                "Maximum of connections to the database of record.",
            ),
            writes_waiting: gauge(names::WRITES_WAITING, "Starts and events in the write queue."),
            settings_rejected: gauge(
                names::SETTINGS_REJECTED,
                "1 while the current Settings text is rejected and an older one is in use.",
            ),
            clock_correction: gauge(
                names::CLOCK_CORRECTION_SECONDS,
                "Seconds added to the database's clock because it was set while exams were open.",
            ),
            outage_seconds: IntCounter::with_opts(Opts::new(
                names::OUTAGE_SECONDS_TOTAL,
                "Seconds in which no replica could reach the database of record.",
            ))
            .expect("a metric's name should be valid"),
            database_up: gauge(names::DATABASE_UP, "1 while the database of record answers."),
            measured: Measured::new(),
            registry,
        };
        made.register();
        made
    }

    fn register(&self) {
        let collectors: Vec<Box<dyn prometheus::core::Collector>> = vec![
            Box::new(self.store_operations.clone()),
            Box::new(self.store_seconds.clone()),
            Box::new(self.store_mode.clone()),
            Box::new(self.breaker_open.clone()),
            Box::new(self.store_problems.clone()),
            Box::new(self.requests.clone()),
            Box::new(self.request_seconds.clone()),
            Box::new(self.events.clone()),
            Box::new(self.rebuilds.clone()),
            Box::new(self.repeats.clone()),
            Box::new(self.rewarmed.clone()),
            Box::new(self.commit_seconds.clone()),
            Box::new(self.commit_batch.clone()),
            Box::new(self.open_exams.clone()),
            Box::new(self.build_info.clone()),
            Box::new(self.in_flight.clone()),
            Box::new(self.db_connections.clone()),
            Box::new(self.db_connections_max.clone()),
            Box::new(self.writes_waiting.clone()),
            Box::new(self.settings_rejected.clone()),
            Box::new(self.database_up.clone()),
            Box::new(self.clock_correction.clone()),
            Box::new(self.outage_seconds.clone()),
            Box::new(prometheus::process_collector::ProcessCollector::for_self()),
        ];
        for collector in collectors.into_iter().chain(self.measured.collectors()) {
            self.registry.register(collector).expect("each metric should be registered once");
        }
    }

    pub(crate) fn store_operation(&self, operation: &str, outcome: &str, took: Duration) {
        self.store_operations.with_label_values(&[operation, outcome]).inc();
        self.store_seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
    }

    pub(crate) fn store_problem(&self, before: Option<&'static str>, now: Option<&'static str>) {
        if let Some(before) = before {
            self.store_problems.with_label_values(&[before]).dec();
        }
        if let Some(now) = now {
            self.store_problems.with_label_values(&[now]).inc();
        }
    }

    pub(crate) fn store_mode(&self, running: &str) {
        MODES.iter().for_each(|mode| {
            self.store_mode.with_label_values(&[mode]).set(i64::from(*mode == running));
        });
    }

    pub(crate) fn breaker_open(&self, open: bool) {
        if open { self.breaker_open.inc() } else { self.breaker_open.dec() }
    }

    pub(crate) fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Counts the last event of an exam and the time until it was durable.
    pub(crate) fn committed(&self, exam: &Exam, took: Duration) {
        let Some(entry) = exam.entries().last() else { return };
        self.events.with_label_values(&[entry.event.kind()]).inc();
        self.commit_seconds.observe(took.as_secs_f64());
        self.measured.committed(exam);
    }

    /// Counts a request in flight until the returned value is dropped.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub(crate) fn batch(&self, size: usize) {
        self.commit_batch.observe(size as f64);
    }

    pub(crate) fn rebuilt(&self, reason: &str) {
        self.rebuilds.with_label_values(&[reason]).inc();
    }

    pub(crate) fn outage(&self, seconds: i64) {
        self.outage_seconds.inc_by(u64::try_from(seconds).unwrap_or(0));
    }

    pub(crate) fn rewarmed(&self) {
        self.rewarmed.inc();
    }

    pub(crate) fn repeated(&self, outcome: &str) {
        self.repeats.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn build(&self, settings_revision: &str) {
        self.build_info.reset();
        self.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), settings_revision]).set(1);
    }

    /// Number of open exams at the last scrape.
    pub fn open_exams(&self) -> u64 {
        u64::try_from(self.open_exams.get()).unwrap_or(0)
    }

    /// The text in Prometheus format.
    pub fn text(&self, sampled: Sampled) -> String {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(count) = sampled.open_exams {
            self.open_exams.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let Usage { busy, idle, most, waiting } = sampled.database;
        self.db_connections.with_label_values(&["busy"]).set(number(busy));
        self.db_connections.with_label_values(&["idle"]).set(number(idle));
        self.db_connections_max.set(most.into());
        self.writes_waiting.set(number(waiting));
        self.settings_rejected.set(sampled.settings_rejected.into());
        self.database_up.set(sampled.database_up.into());
        self.clock_correction.set(sampled.clock_correction / 1000);
        self.measured.update_ratios();
        let mut buffer = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut buffer)
            .expect("a Vec should take the metrics' text");
        String::from_utf8_lossy(&buffer).into_owned()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect("a metric's name should be valid")
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help), labels).expect("a metric's name should be valid")
}

fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::with_opts(Opts::new(name, help)).expect("a metric's name should be valid")
}

fn ratios(name: &str, help: &str) -> GaugeVec {
    GaugeVec::new(Opts::new(name, help), &["bank"]).expect("a metric's name should be valid")
}

fn histogram(name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels)
        .expect("a metric's name and buckets should be valid")
}
