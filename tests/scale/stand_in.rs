//! What answers for the faked pods of the service at `/state`, each at its own address.
//!
//! Input: pods and ConfigMaps, as they change. Output: a state with the Settings that a pod started with, or was told of
//! since: it adopts them at once. Must not know: who asks.

use anyhow::{Context, Result};
use contract::{OPS_PORT, State};
use futures::StreamExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};
use operator::names::{FIELD_MANAGER, INSTANCE, MANAGED_BY, REVISION};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The Settings that run.
#[derive(Debug, Default)]
struct Known {
    /// The revision of the Settings of each resource.
    settings: HashMap<String, String>,
    /// The resource of each pod, and the revision that it runs.
    pods: HashMap<IpAddr, (String, Option<String>)>,
}

impl Known {
    fn settings(&mut self, config: &ConfigMap) {
        let text = config.data.as_ref().and_then(|data| data.get(contract::SETTINGS_KEY));
        if let Some((name, text)) = config.metadata.name.clone().zip(text) {
            self.settings.insert(name, contract::settings::revision(text));
        }
    }

    fn pod(&mut self, pod: &Pod) -> Option<()> {
        let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        let instance = pod.metadata.labels.as_ref()?.get(INSTANCE)?.clone();
        let told = pod.metadata.annotations.as_ref().and_then(|told| told.get(REVISION)).cloned();
        let started = || self.settings.get(&instance).cloned();
        let runs = told.or_else(|| self.pods.get(&address)?.1.clone()).or_else(started);
        self.pods.insert(address, (instance, runs));
        Some(())
    }

    fn state(&self, address: IpAddr) -> Option<State> {
        let (instance, runs) = self.pods.get(&address)?;
        Some(State {
            mode: "memory".to_owned(),
            settings_revision: runs.as_ref().or_else(|| self.settings.get(instance))?.clone(),
            settings_rejected: None,
            settings_faults: None,
            store: "disabled".to_owned(),
            store_problem: None,
            durability: "none: there is no database".to_owned(),
            database: Some("up".to_owned()),
            open_exams: 0,
            clock_correction_seconds: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

/// It ends with this value.
pub struct StandIn {
    _tasks: JoinSet<()>,
}

impl StandIn {
    pub async fn start(pods: Api<Pod>, configs: Api<ConfigMap>) -> Result<Self> {
        let known = Arc::new(Mutex::new(Known::default()));
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, OPS_PORT)).await;
        let listener = listener.with_context(|| format!("port {OPS_PORT} is needed for faked pods"))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(configs, Arc::clone(&known), |known, config: ConfigMap| known.settings(&config)));
        tasks.spawn(follow(pods, Arc::clone(&known), |known, pod: Pod| {
            // One without an address is told of again when it has one.
            let _ = known.pod(&pod);
        }));
        tasks.spawn(serve(listener, known));
        Ok(Self { _tasks: tasks })
    }
}

/// Tells of every object as it is now.
async fn follow<K>(api: Api<K>, known: Arc<Mutex<Known>>, learn: fn(&mut Known, K))
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={FIELD_MANAGER}"));
    let mut events = pin!(watcher(api, ours));
    while let Some(event) = events.next().await {
        // A watch that broke begins anew by itself.
        if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
            learn(&mut known.lock().expect("no holder should panic"), object);
        }
    }
}

async fn serve(listener: TcpListener, known: Arc<Mutex<Known>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(address) = stream.local_addr() else { continue };
        let known = Arc::clone(&known);
        let answer = service_fn(move |_: Request<Incoming>| {
            let state = known.lock().expect("no holder should panic").state(address.ip());
            async move {
                let (status, text) = match state {
                    Some(state) => (StatusCode::OK, serde_json::to_string(&state)?),
                    None => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
                };
                anyhow::Ok(Response::builder().status(status).body(text)?)
            }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        connections.spawn(connection.serve_connection(TokioIo::new(stream), answer));
        while connections.try_join_next().is_some() {}
    }
}
