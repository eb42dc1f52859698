//! The exam as plain lines, for a pipe or a file; and the summary after an exam on a screen.
//!
//! Input: an exam, and answers as lines of text unless it answers automatically. Output: lines. Must not know:
//! keys, colours.

use super::interval;
use super::sitting::{Outcome, Question, Sitting, Taken};
use std::io::{BufRead, Write};
use std::time::Instant;

/// Width of the ability line.
const WIDTH: usize = 41;

/// Runs the exam with a simulated examinee of this ability.
pub fn auto(sitting: &mut Sitting, theta: f64, to: &mut impl Write) -> std::io::Result<()> {
    heading(to)?;
    while let Some(submitted) = sitting.drawn(theta) {
        sitting.answer(submitted, 0);
        last(sitting, to)?;
    }
    outcome(&sitting.outcome(), to)
}

/// Prints each question and reads the number of the answer from a line.
pub fn ask(sitting: &mut Sitting, from: &mut impl BufRead, to: &mut impl Write) -> std::io::Result<()> {
    let began = Instant::now();
    let mut lines = from.lines();
    while let Some(Question { code, text, options }) = sitting.question() {
        writeln!(to, "\n{}. {code}: {text}", sitting.taken().len() + 1)?;
        for ((option, _), number) in options.iter().zip(1..) {
            writeln!(to, "  {number}  {option}")?;
        }
        write!(to, "answer (1 to {}, q to leave): ", options.len())?;
        to.flush()?;
        let Some(line) = lines.next().transpose()? else { break };
        let line = line.trim();
        writeln!(to, "{line}")?;
        if line == "q" {
            break;
        }
        let chosen = line.parse::<usize>().ok().and_then(|number| options.get(number.checked_sub(1)?));
        match chosen {
            Some((_, submitted)) => {
                sitting.answer(*submitted, i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
                heading(to)?;
                last(sitting, to)?;
            }
            None => writeln!(to, "{line:?} is none of them")?,
        }
    }
    writeln!(to)?;
    outcome(&sitting.outcome(), to)
}

/// All answers and the result: the summary after the screen is restored.
pub fn all(sitting: &Sitting, to: &mut impl Write) -> std::io::Result<()> {
    heading(to)?;
    for (taken, number) in sitting.taken().iter().zip(1..) {
        writeln!(to, "{}", row(number, taken))?;
    }
    outcome(&sitting.outcome(), to)
}

fn heading(to: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        to,
        "{:>3}  {:<12} {:<8} {:>6} {:>5}  {}",
        "n",
        "item",
        "answer",
        "theta",
        "SE",
        interval::axis(WIDTH)
    )
}

fn last(sitting: &Sitting, to: &mut impl Write) -> std::io::Result<()> {
    let taken = sitting.taken();
    taken.last().map_or(Ok(()), |last| writeln!(to, "{}", row(taken.len(), last)))
}

fn row(number: usize, taken: &Taken) -> String {
    let Taken { code, grade, ability, .. } = taken;
    let error = ability.standard_error.map_or_else(String::new, |error| format!("{error:.2}"));
    let line = interval::line(*ability, WIDTH);
    format!("{number:>3}  {code:<12} {grade:<8} {:>6.2} {error:>5}  {line}", ability.theta)
        .trim_end()
        .to_owned()
}

fn outcome(outcome: &Outcome, to: &mut impl Write) -> std::io::Result<()> {
    words(outcome).iter().try_for_each(|line| writeln!(to, "{line}"))
}

/// The result as text.
pub fn words(outcome: &Outcome) -> Vec<String> {
    let Outcome { ability, score, items, reason } = outcome;
    let score = score.map_or("no score".to_owned(), |score| format!("score {score:.1}"));
    let mut estimate = format!("{score}, theta {:.2}", ability.theta);
    if let (Some(error), Some((low, high))) = (ability.standard_error, interval::of(*ability)) {
        estimate += &format!(", SE {error:.2}, 95 % interval {low:.2} to {high:.2}");
    }
    let items = if *items == 1 { "1 item".to_owned() } else { format!("{items} items") };
    let how = match reason {
        Some(reason) => format!("ended after {items}: {}", reason.as_str()),
        None => format!("left after {items}"),
    };
    vec![how, estimate]
}
