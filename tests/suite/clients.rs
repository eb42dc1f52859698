//! Malicious and broken clients: slow, half-closed, idle by the thousand, with oversized bodies.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use harness::process::{program, resident};
use harness::service::Setup;
use harness::{Examinee, Service, wait};
use reqwest::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const IDLE: u64 = 10_000;
/// Memory of a connection that says nothing: far below what a request may bring.
const EACH: u64 = 32 * 1024;

async fn answers(service: &Service) -> Result<Duration> {
    let asked = Instant::now();
    let mut examinee = Examinee::start(&service.client(), 3).await?;
    examinee.finish(&service.client()).await?;
    Ok(asked.elapsed())
}

/// Everything that comes on a connection until it is closed.
async fn rest(stream: &mut TcpStream) -> Result<String> {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(100), stream.read_to_end(&mut text));
    // A reset ends it as well as an end does.
    let _end = read.await.context("the connection should be closed")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let service = Service::start().await?;
    answers(&service).await?;
    let pid = service.pid().context("pid")?;
    let before = resident(pid)?;
    let mut idle = Vec::new();
    while idle.len() as u64 != IDLE {
        idle.extend(try_join_all((0..500).map(|_| TcpStream::connect(service.api()))).await?);
    }
    let took = answers(&service).await?;
    let grown = resident(pid)?.saturating_sub(before);
    println!("{IDLE} idle connections: {} bytes each; an exam beside them took {took:?}", grown / IDLE);
    ensure!(grown < IDLE * EACH, "{} bytes for each connection", grown / IDLE);
    drop(idle);
    answers(&service).await?;
    Ok(())
}

/// A head that never ends, and a connection that never speaks, are cut; a half-closed one gets its reply.
#[tokio::test]
async fn slow_connections_time_out_and_half_closed_ones_are_served() -> Result<()> {
    let service = Service::start().await?;
    let connect = || TcpStream::connect(service.api());
    let (mut slow, mut silent, mut half) = tokio::try_join!(connect(), connect(), connect())?;
    half.write_all(b"GET /api/adaptive/health/redis HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await?;
    half.shutdown().await?;
    let said = rest(&mut half).await?;
    ensure!(said.starts_with("HTTP/1.1 200") && said.contains("disabled"), "{said}");
    let dripping = async {
        slow.write_all(b"GET /api/adaptive/health/redis HTTP/1.1\r\n").await?;
        let (mut reader, mut writer) = slow.split();
        let mut end = [0; 1024];
        let mut drip = tokio::time::interval(Duration::from_secs(1));
        let cut = async {
            loop {
                drip.tick().await;
                if writer.write_all(b"X-Drip: 1\r\n").await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = cut => {}
            _ = reader.read(&mut end) => {}
        }
        anyhow::Ok(())
    };
    let (dripped, silence) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(100), dripping), rest(&mut silent));
    dripped.context("a head that never ends should be cut")??;
    silence?;
    answers(&service).await?;
    Ok(())
}

/// Bodies of 10 MB, announced or not, and bodies that trickle: each is told why, and memory stays as it was.
#[tokio::test]
async fn an_oversized_body_is_refused_with_a_readable_reply() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    answers(&service).await?;
    let pid = service.pid().context("pid")?;
    let before = resident(pid)?;
    let big = vec![b'x'; 10 * 1024 * 1024];
    let json_type = [("content-type", "application/json")];
    for path in ["/start", "/answer", "/complete", "/extend"] {
        let announced = client.send_as(Method::POST, path, Some(big.clone()), &json_type).await?;
        ensure!(announced.code() == "body_too_large" && announced.status == 413, "{announced:?}");
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
            big.chunks(65_536).map(|chunk| Ok(chunk.to_vec())).collect();
        let chunked = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
        let chunked = client.send_as(Method::POST, path, Some(chunked), &json_type).await?;
        ensure!(chunked.code() == "body_too_large", "{chunked:?}");
    }
    // One that waits to be asked for its body is told without it.
    let mut asks = TcpStream::connect(service.api()).await?;
    let head = "POST /api/adaptive/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 10000000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    asks.write_all(head.as_bytes()).await?;
    let said = rest(&mut asks).await?;
    ensure!(said.starts_with("HTTP/1.1 413"), "{said}");
    // One that never comes is waited for as long as a request may take.
    let mut trickle = TcpStream::connect(service.api()).await?;
    let head = "POST /api/adaptive/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    trickle.write_all(head.as_bytes()).await?;
    let said = rest(&mut trickle).await?;
    ensure!(said.starts_with("HTTP/1.1 503") && said.to_lowercase().contains("retry-after"), "{said}");
    ensure!(said.contains("\"timeout\"") && said.contains("send the same request again"), "{said}");
    let grown = resident(pid)?.saturating_sub(before);
    ensure!(grown < 64 * 1024 * 1024, "{grown} bytes more after 80 MB of bodies");
    answers(&service).await?;
    Ok(())
}

