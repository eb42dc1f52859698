//! Maximum information minus price: who gets an item that many exams want and few may have.
//!
//! Input: the eligible items, those that only exposure holds back, a price for each. Output: the item with the
//! largest information minus price, the item that would be chosen without exposure control, and the better items
//! that were held back. Prices are the multipliers of the bound on exposure: without them items are administered
//! first come, first served; with them to the examinees for whom they are most informative (dual ascent: Bertsekas,
//! 1999). Cost: one evaluation of information per item. Must not know: how prices are updated.

use super::Situation;

/// What came of a choice at a price.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Priced {
    /// The item to give.
    pub given: usize,
    /// The item that is worth most of all those not wanted before, if that is not the one given.
    pub wanted: Option<usize>,
    /// Items with more information than the one given.
    pub passed_over: Vec<usize>,
}

/// An item, its information, and what is left of that after its price.
type Worth = (usize, f64, f64);

/// The choice; `None` when no item is open. `held` are the items that only exposure holds back.
pub(crate) fn priced(
    at: &Situation<'_>,
    held: impl Fn(usize) -> bool,
    price: impl Fn(usize) -> f64,
    wanted_before: &[usize],
) -> Option<Priced> {
    let theta = at.ability.theta;
    let could = |item: &usize| at.open[*item] || held(*item);
    let worth: Vec<Worth> = (0..at.bank.len())
        .filter(could)
        .map(|item| {
            let information = at.bank.curves()[item].information(theta);
            (item, information, information - price(item))
        })
        .collect();
    let (given, information, value) = *dearest(worth.iter().filter(|(item, ..)| at.open[*item]))?;
    let wanted = dearest(worth.iter().filter(|(item, ..)| !wanted_before.contains(item)));
    let wanted = wanted.filter(|(item, _, worth)| *item != given && *worth > value).map(|(item, ..)| *item);
    let better = |other: &&Worth| other.1 > information || (other.1 == information && other.0 < given);
    let passed_over = worth.iter().filter(better).map(|(item, ..)| *item).collect();
    Some(Priced { given, wanted, passed_over })
}

/// The item that is worth most after its price; of equals the first.
fn dearest<'a>(items: impl Iterator<Item = &'a Worth>) -> Option<&'a Worth> {
    items.reduce(|kept, item| if item.2 > kept.2 { item } else { kept })
}
