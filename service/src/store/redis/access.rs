//! How a server is reached: credentials, TLS, database, deadlines.
//!
//! Input: Settings and secrets. Output: a connection to one address. Must not know: which address is the right one.

use super::super::SetupError;
use contract::settings::HostPort;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates,
};
use std::time::Duration;

/// Deadline of a reply.
pub(super) const REPLY: Duration = Duration::from_millis(250);
/// Deadline of a connection attempt, with its handshakes.
pub(super) const CONNECT: Duration = Duration::from_millis(300);
/// TCP user timeout: the kernel closes the connection when sent bytes stay unacknowledged this long.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// How often the kernel asks whether the other end of an idle connection is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Secrets of the store, as their files hold them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreSecrets {
    /// The password.
    pub password: Option<String>,
    /// The password of the Sentinels.
    pub sentinel_password: Option<String>,
    /// Certificates of the authority (PEM).
    pub ca: Option<String>,
    /// The client's certificate and its key (PEM).
    pub certificate: Option<(String, String)>,
}

impl std::fmt::Debug for StoreSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreSecrets(not shown)")
    }
}

/// What every connection of a kind has in common.
#[derive(Clone)]
pub(super) struct Access {
    pub username: Option<String>,
    pub password: Option<String>,
    pub database: u32,
    pub tls: Option<TlsCertificates>,
}

/// TLS as Settings and secrets describe it.
pub(super) fn tls(secrets: &StoreSecrets) -> TlsCertificates {
    TlsCertificates {
        client_tls: secrets.certificate.as_ref().map(|(certificate, key)| ClientTlsConfig {
            client_cert: certificate.clone().into_bytes(),
            client_key: key.clone().into_bytes(),
        }),
        root_cert: secrets.ca.clone().map(String::into_bytes),
    }
}

impl Access {
    /// Checks that certificates and keys can be used, before there is a server.
    pub(super) fn check(&self, at: &HostPort) -> Result<(), SetupError> {
        self.client(at).map(drop).map_err(|error| {
            SetupError(format!("store: {error}; check ca_file, cert_file and key_file (PEM)"))
        })
    }

    pub(super) fn client(&self, HostPort { host, port }: &HostPort) -> Result<Client, RedisError> {
        let (host, port) = (host.clone(), *port);
        let address = match self.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        };
        let mut settings = RedisConnectionInfo::default().set_db(i64::from(self.database));
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(3);
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(keepalive)
            .set_user_timeout(UNACKNOWLEDGED);
        let info = address.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp);
        match &self.tls {
            None => Client::open(info),
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
        }
    }

    /// A connection to an address. The whole attempt has a deadline.
    pub(super) async fn connect(&self, at: &HostPort) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(REPLY));
        let client = self.client(at)?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        // Handshakes are not covered by the connection timeout alone.
        let connected = tokio::time::timeout(2 * CONNECT, connecting).await.unwrap_or_else(|_| {
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("{at} does not answer")).into())
        });
        connected.map_err(|error| match self.tls {
            // A server without TLS waits for the end of a line that never comes.
            Some(_) if error.is_timeout() => {
                let detail = format!("{at} does not finish the TLS handshake in time; if it does not speak TLS, use redis instead of rediss in store.url");
                (ErrorKind::Io, "timed out", detail).into()
            }
            _ => error,
        })
    }
}
