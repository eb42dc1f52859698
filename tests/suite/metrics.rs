//! Metrics match what happened, and every metric is documented.

use anyhow::{Context, Result};
use harness::service::Setup;
use harness::{Examinee, Service};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Samples by name and labels.
async fn scraped(service: &Service) -> Result<(String, BTreeMap<String, f64>)> {
    let text = reqwest::get(format!("{}/metrics", service.ops())).await?.error_for_status()?.text().await?;
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').context("a sample")?;
        Ok((name.to_owned(), value.parse().with_context(|| line.to_owned())?))
    });
    let samples = samples.collect::<Result<_>>()?;
    Ok((text, samples))
}

#[tokio::test]
async fn metrics_match_what_happened() -> Result<()> {
    let settings = "[exam_types.short]\nmax_items = 3\nmin_items = 3\n[exam_types.long]\n";
    let service = Service::start_with(Setup { settings: Some(settings.into()), ..Setup::default() }).await?;
    let client = service.client();
    let mut last = Vec::new();
    for _ in 0..4 {
        let mut examinee = Examinee::start_as(&client, json!({"exam_type": "short"})).await?;
        examinee.finish(&client).await?;
        last.extend(examinee.replies.pop());
    }
    let mut open = Examinee::start_as(&client, json!({"exam_type": "long"})).await?;
    open.answer(&client).await?;
    let by_hand = Examinee::start_as(&client, json!({"exam_type": "long"})).await?;
    client.post("/complete", json!({"exam_session_id": by_hand.exam})).await?;
    let (text, samples) = scraped(&service).await?;
    let sample =
        |name: &str| *samples.get(name).with_context(|| format!("{name}\n{text}")).unwrap_or(&f64::NAN);
    for (name, value) in [
        ("adaptive_exam_events_total{kind=\"started\"}", 6.0),
        ("adaptive_exam_events_total{kind=\"answered\"}", 13.0),
        ("adaptive_exam_ended_total{reason=\"max_items_reached\"}", 4.0),
        ("adaptive_exam_ended_total{reason=\"manual_completion\"}", 1.0),
        ("adaptive_exam_open_exams", 1.0),
        ("adaptive_exam_standard_error_count{exam_type=\"short\"}", 4.0),
        ("adaptive_exam_items_sum{exam_type=\"short\"}", 12.0),
        ("adaptive_exam_items_sum{exam_type=\"long\"}", 0.0),
        ("adaptive_exam_db_connections_max", 1.0),
        ("adaptive_exam_writes_waiting", 0.0),
        ("adaptive_exam_requests_in_flight", 0.0),
        ("adaptive_exam_settings_rejected", 0.0),
    ] {
        assert!((sample(name) - value).abs() < 1e-9, "{name}: {} is not {value}\n{text}", sample(name));
    }
    // An exam that ended without an answer has no ability to be precise about.
    assert!(!samples.contains_key("adaptive_exam_standard_error_count{exam_type=\"long\"}"));
    let errors: f64 = last.iter().filter_map(|reply| reply["standard_error"].as_f64()).sum();
    assert!((sample("adaptive_exam_standard_error_sum{exam_type=\"short\"}") - errors).abs() < 1e-9);
    // Every exam began with the same item, and a few of the bank's 36 were given.
    let ratio = |name: &str| samples.iter().find(|(key, _)| key.starts_with(name)).map(|(_, value)| *value);
    assert_eq!(ratio("adaptive_exam_exposure_highest_ratio"), Some(1.0));
    let unused = ratio("adaptive_exam_exposure_unused_ratio").context("unused")?;
    assert!((0.5..0.95).contains(&unused), "{unused}");
    Ok(())
}

#[tokio::test]
async fn every_metric_is_documented() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 3).await?;
    examinee.finish(&client).await?;
    // A repetition, so that every counter has something to show.
    client.answer(examinee.exam, 8, Examinee::knows(8)).await?;
    let (text, _) = scraped(&service).await?;
    let told: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .filter(|(name, _)| !name.starts_with("process_"))
        .collect();
    let documents = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md"))?;
    // What follows is the operator's.
    let (documents, _) = documents.split_once("## The operator").context("a section of the operator")?;
    let documented: BTreeMap<&str, &str> = documents
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| (name, rest.split([':', ' ']).next().unwrap_or_default()))
        .collect();
    for (name, kind) in &told {
        assert_eq!(documented.get(name), Some(kind), "{name} is not in docs/METRICS.md as a {kind}");
    }
    let missing: BTreeSet<_> = documented.keys().filter(|name| !told.contains_key(*name)).collect();
    // What has a label is there once it has counted something, or once something is wrong.
    let unseen = ["adaptive_exam_rebuilds_total", "adaptive_exam_store_problem"];
    assert!(missing.iter().all(|name| unseen.contains(name)), "documented, and not there: {missing:?}");
    for line in text.lines().filter(|line| line.starts_with("adaptive_exam") && line.contains('{')) {
        assert!(!line.contains("exam_session_id") && !line.contains("student"), "{line}");
    }
    Ok(())
}
