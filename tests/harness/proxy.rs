//! A TCP proxy with the weather of a network: it delays, cuts, swallows and throttles.
//!
//! Input: where to listen and where to lead. Output: what passes, as the weather lets it. Must not know: what is said.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that pass at once in fair weather.
const CHUNK: usize = 16 * 1024;
/// Chunks that may be under way in one direction; a reader beyond waits, as in a full buffer.
const UNDER_WAY: usize = 1024;
/// How often a throttled connection lets bytes pass.
const THROTTLE: Duration = Duration::from_millis(50);

/// The weather; connections that are open feel it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// What comes from the server comes so much later.
    pub delay: Duration,
    /// Nothing passes, and nobody is told.
    pub is_silent: bool,
    /// So many bytes a second pass in each direction; 0: all.
    pub bytes_per_second: usize,
    /// Connections that were made in an earlier age are cut.
    age: u64,
    /// Nothing passes on connections that were made before so many hangs, and nobody is told.
    hangs: u64,
}

/// A proxy; it ends with this value, and its connections with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    weather: watch::Sender<Weather>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Starts one in front of this address, on a port of its own.
    ///
    /// # Errors
    /// The system has no port.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), target).await
    }

    /// Starts one at one address in front of another.
    ///
    /// # Errors
    /// Somebody else listens there.
    pub async fn start_at(at: SocketAddr, target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let target = Arc::new(Mutex::new(target));
        let weather = watch::Sender::new(Weather::default());
        let (to, told) = (Arc::clone(&target), weather.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((inside, _)) = listener.accept().await {
                let to = *to.lock().expect("no holder of the address should panic");
                tokio::spawn(lead(inside, to, told.clone()));
            }
        });
        Ok(Self { address, target, weather, task })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends new connections there.
    ///
    /// # Panics
    /// A holder of the address has panicked.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().expect("no holder of the address should panic") = target;
    }

    /// Changes the weather.
    pub fn weather(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Cuts every connection that is open now, in mid-word.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.age += 1);
    }

    /// Every connection that is open now hangs for ever, as when a machine does and another takes its place: new ones pass.
    pub fn hang(&self) {
        self.weather.send_modify(|weather| weather.hangs += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection. It ends when either side does, when it is cut, or with the proxy.
async fn lead(inside: TcpStream, to: SocketAddr, weather: watch::Receiver<Weather>) {
    let Weather { age, hangs, .. } = *weather.borrow();
    let Ok(outside) = TcpStream::connect(to).await else { return };
    let (from_client, to_client) = inside.into_split();
    let (from_server, to_server) = outside.into_split();
    let mut cut = weather.clone();
    tokio::select! {
        () = pass(from_client, to_server, weather.clone(), hangs, |_| Duration::ZERO) => {}
        () = pass(from_server, to_client, weather, hangs, |weather| weather.delay) => {}
        _ = cut.wait_for(|weather| weather.age > age) => {}
    }
}

/// One direction of a connection that was made after so many hangs.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    hangs: u64,
    delay: impl Fn(&Weather) -> Duration,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let sky = weather.clone();
    let read = async move {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            let due = Instant::now() + delay(&sky.borrow());
            if sender.send((due, chunk[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                if weather.wait_for(|weather| !weather.is_silent && weather.hangs == hangs).await.is_err() {
                    return;
                }
                let limit = weather.borrow().bytes_per_second;
                let count = match limit {
                    0 => rest.len(),
                    limit => {
                        sleep(THROTTLE).await;
                        rest.len().min((limit * 50 / 1000).max(1))
                    }
                };
                let (now, later) = rest.split_at(count);
                if to.write_all(now).await.is_err() {
                    return;
                }
                rest = later;
            }
        }
    };
    let (mut read, mut write) = (pin!(read), pin!(write));
    tokio::select! {
        // What is under way still arrives.
        () = &mut read => write.await,
        () = &mut write => {}
    }
}
