//! Comparison of the engine with reference cases.
//!
//! Input: a JSON text of estimations, selections and runs. Output: a [`Group`] for each estimator, each criterion,
//! and the runs by estimator. Must not know: files.

#[path = "form.rs"]
mod form;

use engine::{
    Ability, Bank, Curve, EndReason, Estimator, Event, Exam, Grid, Item, Outside, Policy, Prior, Range, Rule,
    Selection, Situation, Start, Stop, WhileConstant,
};
use form::{Chosen, Cuts, Estimation, Method, Point, Polytomous, PriorOf, RuleOf, Run, Sample, StopOf};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cases of one kind.
#[derive(Debug, Default)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// How many there are.
    pub cases: usize,
    /// The largest deviation of an estimate or a standard error.
    pub deviation: f64,
    /// What is off, by case.
    pub failures: Vec<String>,
}

/// Checks every case of a file.
///
/// # Errors
/// The text is not in the format, or names something the engine does not have.
pub fn check(text: &str) -> Result<Vec<Group>, String> {
    let sample: Sample = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let group = |groups: &mut BTreeMap<String, Group>, name: &str, found: Outcome| {
        let group = groups.entry(name.to_owned()).or_default();
        name.clone_into(&mut group.name);
        group.cases += 1;
        group.deviation = group.deviation.max(found.deviation);
        group.failures.extend(found.failure);
    };
    for case in &sample.estimation {
        group(&mut groups, &format!("estimator {}", case.estimator.method), estimation(case)?);
    }
    for case in &sample.estimation_poly {
        let name = format!("{}, estimator {}", case.model.as_deref().unwrap_or("4PL"), case.estimator.method);
        group(&mut groups, &name, polytomous(case)?);
    }
    for case in &sample.beyond_cat_r {
        group(&mut groups, &format!("beyond catR, estimator {}", case.estimator.method), polytomous(case)?);
    }
    for case in &sample.selection {
        group(&mut groups, &format!("criterion {}", case.criterion), selection(&sample, case)?);
    }
    for case in &sample.runs {
        let name = format!("run {}, final {}", case.test.method, case.last.method);
        group(&mut groups, &name, run(&sample, case)?);
    }
    Ok(groups.into_values().collect())
}

struct Outcome {
    deviation: f64,
    failure: Option<String>,
}

fn items(rows: &[[f64; 4]]) -> Vec<Item> {
    rows.iter().map(|[a, b, c, d]| Item::logistic(*a, *b, *c, *d)).collect()
}

fn bank(sample: &Sample, name: &str, scaling: f64) -> Result<Bank, String> {
    let rows = sample.banks.get(name).ok_or_else(|| format!("no bank {name}"))?;
    Bank::new(scaling, items(&rows.items)).map_err(|faults| format!("bank {name}: {faults:?}"))
}

fn prior(of: Option<&PriorOf>) -> Result<Prior, String> {
    match of.map(|of| (of.dist.as_str(), of.par.as_slice())) {
        None => Ok(Prior::default()),
        Some(("norm", [mean, sd])) => Ok(Prior::Normal { mean: *mean, sd: *sd }),
        Some(("unif", [from, to])) => Ok(Prior::Uniform { from: *from, to: *to }),
        Some(("Jeffreys", _)) => Ok(Prior::Jeffreys),
        Some((other, _)) => Err(format!("prior {other} is unknown")),
    }
}

fn estimator(
    method: &str,
    prior: Prior,
    quad: Option<(f64, f64, u32)>,
    range: Option<(f64, f64)>,
) -> Result<Estimator, String> {
    let grid = quad.map_or(Grid::CAT_R, |(from, to, nodes)| Grid { from, to, nodes });
    let range = range.map_or(Range { from: -4.0, to: 4.0 }, |(from, to)| Range { from, to });
    match method {
        "EAP" => Ok(Estimator::Eap { prior, grid }),
        "BM" => Ok(Estimator::Map { prior, range }),
        "ML" => Ok(Estimator::Ml { range }),
        "WL" => Ok(Estimator::Wl { range }),
        other => Err(format!("estimator {other} is unknown")),
    }
}

impl Method {
    fn estimator(&self) -> Result<Estimator, String> {
        estimator(&self.method, prior(self.prior.as_ref())?, self.quad, self.range)
    }

    /// How far an estimate may be off.
    fn close(&self) -> f64 {
        if self.method == "EAP" { 1e-9 } else { 1e-6 }
    }
}

/// How far an estimate is off; a standard error relative to its size, as one at a bound may be huge.
fn distance(found: Ability, theta: f64, error: Option<f64>) -> f64 {
    let of_error = match (found.standard_error, error) {
        (Some(found), Some(error)) => (found - error).abs() / error.max(1.0),
        (None, None) => 0.0,
        _ => f64::INFINITY,
    };
    (found.theta - theta).abs().max(of_error)
}

