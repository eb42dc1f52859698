//! `exam-service serve`: from arguments to a running service, and Settings reloaded while it runs.
//!
//! Input: arguments, the Settings file and the files of secrets. Output: a service that serves until SIGTERM or SIGINT.

use super::arguments::Serve;
use super::sources::{secrets, settings};
use super::watch::{Overrides, Stamps, watch};
use anyhow::{Context, bail};
use contract::Settings;
use contract::settings::{Auth, Trace};
use service::app::App;
use service::http::listener;
use service::live::Secrets;
use service::telemetry::log;
use service::telemetry::trace::Traces;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long whoever has not heard of the end is still served after SIGTERM: balancers look at readiness, and
/// Kubernetes tells its nodes, while it has been sent already.
const LINGER: Duration = Duration::from_secs(3);

/// Serves until SIGTERM or SIGINT.
pub fn run(serve: &Serve) -> anyhow::Result<()> {
    let (mut settings, revision) = settings(&serve.source)?;
    let overrides = Overrides { api: serve.api, ops: serve.ops };
    overrides.apply(&mut settings);
    if settings.auth == (Auth::None { allow_public: false }) && !settings.api.bind.ip().is_loopback() {
        bail!("--api {} is open to others, and auth.mode none would serve them all", settings.api.bind);
    }
    let secrets = secrets(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let endpoint = settings.trace.endpoint.as_ref().or(serve.traces.as_ref());
    if let Some(endpoint) = endpoint.filter(|endpoint| !Trace::is_endpoint(endpoint)) {
        bail!("--traces {endpoint} (or OTEL_EXPORTER_OTLP_ENDPOINT) {}", Trace::FORM);
    }
    let traces = endpoint.map(|endpoint| Traces::start(endpoint, runtime.handle().clone())).transpose()?;
    log::start(settings.log.format, traces.as_ref());
    let ended = runtime.block_on(start(serve, settings, &revision, secrets, overrides));
    // The last spans go from here: nobody waits for this thread any more.
    traces.into_iter().for_each(Traces::end);
    ended
}

async fn start(
    serve: &Serve,
    settings: Settings,
    revision: &str,
    secrets: Secrets,
    overrides: Overrides,
) -> anyhow::Result<()> {
    let read = |path: &str| std::fs::read(path).map_err(|error| error.to_string());
    // Before the files are read, so that a change while they are is seen.
    let stamps = Stamps::of(&settings);
    let app = App::build(&settings, revision, &secrets, read).await?;
    if serve.check {
        let kept_out = app.live().flow.catalogue.kept_out();
        if kept_out > 0 && !serve.quarantine {
            bail!(
                "{kept_out} faults keep rows of banks out; mend them, or say --quarantine to go on without them"
            );
        }
        tracing::info!(revision, "nothing is wrong; not serving, as --check asks");
        return Ok(());
    }
    let api = bind("exam API", settings.api.bind)?;
    let ops = bind("ops", settings.ops.bind)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => LINGER,
            // A person at a terminal waits for nobody.
            _ = tokio::signal::ctrl_c() => Duration::ZERO,
        }
    };
    tracing::info!(
        api = %api.local_addr()?,
        ops = %ops.local_addr()?,
        store = settings.store.mode(),
        durability = app.live().flow.records.durability(),
        auth = ?app.live().auth,
        revision,
        "serving exams"
    );
    let watching =
        serve.source.settings.clone().map(|path| tokio::spawn(watch(path, app.clone(), overrides, stamps)));
    let max_connections = listener::max_connections();
    service::serve::serve(api, ops, app, max_connections, stop).await?;
    watching.inspect(tokio::task::JoinHandle::abort);
    tracing::info!("stopped");
    Ok(())
}

fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    listener::bind(address).with_context(|| format!("the {what} cannot listen on {address}"))
}
