//! From arguments to a running service: files and secrets are read here and nowhere else.

use crate::arguments::{Serve, Source, Where};
use anyhow::{Context, anyhow, bail};
use contract::settings::{Auth, Database, Store, Trace, revision};
use contract::{Fault, Settings};
use indicatif::{ProgressBar, ProgressStyle};
use service::app::{self, App, Secrets};
use service::listen;
use service::live::Rejected;
use service::log;
use service::trace::Traces;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long whoever has not heard of the end is still served after SIGTERM: balancers look at readiness, and
/// Kubernetes tells its nodes, while it has been sent already.
const LINGER: Duration = Duration::from_secs(3);
/// How often the Settings file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT.
pub fn serve(serve: &Serve) -> anyhow::Result<()> {
    let (mut settings, revision) = settings(&serve.source)?;
    let fixed = Fixed { api: serve.api, ops: serve.ops };
    fixed.hold(&mut settings);
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
    let ended = runtime.block_on(run(serve, settings, &revision, secrets, fixed));
    // The last spans go from here: nobody waits for this thread any more.
    traces.into_iter().for_each(Traces::end);
    ended
}

async fn run(
    serve: &Serve,
    settings: Settings,
    revision: &str,
    secrets: Secrets,
    fixed: Fixed,
) -> anyhow::Result<()> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let app = App::build(&settings, revision, &secrets, read).await?;
    if serve.check {
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
    let watching = serve.source.settings.clone().map(|path| tokio::spawn(watch(path, app.clone(), fixed)));
    let room = listen::room();
    app::serve(api, ops, app, room, stop).await?;
    watching.inspect(tokio::task::JoinHandle::abort);
    tracing::info!("stopped");
    Ok(())
}

/// Looks at the Settings file and at the secrets it names, and has changes adopted. A file in a mounted
/// `ConfigMap` is replaced by way of links, so it is read, not watched.
async fn watch(path: PathBuf, app: App, fixed: Fixed) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        // While the file is being replaced it may not be there.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let revision = revision(&text);
        let refuse = |reason: String| app.reject(Rejected { revision: revision.clone(), reason });
        let mut settings = match Settings::parse(&text) {
            Ok(settings) => settings,
            Err(faults) => {
                refuse(told(&path.display().to_string(), &faults).to_string());
                continue;
            }
        };
        fixed.hold(&mut settings);
        let secrets = match secrets(&settings) {
            Ok(secrets) => secrets,
            Err(error) => {
                refuse(format!("{error:#}"));
                continue;
            }
        };
        if *app.live().revision == *revision && app.live().is(&settings, &secrets) {
            app.accept();
            continue;
        }
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
        if let Err(error) = app.adopt(&settings, &revision, &secrets, read).await {
            refuse(error.to_string());
        }
    }
}

/// What the command line says, whatever the file does.
#[derive(Clone, Copy)]
struct Fixed {
    api: Option<SocketAddr>,
    ops: Option<SocketAddr>,
}

impl Fixed {
    fn hold(self, settings: &mut Settings) {
        settings.api.bind = self.api.unwrap_or(settings.api.bind);
        settings.ops.bind = self.ops.unwrap_or(settings.ops.bind);
    }
}

fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen::bind(address).with_context(|| format!("the {what} cannot listen on {address}"))
}

/// The Settings that arguments name, and the revision of their text.
pub fn settings(source: &Source) -> anyhow::Result<(Settings, String)> {
    match &source.settings {
        Some(path) => {
            let text = read(path)?;
            let settings =
                Settings::parse(&text).map_err(|faults| told(&path.display().to_string(), &faults))?;
            Ok((settings, revision(&text)))
        }
        None => {
            let settings = Settings::embedded(source.redis_url.as_deref(), source.database_url.as_deref())
                .map_err(|faults| told("the environment", &faults))?;
            let revision = revision(&settings.to_text());
            Ok((settings, revision))
        }
    }
}

/// The database that arguments name, and its password: themselves, by a Settings file, or by default.
pub fn database(place: &Where) -> anyhow::Result<(String, Option<String>)> {
    let Database { url, password_file } = match (&place.database, &place.settings) {
        (Some(url), _) => Database { url: url.clone(), password_file: None },
        (None, Some(path)) => {
            let name = path.display().to_string();
            let settings = Settings::parse(&read(path)?).map_err(|faults| told(&name, &faults))?;
            settings.database
        }
        (None, None) => Settings::default().database,
    };
    Ok((url, password_file.as_deref().map(secret).transpose()?))
}

/// A progress bar on the terminal, where there is one.
pub fn progress(of: &str, length: u64) -> anyhow::Result<ProgressBar> {
    let style =
        ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {of}, {{eta}} left"));
    Ok(ProgressBar::new(length).with_style(style.context("a style should be valid")?))
}

/// All faults of an input, one on a line.
pub fn told(of: &str, faults: &[Fault]) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  - {fault}")).collect();
    anyhow!("{} in {of}:{}", if lines.len() == 1 { "a fault" } else { "faults" }, lines.concat())
}

fn secrets(settings: &Settings) -> anyhow::Result<Secrets> {
    let tokens = match &settings.auth {
        Auth::Token { token_file: file } | Auth::Jwt { key_file: file, .. } => Some(read(Path::new(file))?),
        Auth::None { .. } => None,
    };
    let store_password = match &settings.store {
        Store::Basic { password_file: Some(file), .. } => Some(secret(file)?),
        _ => None,
    };
    let database_password = settings.database.password_file.as_deref().map(secret).transpose()?;
    Ok(Secrets { store_password, database_password, tokens })
}

/// A secret, without the end of its line.
pub fn secret(file: &str) -> anyhow::Result<String> {
    Ok(read(Path::new(file))?.trim_end_matches(['\r', '\n']).to_owned())
}

/// The text of a file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
