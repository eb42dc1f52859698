//! What is applied without Helm, on three nodes: manifests, overlays and samples as they are delivered.
//!
//! Input: the folder `manifests`, and images under the names of a release. Output: none. Must not know: what the operator does.

mod outside;
mod samples;

use crate::several_nodes::node_of;
use anyhow::{Context, Result, ensure};
use harness::cluster::{TestNamespace, workspace};
use harness::process::Port;
use harness::wait::{SETTLE, TIMEOUT};
use harness::{Client, Cluster, Examinee, wait};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Namespace of the exams of every overlay.
const EXAMS: &str = "exams";
/// The name that a Redis outside has in overlays and samples, which a person replaces.
const PLACEHOLDER: &str = "cache.school.example";

#[tokio::test]
async fn manifests_overlays_and_samples_are_ready_as_they_are_delivered() -> Result<()> {
    Cluster::lend(Cluster::released("manifests", 3).await?, prove).await
}

async fn prove(cluster: &Cluster) -> Result<()> {
    cluster.install_manifest("install.yaml", "exam-system").await?;
    samples::all(cluster).await?;
    delete(cluster, "-f", &manifest("install.yaml")).await?;

    dev(cluster).await?;
    production(cluster).await?;
    external(cluster).await?;

    // The operator of a single namespace, whose rights end there.
    gone(cluster).await?;
    cluster.install_manifest("install-namespaced.yaml", EXAMS).await?;
    apply(cluster, &["-n", EXAMS, "-f", &manifest("samples/basic.yaml").to_string_lossy()]).await?;
    served(&exams(cluster).await?, "basic", "basic").await?;
    delete(cluster, "-f", &manifest("install-namespaced.yaml")).await?;

    cloudnative_pg(cluster).await
}

fn manifest(path: &str) -> PathBuf {
    workspace().join("manifests").join(path)
}

/// The namespace of the overlays.
async fn exams(cluster: &Cluster) -> Result<TestNamespace> {
    Ok(TestNamespace { kube: cluster.kube().await?, name: EXAMS.to_owned() })
}

async fn apply(cluster: &Cluster, words: &[&str]) -> Result<String> {
    cluster.tool(&[["kubectl", "apply", "--server-side"].as_slice(), words].concat()).await
}

async fn delete(cluster: &Cluster, flag: &str, what: &Path) -> Result<()> {
    let words = ["kubectl", "delete", "--ignore-not-found", TIMEOUT, flag, &what.to_string_lossy()];
    cluster.tool(&words).await.map(drop)
}

/// Ready, and an exam of three items is taken.
async fn served(namespace: &TestNamespace, name: &str, mode: &str) -> Result<()> {
    let start = Instant::now();
    namespace.ready(name, mode).await?;
    takes(&namespace.exams(name).await?).await?;
    tell(&format!("{name}: Ready after {:.1} s, an exam is taken", start.elapsed().as_secs_f64()));
    Ok(())
}

async fn takes(client: &Client) -> Result<()> {
    let body = json!({"exam_type": "quiz", "max_items": 3, "student_id": "ada"});
    Examinee::start_as(client, body).await?.finish(client).await
}