fn estimation(case: &Estimation) -> Result<Outcome, String> {
    estimate(&case.id, &items(&case.items), &case.responses, &case.estimator, &case.expected)
}

fn polytomous(case: &Polytomous) -> Result<Outcome, String> {
    let of = |row: &Vec<Option<f64>>| item(case.model.as_deref(), row);
    let items = case.items.iter().map(of).collect::<Result<Vec<Item>, String>>();
    let items = items.map_err(|error| format!("{}: {error}", case.id))?;
    estimate(&case.id, &items, &case.responses, &case.estimator, &case.expected)
}

fn estimate(
    id: &str,
    items: &[Item],
    responses: &[usize],
    method: &Method,
    expected: &Point,
) -> Result<Outcome, String> {
    if items.len() != responses.len() {
        return Err(format!("{id}: {} items and {} responses", items.len(), responses.len()));
    }
    let scaling = method.scaling.unwrap_or(1.0);
    let curves: Vec<Curve> = items.iter().map(|item| Curve::new(item, scaling)).collect();
    let answers: Vec<(&Curve, usize)> = curves.iter().zip(responses.iter().copied()).collect();
    if let Some((curve, category)) = answers.iter().find(|(curve, category)| *category >= curve.categories())
    {
        return Err(format!("{id}: response {category} to an item of {} categories", curve.categories()));
    }
    let ability = method.estimator()?.estimate(&answers).ability;
    let deviation = distance(ability, expected.theta, expected.se);
    // Without an answer the prior's own figures are given, the reference gives its grid's.
    let close = if answers.is_empty() { 1e-3 } else { method.close() };
    let Point { theta, se } = expected;
    let failure = (deviation > close).then(|| format!("{id}: {ability:?}, not {theta} and {se:?}"));
    Ok(Outcome { deviation, failure })
}

/// An item from a row of parameters: GRM `a, b1 …`, GPCM `a, step1 …`, NRM `a1, c1, a2, c2 …`, otherwise `a, b, c, d`.
fn item(model: Option<&str>, row: &[Option<f64>]) -> Result<Item, String> {
    let values: Vec<f64> = row.iter().map_while(|value| *value).collect();
    if row[values.len()..].iter().any(Option::is_some) {
        return Err(format!("{row:?} has a parameter after an absent one"));
    }
    let item = match (model, values.as_slice()) {
        (Some("GRM"), [a, b @ ..]) => Item::Graded { a: *a, b: b.to_vec() },
        (Some("GPCM"), [a, delta @ ..]) => Item::GeneralizedPartialCredit { a: *a, delta: delta.to_vec() },
        (Some("NRM"), pairs) if pairs.len() % 2 == 0 => Item::Nominal {
            alpha: pairs.iter().copied().step_by(2).collect(),
            c: pairs.iter().copied().skip(1).step_by(2).collect(),
        },
        (None | Some("4PL"), [a, b, c, d]) => Item::logistic(*a, *b, *c, *d),
        _ => return Err(format!("a row {row:?} of model {model:?} is unknown")),
    };
    match item.faults().as_slice() {
        [] => Ok(item),
        faults => Err(format!("{row:?}: {}", faults.join("; "))),
    }
}

fn selection(sample: &Sample, case: &Chosen) -> Result<Outcome, String> {
    let bank = bank(sample, &case.bank, case.scaling)?;
    let mut open = vec![true; bank.len()];
    case.administered.iter().for_each(|item| open[*item] = false);
    let curves = case.administered.iter().map(|item| &bank.curves()[*item]);
    let answers: Vec<(&Curve, usize)> = curves.zip(case.responses.iter().copied()).collect();
    let prior = prior(Some(&case.prior))?;
    let grid = Grid { from: case.quad.0, to: case.quad.1, nodes: case.quad.2 };
    let criterion = match case.criterion.as_str() {
        "MFI" => Selection::MaximumInformation,
        "bOpt" => Selection::Difficulty,
        "thOpt" => Selection::Peak,
        "MLWI" => Selection::LikelihoodWeighted { grid },
        "MPWI" => Selection::PosteriorWeighted { prior, grid },
        "KL" => Selection::KullbackLeibler { grid },
        "KLP" => Selection::PosteriorKullbackLeibler { prior, grid },
        "GDI" => Selection::GlobalDiscrimination { grid },
        "GDIP" => Selection::PosteriorGlobalDiscrimination { prior, grid },
        "MEPV" => Selection::ExpectedPosteriorVariance { prior, grid },
        "MEI" => {
            let method = case.method.as_deref().unwrap_or("BM");
            let estimator = estimator(method, prior, Some(case.quad), Some(case.range))?;
            Selection::ExpectedInformation {
                estimator,
                observed: case.info_type.as_deref() != Some("Fisher"),
            }
        }
        other => return Err(format!("criterion {other} is unknown")),
    };
    let ability = Ability { theta: case.theta, standard_error: None };
    let length = bank.len();
    let situation = Situation {
        bank: &bank,
        open: &open,
        ability,
        answers: &answers,
        position: answers.len(),
        length,
        seed: 0,
    };
    let chosen = criterion.choose(&situation);
    let failure = (chosen != Some(case.expected_item))
        .then(|| format!("{}: item {chosen:?}, not {}", case.id, case.expected_item));
    Ok(Outcome { deviation: 0.0, failure })
}

