//! What is left of an exam's time, whatever happens to it.

use super::*;
use crate::exam::Verdict;
use crate::exam::bank::ItemBank;
use crate::exam::event::{Event, Head};
use crate::exam::item::Submitted;
use crate::exam::snapshot::Snapshot;
use crate::exam::terms::Terms;
use engine::Exposure;
use std::sync::Arc;

const START: i64 = 1_000_000;

/// An exam of 600 s, 60 s an item, that closes after 3,600 s.
fn exam(extra_time: f64) -> Exam {
    let mut policy = engine::Policy::default();
    policy.stop.max_seconds = Some(600);
    let terms =
        Terms { item_seconds: Some(60), extra_time, closes_at: Some(START + 3_600_000), ..Terms::default() };
    let bank = Arc::new(ItemBank::sample());
    let head = Head {
        id: 1,
        exam_type: "quiz".into(),
        policy: policy.into(),
        bank_version: bank.version().into(),
        seed: 7,
        engine_version: "0".into(),
        started_at: START,
        terms,
    };
    Exam::begin(head, bank, Exposure::Unknown)
}

fn change(exam: &mut Exam, timing: Timing, at: i64) -> bool {
    let entry = exam.timing(&timing, START + at).unwrap();
    let changed = entry.is_some();
    entry.into_iter().for_each(|entry| exam.apply(entry).unwrap());
    changed
}

fn answer(exam: &mut Exam, at: i64) -> Entry {
    let item = exam.current_item().unwrap();
    match exam.answer(item, Submitted::Correct(true), None, START + at, Exposure::Unknown).unwrap() {
        Verdict::Append(entry) => {
            exam.apply(entry.clone()).unwrap();
            entry
        }
        other => panic!("{other:?}"),
    }
}

fn left(exam: &Exam) -> (Option<i64>, Option<i64>) {
    (exam.time_limit().map(|at| at - START), exam.item_deadline().map(|at| at - START))
}

#[test]
fn limits_run_from_the_start_and_from_the_item() {
    let mut exam = exam(0.0);
    assert_eq!(left(&exam), (Some(600_000), Some(60_000)));
    answer(&mut exam, 40_000);
    assert_eq!(left(&exam), (Some(600_000), Some(100_000)));
}

#[test]
fn extra_time_lengthens_every_limit() {
    assert_eq!(left(&exam(0.5)), (Some(900_000), Some(90_000)));
}

#[test]
fn a_pause_adds_what_it_lasted_and_an_extension_what_it_says() {
    let mut exam = exam(0.0);
    answer(&mut exam, 10_000);
    assert!(change(&mut exam, Timing::Pause, 20_000));
    assert!(!change(&mut exam, Timing::Pause, 25_000), "it stands still already");
    assert_eq!(left(&exam), (None, None));
    let item = exam.current_item().unwrap();
    let refused = exam.answer(item, Submitted::Omitted, None, START + 26_000, Exposure::Unknown);
    assert_eq!(refused, Err(Refusal::Paused));
    assert_eq!(exam.over(START + 3_601_999), None, "time stands still");
    let over = exam.over(START + 3_602_000).unwrap();
    assert_eq!(over.event, Event::Completed { reason: EndReason::Expired }, "but not for ever");
    assert!(change(&mut exam, Timing::Resume, 50_000));
    assert!(!change(&mut exam, Timing::Resume, 51_000));
    assert_eq!(left(&exam), (Some(630_000), Some(100_000)));
    assert!(change(&mut exam, Timing::Extend(120, Some("outage".into())), 60_000));
    assert!(!change(&mut exam, Timing::Extend(120, Some("outage".into())), 61_000), "one key, one extension");
    assert_eq!(left(&exam), (Some(750_000), Some(220_000)));
    answer(&mut exam, 100_000);
    assert_eq!(left(&exam), (Some(750_000), Some(160_000)), "the next item has its own time");
    assert_eq!(exam.expires_at(), Some(START + 750_000 + GRACE));
}

