//! The operator's own metrics, and whether it is alive.

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounterVec, Opts, Registry, TextEncoder};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Metrics of one operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    seconds: Histogram,
    heard: Arc<Mutex<Instant>>,
}

impl Metrics {
    /// New metrics, all at zero.
    pub fn new() -> Self {
        let reconciles = Opts::new(
            "adaptive_exam_operator_reconciles_total",
            "Reconciles, by outcome: ok, or the reason of the failure.",
        );
        let seconds =
            HistogramOpts::new("adaptive_exam_operator_reconcile_seconds", "Seconds of a reconcile.")
                .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let made = Self {
            reconciles: IntCounterVec::new(reconciles, &["outcome"])
                .expect("a metric's name should be valid"),
            seconds: Histogram::with_opts(seconds).expect("a metric's name should be valid"),
            registry: Registry::new(),
            heard: Arc::new(Mutex::new(Instant::now())),
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 3] = [
            Box::new(made.reconciles.clone()),
            Box::new(made.seconds.clone()),
            Box::new(prometheus::process_collector::ProcessCollector::for_self()),
        ];
        for collector in collectors {
            made.registry.register(collector).expect("each metric should be registered once");
        }
        made
    }

    pub(crate) fn reconciled(&self, failure: Option<&'static str>, took: Duration) {
        self.reconciles.with_label_values(&[failure.unwrap_or("ok")]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Notes that the API server answered.
    pub fn heard(&self) {
        *self.heard.lock().expect("no holder of the time should panic") = Instant::now();
    }

    /// How long ago the API server answered last.
    pub fn silence(&self) -> Duration {
        self.heard.lock().expect("no holder of the time should panic").elapsed()
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> String {
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
