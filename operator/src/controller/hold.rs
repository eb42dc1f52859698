//! Whether pods may be replaced now. Until they may, their workloads keep the template that they have.
//!
//! Input: planned objects, the live workloads, and what the spec says of updates. Output: the objects to apply, and what waits.
//! Pure. Must not know: what the objects are, beyond their templates.

use super::build::Planned;
use super::observe::Workload;
use crate::crd::{AdaptiveExamDeploymentSpec, Day, Strategy, Update, Window};
use crate::names::{APPROVE_UPDATE, MADE_FROM, TEMPLATE};
use contract::settings::revision;
use k8s_openapi::jiff::civil::Weekday;
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

/// The template that a live workload has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// Kind and name of the workload.
    pub workload: (&'static str, String),
    /// The template of its pods.
    pub template: Value,
    /// The hash of the template as it was planned; `None`: it was not planned by this kind of operator.
    pub hash: Option<String>,
    /// The hash of the part of the spec that it was made from.
    pub made_from: Option<String>,
}

/// An update that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Why, as a word.
    pub reason: &'static str,
    /// Why, and what to do about it.
    pub message: String,
}

/// What decides about updates, beside the objects.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// Name of the resource.
    pub name: &'a str,
    /// What the spec says.
    pub update: &'a Update,
    /// The hash of the part of the spec that pods are made from.
    pub made_from: &'a str,
    /// The update that a person approved.
    pub approved: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// The hash of all of the spec but what never replaces a pod: so a rollback or another mode brings no update with it that
/// waits.
pub fn made_from(spec: &AdaptiveExamDeploymentSpec) -> String {
    let mut spec = serde_json::to_value(spec).expect("a spec should have a JSON form");
    for field in ["paused", "rollback", "update", "networkPolicy", "exam", "limits", "allowedOrigins"] {
        spec[field].take();
    }
    for field in ["mode", "auth"] {
        spec["redis"][field].take();
    }
    revision(&spec.to_string())
}

/// Marks the planned workloads, and gives those that may not be changed now the template that they have.
pub fn hold(planned: &mut [Planned], live: &[Live], rules: &Rules<'_>) -> Option<Held> {
    let mut waiting: Vec<(&mut Planned, &Live)> = Vec::new();
    let mut id = String::new();
    for planned in planned.iter_mut().filter(|planned| planned.body["spec"]["template"].is_object()) {
        let hash = revision(&planned.body["spec"]["template"].to_string());
        mark(&mut planned.body, &hash, rules.made_from);
        let found =
            live.iter().find(|live| live.workload == (planned.api.kind.as_str(), planned.name.clone()));
        let Some(found) = found.filter(|found| found.hash.as_ref().is_some_and(|had| *had != hash)) else {
            continue;
        };
        id.push_str(&hash);
        waiting.push((planned, found));
    }
    let id: String = revision(&id).chars().take(8).collect();
    let names: Vec<&str> = waiting.iter().map(|(planned, _)| planned.name.as_str()).collect();
    let held = why(&waiting, rules).filter(|_| rules.approved != Some(id.as_str()))?;
    let (reason, because) = held;
    let message = format!(
        "{because}, so the pods of {} stay as they are; to replace them now: kubectl annotate --overwrite aed {} {APPROVE_UPDATE}={id}",
        names.join(", "),
        rules.name,
    );
    for (planned, live) in waiting {
        planned.body["spec"]["template"] = live.template.clone();
        mark(
            &mut planned.body,
            live.hash.as_deref().unwrap_or_default(),
            live.made_from.as_deref().unwrap_or_default(),
        );
    }
    Some(Held { reason, message })
}

fn mark(body: &mut Value, hash: &str, made_from: &str) {
    body["metadata"]["annotations"][TEMPLATE] = json!(hash);
    body["metadata"]["annotations"][MADE_FROM] = json!(made_from);
}

/// Why workloads may not be changed now; `None`: they may.
fn why(waiting: &[(&mut Planned, &Live)], rules: &Rules<'_>) -> Option<(&'static str, String)> {
    if waiting.is_empty() {
        return None;
    }
    // Another template from the same spec and the same Secrets is another operator's.
    let is_upgrade = waiting.iter().all(|(planned, live)| {
        live.made_from.as_deref() == Some(rules.made_from)
            && own_annotations(&planned.body["spec"]["template"]) == own_annotations(&live.template)
    });
    let Update { strategy, window } = rules.update;
    match (is_upgrade, strategy, window) {
        (true, _, _) => Some(("OperatorUpgraded", "this operator would make pods in another way".to_owned())),
        (false, Strategy::Supervised, _) => {
            Some(("WaitingForApproval", "spec.update.strategy is Supervised".to_owned()))
        }
        (false, Strategy::Automatic, Some(window)) if !is_open(window, rules.now) => {
            let Window { from, hours, .. } = window;
            Some(("OutsideWindow", format!("spec.update.window begins at {from} UTC and lasts {hours} h")))
        }
        (false, Strategy::Automatic, _) => None,
    }
}

/// The annotations of a template that tell what it was made from beside the spec.
fn own_annotations(template: &Value) -> Vec<(&String, &Value)> {
    let annotations = template["metadata"]["annotations"].as_object();
    annotations.into_iter().flatten().filter(|(name, _)| name.starts_with("exam.dreamseed.ai/")).collect()
}

/// Whether a window is open: it may have begun today, or yesterday.
fn is_open(window: &Window, now: Timestamp) -> bool {
    let today = now.to_zoned(TimeZone::UTC).date();
    let time = || -> Option<(i8, i8)> {
        let (hour, minute) = window.from.split_once(':')?;
        Some((hour.parse().ok()?, minute.parse().ok()?))
    };
    let Some((hour, minute)) = time() else { return false };
    let days = [Some(today), today.yesterday().ok()];
    days.into_iter().flatten().any(|day| {
        let begins =
            window.days.is_empty() || window.days.iter().any(|wanted| weekday(*wanted) == day.weekday());
        let from = day.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).map(|from| from.timestamp());
        let Ok(from) = from else { return false };
        let Ok(until) = from.checked_add(i64::from(window.hours).hours()) else { return false };
        begins && from <= now && now < until
    })
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

/// The templates of the live workloads.
pub fn live<'a>(workloads: impl IntoIterator<Item = &'a Option<Workload>>) -> Vec<Live> {
    workloads.into_iter().flatten().map(|workload| workload.template.clone()).collect()
}

#[cfg(test)]
mod tests;
