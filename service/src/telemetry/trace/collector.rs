//! Export of spans: OTLP over plain HTTP/1.1, protobuf.
//!
//! Input: batches of spans, on the export thread. Output: one request per batch, run on the service's runtime with
//! a deadline. A failing collector is logged once, and its recovery once. Must not know: what the spans describe.

use async_trait::async_trait;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Deadline of a batch.
const DEADLINE: Duration = Duration::from_secs(3);
/// Longest reply that is read, in bytes.
const REPLY: usize = 64 * 1024;

/// The exporter to the collector at `endpoint`.
pub(super) fn exporter(
    endpoint: &str,
    runtime: Handle,
) -> Result<impl SpanExporter + use<>, ExporterBuildError> {
    let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let otlp = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Post(runtime))
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(DEADLINE)
        .with_endpoint(&endpoint)
        .build()?;
    Ok(LoggedExporter { otlp, endpoint, is_failing: AtomicBool::new(false) })
}

/// The exporter, and whether its last export failed.
#[derive(Debug)]
struct LoggedExporter {
    otlp: opentelemetry_otlp::SpanExporter,
    endpoint: String,
    is_failing: AtomicBool,
}

impl SpanExporter for LoggedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.otlp.export(batch).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        let endpoint = &self.endpoint;
        match &sent {
            Err(error) if !was_failing => tracing::warn!(
                endpoint,
                %error,
                "the collector accepts no traces; spans are dropped until it does. It must accept OTLP over HTTP"
            ),
            Ok(()) if was_failing => tracing::info!(endpoint, "the collector accepts traces again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}

/// One connection per batch; a batch is sent every few seconds.
#[derive(Clone, Debug)]
struct Post(Handle);

#[async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The export thread has no runtime.
        self.0.spawn(async { timeout(DEADLINE, post(request)).await? }).await?
    }
}

async fn post(mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let uri = request.uri();
    let host = uri.host().ok_or("the endpoint names no host")?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(80);
    let authority = HeaderValue::from_str(uri.authority().map_or("", |authority| authority.as_str()))?;
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    request.headers_mut().insert(HOST, authority);
    *request.uri_mut() = Uri::from(path);
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // The task ends with the sender.
    let _driven = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, REPLY).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, body))
}
