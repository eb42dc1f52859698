//! Traces of requests by OTLP. Without a collector no span is created.
//!
//! Input: the endpoint of the collector, and the `traceparent` of a request. Output: spans, exported by a separate
//! thread; spans that cannot be exported are dropped, and requests never wait for the export. Only spans with the
//! target [`TARGET`] are exported: no log line, name, answer or query. Must not know: what the spans describe.

mod collector;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, TraceContextExt, TracerProvider};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// The target of exported spans.
pub const TARGET: &str = "exam_trace";
/// Longest time to export the last spans at shutdown.
const LAST: Duration = Duration::from_secs(2);

/// The exporter.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the export to the collector at `endpoint`, which need not be reachable. The standard variables
    /// configure the rest: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`.
    ///
    /// # Errors
    /// The endpoint is not a URL.
    pub fn start(endpoint: &str, runtime: Handle) -> Result<Self, ExporterBuildError> {
        let exporter = collector::exporter(endpoint, runtime)?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource());
        Ok(Self(provider.build()))
    }

    /// The layer that passes spans to the exporter.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("exam-service"));
        // Code locations and threads are noise in these traces.
        let plain = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
        plain
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Exports the remaining spans, for a bounded time. Blocks the thread.
    pub fn end(self) {
        // A failing collector has been logged already.
        let _dropped = self.0.shutdown_with_timeout(LAST);
    }
}

/// The resource attributes of the service.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let name = found.get(&Key::from_static_str("service.name"));
    let named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    if named { resource.build() } else { resource.with_service_name("exam-service").build() }
}

/// Makes the span a child of the caller's span, if the request has a `traceparent`.
pub(crate) fn continued(span: &Span, headers: &http::HeaderMap) {
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Fails only for a span that is not exported.
        let _unseen = span.set_parent(context);
    }
}

/// Whether traces are on. Without a collector this costs one atomic load.
pub(crate) fn is_on() -> bool {
    tracing::span_enabled!(target: TARGET, Level::INFO)
}

/// The current span, to be the parent of work in another task.
pub(crate) fn here() -> Span {
    if is_on() { Span::current() } else { Span::none() }
}

/// A position in a trace, for work that is done after the span has ended.
#[derive(Clone, Debug)]
pub(crate) struct Place(SpanContext);

/// Creates a span with this name as a position; `None` without traces.
pub(crate) fn place(name: &'static str) -> Option<Place> {
    is_on().then(|| {
        let span = tracing::info_span!(target: TARGET, "place", otel.name = name);
        Place(span.context().span().span_context().clone())
    })
}

/// Makes the span a child of the first position, with links to the others. Their spans are not kept open.
pub(crate) fn after(span: &Span, places: Vec<Place>) {
    let mut places = places.into_iter();
    if let Some(Place(first)) = places.next() {
        // It fails only for a span that no collector sees.
        let _unseen = span.set_parent(Context::new().with_remote_span_context(first));
    }
    places.for_each(|Place(other)| span.add_link(other));
}

/// Adds the exam to all further log lines of the request.
pub(crate) fn exam(id: i64) {
    Span::current().record("exam", id);
}
