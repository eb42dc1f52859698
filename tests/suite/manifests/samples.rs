//! Every sample, each in a namespace of its own beside what it wants to be there, is Ready and takes an exam.
//!
//! Input: `manifests/samples`. Output: none. Must not know: what the operator does.

use super::{PLACEHOLDER, manifest, outside, served, served_inside};
use anyhow::{Context, Result, ensure};
use harness::Cluster;
use harness::cluster::TestNamespace;
use harness::tokens::Signer;
use serde_json::json;

/// The samples, with the name and the mode of the resource that each makes.
const SAMPLES: [(&str, &str, &str); 8] = [
    ("memory", "memory", "memory"),
    ("basic", "basic", "basic"),
    ("sentinel", "ha", "sentinel"),
    ("sentinel-tls", "ha-tls", "sentinel"),
    ("external", "external", "external"),
    ("external-sentinel", "external-ha", "external"),
    ("external-cluster", "external-shards", "external"),
    ("school", "school", "sentinel"),
];

pub(crate) async fn all(cluster: &Cluster) -> Result<()> {
    let files = std::fs::read_dir(manifest("samples"))?.count();
    ensure!(files == SAMPLES.len(), "{files} samples, and {} are known here", SAMPLES.len());
    for (file, name, mode) in SAMPLES {
        let namespace = cluster.namespace(&format!("sample-{file}")).await?;
        sample(cluster, &namespace, file, name, mode).await.with_context(|| format!("sample {file}"))?;
        namespace.remove().await?;
    }
    Ok(())
}

async fn sample(
    cluster: &Cluster,
    namespace: &TestNamespace,
    file: &str,
    name: &str,
    mode: &str,
) -> Result<()> {
    let signer = Signer::new("login");
    match file {
        "memory" | "basic" => {}
        "sentinel-tls" => {
            outside::database(namespace).await?;
            outside::certificates_are_known(namespace).await?;
        }
        _ => namespace.postgres("word").await?,
    }
    match file {
        "external" => outside::cache(namespace, 6380, Some("app")).await.map(drop)?,
        "external-sentinel" => outside::sentinels(namespace).await?,
        "external-cluster" => outside::shards(namespace).await?,
        "school" => namespace.secret("keys", json!({"keys.json": Signer::key_set(&[&signer])})).await?,
        _ => {}
    }
    // Where a sample names a host that is not there, as a person does it.
    let text = std::fs::read_to_string(manifest("samples").join(file).with_extension("yaml"))?;
    let text = text.replace(PLACEHOLDER, "cache").replace(".cache:26379", ":26379");
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("sample.yaml");
    std::fs::write(&copy, text)?;
    super::apply(cluster, &["-n", &namespace.name, "-f", &copy.to_string_lossy()]).await?;
    if file == "sentinel-tls" {
        outside::certify(namespace).await?;
    }
    if file == "school" {
        // Its callers come through an Ingress, with tokens that its login has signed.
        let claims = json!({"role": "admin", "iss": "https://login.school.example"});
        let token = signer.token_with("a-teacher", claims);
        return served_inside(cluster, namespace, (name, mode), Some(token)).await;
    }
    served(namespace, name, mode).await
}
