//! Traces: one answer is one trace, part of its caller's trace, and an unreachable collector costs nothing.

use crate::outage::metric;
use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use harness::process::Port;
use harness::service::Setup;
use harness::{Examinee, Postgres, Service, wait};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(20);
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A collector that keeps what it is sent.
struct Collector {
    endpoint: String,
    got: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let got: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
        let keep = Arc::clone(&got);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keep = Arc::clone(&keep);
                let take = service_fn(move |request: Request<Incoming>| {
                    let keep = Arc::clone(&keep);
                    async move {
                        assert_eq!(request.uri().path(), "/v1/traces");
                        let body = request.into_body().collect().await.expect("a body").to_bytes();
                        let batch = ExportTraceServiceRequest::decode(body).expect("OTLP");
                        keep.lock().expect("no holder should panic").push(batch);
                        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(async move { connection.serve_connection(TokioIo::new(stream), take).await });
            }
        });
        Ok(Self { endpoint, got })
    }

    fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().expect("no holder should panic");
        let scopes = got.iter().flat_map(|batch| &batch.resource_spans).flat_map(|spans| &spans.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn resource(&self, name: &str) -> Option<String> {
        let got = self.got.lock().expect("no holder should panic");
        let resource = got.first()?.resource_spans.first()?.resource.clone()?;
        let found = resource.attributes.into_iter().find(|attribute| attribute.key == name)?;
        Some(text(&found.value?.value?))
    }

    /// The spans of a trace, once this many are there.
    async fn trace(&self, id: &[u8], count: usize) -> Result<Vec<Span>> {
        let all = wait::until("the trace has come", SOON, || async {
            let spans: Vec<Span> = self.spans().into_iter().filter(|span| span.trace_id == id).collect();
            (spans.len() >= count).then_some(spans)
        });
        all.await
            .with_context(|| format!("{:?}", self.spans().iter().map(|span| &span.name).collect::<Vec<_>>()))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    let pair = |of: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        Some((of.key.clone(), text(of.value.as_ref()?.value.as_ref()?)))
    };
    span.attributes.iter().filter_map(pair).collect()
}

async fn traced(endpoint: &str, setup: Setup) -> Result<Service> {
    let more = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        // Small, so that a collector that is away leaves no room soon.
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64".to_owned()),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32".to_owned()),
    ];
    let env = setup.env.into_iter().chain(more).collect();
    Service::start_with(Setup { env, ..setup }).await
}

/// `name -> name of its parent`, in the order of their start; the caller's span is `caller`.
fn tree(mut spans: Vec<Span>) -> Vec<(String, String)> {
    spans.sort_by_key(|span| (span.start_time_unix_nano, std::cmp::Reverse(span.end_time_unix_nano)));
    let name = |id: &[u8]| {
        let parent = spans.iter().find(|span| span.span_id == id);
        parent.map_or_else(|| "caller".to_owned(), |span| span.name.clone())
    };
    spans.iter().map(|span| (span.name.clone(), name(&span.parent_span_id))).collect()
}

