//! The files of a simulation: abilities and answers in, results out.
//!
//! Input: texts. Output: examinees, or every faulty line; and the text of the results. Must not know: paths.

use super::{Simulee, Sitting};
use contract::Fault;
use std::fmt::Write;

fn at_line(index: usize, message: String) -> Fault {
    Fault { field: format!("line {}", index + 1), message }
}

/// Reads abilities from the column `theta` of a CSV with a header.
///
/// # Errors
/// The column is missing, or every faulty line.
pub fn thetas(text: &str) -> Result<Vec<f64>, Vec<Fault>> {
    let mut lines = text.lines().enumerate();
    let heading = lines.next().map_or("", |(_, line)| line);
    let Some(column) = heading.split(',').position(|name| name.trim() == "theta") else {
        return Err(vec![at_line(0, format!("the heading {heading:?} has no column theta"))]);
    };
    let (mut thetas, mut faults) = (Vec::new(), Vec::new());
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let value = line.split(',').nth(column).unwrap_or_default().trim();
        match value.parse::<f64>() {
            Ok(theta) if theta.is_finite() => thetas.push(theta),
            _ => faults.push(at_line(index, format!("{value:?} is no ability"))),
        }
    }
    if faults.is_empty() { Ok(thetas) } else { Err(faults) }
}

/// Reads answers: a row of digits for each examinee, one for each item of the bank. `categories` is the number of
/// categories of each item.
///
/// # Errors
/// Every faulty line.
pub fn answers(text: &str, categories: &[usize]) -> Result<Vec<Vec<u8>>, Vec<Fault>> {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let digits: Vec<Option<u32>> = line.trim().chars().map(|c| c.to_digit(10)).collect();
        if digits.len() != categories.len() {
            faults.push(at_line(index, format!("{} answers for {} items", digits.len(), categories.len())));
            continue;
        }
        let possible = |(digit, count): (&Option<u32>, &usize)| {
            let digit = u8::try_from((*digit)?).ok()?;
            (usize::from(digit) < *count).then_some(digit)
        };
        match digits.iter().zip(categories).map(possible).collect::<Option<Vec<u8>>>() {
            Some(row) => rows.push(row),
            None => faults.push(at_line(index, "an answer is not a category of its item".to_owned())),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// Combines abilities with answers, if there are any.
///
/// # Errors
/// Their numbers differ.
pub fn simulees(thetas: Vec<f64>, answers: Option<Vec<Vec<u8>>>) -> Result<Vec<Simulee>, Vec<Fault>> {
    match answers {
        None => Ok(thetas.into_iter().map(|theta| Simulee { theta, answers: None }).collect()),
        Some(answers) if answers.len() == thetas.len() => {
            let pairs = thetas.into_iter().zip(answers);
            Ok(pairs.map(|(theta, answers)| Simulee { theta, answers: Some(answers) }).collect())
        }
        Some(answers) => {
            let message = format!("{} abilities and {} rows of answers", thetas.len(), answers.len());
            Err(vec![Fault { field: String::new(), message }])
        }
    }
}

/// The results as CSV: estimate, standard error and the items in order, counted from 0.
pub fn results(sittings: &[Sitting]) -> String {
    let mut text = "simulee,theta_hat,se,items\n".to_owned();
    for (sitting, number) in sittings.iter().zip(1..) {
        let items: Vec<String> = sitting.items.iter().map(usize::to_string).collect();
        let error = sitting.ability.standard_error.map_or(String::new(), |error| format!("{error:.12}"));
        let theta = sitting.ability.theta;
        writeln!(text, "{number},{theta:.12},{error},{}", items.join(" "))
            .expect("a String should take any text");
    }
    text
}
