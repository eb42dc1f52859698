//! A bank: items that share one scaling constant.

use crate::item::Item;

/// Items calibrated together, with their D. At least one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank {
    scaling: f64,
    items: Vec<Item>,
}

/// One thing that is wrong with a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankFault {
    /// The item, counted from 0; the number of items where the bank itself is wrong.
    pub row: usize,
    /// What is wrong.
    pub reason: String,
}

impl Bank {
    /// A bank of these items under the logistic scaling constant D (1, 1.7 or 1.702 in practice).
    ///
    /// # Errors
    /// Every fault of every item.
    pub fn new(scaling: f64, items: Vec<Item>) -> Result<Self, Vec<BankFault>> {
        let of_item = |(row, item): (usize, &Item)| {
            item.faults().into_iter().map(move |reason| BankFault { row, reason })
        };
        let mut faults: Vec<BankFault> = items.iter().enumerate().flat_map(of_item).collect();
        let mut whole = |reason: String| faults.push(BankFault { row: items.len(), reason });
        if !(scaling > 0.0 && scaling <= 10.0) {
            whole(format!("the scaling constant is {scaling}; it must be above 0 and at most 10"));
        }
        if items.is_empty() {
            whole("the bank has no item".to_owned());
        }
        if faults.is_empty() { Ok(Self { scaling, items }) } else { Err(faults) }
    }

    /// The items, in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// D.
    pub fn scaling(&self) -> f64 {
        self.scaling
    }
}
