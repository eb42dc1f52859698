//! The few best items, for random choice among them, and the order by content penalties.

use super::{Selection, Situation};
use crate::constraint::Need;

/// What content asks of each item.
pub(crate) struct Penalties {
    /// For each item: how its area stands to its bounds, and the area's penalty.
    pub items: Vec<(Need, f64)>,
    /// Weight of content against information.
    pub weight: f64,
}

impl Selection {
    /// The best open items, the best first; at most `count`. A criterion that draws is asked again
    /// without the items it gave.
    pub(crate) fn best(&self, at: &Situation<'_>, count: usize, content: Option<&Penalties>) -> Vec<usize> {
        if let Some(penalties) = content {
            return first(count, self.penalised(at, penalties));
        }
        if self.has_value() {
            let values = self.values(at);
            return first(count, open(at).map(|item| (item, (Need::Within, -values[item]))).collect());
        }
        let mut left = at.open.to_vec();
        let mut found = Vec::new();
        while found.len() < count
            && let Some(item) = self.choose(&Situation { open: &left, ..*at })
        {
            left[item] = false;
            found.push(item);
        }
        found
    }

    /// For each open item what it is ordered by: its area's need, then the weighted penalty.
    fn penalised(&self, at: &Situation<'_>, penalties: &Penalties) -> Vec<(usize, (Need, f64))> {
        let values = self.values(at);
        let span = |of: &dyn Fn(usize) -> f64| {
            open(at).map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (least, most) = span(&|item| values[item]);
        // Criteria whose best value is not a large one are scaled from their least.
        let floor = if least >= 0.0 { 0.0 } else { least };
        let share =
            |value: f64, (low, high): (f64, f64)| if high > low { (value - low) / (high - low) } else { 0.0 };
        let costs = span(&|item| penalties.items[item].1);
        open(at)
            .map(|item| {
                let (need, cost) = penalties.items[item];
                let value = share(values[item], (floor, most));
                (item, (need, penalties.weight * share(cost, costs) - value * value))
            })
            .collect()
    }
}

fn open<'a>(at: &'a Situation<'_>) -> impl Iterator<Item = usize> + 'a {
    (0..at.open.len()).filter(|item| at.open[*item])
}

fn first(count: usize, mut items: Vec<(usize, (Need, f64))>) -> Vec<usize> {
    items.sort_by(|(one, (need, cost)), (other, (other_need, other_cost))| {
        need.cmp(other_need).then(cost.total_cmp(other_cost)).then(one.cmp(other))
    });
    items.into_iter().take(count).map(|(item, _)| item).collect()
}
