//! The pods of a resource: where they are, what Kubernetes says of them, and the service's own word.
//!
//! Input: names, and clients. Output: pods, by name or ordinal. Must not know: what follows from it.

use super::ServicePod;
use crate::controller::certificate::Certificate;
use crate::controller::given::Unusable;
use crate::controller::redis::auth::RedisAuth;
use crate::controller::redis::facts::{Node, Sentinel};
use crate::controller::redis::link::Access;
use crate::names::{self, Component, Names, REVISION, SECRETS_REVISION};
use contract::{OpenExams, State};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Longest wait for a service's own word.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest wait for its word on all open exams.
const COUNTING: Duration = Duration::from_secs(5);

/// The pods of Redis and of Sentinels, and where they are.
pub(super) async fn redis_pods(
    client: &Client,
    names: &Names,
    revision: Option<&str>,
    auth: &RedisAuth,
    certificate: Option<&Result<Certificate, Unusable>>,
) -> kube::Result<(Vec<Node>, Vec<Sentinel>, Access)> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    let list = async |component| {
        api.list(&ListParams::default().labels(&names.selected(component))).await.map(|list| list.items)
    };
    let (data, sentinels) = tokio::try_join!(list(Component::Redis), list(Component::Sentinel))?;
    let address = |pod: &Pod| {
        let ip = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        Some((pod.metadata.name.clone()?, ip))
    };
    let addresses = data.iter().chain(&sentinels).filter_map(address).collect();
    let node = |pod: Pod| {
        let name = pod.metadata.name.clone()?;
        let labels = pod.metadata.labels.as_ref();
        let label = |name: &str| labels.and_then(|labels| labels.get(name)).cloned();
        let made_of = label("controller-revision-hash");
        Some(Node {
            ordinal: name.rsplit_once('-')?.1.parse().ok()?,
            is_outdated: revision.is_some() && made_of.as_deref() != revision,
            is_ready: is_ready(&pod),
            is_going: pod.metadata.deletion_timestamp.is_some(),
            label: label(names::ROLE),
            told: told(&pod),
            pod: name,
            ..Node::default()
        })
    };
    let mut nodes: Vec<Node> = data.into_iter().filter_map(node).collect();
    nodes.sort_by_key(|node| node.ordinal);
    let sentinel =
        |pod: Pod| Some(Sentinel { told: told(&pod), pod: pod.metadata.name?, ..Sentinel::default() });
    let mut sentinels: Vec<Sentinel> = sentinels.into_iter().filter_map(sentinel).collect();
    sentinels.sort_by(|one, other| one.pod.cmp(&other.pod));
    let access = Access {
        addresses,
        auth: auth.clone(),
        certificate: certificate.and_then(|found| found.as_ref().ok()).cloned(),
        domain: names.redis_domain(),
        sentinel_domain: names.sentinel_domain(),
    };
    Ok((nodes, sentinels, access))
}

/// The revision of the Secret that a pod of Redis was told of.
fn told(pod: &Pod) -> Option<String> {
    pod.metadata.annotations.as_ref()?.get(names::AUTH_REVISION).cloned()
}

/// The pods that are ready, each asked for its own word.
pub(super) async fn service_pods(
    client: &Client,
    http: &reqwest::Client,
    names: &Names,
) -> kube::Result<Vec<ServicePod>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    let listed = api.list(&ListParams::default().labels(&names.selected(Component::Service))).await?;
    let asked = listed.items.into_iter().filter(is_ready).filter_map(|pod| {
        let ip: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        let annotation = |name| pod.metadata.annotations.as_ref().and_then(|told| told.get(name)).cloned();
        let (told, told_of_secrets) = (annotation(REVISION), annotation(SECRETS_REVISION));
        let ops = format!("http://{}", SocketAddr::new(ip, contract::OPS_PORT));
        let name = pod.metadata.name?;
        Some(async move {
            let state = fetch::<State>(http, &format!("{ops}{}", contract::STATE_PATH), PATIENCE).await;
            ServicePod { name, ops, told, told_of_secrets, state }
        })
    });
    let mut pods = join_all(asked).await;
    pods.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(pods)
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let is_ready = conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}

/// How far open exams are, in the word of the first pod that gives it.
pub async fn open_exams(http: &reqwest::Client, pods: &[ServicePod]) -> Option<OpenExams> {
    for pod in pods.iter().filter(|pod| pod.state.is_ok()) {
        let url = format!("{}{}", pod.ops, contract::DIGEST_PATH);
        match fetch(http, &url, COUNTING).await {
            Ok(found) => return Some(found),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    None
}

async fn fetch<T: DeserializeOwned>(
    http: &reqwest::Client,
    url: &str,
    patience: Duration,
) -> Result<T, String> {
    let request = async {
        let response = http.get(url).timeout(patience).send().await?.error_for_status()?;
        response.json::<T>().await
    };
    request.await.map_err(|error| format!("{url} does not tell its state: {}", error.without_url()))
}