/// The same where a policy lets nobody in but an Ingress: through the API server, past all policies.
async fn served_inside(
    cluster: &Cluster,
    namespace: &TestNamespace,
    (name, mode): (&str, &str),
    token: Option<String>,
) -> Result<()> {
    let start = Instant::now();
    namespace.ready(name, mode).await?;
    let token = match token {
        Some(token) => token,
        None => namespace.token(name).await?,
    };
    let port = Port::free()?;
    let (service, ports) = (format!("service/{name}"), format!("{}:{}", port.number(), contract::API_PORT));
    let _forward =
        cluster.start_tool(&["kubectl", "-n", &namespace.name, "port-forward", &service, &ports])?;
    let client = Client::new(format!("http://127.0.0.1:{}", port.number()), Some(token));
    wait::until("the forwarded port", SETTLE, || async { client.get("/exams").await.ok() }).await?;
    takes(&client).await?;
    tell(&format!(
        "{name}: Ready after {:.1} s, an exam is taken from inside",
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Applies a folder of kustomize, as its README says: definitions first, as no resource is known without them.
async fn overlay(cluster: &Cluster, folder: &Path) -> Result<()> {
    apply(cluster, &["-f", &manifest("base/crd.yaml").to_string_lossy()]).await?;
    apply(cluster, &["-k", &folder.to_string_lossy()]).await.map(drop)
}

async fn dev(cluster: &Cluster) -> Result<()> {
    let folder = manifest("overlays/dev");
    overlay(cluster, &folder).await?;
    served(&exams(cluster).await?, "practice", "memory").await?;
    let budgets =
        cluster.tool(&["kubectl", "-n", "exam-system", "get", "poddisruptionbudgets", "-o", "name"]).await?;
    ensure!(budgets.is_empty(), "one operator has no budget: {budgets}");
    delete(cluster, "-k", &folder).await
}

async fn production(cluster: &Cluster) -> Result<()> {
    let folder = manifest("overlays/production");
    let namespace = before(cluster, &folder).await?;
    outside::database(&namespace).await?;
    overlay(cluster, &folder).await?;
    served_inside(cluster, &namespace, ("final", "sentinel"), None).await?;
    let pods: Api<Pod> = Api::namespaced(namespace.kube.clone(), "exam-system");
    wait::until("three operators", SETTLE, || async {
        let pods = pods.list(&ListParams::default()).await.ok()?.items;
        let images: Vec<_> =
            pods.iter().filter_map(|pod| pod.spec.as_ref()?.containers[0].image.as_deref()).collect();
        (images == ["registry.school.example/exam-operator:0.1.0"; 3]).then_some(())
    })
    .await?;
    delete(cluster, "-k", &folder).await
}

async fn external(cluster: &Cluster) -> Result<()> {
    // What the overlay asks a person for: the host, and the authority.
    let copied = tempfile::tempdir()?;
    for folder in ["base", "overlays/external-redis-tls"] {
        std::fs::create_dir_all(copied.path().join(folder))?;
        for entry in std::fs::read_dir(manifest(folder))? {
            let entry = entry?;
            let text = std::fs::read_to_string(entry.path())?.replace(PLACEHOLDER, "cache.exams.svc");
            std::fs::write(copied.path().join(folder).join(entry.file_name()), text)?;
        }
    }
    let folder = copied.path().join("overlays/external-redis-tls");
    let namespace = before(cluster, &folder).await?;
    outside::database(&namespace).await?;
    let authority = outside::cache(&namespace, 6378, None).await?;
    std::fs::write(folder.join("redis-ca.crt"), authority)?;
    overlay(cluster, &folder).await?;
    served(&namespace, "entrance", "external").await?;
    delete(cluster, "-k", &folder).await
}

/// The operator of CloudNativePG, as its manifest has it, but for where images come from.
async fn install_cloudnative_pg(cluster: &Cluster) -> Result<()> {
    let (file, postgres) = cluster.cloudnative_pg().await?;
    let text = std::fs::read_to_string(&file)?;
    let image =
        text.lines().find_map(|line| line.trim().strip_prefix("image: ghcr.io/")).context("its image")?;
    cluster.name_image("exam-cloudnative-pg:dev", &[&format!("ghcr.io/{image}")]).await?;
    std::fs::write(&file, text.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent"))?;
    apply(cluster, &["-f", &file.to_string_lossy()]).await?;
    let deployment = ["-n", "cnpg-system", "deployment/cnpg-controller-manager"];
    let image = format!("POSTGRES_IMAGE_NAME={postgres}");
    cluster.tool(&[["kubectl", "set", "env"].as_slice(), &deployment, &[&image]].concat()).await?;
    let status = [["kubectl", "rollout", "status", TIMEOUT].as_slice(), &deployment].concat();
    cluster.tool(&status).await.map(drop)
}

/// An exam goes on when the node of the primary of a PostgreSQL that CloudNativePG leads is cut off.
async fn cloudnative_pg(cluster: &Cluster) -> Result<()> {
    install_cloudnative_pg(cluster).await?;
    let folder = manifest("overlays/cloudnative-pg");
    let namespace = before(cluster, &folder).await?;
    overlay(cluster, &folder).await?;
    let start = Instant::now();
    let conditions = ["kubectl", "-n", EXAMS, "wait", "cluster/exam-db", "--for=condition=Ready", TIMEOUT];
    cluster.tool(&conditions).await?;
    tell(&format!("CloudNativePG: three instances after {:.1} s", start.elapsed().as_secs_f64()));
    served(&namespace, "final", "sentinel").await?;

    let client = namespace.exams("final").await?.as_a_patient_proxy();
    let mut examinee = Examinee::start(&client, 8).await?;
    for _ in 0..3 {
        examinee.answer(&client).await?;
    }
    let primary =
        ["kubectl", "-n", EXAMS, "get", "cluster/exam-db", "-o", "jsonpath={.status.currentPrimary}"];
    let before = cluster.tool(&primary).await?;
    let node = node_of(&namespace, &before).await?;
    cluster.break_node("cut", &node).await?;
    let start = Instant::now();
    let answered = examinee.insist(&client, SETTLE).await;
    let seconds = start.elapsed().as_secs_f64();
    let after = cluster.tool(&primary).await?;
    cluster.break_node("join", &node).await?;
    answered?;
    ensure!(after != before, "{before} is cut off, so another leads");
    tell(&format!(
        "{node} is cut off with the primary {before}; {after} leads, and an answer counts after {seconds:.1} s"
    ));
    // Nodes come back one thing at a time.
    while examinee.item.is_some() {
        examinee.insist(&client, SETTLE).await?;
    }
    let status = client.status(examinee.exam).await?.body;
    ensure!(status["items_completed"] == 8, "each answer counts once: {status}");
    Ok(())
}

/// The namespace that an overlay makes, before all else of it.
async fn before(cluster: &Cluster, folder: &Path) -> Result<TestNamespace> {
    gone(cluster).await?;
    apply(cluster, &["-f", &folder.join("namespace.yaml").to_string_lossy()])
        .await
        .context("its namespace")?;
    exams(cluster).await
}

/// Waits until what was there before has ended.
async fn gone(cluster: &Cluster) -> Result<()> {
    let api: Api<Namespace> = Api::all(cluster.kube().await?);
    wait::until("the end of the namespace before", SETTLE, || async {
        matches!(api.get_opt(EXAMS).await, Ok(None)).then_some(())
    })
    .await
}

#[expect(clippy::print_stdout, reason = "figures of a run should be where one looks")]
fn tell(text: &str) {
    println!("{text}");
}