/// Out of descriptors the service waits, and goes on when there are some.
#[tokio::test]
async fn a_shortage_of_file_descriptors_is_waited_out() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let wrapper = folder.path().join("few");
    let script = format!("#!/bin/sh\nulimit -n 64\nexec {} \"$@\"\n", program("exam-service")?.display());
    std::fs::write(&wrapper, script)?;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
    let service = Service::start_with(Setup { program: Some(wrapper), ..Setup::default() }).await?;
    let pid = service.pid().context("pid")?;
    let many = try_join_all((0..100).map(|_| TcpStream::connect(service.api()))).await?;
    wait::until("it says that it can take no more", Duration::from_secs(20), || async {
        let log = std::fs::read_to_string(service.path("service.log")).ok()?;
        log.contains("the limit of connections is reached").then_some(())
    })
    .await?;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    ensure!(open < 100, "{open} descriptors, of 64");
    drop(many);
    wait::until("it goes on", Duration::from_secs(20), || async { answers(&service).await.ok().map(drop) })
        .await?;
    ensure!(service.pid() == Some(pid));
    Ok(())
}

/// What callers write makes no line of its own in the log and no header in a reply, and no statement does what it says.
#[tokio::test]
async fn hostile_texts_are_stored_verbatim() -> Result<()> {
    for format in ["text", "json"] {
        let settings = format!("[log]\nformat = \"{format}\"\n[exam_types.placement]\n");
        let service = Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await?;
        let client = service.client();
        answers(&service).await?;
        let evil = "x\r\nX-Forged: yes\r\n\r\n2026-01-01T00:00:00Z ERROR forged\n{\"level\":\"ERROR\"}'; DROP TABLE exams; --";
        let reply = client.post("/start", json!({"exam_type": evil})).await?;
        ensure!(reply.status == 422, "{reply:?}");
        let quoted: String = url_form(evil);
        for path in [
            format!("/exams?exam_type={quoted}"),
            format!("/next?exam_session_id={quoted}"),
            format!("/export?exam_type={quoted}&what={quoted}"),
        ] {
            let reply = client.get(&path).await?;
            ensure!(reply.status < 500, "{path}: {reply:?}");
        }
        let raw = raw(service.api(), &format!("GET /{quoted} HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0aX-Forged: yes\r\nConnection: close\r\n\r\n")).await?;
        let head = raw.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
        ensure!(!head.lines().any(|line| line.starts_with("x-forged")), "{raw}");
        answers(&service).await?;
        ensure!(client.get("/exams").await?.body["count"] == 2);
        // Nothing of it is worth a line, so there may be none.
        let log = std::fs::read_to_string(service.path("service.log")).unwrap_or_default();
        ensure!(
            !log.lines()
                .any(|line| line.starts_with("2026-01-01T00:00:00Z") || line == "{\"level\":\"ERROR\"}"),
            "{log}"
        );
    }
    Ok(())
}

fn url_form(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn raw(to: SocketAddr, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(request.as_bytes()).await?;
    rest(&mut stream).await
}
