//! Connections of the exam API: taken in, served, and cut when they keep the service waiting.
//!
//! Comes in: a listener, what serves a request, and a future that ends when it is time to stop. Goes out: nothing
//! but replies. A caller that never ends its request's head, or says nothing more, is cut; one that is answered
//! slowly is not. Out of descriptors, the service waits until one is free. Must not know: what is asked for.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// Longest time for the head of a request, from its first moment of waiting: also that of an idle connection.
const HEAD: Duration = Duration::from_secs(75);
/// Longest head of a request, in bytes.
const LARGEST: usize = 64 * 1024;
/// Pause after the system gave no connection.
const BREATH: Duration = Duration::from_millis(50);
/// Longest time for requests that were in flight when the end came.
const DRAIN: Duration = Duration::from_secs(15);

/// Serves until `stop` ends; then no connection is taken any more, and what is in flight finishes.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = &mut stop => break,
        };
        match taken {
            Ok((stream, peer)) => take(stream, peer, router.clone(), &graceful),
            // One that is gone already; or there are too many, and some will end.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
}

fn take(stream: TcpStream, peer: SocketAddr, router: Router, graceful: &GracefulShutdown) {
    // Replies are small, and somebody waits for each.
    let _best_effort = stream.set_nodelay(true);
    let serve = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        // Whoever has said all and only listens still gets the reply.
        .half_close(true)
        .max_buf_size(LARGEST)
        .serve_connection(TokioIo::new(stream), serve);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
