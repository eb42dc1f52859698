//! The log on standard error.
//!
//! Input: the format, the value of `RUST_LOG`, and the exporter of traces, if there is one. Output: the global
//! subscriber. Lines of a request carry its request id, route, method, and exam once it is known. Must not know:
//! what is logged.

use crate::telemetry::trace::{TARGET, Traces};
use contract::settings::LogFormat;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// Installs the global subscriber.
///
/// # Panics
/// It was called before in this process.
pub fn start(format: LogFormat, traces: Option<&Traces>) {
    let chosen = std::env::var("RUST_LOG").unwrap_or_default();
    let ansi = std::io::stderr().is_terminal();
    subscriber(format, &chosen, ansi, std::io::stderr, traces).init();
}

fn subscriber<W>(
    format: LogFormat,
    chosen: &str,
    ansi: bool,
    writer: W,
    traces: Option<&Traces>,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(ansi);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
    };
    // A list instead of an `Option` layer, because an absent `Option` layer enables every span.
    let mut layers = vec![lines.with_filter(filter(chosen)).boxed()];
    layers.extend(traces.map(|traces| traces.layer().boxed()));
    Registry::default().with(layers)
}

/// `info` unless `RUST_LOG` says otherwise; spans of traces never appear in the log.
fn filter(chosen: &str) -> EnvFilter {
    let chosen = if chosen.trim().is_empty() { "info" } else { chosen };
    let filter = EnvFilter::try_new(chosen).unwrap_or_else(|_| EnvFilter::new("info"));
    filter.add_directive(format!("{TARGET}=off").parse().expect("a directive should be valid"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::{error_span, info_span};

    #[test]
    fn without_a_collector_no_span_of_a_trace_is_made_whatever_the_log_tells() {
        for chosen in ["", "trace", "exam_trace=trace,trace"] {
            let subscriber = subscriber(LogFormat::Json, chosen, false, std::io::sink, None);
            tracing::subscriber::with_default(subscriber, || {
                assert!(info_span!(target: TARGET, "step").is_disabled(), "{chosen}");
                assert!(!crate::telemetry::trace::is_on(), "{chosen}");
                assert!(crate::telemetry::trace::here().is_none(), "{chosen}");
                assert!(!error_span!("request").is_disabled(), "the log's own span is there: {chosen}");
            });
        }
    }
}