#[tokio::test]
async fn one_answer_is_one_trace_of_its_caller() -> Result<()> {
    let collector = Collector::start().await?;
    let service = traced(&collector.endpoint, Setup::default()).await?;
    let client = service.client();
    let secrets = json!({"exam_type": "placement", "max_items": 5, "student_id": 31_415_926});
    let key = [("content-type", "application/json"), ("idempotency-key", "a-key-of-the-caller")];
    let start = client.send_as(reqwest::Method::POST, "/start", Some(secrets.to_string()), &key).await?;
    let item = start.body["item"]["id"].as_i64().context("item")?;
    let body = json!({"exam_session_id": 1, "item_id": item, "correct": true}).to_string();
    let headers =
        [("content-type", "application/json"), ("traceparent", CALLER), ("x-request-id", "asked-by-me")];
    let answer = client.send_as(reqwest::Method::POST, "/answer", Some(body), &headers).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    client.get("/exams?student_id=31415926").await?;

    let id = hex("0af7651916cd43dd8448eb211c80319c");
    let spans = collector.trace(&id, 8).await?;
    let request = "POST /api/adaptive/answer";
    let expected = [
        (request, "caller"),
        ("load", request),
        ("decide", request),
        ("commit", request),
        ("transaction", "commit"),
        ("snapshot", request),
        ("save", "snapshot"),
        ("store.write", "save"),
    ];
    let expected = expected.map(|(name, parent)| (name.to_owned(), parent.to_owned())).to_vec();
    assert_eq!(tree(spans.clone()), expected);
    let of = |name: &str| spans.iter().find(|span| span.name == name).map(attributes).unwrap_or_default();
    let root = spans.iter().find(|span| span.name == request).context("root")?;
    assert_eq!((root.parent_span_id.clone(), root.kind), (hex("b7ad6b7169203331"), 2), "a server's span");
    let root = attributes(root);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/adaptive/answer"),
        ("http.response.status_code", "200"),
        ("request_id", "asked-by-me"),
    ] {
        assert_eq!(root.get(key).map(String::as_str), Some(value), "{root:?}");
    }
    assert_eq!((of("load")["exam"].as_str(), of("commit")["kind"].as_str()), ("1", "answered"));
    assert_eq!((of("transaction")["batch"].as_str(), of("store.write")["outcome"].as_str()), ("1", "ok"));
    assert_eq!(collector.resource("service.name").as_deref(), Some("exam-service"));

    // The start and the list are traces of their own; nothing of them all tells who, what or with which key.
    wait::until("the list's trace has come", SOON, || async {
        collector.spans().iter().any(|span| span.name == "GET /api/adaptive/exams").then_some(())
    })
    .await?;
    let all = format!("{:?}", collector.got.lock().expect("no holder should panic"));
    for secret in ["31415926", "a-key-of-the-caller", "student", "correct", "?"] {
        assert!(!all.contains(secret), "{secret} is in a span: {all}");
    }
    Ok(())
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("ASCII"));
    digits.map(|two| u8::from_str_radix(two, 16).expect("hexadecimal")).collect()
}

/// Answers that were committed together: the transaction is in the trace of one and links to the others.
#[tokio::test]
async fn a_transaction_links_to_all_its_requests() -> Result<()> {
    let collector = Collector::start().await?;
    let postgres = Postgres::start().await?;
    let env = vec![("OTEL_SERVICE_NAME", "exams-of-the-school".to_owned())];
    let setup = Setup { database_url: Some(postgres.url()), env, ..Setup::default() };
    let service = traced(&collector.endpoint, setup).await?;
    let client = service.client();
    let examinees = join_all((0..6).map(|_| Examinee::start(&client, 10))).await;
    let mut examinees = examinees.into_iter().collect::<Result<Vec<_>>>()?;
    // While the database stands still they gather behind the first.
    let told = async |line: &str| {
        wait::until(line, SOON, || async {
            let text = reqwest::get(format!("{}/metrics", service.ops())).await.ok()?.text().await.ok()?;
            text.lines().any(|told| told == line).then_some(())
        })
        .await
    };
    let batches = metric(&service, "adaptive_exam_commit_batch_count").await?.unwrap_or_default();
    postgres.freeze()?;
    let (first, others) = examinees.split_first_mut().context("six")?;
    let first = first.answer(&client);
    let others = async {
        told(&format!("adaptive_exam_commit_batch_count {}", batches + 1.0)).await?;
        try_join_all(others.iter_mut().map(|examinee| examinee.answer(&client))).await
    };
    let thaw = async {
        told("adaptive_exam_writes_waiting 5").await?;
        postgres.thaw()
    };
    tokio::try_join!(first, others, thaw)?;
    let (whole, spans) = wait::until("a transaction of five has come", SOON, || async {
        let spans = collector.spans();
        // Snapshots are saved in batches too.
        let of_five = |span: &&Span| {
            span.name == "transaction" && attributes(span).get("batch").is_some_and(|batch| batch == "5")
        };
        let found = spans.iter().find(of_five)?.clone();
        let commits = spans.iter().filter(|span| span.name == "commit").count();
        (commits >= 12).then_some((found, spans))
    })
    .await?;
    assert_eq!(whole.links.len(), 4, "{whole:?}");
    let commit = |id: &[u8]| spans.iter().any(|span| span.span_id == id && span.name == "commit");
    assert!(
        commit(&whole.parent_span_id) && whole.links.iter().all(|link| commit(&link.span_id)),
        "{whole:?}"
    );
    assert_eq!(collector.resource("service.name").as_deref(), Some("exams-of-the-school"));
    Ok(())
}

