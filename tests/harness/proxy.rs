//! A TCP proxy that can cut its connections.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy on a port of its own; it ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    cut: watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Starts one in front of this address.
    ///
    /// # Errors
    /// The system has no port.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let target = Arc::new(Mutex::new(target));
        let (cut, watched) = watch::channel(0);
        let to = Arc::clone(&target);
        let task = tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let to = *to.lock().expect("no holder of the address should panic");
                let mut watched = watched.clone();
                watched.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut outside) = TcpStream::connect(to).await else { return };
                    // Whichever ends first drops both sides.
                    tokio::select! {
                        _ = copy_bidirectional(&mut inside, &mut outside) => {}
                        _ = watched.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, target, cut, task })
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

    /// Cuts every connection that is open now, in mid-word.
    pub fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
