//! Comparison of the engine with reference cases.
//!
//! Input: a JSON text of estimations, selections and runs. Output: a [`Group`] for each estimator, each criterion,
//! and the runs by estimator. Must not know: files.

use engine::{
    Ability, Bank, Curve, Estimator, Event, Exam, Grid, Item, Outside, Policy, Prior, Range, Rule, Selection,
    Situation, Start, Stop, WhileConstant,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
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

#[derive(Deserialize)]
struct Sample {
    banks: HashMap<String, BankOf>,
    #[serde(default)]
    estimation: Vec<Estimation>,
    #[serde(default)]
    selection: Vec<Chosen>,
    #[serde(default)]
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct BankOf {
    items: Vec<[f64; 4]>,
}

#[derive(Deserialize)]
struct Estimation {
    id: String,
    items: Vec<[f64; 4]>,
    responses: Vec<usize>,
    estimator: Method,
    expected: Point,
}

#[derive(Deserialize)]
struct Point {
    theta: f64,
    se: Option<f64>,
}

#[derive(Deserialize)]
struct Method {
    method: String,
    #[serde(rename = "D")]
    scaling: Option<f64>,
    prior: Option<PriorOf>,
    quad: Option<(f64, f64, u32)>,
    range: Option<(f64, f64)>,
}

#[derive(Deserialize)]
struct PriorOf {
    dist: String,
    #[serde(default)]
    par: Vec<f64>,
}

#[derive(Deserialize)]
struct Chosen {
    id: String,
    bank: String,
    criterion: String,
    theta: f64,
    #[serde(rename = "D")]
    scaling: f64,
    administered: Vec<usize>,
    responses: Vec<usize>,
    prior: PriorOf,
    quad: (f64, f64, u32),
    range: (f64, f64),
    method: Option<String>,
    info_type: Option<String>,
    expected_item: usize,
}

#[derive(Deserialize)]
struct Run {
    id: String,
    bank: String,
    #[serde(rename = "D")]
    scaling: f64,
    start_theta: f64,
    test: Method,
    #[serde(rename = "final")]
    last: Method,
    stop: StopOf,
    full_responses: String,
    constant_pattern: Option<String>,
    expected: Path,
}

#[derive(Deserialize)]
struct StopOf {
    rules: Vec<RuleOf>,
}

#[derive(Deserialize)]
struct RuleOf {
    rule: String,
    thr: f64,
}

#[derive(Deserialize)]
struct Path {
    items: Vec<usize>,
    theta_path: Vec<f64>,
    se_path: Vec<Option<f64>>,
    theta: f64,
    se: Option<f64>,
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
    let scaling = case.estimator.scaling.unwrap_or(1.0);
    let curves: Vec<Curve> = items(&case.items).iter().map(|item| Curve::new(item, scaling)).collect();
    let answers: Vec<(&Curve, usize)> = curves.iter().zip(case.responses.iter().copied()).collect();
    let ability = case.estimator.estimator()?.estimate(&answers).ability;
    let deviation = distance(ability, case.expected.theta, case.expected.se);
    // Without an answer the prior's own figures are given, the reference gives its grid's.
    let close = if answers.is_empty() { 1e-3 } else { case.estimator.close() };
    let Point { theta, se } = &case.expected;
    let failure = (deviation > close).then(|| format!("{}: {ability:?}, not {theta} and {se:?}", case.id));
    Ok(Outcome { deviation, failure })
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

fn run(sample: &Sample, case: &Run) -> Result<Outcome, String> {
    let bank = Arc::new(bank(sample, &case.bank, case.scaling)?);
    let threshold = |name: &str| case.stop.rules.iter().find(|rule| rule.rule == name).map(|rule| rule.thr);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length is a small whole number"
    )]
    let length = threshold("length").unwrap_or(bank.len() as f64) as u32;
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
        stop: Stop {
            max_items: length,
            min_items: 1,
            rules: threshold("precision")
                .into_iter()
                .map(|at_most| Rule::StandardError { at_most })
                .collect(),
            ..Stop::default()
        },
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
    let steps = exam.steps().iter().zip(expected.theta_path.iter().zip(&expected.se_path));
    let path = steps.map(|(step, (theta, error))| distance(step.ability, *theta, *error)).fold(0.0, f64::max);
    let last = distance(exam.result().ability, expected.theta, expected.se);
    let failed = path > case.test.close() || last > case.last.close();
    let failure = failed.then(|| format!("{}: off by {path:e} on the way, {last:e} at the end", case.id));
    Ok(Outcome { deviation: path.max(last), failure })
}
