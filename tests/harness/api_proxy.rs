//! A proxy before the API server that lets everything through and fails one write.
//!
//! Input: a client of the API server, the end of a path that is read once in each round of work, which write is to fail,
//! and how. Output: an address without TLS, counts of those rounds and of writes, and whether that write came. Leases and
//! events are no writes here: nobody's work depends on them. Must not know: what is written.

use anyhow::Result;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// For how long a late write is held.
const LATE: Duration = Duration::from_secs(2);

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and from then on nothing passes: its sender is about to be killed.
    Lost,
    /// It is done, and from then on nothing passes: its sender is about to be killed, and does not hear of it.
    Unheard,
    /// It is not done, and answered with an error of the API server.
    Refused,
    /// It is done, and its connection ends without an answer.
    Cut,
    /// It is done later.
    Late,
}

impl Fault {
    /// Whether its sender is killed with it.
    pub fn kills(self) -> bool {
        matches!(self, Self::Lost | Self::Unheard)
    }
}

/// What passed, and what is to fail.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    rounds: usize,
    writes: usize,
    fault: Option<(usize, Fault)>,
    has_struck: bool,
    is_silent: bool,
}

/// A running proxy; it ends with this value, and its connections with it.
#[derive(Debug)]
pub struct ApiProxy {
    address: SocketAddr,
    traffic: watch::Sender<Traffic>,
    task: JoinHandle<()>,
}

impl ApiProxy {
    /// Starts one on a port of its own, which speaks to the API server as this client does. A read of a path that ends with
    /// `round` begins a round of work.
    ///
    /// # Errors
    /// The system has no port.
    pub async fn start(kube: kube::Client, round: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let traffic = watch::Sender::new(Traffic::default());
        let (told, round): (_, Arc<str>) = (traffic.clone(), round.into());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kube, traffic, round) = (kube.clone(), told.clone(), Arc::clone(&round));
                let pass = service_fn(move |request: Request<Incoming>| {
                    let fault = count(&traffic, &round, request.method(), request.uri().path());
                    pass(kube.clone(), traffic.clone(), fault, request)
                });
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(connection.serve_connection(TokioIo::new(stream), pass));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, traffic, task })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that leads here.
    ///
    /// # Errors
    /// The system's.
    pub fn kubeconfig(&self) -> Result<NamedTempFile> {
        let file = NamedTempFile::new()?;
        let server = self.url();
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        std::fs::write(file.path(), text.to_string())?;
        Ok(file)
    }

    /// Has the write of this number, counted from now and from 1, fail. `None`: all pass.
    pub fn fail(&self, fault: Option<(usize, Fault)>) {
        self.traffic.send_modify(|traffic| {
            let at = traffic.writes;
            traffic.fault = fault.map(|(number, fault)| (at + number, fault));
            traffic.has_struck = false;
            traffic.is_silent = false;
        });
    }

    /// Lets everything pass again, after whoever was to be killed is gone.
    pub fn mend(&self) {
        self.traffic.send_modify(|traffic| (traffic.fault, traffic.is_silent) = (None, false));
    }

    /// From now on no write fails; gives whether the one that was to fail has come.
    pub fn disarm(&self) -> bool {
        self.traffic.send_modify(|traffic| traffic.fault = None);
        self.traffic.borrow().has_struck
    }

    /// Waits until that write comes.
    pub async fn struck(&self) {
        let mut traffic = self.traffic.subscribe();
        // The sender is in `self`, so it is there.
        let _ = traffic.wait_for(|traffic| traffic.has_struck).await;
    }

    /// Writes so far.
    pub fn writes(&self) -> usize {
        self.traffic.borrow().writes
    }

    /// Waits until another round of work begins.
    pub async fn another_round(&self) {
        let mut traffic = self.traffic.subscribe();
        let before = traffic.borrow().rounds;
        let _ = traffic.wait_for(|traffic| traffic.rounds > before).await;
    }

    /// Waits until something passes, or for this time.
    pub async fn stirs(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.traffic.subscribe().changed()).await;
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request. An error ends its connection.
async fn pass(
    kube: kube::Client,
    traffic: watch::Sender<Traffic>,
    fault: Option<Fault>,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    if traffic.borrow().is_silent && fault.is_none() {
        return std::future::pending().await;
    }
    match fault {
        None => forward(&kube, request).await,
        Some(Fault::Lost) => std::future::pending().await,
        Some(Fault::Unheard) => {
            let done = forward(&kube, request).await;
            traffic.send_modify(|traffic| traffic.has_struck = true);
            done?;
            std::future::pending().await
        }
        Some(Fault::Refused) => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "message": "refused by the proxy"});
            let body = Body::from(status.to_string().into_bytes());
            Ok(Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(body)?)
        }
        Some(Fault::Cut) => {
            forward(&kube, request).await?;
            anyhow::bail!("cut")
        }
        Some(Fault::Late) => {
            tokio::time::sleep(LATE).await;
            forward(&kube, request).await
        }
    }
}

/// Counts a request; gives how it fails, if it is the one.
fn count(traffic: &watch::Sender<Traffic>, round: &str, method: &Method, path: &str) -> Option<Fault> {
    let is_write = !matches!(*method, Method::GET | Method::HEAD)
        && !["/leases", "/events"].iter().any(|part| path.contains(part));
    let mut fault = None;
    traffic.send_modify(|traffic| {
        if traffic.is_silent {
            return;
        }
        if !is_write {
            traffic.rounds += usize::from(path.ends_with(round));
            return;
        }
        traffic.writes += 1;
        fault = traffic.fault.filter(|(at, _)| *at == traffic.writes).map(|(_, fault)| fault);
        if let Some(fault) = fault {
            traffic.fault = None;
            traffic.is_silent = fault.kills();
            // One that is done before anybody hears of it strikes when it is done.
            traffic.has_struck = fault != Fault::Unheard;
        }
    });
    fault
}

async fn forward(kube: &kube::Client, request: Request<Incoming>) -> Result<Response<Body>> {
    let (mut parts, body) = request.into_parts();
    for header in [HOST, CONNECTION, TRANSFER_ENCODING] {
        parts.headers.remove(header);
    }
    let bytes = body.collect().await?.to_bytes();
    let mut response = kube.send(Request::from_parts(parts, Body::from(bytes))).await?;
    for header in [CONNECTION, TRANSFER_ENCODING] {
        response.headers_mut().remove(header);
    }
    Ok(response)
}