/// Time of three exams of 20 items, one after the other, and of the slowest answer.
async fn three_exams(service: &Service) -> Result<(Duration, Duration)> {
    let client = service.client();
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    for _ in 0..3 {
        let mut examinee = Examinee::start(&client, 20).await?;
        while examinee.item.is_some() {
            let asked = Instant::now();
            examinee.answer(&client).await?;
            slowest = slowest.max(asked.elapsed());
        }
    }
    Ok((began.elapsed(), slowest))
}

#[tokio::test]
async fn an_unreachable_collector_costs_nothing() -> Result<()> {
    let (untraced, _) = three_exams(&Service::start().await?).await?;
    // Frozen: connections are taken up by the system and never answered. Dead: nobody listens.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = Port::free()?;
    let dead = format!("http://127.0.0.1:{}", port.number());
    for (name, endpoint) in [("frozen", format!("http://{}", frozen.local_addr()?)), ("dead", dead)] {
        let mut service = traced(&endpoint, Setup::default()).await?;
        let (took, slowest) = three_exams(&service).await?;
        println!(
            "three exams: {untraced:?} without traces, {took:?} with a {name} collector, slowest {slowest:?}"
        );
        assert!(slowest < Duration::from_secs(1), "no answer waits for the collector: {slowest:?}");
        let told = "the collector accepts no traces";
        let log = || std::fs::read_to_string(service.path("service.log")).unwrap_or_default();
        wait::until("the log tells", SOON, || async { log().contains(told).then_some(()) }).await?;
        three_exams(&service).await?;
        let log_path = service.path("service.log");
        let asked = Instant::now();
        service.process().signal(Signal::TERM)?;
        let ended = tokio::time::timeout(Duration::from_secs(10), service.process().ended()).await;
        println!("{name}: ended after {:?}", asked.elapsed());
        ensure!(ended.context("it does not end")??, "it ended badly");
        // Three seconds it serves on, and two it gives the collector.
        assert!(asked.elapsed() < Duration::from_secs(8), "{name}: {:?}", asked.elapsed());
        let log = std::fs::read_to_string(log_path)?;
        assert_eq!(log.matches(told).count(), 1, "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
    Ok(())
}

#[tokio::test]
async fn a_late_collector_gets_the_remaining_spans_at_shutdown() -> Result<()> {
    let port = Port::free()?;
    // The Settings name it, whatever the environment says; spans wait longer than the service runs.
    let settings = Some(format!("[trace]\nendpoint = \"http://127.0.0.1:{}\"\n", port.number()));
    let env = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "600000".to_owned()),
    ];
    let mut service = Service::start_with(Setup { settings, env, ..Setup::default() }).await?;
    Examinee::start(&service.client(), 5).await?;
    let collector = Collector::start().await?;
    let proxy = TcpListener::bind(("127.0.0.1", port.number())).await?;
    let target = collector.endpoint.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut inside, _)) = proxy.accept().await {
            let Ok(mut outside) = tokio::net::TcpStream::connect(&target).await else { return };
            let _ended = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
        }
    });
    service.process().signal(Signal::TERM)?;
    ensure!(service.process().ended().await?, "it ended badly");
    assert!(collector.spans().iter().any(|span| span.name == "POST /api/adaptive/start"));
    Ok(())
}

#[tokio::test]
async fn an_invalid_collector_endpoint_is_refused_at_start() -> Result<()> {
    let setup =
        Setup { env: vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318".to_owned())], ..Setup::default() };
    let refused = format!("{:#}", Service::start_with(setup).await.err().context("it started")?);
    assert!(
        refused.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && refused.contains("http://HOST:PORT"),
        "{refused}"
    );
    Ok(())
}
