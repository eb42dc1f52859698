//! Metrics of the measurement: how exams end, their precision, item exposure.
//!
//! Input: exams as their events are committed. Output: collectors; ratios are computed on each scrape. Labels are
//! exam types and banks, never an exam, an item or a person. Must not know: where exams are stored.

use super::{counter, ratios};
use crate::exam::Exam;
use crate::exam::conversion::index;
use crate::exam::event::{Event, Next};
use contract::metrics as names;
use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Buckets of standard errors.
const ERRORS: &[f64] = &[0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5];
/// Buckets of exam lengths.
const LENGTHS: &[f64] = &[1.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 100.0, 200.0];
/// Digits of the version in the label of a bank.
const DIGITS: usize = 12;

/// Number of times each item of a bank was administered, and number of exams.
#[derive(Debug, Default)]
struct Exposure {
    items: Vec<u64>,
    exams: u64,
}

/// The metrics of the measurement.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    ended: IntCounterVec,
    errors: HistogramVec,
    lengths: HistogramVec,
    highest: GaugeVec,
    unused: GaugeVec,
    // Never held across an await.
    exposure: Arc<Mutex<HashMap<String, Exposure>>>,
}

impl Measured {
    pub(super) fn new() -> Self {
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &["exam_type"])
                .expect("a metric's name and buckets should be valid")
        };
        Self {
            ended: counter(names::ENDED_TOTAL, "Exams that have ended, by reason.", &["reason"]),
            errors: histogram(
                names::STANDARD_ERROR,
                "Standard error of the final ability of exams with an answer.",
                ERRORS,
            ),
            lengths: histogram(names::ITEMS, "Number of answers of exams that have ended.", LENGTHS),
            highest: ratios(
                names::EXPOSURE_HIGHEST,
                "Share of exams that administered the most exposed item, since the process started.",
            ),
            unused: ratios(
                names::EXPOSURE_UNUSED,
                "Share of items that no exam administered, since the process started.",
            ),
            exposure: Arc::default(),
        }
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.ended.clone()),
            Box::new(self.errors.clone()),
            Box::new(self.lengths.clone()),
            Box::new(self.highest.clone()),
            Box::new(self.unused.clone()),
        ]
    }

    /// Counts the item that the last event administered, or the end of the exam.
    pub(super) fn committed(&self, exam: &Exam) {
        let Some(entry) = exam.entries().last() else { return };
        if let Event::Started { next: Next::Item(item), .. }
        | Event::Answered { next: Next::Item(item), .. } = entry.event
        {
            self.record_item(exam, index(item), entry.seq == 0);
        }
        let Some(reason) = exam.end() else { return };
        let exam_type = [exam.head().exam_type.as_str()];
        self.ended.with_label_values(&[reason.as_str()]).inc();
        #[expect(clippy::cast_precision_loss, reason = "an exam has few answers")]
        self.lengths.with_label_values(&exam_type).observe(exam.items_completed() as f64);
        let error = exam.result().ability.standard_error.filter(|_| exam.items_completed() > 0);
        if let Some(error) = error {
            self.errors.with_label_values(&exam_type).observe(error);
        }
    }

    fn record_item(&self, exam: &Exam, item: usize, begins: bool) {
        let mut exposure = self.exposure.lock().expect("no holder of the counts should panic");
        let version = exam.head().bank_version.get(..DIGITS).unwrap_or_default();
        if !exposure.contains_key(version) {
            let items = vec![0; exam.bank().len()];
            exposure.insert(version.to_owned(), Exposure { items, exams: 0 });
        }
        let Some(bank) = exposure.get_mut(version) else { return };
        bank.exams += u64::from(begins);
        if let Some(count) = bank.items.get_mut(item) {
            *count += 1;
        }
    }

    /// Updates the ratios.
    #[expect(clippy::cast_precision_loss, reason = "counts of one process")]
    pub(super) fn update_ratios(&self) {
        let exposure = self.exposure.lock().expect("no holder of the counts should panic");
        for (version, Exposure { items, exams }) in exposure.iter() {
            let highest = items.iter().max().copied().unwrap_or(0);
            let unused = items.iter().filter(|count| **count == 0).count();
            // Exams that started in an earlier process administer items here too.
            let rate = highest as f64 / (*exams).max(highest).max(1) as f64;
            self.highest.with_label_values(&[version.as_str()]).set(rate);
            self.unused.with_label_values(&[version.as_str()]).set(unused as f64 / items.len().max(1) as f64);
        }
    }
}
