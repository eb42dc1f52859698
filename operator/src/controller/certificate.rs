//! The certificate of a provisioned Redis, from the Secret that holds it.
//!
//! Input: what the Secret holds, the hosts that it has to name, and the time. Output: what tells it from another, and its
//! authority; or what is wrong with it, in words. Pure. Must not know: who made it, who uses it.

use super::credentials::Credential;
use super::given::{Given, Reference, Unusable};
use super::redis::auth::hex_of;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use std::sync::Arc;

/// A certificate that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The SHA-256 of the certificate itself.
    pub id: String,
    /// The certificates of its authority (PEM).
    pub authority: Credential,
}

/// Reads a certificate, its key and its authority, in this order.
///
/// # Errors
/// A part is missing, or it is of no use to one of these hosts.
pub fn read(
    given: &Given,
    references: &[Reference; 3],
    hosts: &[String],
    now: UnixTime,
) -> Result<Certificate, Unusable> {
    let [certificate, key, authority] = references;
    let texts = (given.text(certificate)?, given.text(key)?, given.text(authority)?);
    let faulty = |why: String| Unusable {
        reason: "InvalidCertificate",
        message: format!("Secret {}, which {} names: {why}", certificate.secret, certificate.field),
    };
    let id = check(texts.0, texts.1, texts.2, hosts, now).map_err(faulty)?;
    Ok(Certificate { id, authority: texts.2.clone() })
}

fn check(
    Credential(certificate): &Credential,
    Credential(key): &Credential,
    Credential(authority): &Credential,
    hosts: &[String],
    now: UnixTime,
) -> Result<String, String> {
    let chain = pem(certificate).map_err(|why| format!("tls.crt {why}"))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "tls.key is no key (PEM)")?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(pem(authority).map_err(|why| format!("ca.crt {why}"))?);
    let provider = Arc::new(default_provider());
    let held = CertifiedKey::from_der(chain.clone(), key, &provider);
    held.map_err(|_| "tls.key is not the key of tls.crt")?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|_| "ca.crt holds no certificate of an authority")?;
    let (leaf, others) = chain.split_first().ok_or("tls.crt is empty")?;
    for host in hosts {
        let name = ServerName::try_from(host.as_str()).map_err(|_| format!("{host} is no name"))?;
        verifier.verify_server_cert(leaf, others, &name, &[], now).map_err(|error| explain(&error, host))?;
    }
    Ok(hex_of(leaf))
}

fn pem(text: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or("holds no certificate (PEM)")
}

fn explain(error: &rustls::Error, host: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            format!("the certificate is not for {host}; name it, or all by a wildcard, in subjectAltName")
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is not by an authority of ca.crt".to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the certificate has expired".to_owned(),
        other => format!("the certificate cannot be used: {other}"),
    }
}

#[cfg(test)]
mod tests;
