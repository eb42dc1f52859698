//! A step allocates no memory, under the default estimator and criterion.

use engine::random::Random;
use engine::{Bank, Event, Exam, Item, Outside, Policy, Stop};
use std::sync::Arc;

#[test]
fn a_step_allocates_nothing() {
    let mut random = Random::of(5, 0);
    let item = |_| Item::logistic(0.5 + random.unit(), 4.0 * random.unit() - 2.0, 0.2, 1.0);
    let bank = Arc::new(Bank::new(1.0, (0..300).map(item).collect()).unwrap());
    let mut exam = Exam::new(Arc::clone(&bank), Policy { stop: Stop::at_length(40), ..Policy::default() }, 1);
    let outside = Outside::default();
    exam.apply(&Event::Started(exam.decide_start(&outside))).unwrap();
    let steps = allocation_counter::measure(|| {
        while let Some(item) = exam.current_item() {
            let event = Event::Answered(exam.decide_answer(item, u8::from(item % 3 > 0), &outside).unwrap());
            exam.apply(&event).unwrap();
        }
    });
    assert_eq!((exam.items_completed(), steps.count_total), (40, 0));
    // So that the counter is known to count.
    assert!(allocation_counter::measure(|| drop(exam.explain(3))).count_total > 0);
}
