//! The master that Sentinels name.
//!
//! Input: addresses of Sentinels, and the name of the master. Output: its address, from the first Sentinel that answers;
//! news of a switch. Must not know: what the master is used for.

use super::access::{Access, CONNECT};
use super::problem::{Problem, explain};
use contract::settings::HostPort;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::{ErrorKind, RedisError};

/// The channel on which Sentinels tell a new master.
const SWITCH: &str = "+switch-master";

/// Sentinels that watch one master.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub addresses: Vec<HostPort>,
    pub master: String,
    pub access: Access,
}

impl Sentinels {
    /// The address of the master. All Sentinels are asked at once; the first answer counts, because whoever connects
    /// to it asks for its role.
    pub(super) async fn master(&self) -> Result<HostPort, Problem> {
        let mut asked: FuturesUnordered<_> = self.addresses.iter().map(|at| self.ask(at)).collect();
        let mut last = Problem::new("address", "no Sentinel is named in store.url");
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(address) => return Ok(address),
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    async fn ask(&self, at: &HostPort) -> Result<HostPort, Problem> {
        let asked = async {
            let mut connection = self.access.connect(at).await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
            command.query_async(&mut connection).await
        };
        let found: Option<(String, u16)> = asked.await.map_err(|error| explain(&error).of(at))?;
        match found {
            Some((host, port)) => Ok(HostPort { host, port }),
            None => {
                let text = format!("no master is named {:?} there: check the name in store.url", self.master);
                Err(Problem::new("address", text).of(at))
            }
        }
    }

    /// Waits until a Sentinel tells a switch of this master; returns at once with an error if none can be heard.
    pub(super) async fn switched(&self) -> Result<(), RedisError> {
        let mut last = RedisError::from((ErrorKind::Client, "no Sentinel is named"));
        for at in &self.addresses {
            let listening = async {
                let mut pubsub = self.access.client(at)?.get_async_pubsub().await?;
                pubsub.subscribe(SWITCH).await?;
                Ok::<_, RedisError>(pubsub)
            };
            match tokio::time::timeout(2 * CONNECT, listening).await {
                Ok(Ok(pubsub)) => {
                    let mut messages = pubsub.into_on_message();
                    while let Some(message) = messages.next().await {
                        let text: String = message.get_payload().unwrap_or_default();
                        if text.split(' ').next() == Some(self.master.as_str()) {
                            return Ok(());
                        }
                    }
                }
                Ok(Err(error)) => last = error,
                Err(_) => {}
            }
        }
        Err(last)
    }
}
