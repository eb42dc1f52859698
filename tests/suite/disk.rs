//! A full disk under SQLite: reported, survived, and nothing is acknowledged that is not in the log.

use crate::crash::compare;
use anyhow::{Context, Result, ensure};
use harness::service::Setup;
use harness::{Examinee, Service, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A file system of its own, of a few megabytes; it goes with this value.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "exams"]).arg(folder.path());
        let output = mount.output().context("mount")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "this test mounts a small file system, which needs root: {said}");
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room there is.
    fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::create(self.path().join("filler"))?;
        let chunk = [0_u8; 4096];
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still holds it open keeps it until it ends.
        let _best_effort = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_and_loses_nothing() -> Result<()> {
    let disk = SmallDisk::mount()?;
    let url = format!("sqlite:{}", disk.path().join("exams.db").display());
    let mut service =
        Service::start_with(Setup { database_url: Some(url.clone()), ..Setup::default() }).await?;
    let client = service.client();
    let mut examinees = Vec::new();
    for _ in 0..3 {
        let mut examinee = Examinee::start(&client, 20).await?;
        examinee.answer(&client).await?;
        examinees.push(examinee);
    }
    let mut told: BTreeMap<i64, BTreeMap<i64, Value>> = BTreeMap::new();
    let started = AtomicUsize::new(3);
    for _ in 0..3 {
        disk.fill()?;
        // Pages that are there already take some more; then it is full.
        let refused = wait::until("it is full", Duration::from_secs(60), || async {
            let reply = client.post("/start", json!({"exam_type": "quiz", "student_id": 1})).await.ok()?;
            if reply.status == 200 {
                started.fetch_add(1, Ordering::Relaxed);
            }
            (reply.status != 200).then_some(reply)
        })
        .await?;
        ensure!(refused.status == 503 && refused.retry_after.is_some(), "{refused:?}");
        ensure!(!refused.body.to_string().contains("disk"), "a 5xx shows no internals: {refused:?}");
        for examinee in &mut examinees {
            let item = examinee.item.context("an item")?;
            let reply = client.answer(examinee.exam, item, Examinee::knows(item)).await?;
            ensure!(reply.status == 503 || reply.status == 200, "{reply:?}");
            if reply.status == 200 {
                examinee.item = reply.body["item"]["id"].as_i64();
                examinee.replies.push(reply.body);
            }
        }
        disk.clear()?;
        let examinee = &mut examinees[0];
        wait::until("it goes on by itself", Duration::from_secs(30), || {
            let mut trial = examinee.clone();
            let client = client.clone();
            async move { trial.answer(&client).await.ok() }
        })
        .await?;
        // The same answer again is the same answer.
        examinee.answer(&client).await?;
    }
    for examinee in &mut examinees {
        examinee.finish(&client).await?;
        ensure!(examinee.replies.len() == 20, "exam {}", examinee.exam);
    }
    let listed = client.get("/exams").await?.body;
    let log = std::fs::read_to_string(service.path("service.log")).unwrap_or_default();
    println!("{log}");
    ensure!(
        listed["count"] == started.load(Ordering::Relaxed),
        "{started:?}: a start that was refused made no exam: {listed}"
    );
    service.kill().await?;
    let records =
        service::records::Records::open_existing(&service::records::DatabaseAccess::at(&url)).await?;
    for examinee in &examinees {
        let (_, entries) = records.load(examinee.exam).await?.context("the exam is gone")?;
        let log: Vec<Value> =
            entries.iter().map(|entry| serde_json::from_str(&entry.body())).collect::<Result<_, _>>()?;
        ensure!(log.len() == 21, "exam {} has {} events", examinee.exam, log.len());
        let answered = log.iter().filter_map(|event| event["item"].as_i64());
        told.insert(examinee.exam, answered.zip(examinee.replies.clone()).collect());
        compare(examinee.exam, &told[&examinee.exam], &log)?;
    }
    let verified = service::verify::verify(&records, |_| ()).await?;
    ensure!(verified.differences.is_empty(), "{:?}", verified.differences);
    records.close().await;
    Ok(())
}
