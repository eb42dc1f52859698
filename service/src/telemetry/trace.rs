//! Traces of requests, where a collector is named; where none is, no span is ever made.
//!
//! Comes in: the collector's endpoint, and a caller's `traceparent`. Goes out: spans, by a thread of their own:
//! what it cannot send it drops, and requests never wait for it. A span of a trace has the target [`TARGET`], and
//! nothing else goes to the collector: no line of the log, no name, no answer, no query.
//! Must not know: what the spans are of.

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

/// The target of every span that is part of a trace.
pub const TARGET: &str = "exam_trace";
/// Longest time for the last spans, once the service has ended.
const LAST: Duration = Duration::from_secs(2);

/// The way to the collector.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Opens the way to the collector at `endpoint`; it need not be there. The standard variables choose what else
    /// there is to choose: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`.
    ///
    /// # Errors
    /// The endpoint is no URL.
    pub fn start(endpoint: &str, runtime: Handle) -> Result<Self, ExporterBuildError> {
        let exporter = collector::exporter(endpoint, runtime)?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource());
        Ok(Self(provider.build()))
    }

    /// What hands the spans of traces over.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("exam-service"));
        // Where in the code, and on which thread, is of no use to those who read traces.
        let plain = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
        plain
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Sends what is left, for a bounded time. Not to be called where others wait for the thread.
    pub fn end(self) {
        // The collector's silence has been told already.
        let _dropped = self.0.shutdown_with_timeout(LAST);
    }
}

/// Who sends these traces.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let name = found.get(&Key::from_static_str("service.name"));
    let named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    if named { resource.build() } else { resource.with_service_name("exam-service").build() }
}

/// Lets the span continue the trace of a caller who sent a `traceparent`.
pub(crate) fn continued(span: &Span, headers: &http::HeaderMap) {
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // It fails only for a span that no collector sees.
        let _unseen = span.set_parent(context);
    }
}

/// Whether there are traces. Where there are none this is one look at a number in memory.
pub(crate) fn is_on() -> bool {
    tracing::span_enabled!(target: TARGET, Level::INFO)
}

/// The span of here, to be the parent of what another task does for it.
pub(crate) fn here() -> Span {
    if is_on() { Span::current() } else { Span::none() }
}

/// Where something stands in a trace, for what is done for it once it has ended.
#[derive(Clone, Debug)]
pub(crate) struct Place(SpanContext);

/// Marks a place here, by a span of this name; `None` where there are no traces.
pub(crate) fn place(name: &'static str) -> Option<Place> {
    is_on().then(|| {
        let span = tracing::info_span!(target: TARGET, "place", otel.name = name);
        Place(span.context().span().span_context().clone())
    })
}

/// Lets the span continue the first of these, with a link to each of the others. They are not kept open by it.
pub(crate) fn after(span: &Span, places: Vec<Place>) {
    let mut places = places.into_iter();
    if let Some(Place(first)) = places.next() {
        // It fails only for a span that no collector sees.
        let _unseen = span.set_parent(Context::new().with_remote_span_context(first));
    }
    places.for_each(|Place(other)| span.add_link(other));
}

/// Names the exam that the request is about, in the log's lines from here on.
pub(crate) fn exam(id: i64) {
    Span::current().record("exam", id);
}
