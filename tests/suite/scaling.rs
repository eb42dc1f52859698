//! The autoscaler on a real node with real metrics: more pods under load, and fewer after it.

use crate::e2e::{resource, undisturbed};
use anyhow::{Result, ensure};
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use kube::api::PostParams;
use operator::crd::AdaptiveExamDeployment;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn pods_follow_their_load_and_no_request_fails() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-scaling").await?;
    namespace.postgres("word").await?;
    let spec = json!({
        "service": {
            "autoscaling": {"min": 2, "max": 4, "cpuPercent": 60, "scaleDownAfterSeconds": 10},
            "resources": {"requests": {"cpu": "40m", "memory": "64Mi"}},
        },
        "database": {"urlSecretRef": {"name": "exam-db"}},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    let api = namespace.api::<AdaptiveExamDeployment>();
    let pods = async |wanted: i32| {
        let start = Instant::now();
        wait::until(&format!("{wanted} pods that have adopted"), SETTLE, || async {
            let status = api.get("midterm").await.ok()?.status?;
            let adopted = status.adoption.adopted == wanted && status.adoption.pods == wanted;
            (status.replicas == wanted && adopted).then_some(())
        })
        .await?;
        anyhow::Ok(start.elapsed())
    };
    pods(2).await?;
    let client = namespace.exams("midterm").await?.as_a_proxy();
    let crowd = Crowd::think(&client, 8, Duration::ZERO);
    println!("from 2 to 4 pods under load after {:?}", pods(4).await?);
    let seen = crowd.leave().await?;
    let few = Crowd::think(&client, 4, Duration::from_secs(1));
    println!("and back to 2 after {:?}", pods(2).await?);
    let last = few.leave().await?;
    println!("{} answers, longest gap {:?}", seen.answers(), seen.gap);
    let expected = undisturbed(10).await?;
    let exams = seen.exams.iter().chain(&last.exams);
    ensure!(exams.into_iter().all(|replies| *replies == expected), "bit by bit the exam on one pod");
    namespace.remove().await
}
