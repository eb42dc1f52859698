//! Connections to a Redis or a Sentinel of a pod: by the pod's address, and with TLS under its name.
//!
//! Input: an address, a host, a user. Output: a connection, or the certificate that the other side shows. Must not know:
//! commands.

use super::PATIENCE;
use crate::controller::credentials::Credential;
use crate::controller::redis::auth::hex_of;
use redis::aio::MultiplexedConnection;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisFuture, TlsCertificates,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Where a process is.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    /// Its address.
    pub address: SocketAddr,
    /// Its name, for which its certificate has to be.
    pub host: String,
    /// The certificates of its authority; `None`: it speaks without TLS.
    pub authority: Option<&'a Credential>,
}

/// Whatever the name, this address: it is known from the pod.
struct At(SocketAddr);

impl AsyncDNSResolver for At {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _host: &'b str,
        _port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let all: Box<dyn Iterator<Item = SocketAddr> + Send + 'a> = Box::new(std::iter::once(self.0));
        Box::pin(async move { Ok(all) })
    }
}

impl Place<'_> {
    /// Connects as this user.
    pub(super) async fn connect(
        &self,
        user: &str,
        Credential(password): &Credential,
    ) -> Result<MultiplexedConnection, RedisError> {
        let (host, port) = (self.host.clone(), self.address.port());
        let address = match self.authority {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        };
        let user = RedisConnectionInfo::default().set_username(user).set_password(password);
        let info = address.into_connection_info()?.set_redis_settings(user);
        let client = match self.authority {
            None => Client::open(info)?,
            Some(Credential(authority)) => {
                let root_cert = Some(authority.clone().into_bytes());
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })?
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_dns_resolver(At(self.address));
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        // Handshakes are not covered by the timeout of the connection.
        timeout(2 * PATIENCE, connecting).await.unwrap_or_else(|_| Err(io("no answer to the handshake")))
    }

    /// The SHA-256 of the certificate that it shows.
    pub(super) async fn certificate(&self) -> Result<Option<String>, RedisError> {
        let Some(Credential(authority)) = self.authority else { return Ok(None) };
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(authority.as_bytes()).flatten());
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(self.host.clone()).map_err(|_| io("a host is no name"))?;
        let shaking = async {
            let stream = TcpStream::connect(self.address).await?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        let stream = timeout(2 * PATIENCE, shaking).await.map_err(|_| io("no answer to the handshake"))??;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        Ok(shown.map(|certificate| hex_of(certificate)))
    }
}

fn io(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, what))
}
