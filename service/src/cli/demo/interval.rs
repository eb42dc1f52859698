//! An ability and its 95 % interval as a line of characters.
//!
//! Input: an ability. Output: text of a given width. Must not know: the terminal, exams.

use engine::Ability;

/// Abilities at the ends of the line.
const ENDS: (f64, f64) = (-4.0, 4.0);
/// Half-width of a 95 % interval, in standard errors.
const NORMAL: f64 = 1.96;

/// The interval, if the ability has a standard error.
pub fn of(ability: Ability) -> Option<(f64, f64)> {
    let half = NORMAL * ability.standard_error?;
    Some((ability.theta - half, ability.theta + half))
}

/// The axis above the line.
pub fn axis(width: usize) -> String {
    let mut line = vec![' '; width];
    for mark in [-4_i32, -2, 0, 2, 4] {
        let text = mark.to_string();
        let middle = column(f64::from(mark), width);
        let start = middle.saturating_sub(text.len() / 2).min(width.saturating_sub(text.len()));
        line.iter_mut().skip(start).zip(text.chars()).for_each(|(place, digit)| *place = digit);
    }
    line.into_iter().collect()
}

/// One ability as a mark on the line.
pub fn mark(theta: f64, width: usize, mark: char) -> String {
    let mut line = vec![' '; width];
    if let Some(place) = line.get_mut(column(theta, width)) {
        *place = mark;
    }
    line.into_iter().collect()
}

/// The ability with its interval, clipped at the ends of the line.
pub fn line(ability: Ability, width: usize) -> String {
    let mut line = vec![' '; width];
    if let Some((low, high)) = of(ability) {
        let (from, to) = (column(low, width), column(high, width));
        line.iter_mut().take(to + 1).skip(from).for_each(|place| *place = '─');
        for (end, theta, place) in [('├', low, from), ('┤', high, to)] {
            if let Some(place) = line.get_mut(place).filter(|_| (ENDS.0..=ENDS.1).contains(&theta)) {
                *place = end;
            }
        }
    }
    if let Some(place) = line.get_mut(column(ability.theta, width)) {
        *place = '●';
    }
    line.into_iter().collect()
}

fn column(theta: f64, width: usize) -> usize {
    let share = ((theta - ENDS.0) / (ENDS.1 - ENDS.0)).clamp(0.0, 1.0);
    (share * width.saturating_sub(1) as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_drawn_to_scale() {
        let ability = |theta, error| Ability { theta, standard_error: error };
        assert_eq!(axis(17), "-4 -2   0   2   4");
        assert_eq!(line(ability(0.0, Some(1.0 / NORMAL)), 17), "      ├─●─┤      ");
        assert_eq!(line(ability(3.0, Some(2.0 / NORMAL)), 17), "          ├───●──");
        assert_eq!(line(ability(-9.0, None), 17), "●                ");
        assert_eq!(mark(2.0, 17, '▼'), "            ▼    ");
        assert_eq!(line(ability(0.0, Some(1.0)), 0), "");
    }
}