#[test]
fn an_answer_after_its_items_time_is_wrong_and_says_so() {
    let mut exam = exam(0.0);
    let Event::Answered { category, late, .. } = answer(&mut exam, 61_999).event else { panic!() };
    assert_eq!((category, late), (1, false), "what was sent in time may take a moment to arrive");
    let Event::Answered { category, late, submitted, .. } = answer(&mut exam, 200_000).event else {
        panic!()
    };
    assert_eq!((category, late, submitted), (0, true, Submitted::Correct(true)));
}

#[test]
fn an_answer_after_the_exams_time_ends_it_and_does_not_count() {
    let mut exam = exam(0.0);
    let item = exam.current_item().unwrap();
    let at = |at| exam.answer(item, Submitted::Correct(true), None, START + at, Exposure::Unknown).unwrap();
    let Verdict::Append(Entry { event: Event::Answered { next, .. }, .. }) = at(601_000) else { panic!() };
    assert_eq!(
        next,
        crate::exam::event::Next::End(EndReason::TimeLimit),
        "the last one in the moment of grace"
    );
    assert_eq!(at(602_000), Verdict::Over);
    let entry = exam.over(START + 700_000).unwrap();
    assert_eq!(entry.at, START + 602_000, "it ended when its time was over, whenever that is noticed");
    assert_eq!(entry.event, Event::Completed { reason: EndReason::TimeLimit });
    exam.apply(entry).unwrap();
    assert_eq!((exam.items_completed(), exam.end()), (0, Some(EndReason::TimeLimit)));
    assert!(matches!(exam.timing(&Timing::Pause, START), Err(Refusal::Ended(EndReason::TimeLimit))));
}

#[test]
fn snapshots_keep_the_time() {
    let mut exam = exam(0.25);
    change(&mut exam, Timing::Extend(30, None), 500);
    answer(&mut exam, 1_000);
    change(&mut exam, Timing::Pause, 2_000);
    change(&mut exam, Timing::Extend(60, None), 3_000);
    change(&mut exam, Timing::Resume, 4_000);
    answer(&mut exam, 500_000);
    answer(&mut exam, 500_100);
    change(&mut exam, Timing::Pause, 500_200);
    let text = Snapshot::of(&exam).unwrap().to_text();
    let restored = Snapshot::parse(&text, 1).unwrap().restore(Arc::clone(exam.bank())).unwrap();
    assert_eq!(restored.entries(), exam.entries());
    assert_eq!(restored.chain(), exam.chain());
    assert_eq!((left(&restored), restored.is_paused()), (left(&exam), true));
    assert!(exam.differences().is_empty());
}

#[test]
fn a_clock_that_goes_back_takes_no_event_with_it() {
    let mut exam = exam(0.0);
    answer(&mut exam, 30_000);
    assert_eq!(answer(&mut exam, 29_000).at, START + 30_000);
}

#[test]
fn a_reopened_exam_has_the_time_it_is_given_and_its_item_again() {
    let mut exam = exam(0.0);
    assert!(exam.timing(&Timing::Reopen(60), START).unwrap().is_none(), "it is open");
    let item = exam.current_item();
    let over = exam.over(START + 700_000).unwrap();
    exam.apply(over).unwrap();
    assert!(change(&mut exam, Timing::Reopen(120), 900_000));
    assert_eq!((exam.end(), exam.current_item()), (None, item));
    assert_eq!(exam.ends_at(), Some(START + 1_020_000));
    assert_eq!(exam.item_deadline(), Some(START + 960_000));
    assert!(Snapshot::of(&exam).is_none(), "it is read from the log");
    answer(&mut exam, 950_000);
    let again = Exam::replay(exam.head().clone(), Arc::clone(exam.bank()), exam.entries().to_vec()).unwrap();
    assert_eq!((again.ends_at(), again.current_item()), (exam.ends_at(), exam.current_item()));
    assert!(exam.differences().is_empty());
    let manual = exam.complete(EndReason::Manual, START + 960_000).unwrap();
    exam.apply(manual).unwrap();
    assert_eq!(exam.timing(&Timing::Reopen(60), START + 961_000), Err(Refusal::Ended(EndReason::Manual)));
}
