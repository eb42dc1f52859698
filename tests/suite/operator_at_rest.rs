//! An operator whose resources are as they should be writes nothing but its Lease.
//!
//! Input: the API server's audit log. Output: none. Must not know: what the operator looks at meanwhile.

use crate::e2e::create;
use anyhow::Result;
use harness::cluster::RELEASE;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use serde_json::Value;
use std::time::Duration;

/// How long nothing may be written at rest.
const REST: Duration = Duration::from_secs(120);
/// Verbs that write.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

#[tokio::test]
async fn it_writes_nothing() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let namespace = cluster.namespace("exam-rest").await?;
    create(&namespace, "midterm", "basic").await?;
    create(&namespace, "practice", "memory").await?;
    let operator = format!("system:serviceaccount:{RELEASE}:{RELEASE}");
    let requests = |line: &str| -> Option<String> {
        let event: Value = serde_json::from_str(line).ok()?;
        let ours = event["user"]["username"] == operator.as_str()
            && event["stage"] == "ResponseComplete"
            && event["objectRef"]["resource"] != "leases";
        ours.then(|| event["verb"].as_str().unwrap_or_default().to_owned())
    };
    let counts = || -> Result<(usize, usize)> {
        let log = std::fs::read_to_string(cluster.audit_log())?;
        let verbs: Vec<String> = log.lines().filter_map(requests).collect();
        let writes = verbs.iter().filter(|verb| WRITES.contains(&verb.as_str())).count();
        Ok((writes, verbs.len()))
    };
    // At rest is when the last change has been seen and answered: nothing written for a while.
    let settled = wait::until("rest", SETTLE, || async {
        let before = counts().ok()?.0;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let after = counts().ok()?;
        (after.0 == before).then_some(after)
    })
    .await?;
    assert!(settled.0 > 20, "it wrote what it made, so the log is the right one: {settled:?}");
    tokio::time::sleep(REST).await;
    let rested = counts()?;
    println!(
        "at rest for {} s: {} writes, {} reads",
        REST.as_secs(),
        rested.0 - settled.0,
        rested.1 - settled.1
    );
    assert_eq!(rested.0, settled.0, "writes at rest");
    assert!(rested.1 > settled.1, "it was alive and reading");
    Ok(())
}
