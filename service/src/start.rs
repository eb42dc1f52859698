//! From arguments to a running service: files and secrets are read here and nowhere else.

use crate::arguments::Serve;
use anyhow::{Context, anyhow, bail};
use contract::settings::{Auth, Database, LogFormat, Store, revision};
use contract::{Fault, Settings};
use indicatif::{ProgressBar, ProgressStyle};
use service::app::{self, App, Secrets};
use std::io::IsTerminal;
use std::path::Path;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves until SIGTERM or SIGINT.
pub fn serve(serve: &Serve) -> anyhow::Result<()> {
    let (mut settings, revision) = settings(serve)?;
    settings.api.bind = serve.api.unwrap_or(settings.api.bind);
    settings.ops.bind = serve.ops.unwrap_or(settings.ops.bind);
    if settings.auth == (Auth::None { allow_public: false }) && !settings.api.bind.ip().is_loopback() {
        bail!("--api {} is open to others, and auth.mode none would serve them all", settings.api.bind);
    }
    let secrets = secrets(&settings)?;
    log(settings.log.format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("no runtime")?.block_on(run(serve, settings, &revision, secrets))
}

async fn run(serve: &Serve, settings: Settings, revision: &str, secrets: Secrets) -> anyhow::Result<()> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let app = App::build(&settings, revision, &secrets, read).await?;
    if serve.check {
        tracing::info!(revision, "nothing is wrong; not serving, as --check asks");
        return Ok(());
    }
    let api = listen("exam API", settings.api.bind).await?;
    let ops = listen("ops", settings.ops.bind).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    tracing::info!(
        api = %api.local_addr()?,
        ops = %ops.local_addr()?,
        store = settings.store.mode(),
        durability = app.flow.records.durability(),
        auth = ?app.auth,
        revision,
        "serving exams"
    );
    app::serve(api, ops, app, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(what: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("the {what} cannot listen on {address}"))
}

fn settings(serve: &Serve) -> anyhow::Result<(Settings, String)> {
    match &serve.settings {
        Some(path) => {
            let text = read(path)?;
            let settings =
                Settings::parse(&text).map_err(|faults| told(&path.display().to_string(), &faults))?;
            Ok((settings, revision(&text)))
        }
        None => {
            let settings = Settings::embedded(serve.redis_url.as_deref(), serve.database_url.as_deref())
                .map_err(|faults| told("the environment", &faults))?;
            let revision = revision(&settings.to_text());
            Ok((settings, revision))
        }
    }
}

/// The database that arguments name: themselves, by a Settings file, or by default.
pub fn database(settings: Option<&Path>, database: Option<&str>) -> anyhow::Result<Database> {
    match (database, settings) {
        (Some(url), _) => Ok(Database { url: url.to_owned(), password_file: None }),
        (None, Some(path)) => {
            let name = path.display().to_string();
            let settings = Settings::parse(&read(path)?).map_err(|faults| told(&name, &faults))?;
            Ok(settings.database)
        }
        (None, None) => Ok(Settings::default().database),
    }
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
        Auth::Token { token_file } => Some(read(Path::new(token_file))?),
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

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// `RUST_LOG` chooses what is told; the default is what a tired person needs.
fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(false).init()
        }
    }
}