/// The rules of an exam: each alone ends it.
fn stop(of: &StopOf, bank: usize) -> Stop {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length is a small whole number"
    )]
    let whole = |thr: f64| thr as u32;
    let mut stop = Stop { max_items: whole(bank as f64), min_items: 1, rules: Vec::new(), ..Stop::default() };
    stop.min_items = of.min_length.unwrap_or(1);
    for rule in &of.rules {
        match rule {
            RuleOf::Length { thr } => stop.max_items = whole(*thr),
            RuleOf::MinLength { thr } => stop.min_items = whole(*thr),
            RuleOf::Precision { thr } => stop.rules.push(Rule::StandardError { at_most: *thr }),
            RuleOf::MinInfo { thr } => stop.rules.push(Rule::MinimumInformation { at_most: *thr }),
            RuleOf::Classification { thr, alpha } => {
                let cuts = match thr {
                    Cuts::One(cut) => vec![*cut],
                    Cuts::Several(cuts) => cuts.clone(),
                };
                let confidence = 1.0 - alpha.or(of.alpha).unwrap_or(0.05);
                stop.rules.push(Rule::Interval { cuts, confidence });
            }
        }
    }
    stop
}

/// The rule of a file that a reason is of.
fn rule_of(reason: EndReason) -> Option<&'static str> {
    match reason {
        EndReason::MaxItems | EndReason::BankExhausted => Some("length"),
        EndReason::StandardError => Some("precision"),
        EndReason::MinimumInformation => Some("minInfo"),
        EndReason::Classified => Some("classification"),
        _ => None,
    }
}

fn run(sample: &Sample, case: &Run) -> Result<Outcome, String> {
    let bank = Arc::new(bank(sample, &case.bank, case.scaling)?);
    let while_constant = match case.constant_pattern.as_deref() {
        None => None,
        Some("fixed4") => Some(WhileConstant::Step(0.4)),
        Some("fixed7") => Some(WhileConstant::Step(0.7)),
        Some(method) => Some(WhileConstant::Estimator(estimator(method, Prior::default(), None, None)?)),
    };
    let policy = Policy {
        start: Start { theta: case.start_theta, ..Start::default() },
        estimator: case.test.estimator()?,
        while_constant,
        final_estimator: Some(case.last.estimator()?),
        stop: stop(&case.stop, bank.len()),
        ..Policy::default()
    };
    let answers: Vec<u8> = case.full_responses.bytes().map(|byte| byte - b'0').collect();
    let mut exam = Exam::new(bank, policy, 0);
    let apply =
        |exam: &mut Exam, event: Event| exam.apply(&event).map_err(|error| format!("{}: {error}", case.id));
    let started = Event::Started(exam.decide_start(&Outside::default()));
    apply(&mut exam, started)?;
    while let Some(item) = exam.current_item() {
        let answered = exam
            .decide_answer(item, answers[item], &Outside::default())
            .map_err(|refusal| format!("{refusal:?}"))?;
        apply(&mut exam, Event::Answered(answered))?;
    }
    let chosen: Vec<usize> = exam.steps().iter().map(|step| step.item).collect();
    let expected = &case.expected;
    if chosen != expected.items {
        let failure = format!("{}: items {chosen:?}, not {:?}", case.id, expected.items);
        return Ok(Outcome { deviation: f64::INFINITY, failure: Some(failure) });
    }
    let reason = exam.end().and_then(rule_of);
    if !expected.stop_reason.is_empty()
        && !expected.stop_reason.iter().any(|rule| Some(rule.as_str()) == reason)
    {
        let failure = format!("{}: ended by {:?}, not {:?}", case.id, exam.end(), expected.stop_reason);
        return Ok(Outcome { deviation: f64::INFINITY, failure: Some(failure) });
    }
    let steps = exam.steps().iter().zip(expected.theta_path.iter().zip(&expected.se_path));
    let path = steps.map(|(step, (theta, error))| distance(step.ability, *theta, *error)).fold(0.0, f64::max);
    let last = distance(exam.result().ability, expected.theta, expected.se);
    let failed = path > case.test.close() || last > case.last.close();
    let failure = failed.then(|| format!("{}: off by {path:e} on the way, {last:e} at the end", case.id));
    Ok(Outcome { deviation: path.max(last), failure })
}
