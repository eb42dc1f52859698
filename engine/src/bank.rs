//! A bank: items with a common scaling constant, prepared for computation.
//!
//! Input: D, items and their attributes. Output: their curves, and for each interval of ability an order of items,
//! by which the most informative one is found after a few evaluations. Must not know: answers, exams.

use crate::ability::Grid;
use crate::attributes::{Attributes, Structure};
use crate::curve::Curve;
use crate::item::Item;
use crate::table::Table;
use std::sync::{Arc, RwLock};

/// Abilities that the order is kept for: from, to, and width of a stretch.
const SPAN: (f64, f64) = (-6.0, 6.0);
const STRETCHES: usize = 96;
/// Bounds are widened by this much, so that rounding never hides an item.
const SLACK: f64 = 1.0 + 1e-9;

/// Items calibrated together, with their D. At least one item.
#[derive(Clone, Debug)]
pub struct Bank {
    scaling: f64,
    items: Vec<Item>,
    curves: Vec<Curve>,
    structure: Arc<Structure>,
    /// For each stretch of ability: items by falling bound of their information in it.
    order: Vec<Vec<Bound>>,
    /// Tables that were asked for, by grid. Filling it changes no result, only how soon it is there.
    tables: Arc<RwLock<Tables>>,
}

/// Tables by grid; none where it would be too large.
type Tables = Vec<(Grid, Option<Arc<Table>>)>;

/// An item and the most information it can have in a stretch of ability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The item, counted from 0.
    pub item: u32,
    /// It has at most this much information anywhere in the stretch.
    pub most: f64,
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
        if !faults.is_empty() {
            return Err(faults);
        }
        let curves: Vec<Curve> = items.iter().map(|item| Curve::new(item, scaling)).collect();
        let order = (0..STRETCHES).map(|stretch| order(&curves, edges(stretch))).collect();
        Ok(Self { scaling, items, curves, structure: Arc::default(), order, tables: Arc::default() })
    }

    /// The bank with attributes, one for each item in their order.
    ///
    /// # Errors
    /// Every fault of every item's attributes, or there are not as many as items.
    pub fn with_attributes(self, attributes: &[Attributes]) -> Result<Self, Vec<BankFault>> {
        let of_item = |(row, attributes): (usize, &Attributes)| {
            attributes.faults().into_iter().map(move |reason| BankFault { row, reason })
        };
        let mut faults: Vec<BankFault> = attributes.iter().enumerate().flat_map(of_item).collect();
        if attributes.len() != self.len() {
            let reason = format!("there are attributes of {} items for {}", attributes.len(), self.len());
            faults.push(BankFault { row: self.len(), reason });
        } else if attributes.iter().all(|attributes| attributes.field_test) {
            let reason = "every item is a field test; none could be scored".to_owned();
            faults.push(BankFault { row: self.len(), reason });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { structure: Arc::new(Structure::new(attributes)), ..self })
    }

    /// The items, in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The items' curves, in their order.
    pub fn curves(&self) -> &[Curve] {
        &self.curves
    }

    /// What the items are beside their parameters.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// D.
    pub fn scaling(&self) -> f64 {
        self.scaling
    }

    /// Number of items: at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a bank is never empty")]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The table of a grid, computed when it is asked for first; `None` when it would be too large.
    pub fn table(&self, grid: Grid) -> Option<Arc<Table>> {
        let find =
            |tables: &Tables| tables.iter().find(|(known, _)| *known == grid).map(|(_, table)| table.clone());
        let known = find(&self.tables.read().expect("no holder of the tables should panic"));
        known.unwrap_or_else(|| {
            let made = Table::new(&self.curves, grid).map(Arc::new);
            let mut tables = self.tables.write().expect("no holder of the tables should panic");
            // Somebody may have been first; then theirs is kept.
            find(&tables).unwrap_or_else(|| {
                tables.push((grid, made.clone()));
                made
            })
        })
    }

    /// Items by falling bound of their information around an ability; `None` beyond ±6, where no order
    /// is kept.
    pub fn by_information(&self, theta: f64) -> Option<&[Bound]> {
        let width = (SPAN.1 - SPAN.0) / STRETCHES as f64;
        let stretch = ((theta - SPAN.0) / width).floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked on the line")]
        (0.0..STRETCHES as f64).contains(&stretch).then(|| self.order[stretch as usize].as_slice())
    }
}

fn edges(stretch: usize) -> (f64, f64) {
    let width = (SPAN.1 - SPAN.0) / STRETCHES as f64;
    (SPAN.0 + width * stretch as f64, SPAN.0 + width * (stretch + 1) as f64)
}

/// Items by falling bound. A logistic item's information has one peak (Magis, 2013), so in a stretch
/// it is greatest at an edge or at the peak; the bound of other models is that of every ability.
fn order(curves: &[Curve], (low, high): (f64, f64)) -> Vec<Bound> {
    let bound = |curve: &Curve| match curve {
        Curve::Logistic(curve) => {
            let peak = curve.peak().clamp(low, high);
            curve.information(low).max(curve.information(high)).max(curve.information(peak)) * SLACK
        }
        _ => f64::INFINITY,
    };
    let mut order: Vec<Bound> =
        (0..).zip(curves).map(|(item, curve)| Bound { item, most: bound(curve) }).collect();
    order.sort_by(|one, other| other.most.total_cmp(&one.most).then(one.item.cmp(&other.item)));
    order
}
