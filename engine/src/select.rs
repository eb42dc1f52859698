//! The next item.

use crate::bank::Bank;

/// The unused item with the most information at `theta`; of equals the first. `None` when all are used.
pub fn maximum_information(bank: &Bank, theta: f64, used: &[bool]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, item) in bank.items().iter().enumerate().filter(|(index, _)| !used[*index]) {
        let information = item.information(bank.scaling(), theta);
        if best.is_none_or(|(_, most)| information > most) {
            best = Some((index, information));
        }
    }
    best.map(|(index, _)| index)
}
