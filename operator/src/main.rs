//! The program `exam-operator`. Wiring only.

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use kube::api::ListParams;
use kube::{Api, Client};
use operator::controller::validate::Defaults;
use operator::controller::{self, Context};
use operator::crd::AdaptiveExamDeployment;
use operator::leader::{self, Candidate};
use operator::metrics::Metrics;
use operator::{generate, ops};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Runs adaptive exam services on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "exam-operator", version, arg_required_else_help = true, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<Run>),
    /// Print the custom resource definition as YAML.
    Crd,
}

/// Watch AdaptiveExamDeployments and make them come true, until SIGTERM.
///
/// In a cluster it uses the pod's service account; elsewhere the kubeconfig that KUBECONFIG names.
/// At rest it writes nothing but its Lease. Of several operators with the same Lease one works, and another takes over
/// when it ends.
#[derive(Debug, Args)]
struct Run {
    /// Watch this namespace only; absent: all of them.
    #[arg(long, env = "EXAM_WATCH_NAMESPACE", value_name = "NAME")]
    namespace: Option<String>,
    /// Image of the service, where a resource names none.
    #[arg(long, env = "EXAM_SERVICE_IMAGE", value_name = "IMAGE", default_value = concat!("exam-service:", env!("CARGO_PKG_VERSION")))]
    service_image: String,
    /// Image of Redis, where a resource names none. Any Redis 6.2 to 8 or Valkey serves.
    #[arg(
        long,
        env = "EXAM_REDIS_IMAGE",
        value_name = "IMAGE",
        default_value = "docker.io/library/redis:7.2-alpine"
    )]
    redis_image: String,
    /// Image of the exporter of Redis metrics, where a resource with monitoring names none.
    #[arg(
        long,
        env = "EXAM_EXPORTER_IMAGE",
        value_name = "IMAGE",
        default_value = "docker.io/oliver006/redis_exporter:v1.90.0"
    )]
    exporter_image: String,
    /// Address of the runbooks, which alerts name: a page with a heading for each alert.
    #[arg(long, env = "EXAM_RUNBOOKS", value_name = "URL", default_value = "docs/runbooks.md")]
    runbooks: String,
    /// The Lease that operators of one installation compete for, as NAMESPACE/NAME; absent: this one works at once.
    #[arg(long, env = "EXAM_LEASE", value_name = "NAMESPACE/NAME", value_parser = lease)]
    lease: Option<(String, String)>,
    /// Who this operator is in the Lease: the name of its pod.
    #[arg(long, env = "EXAM_IDENTITY", value_name = "NAME", requires = "lease")]
    identity: Option<String>,
    /// Address and port of probes and metrics.
    #[arg(long, env = "EXAM_OPS_BIND", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:9000")]
    ops: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider was set twice")?;
    match Arguments::parse().command {
        Command::Crd => {
            // Ends silently when the reader of its pipe goes away.
            sigpipe::reset();
            Ok(std::io::stdout().write_all(generate::crd_yaml().as_bytes())?)
        }
        Command::Run(arguments) => run(*arguments).await,
    }
}

fn lease(text: &str) -> Result<(String, String), String> {
    let (namespace, name) = text.split_once('/').ok_or("must be NAMESPACE/NAME")?;
    Ok((namespace.to_owned(), name.to_owned()))
}

async fn run(arguments: Run) -> anyhow::Result<()> {
    let Run {
        namespace,
        service_image,
        redis_image,
        exporter_image,
        runbooks,
        lease,
        identity,
        ops: address,
    } = arguments;
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube_runtime=warn"));
    let log =
        tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    log.with_env_filter(filter).init();
    let client = Client::try_default().await.context("no cluster: is KUBECONFIG set?")?;
    let resources: Api<AdaptiveExamDeployment> = match &namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    resources.list_metadata(&ListParams::default().limit(1)).await.context(
        "AdaptiveExamDeployments cannot be listed: is the CRD installed (helm install does it), and may this account read it?",
    )?;
    let metrics = Metrics::new();
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tokio::spawn(ops::serve(listener, metrics.clone()));
    tokio::spawn(ops::listen(client.clone(), namespace.clone(), metrics.clone()));
    tracing::info!(
        namespace = namespace.as_deref().unwrap_or("(all)"),
        service_image,
        redis_image,
        "watching AdaptiveExamDeployments"
    );
    let operator_namespace = lease.as_ref().map(|(namespace, _)| namespace.clone());
    let defaults = Defaults { service_image, redis_image, exporter_image, runbooks, operator_namespace };
    let context = Arc::new(Context::new(client.clone(), defaults, metrics.clone()));
    let work = controller::run(client.clone(), namespace.as_deref(), context);
    match lease {
        None => {
            metrics.leads(true);
            work.await;
        }
        Some((namespace, name)) => {
            let identity = identity.unwrap_or_else(|| format!("exam-operator-{:08x}", rand::random::<u32>()));
            leader::lead(&client, &Candidate { namespace, name, identity }, &metrics, work).await?;
        }
    }
    tracing::info!("stopped");
    Ok(())
}
