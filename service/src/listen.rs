//! Connections: taken while there is room, held to a pace, ended in order.
//!
//! Comes in: a listener, the routes behind it, how many connections it may hold, and the phase of the
//! service's life. Goes out: each request with its peer's address, and its answer. When descriptors run out,
//! whoever comes waits; nothing ends and nothing spins. Must not know: what the routes do.

mod pace;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use pace::{Pace, Paced};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

/// Most connections of one listener, however many descriptors there are: each may hold some memory.
const MOST: usize = 16_384;
/// Descriptors kept for all else: the database, the store, files, the ops port.
const KEPT: usize = 256;
/// Connections that may wait until they are taken: a school that begins at the same moment.
const WAITING: u32 = 4096;
/// Largest head of a request, in bytes.
const HEAD_SIZE: usize = 32 * 1024;
/// How long nothing is accepted after the system could not.
const REST: Duration = Duration::from_millis(100);

/// Where a service stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It serves, and every answer asks its caller to connect anew, elsewhere.
    Leaving,
    /// It takes no new connections; answers in flight finish.
    Closing,
}

/// Raises this process's limit of descriptors as far as it may, and gives how many connections of callers
/// fit below it.
pub fn room() -> usize {
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
    MOST.min(limit - KEPT.min(limit / 2)).max(1)
}

/// A listener on an address.
///
/// # Errors
/// The system's.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Serves until the phase is closing and every answer in flight is told.
pub async fn serve(listener: TcpListener, routes: Router, room: usize, phase: watch::Receiver<Phase>) {
    let room = Arc::new(Semaphore::new(room));
    let open = GracefulShutdown::new();
    let mut watched = phase.clone();
    let closing = watched.wait_for(|phase| *phase == Phase::Closing);
    tokio::pin!(closing);
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            // Whoever knew the phase may be gone; that is the end too.
            _ = &mut closing => break,
        };
        let (routes, phase, watcher) = (routes.clone(), phase.clone(), open.watcher());
        tokio::spawn(async move {
            hold(stream, peer, routes, phase, watcher).await;
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    if room.available_permits() == 0 {
        tracing::warn!("as many connections are open as there is room for; others wait");
    }
    let place = Arc::clone(room).acquire_owned().await.expect("nobody closes the room");
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            // Their ends, not ours.
            Err(error) if is_theirs(error.kind()) => {}
            Err(error) => {
                if !told {
                    tracing::warn!(%error, "no connection can be accepted; trying on");
                    told = true;
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn is_theirs(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Speaks with one peer until either has had enough.
async fn hold(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    phase: watch::Receiver<Phase>,
    watcher: Watcher,
) {
    // An answer is one write, and nothing is gained by keeping it back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a connection was gone before it was held");
        return;
    }
    let pace = Pace::new();
    let of_requests = pace.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        of_requests.asked();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = routes.clone().call(request);
        let (pace, phase) = (of_requests.clone(), phase.clone());
        async move {
            let mut response = answer.await?;
            if *phase.borrow() != Phase::Serving {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            pace.answered(response.status().is_success());
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_SIZE)
        // Whoever has said all and only listens still gets the reply.
        .half_close(true)
        .serve_connection(TokioIo::new(Paced::new(stream, pace.clone())), service);
    match pace.keep(watcher.watch(connection)).await {
        None => tracing::debug!(%peer, "a connection was too slow and is cut"),
        Some(Err(error)) => tracing::debug!(%peer, %error, "a connection ended badly"),
        Some(Ok(())) => {}
    }
}
