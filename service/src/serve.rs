//! Serving: two listeners, the background jobs, and a drain on shutdown.
//!
//! Input: bound listeners, the application, and a future that resolves when the service is to stop. Output: none but
//! what the ports answer. The caller owns sockets and signals. Must not know: Settings, files.

use crate::app::App;
use crate::http::listener::{self, Phase};
use crate::http::router;
use crate::jobs::{expire, heartbeat, rewarm};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Longest time that requests in flight may take after the drain began.
const DRAIN: Duration = Duration::from_secs(15);
/// Most connections of the ops port: probes, Prometheus, the operator.
const OPS_CONNECTIONS: usize = 32;

/// Serves until `shutdown` resolves. Then readiness is withdrawn; for the duration that `shutdown` returned, new
/// requests are still served, with `Connection: close`. After that, requests in flight finish and the database is
/// closed. The ops port answers until the end. The API port takes at most `max_connections` connections.
///
/// # Errors
/// A listener failed.
pub async fn serve(
    api: TcpListener,
    ops: TcpListener,
    app: App,
    max_connections: usize,
    shutdown: impl Future<Output = Duration> + Send,
) -> std::io::Result<()> {
    let (phase, phases) = watch::channel(Phase::Serving);
    let (ops_phase, ops_phases) = watch::channel(Phase::Serving);
    // An outage is recorded before anything can end an exam.
    heartbeat::once(&app).await;
    let beating = tokio::spawn(heartbeat::run(app.clone()));
    let expiring = tokio::spawn(expire::run(app.clone()));
    let rewarming = tokio::spawn(rewarm::run(app.clone()));
    let ops = tokio::spawn(listener::serve(ops, router::ops(app.clone()), OPS_CONNECTIONS, ops_phases));
    let mut api = tokio::spawn(listener::serve(api, router::api(app.clone()), max_connections, phases));
    let stop = async {
        let linger = shutdown.await;
        app.drain();
        tracing::info!(?linger, "draining: readiness is withdrawn; requests in flight finish");
        phase.send_replace(Phase::Leaving);
        tokio::time::sleep(linger).await;
        phase.send_replace(Phase::Closing);
        tokio::time::sleep(DRAIN).await;
    };
    let served = tokio::select! {
        ended = &mut api => ended.map_err(std::io::Error::other),
        () = stop => {
            tracing::warn!("some connections did not end within the drain time and are closed");
            Ok(())
        }
    };
    expiring.abort();
    rewarming.abort();
    beating.abort();
    heartbeat::once(&app).await;
    let flow = &app.live().flow;
    flow.saver.flush().await;
    flow.records.close().await;
    ops.abort();
    drop(ops_phase);
    served
}
