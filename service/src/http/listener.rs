//! Connections: accepted up to a limit, closed by timeouts, drained on shutdown.
//!
//! Input: a listener, the routes behind it, the limit of connections, and the phase of the service. Output: each
//! request with its peer address, and its response. When file descriptors run out, new connections wait: none is
//! dropped, and the accept loop pauses instead of spinning. Must not know: what the routes do.

mod timeouts;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use timeouts::{TimedStream, Timeouts};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

/// Most connections of one listener, which bounds their memory regardless of the file limit.
const MAX_CONNECTIONS: usize = 16_384;
/// File descriptors reserved for the database, the store, files and the ops port.
const RESERVED_FILES: usize = 256;
/// Listen backlog: a whole school may connect at the same moment.
const BACKLOG: u32 = 4096;
/// Largest request head, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Pause of the accept loop after an error.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The phase of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Serving.
    Serving,
    /// Serving with `Connection: close`, so that clients reconnect elsewhere.
    Leaving,
    /// No new connections; requests in flight finish.
    Closing,
}

/// Raises the file descriptor limit to its hard limit and returns the number of connections that fit below it.
pub fn max_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            limit.current
        }
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    MAX_CONNECTIONS.min(limit - RESERVED_FILES.min(limit / 2)).max(1)
}

/// A listener on an address.
///
/// # Errors
/// Errors of the operating system.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until the phase is `Closing` and every request in flight is answered.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    max_connections: usize,
    phase: watch::Receiver<Phase>,
) {
    let permits = Arc::new(Semaphore::new(max_connections));
    let open = GracefulShutdown::new();
    let mut watched = phase.clone();
    let closing = watched.wait_for(|phase| *phase == Phase::Closing);
    tokio::pin!(closing);
    loop {
        let (stream, peer, permit) = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            // A dropped sender means closing too.
            _ = &mut closing => break,
        };
        let (routes, phase, watcher) = (routes.clone(), phase.clone(), open.watcher());
        tokio::spawn(async move {
            serve_connection(stream, peer, routes, phase, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// Accepts the next connection, once a permit is free.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    if permits.available_permits() == 0 {
        tracing::warn!("the limit of connections is reached; further connections wait");
    }
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    let mut logged = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            // Errors of the peer.
            Err(error) if is_peer_error(error.kind()) => {}
            Err(error) => {
                if !logged {
                    tracing::warn!(%error, "connections cannot be accepted; retrying");
                    logged = true;
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_peer_error(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves one connection to its end.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    phase: watch::Receiver<Phase>,
    watcher: Watcher,
) {
    // A response is one write, so Nagle's algorithm would only delay it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a connection was closed before it was served");
        return;
    }
    let timeouts = Timeouts::new();
    let of_requests = timeouts.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        of_requests.request_begun();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = routes.clone().call(request);
        let (timeouts, phase) = (of_requests.clone(), phase.clone());
        async move {
            let mut response = answer.await?;
            if *phase.borrow() != Phase::Serving {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            timeouts.response_sent(response.status().is_success());
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        // A client that has shut down its write side still gets the reply.
        .half_close(true)
        .serve_connection(TokioIo::new(TimedStream::new(stream, timeouts.clone())), service);
    match timeouts.drive(watcher.watch(connection)).await {
        None => tracing::debug!(%peer, "a connection timed out and is closed"),
        Some(Err(error)) => tracing::debug!(%peer, %error, "a connection failed"),
        Some(Ok(())) => {}
    }
}
