//! Metrics of the operator, and whether it is alive.
//!
//! Input: results of reconciles and of reads. Output: the Prometheus text, and a fault. Must not know: resources.

use crate::crd::AdaptiveExamDeploymentStatus;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Metrics of one operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    seconds: Histogram,
    leads: IntGauge,
    steps: IntCounterVec,
    conditions: IntGaugeVec,
    told: Arc<Mutex<Told>>,
    pulse: Arc<Mutex<Pulse>>,
}

/// The conditions that are told of each resource, by its namespace and name: their types and statuses.
type Told = HashMap<(String, String), Vec<(String, String)>>;

/// When the operator last worked.
#[derive(Clone, Copy, Debug)]
struct Pulse {
    /// The API server answered.
    heard: Instant,
    /// A reconcile ended, or there was nothing to reconcile.
    worked: Instant,
}

/// Longest time without an answer of the API server, which is read every 30 s.
const SILENCE: Duration = Duration::from_secs(300);
/// Longest time without a reconcile while there are resources; each has one in 5 minutes.
const IDLENESS: Duration = Duration::from_secs(900);

impl Pulse {
    /// Why the operator is not alive at `now`.
    fn fault(&self, now: Instant) -> Option<String> {
        let since = |then: Instant| now.saturating_duration_since(then);
        let (silence, idleness) = (since(self.heard), since(self.worked));
        if silence > SILENCE {
            return Some(format!("the API server has not answered for {} s", silence.as_secs()));
        }
        (idleness > IDLENESS)
            .then(|| format!("there are resources, and none was reconciled for {} s", idleness.as_secs()))
    }
}

impl Metrics {
    /// New metrics.
    pub fn new() -> Self {
        let reconciles = Opts::new(
            "adaptive_exam_operator_reconciles_total",
            "Reconciles, by outcome: ok, or the reason of the failure.",
        );
        let seconds =
            HistogramOpts::new("adaptive_exam_operator_reconcile_seconds", "Seconds of a reconcile.")
                .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let leads = IntGauge::new(
            "adaptive_exam_operator_leader",
            "1 while this operator works; 0 while another does.",
        );
        let steps = Opts::new(
            "adaptive_exam_operator_redis_steps_total",
            "Steps taken at a provisioned Redis, by the reason of their event, and whether they were done.",
        );
        let conditions = Opts::new(
            "adaptive_exam_operator_resource_condition",
            "1 for the status that each condition of a resource has now: True, False or Unknown.",
        );
        let of_condition = ["namespace", "name", "type", "status"];
        let made = Self {
            conditions: IntGaugeVec::new(conditions, &of_condition).expect("a metric's name should be valid"),
            told: Arc::default(),
            leads: leads.expect("a metric's name should be valid"),
            steps: IntCounterVec::new(steps, &["step", "done"]).expect("a metric's name should be valid"),
            reconciles: IntCounterVec::new(reconciles, &["outcome"])
                .expect("a metric's name should be valid"),
            seconds: Histogram::with_opts(seconds).expect("a metric's name should be valid"),
            registry: Registry::new(),
            pulse: Arc::new(Mutex::new(Pulse { heard: Instant::now(), worked: Instant::now() })),
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 6] = [
            Box::new(made.leads.clone()),
            Box::new(made.steps.clone()),
            Box::new(made.conditions.clone()),
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
        self.pulse.lock().expect("no holder of the time should panic").worked = Instant::now();
    }

    /// Records whether this operator works, or another.
    pub fn leads(&self, leads: bool) {
        self.leads.set(leads.into());
        self.pulse.lock().expect("no holder of the time should panic").worked = Instant::now();
    }

    /// Begins the counts of steps at 0: otherwise the first of each would be no increase.
    pub(crate) fn begin_steps(&self, steps: &[&str]) {
        for step in steps {
            for done in ["true", "false"] {
                self.steps.with_label_values(&[*step, done]);
            }
        }
    }

    pub(crate) fn stepped(&self, step: &'static str, is_done: bool) {
        self.steps.with_label_values(&[step, if is_done { "true" } else { "false" }]).inc();
    }

    /// Records what the status of a resource says.
    pub(crate) fn says(&self, namespace: &str, name: &str, status: &AdaptiveExamDeploymentStatus) {
        let now = status.conditions.iter().map(|known| (known.type_.clone(), known.status.clone())).collect();
        self.tell(namespace, name, now);
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.tell(namespace, name, Vec::new());
    }

    fn tell(&self, namespace: &str, name: &str, now: Vec<(String, String)>) {
        let mut told = self.told.lock().expect("no holder of what was told should panic");
        let key = (namespace.to_owned(), name.to_owned());
        let before = told.remove(&key).unwrap_or_default();
        let series = |(type_, status): &(String, String)| [namespace, name, type_, status].map(str::to_owned);
        for over in before.iter().filter(|before| !now.contains(before)) {
            // It is there: it was set when it was told.
            let _ = self.conditions.remove_label_values(&series(over));
        }
        for new in &now {
            self.conditions.with_label_values(&series(new)).set(1);
        }
        if !now.is_empty() {
            told.insert(key, now);
        }
    }

    /// Records that the API server answered, and whether there are resources.
    pub fn heard(&self, has_resources: bool) {
        let mut pulse = self.pulse.lock().expect("no holder of the time should panic");
        pulse.heard = Instant::now();
        // Whoever does not lead has nothing to do.
        if !has_resources || self.leads.get() == 0 {
            pulse.worked = pulse.heard;
        }
    }

    /// Why the operator is not alive; `None` while it is.
    pub fn fault(&self) -> Option<String> {
        self.pulse.lock().expect("no holder of the time should panic").fault(Instant::now())
    }

    /// The text in Prometheus format.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_alive_while_it_hears_and_works() {
        let start = Instant::now();
        let pulse = Pulse { heard: start, worked: start };
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pulse.fault(after(290)), None);
        assert!(pulse.fault(after(301)).unwrap().contains("API server has not answered for 301 s"));
        let deaf = Pulse { heard: after(1000), ..pulse };
        assert!(deaf.fault(after(1000)).unwrap().contains("none was reconciled for 1000 s"));
        assert_eq!(Pulse { worked: after(200), ..deaf }.fault(after(1000)), None);
    }

    #[test]
    fn a_condition_has_one_status_and_what_is_gone_has_none() {
        let metrics = Metrics::new();
        let ready = |status: &str| vec![("Ready".to_owned(), status.to_owned())];
        let series = |status: &str| {
            let labels = format!("name=\"midterm\",namespace=\"school\",status=\"{status}\",type=\"Ready\"");
            format!("adaptive_exam_operator_resource_condition{{{labels}}} 1")
        };
        metrics.tell("school", "midterm", ready("False"));
        assert!(metrics.text().contains(&series("False")), "{}", metrics.text());
        metrics.tell("school", "midterm", ready("True"));
        assert!(metrics.text().contains(&series("True")) && !metrics.text().contains(&series("False")));
        metrics.forget("school", "midterm");
        assert!(!metrics.text().contains("resource_condition{"), "{}", metrics.text());
    }

    #[test]
    fn reconciles_are_counted_by_outcome() {
        let metrics = Metrics::new();
        metrics.reconciled(None, Duration::from_millis(20));
        metrics.reconciled(Some("Forbidden"), Duration::from_millis(20));
        let text = metrics.text();
        for line in [
            "adaptive_exam_operator_reconciles_total{outcome=\"ok\"} 1",
            "adaptive_exam_operator_reconciles_total{outcome=\"Forbidden\"} 1",
            "adaptive_exam_operator_reconcile_seconds_count 2",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
