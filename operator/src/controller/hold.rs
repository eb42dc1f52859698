//! Whether pods may be replaced now. Until they may, their workloads keep the template that they have.
//!
//! Input: planned objects, the live workloads, and what the spec says of updates. Output: the objects to apply, and what waits.
//! Pure. Must not know: what the objects are, beyond their templates.

use super::build::Planned;
use super::observe::Template;
use crate::crd::{AdaptiveExamDeploymentSpec, Day, Strategy, Update, Window};
use crate::names::{APPROVE_UPDATE, MADE_FROM, TEMPLATE, TLS_REVISION};
use contract::settings::revision;
use k8s_openapi::jiff::civil::Weekday;
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

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
    for field in
        ["paused", "rollback", "update", "networkPolicy", "monitoring", "exam", "limits", "allowedOrigins"]
    {
        spec[field].take();
    }
    for field in ["mode", "auth"] {
        spec["redis"][field].take();
    }
    revision(&spec.to_string())
}

/// Marks the planned workloads, and gives each that may not be changed now the template that it has.
pub fn hold<'a>(
    planned: &mut [Planned],
    live: impl IntoIterator<Item = &'a Template> + Clone,
    rules: &Rules<'_>,
) -> Option<Held> {
    let mut waiting: Vec<(&mut Planned, &Template, (&'static str, String))> = Vec::new();
    let mut id = String::new();
    for planned in planned.iter_mut().filter(|planned| planned.body["spec"]["template"].is_object()) {
        let template = &planned.body["spec"]["template"];
        let hash = revision(&template.to_string());
        let mut live = live.clone().into_iter();
        let found = live.find(|live| (live.kind, &live.name) == (planned.api.kind.as_str(), &planned.name));
        // Without a mark it was made before there were marks: then nothing is known of it.
        let found = found.filter(|found| found.hash.as_ref().is_some_and(|had| *had != hash));
        let why = found.and_then(|found| Some((found, why(template, found, rules)?)));
        mark(&mut planned.body, &hash, rules.made_from);
        if let Some((found, why)) = why {
            id.push_str(&hash);
            waiting.push((planned, found, why));
        }
    }
    let id: String = revision(&id).chars().take(8).collect();
    if rules.approved == Some(id.as_str()) {
        return None;
    }
    let (reason, because) = waiting.first().map(|(_, _, why)| why.clone())?;
    let names: Vec<&str> = waiting.iter().map(|(planned, ..)| planned.name.as_str()).collect();
    let message = format!(
        "{because}, so the pods of {} stay as they are; to replace them now: kubectl annotate --overwrite aed {} {APPROVE_UPDATE}={id}",
        names.join(", "),
        rules.name,
    );
    for (planned, live, _) in waiting {
        planned.body["spec"]["template"] = live.pods.clone();
        let text = |hash: &Option<String>| hash.clone().unwrap_or_default();
        mark(&mut planned.body, &text(&live.hash), &text(&live.made_from));
    }
    Some(Held { reason, message })
}

fn mark(body: &mut Value, hash: &str, made_from: &str) {
    body["metadata"]["annotations"][TEMPLATE] = json!(hash);
    body["metadata"]["annotations"][MADE_FROM] = json!(made_from);
}

/// Why a workload may not be changed now; `None`: it may.
fn why(planned: &Value, live: &Template, rules: &Rules<'_>) -> Option<(&'static str, String)> {
    let is_of_the_same_spec = live.made_from.as_deref() == Some(rules.made_from);
    let of_certificate = |template: &Value| template["metadata"]["annotations"][TLS_REVISION].clone();
    if is_of_the_same_spec && of_certificate(planned) != of_certificate(&live.pods) {
        // It would expire while it waits.
        return None;
    }
    let Update { strategy, window } = rules.update;
    match (strategy, window) {
        // Another template from the same spec and the same Secrets is another operator's.
        _ if is_of_the_same_spec && own_annotations(planned) == own_annotations(&live.pods) => {
            Some(("OperatorUpgraded", "this operator would make pods in another way".to_owned()))
        }
        (Strategy::Supervised, _) => {
            Some(("WaitingForApproval", "spec.update.strategy is Supervised".to_owned()))
        }
        (Strategy::Automatic, Some(window)) if !is_open(window, rules.now) => {
            let Window { from, hours, .. } = window;
            Some(("OutsideWindow", format!("spec.update.window begins at {from} UTC and lasts {hours} h")))
        }
        (Strategy::Automatic, _) => None,
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

#[cfg(test)]
mod tests;
