//! JSON Web Tokens (RFC 7519): verification of the signature and claims.
//!
//! Input: the text of a key file, the rules of Settings, tokens. Output: a [`Caller`], or why there is none. A key
//! is used only with its own algorithm, regardless of the token's header. Must not know: HTTP, files.

use crate::access::caller::{Caller, Role};
use contract::settings;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

/// Shortest secret that is accepted, in bytes (RFC 7518, section 3.2).
const SHORTEST: usize = 32;
/// Longest token that is accepted, in bytes.
const LONGEST: usize = 8 * 1024;
/// Longest `sub` that is accepted, in bytes.
const NAME: usize = 255;
/// Most extra time that a token may grant: 2.0 makes limits three times as long.
const EXTRA: f64 = 2.0;

/// The verification keys and the required claims.
pub struct Keys {
    keys: Vec<Key>,
    audience: String,
    issuer: Option<String>,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The claims that are read.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    extra_time: f64,
}

impl Keys {
    /// Reads a key file: a JSON Web Key Set, or one key for `algorithm`.
    ///
    /// # Errors
    /// It holds no usable key, or an unsafe one.
    pub fn read(
        text: &str,
        algorithm: Option<settings::Algorithm>,
        audience: &str,
        issuer: Option<&str>,
    ) -> Result<Self, String> {
        let keys = match algorithm {
            None => set(text)?,
            Some(algorithm) => vec![one(text, algorithm)?],
        };
        Ok(Self { keys, audience: audience.to_owned(), issuer: issuer.map(str::to_owned) })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a token and returns its caller.
    ///
    /// # Errors
    /// Why the token is refused, for the client.
    pub fn verify(&self, token: &str) -> Result<Caller, String> {
        if token.len() > LONGEST {
            return Err(format!("the token is longer than {LONGEST} bytes"));
        }
        let header = decode_header(token).map_err(|_| "the token is not a JSON Web Token".to_owned())?;
        let mut why = "no key of this service has signed the token".to_owned();
        for key in &self.keys {
            let named = header.kid.is_none() || key.id.is_none() || key.id == header.kid;
            if !named || key.algorithm != header.alg {
                continue;
            }
            match decode::<Claims>(token, &key.key, &self.validation(key.algorithm)) {
                Ok(token) => return caller(token.claims),
                Err(error) => why = claim_error(error.kind(), &why),
            }
        }
        Err(why)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = 30;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.set_required_spec_claims(&["exp", "aud", "sub", "iss"]);
        }
        validation
    }
}

fn caller(claims: Claims) -> Result<Caller, String> {
    let Claims { sub, role, roles, extra_time } = claims;
    if sub.is_empty() || sub.len() > NAME || sub.contains('\0') {
        return Err(format!("the token's sub must have 1 to {NAME} bytes, none of them 0"));
    }
    if !(0.0..=EXTRA).contains(&extra_time) {
        return Err(format!("the token's extra_time must be 0 to {EXTRA}"));
    }
    let known = |name: &str| match name {
        "admin" => Role::Admin,
        "proctor" => Role::Proctor,
        // Unknown roles grant the smallest rights.
        _ => Role::Student,
    };
    let role = roles.iter().chain(&role).map(|name| known(name)).max().unwrap_or(Role::Student);
    Ok(Caller { role, subject: Some(sub.into()), extra_time })
}

fn claim_error(kind: &ErrorKind, before: &str) -> String {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired".to_owned(),
        ErrorKind::ImmatureSignature => "the token is not valid yet".to_owned(),
        ErrorKind::InvalidAudience => "the token is for another audience".to_owned(),
        ErrorKind::InvalidIssuer => "the token is from another issuer".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("the token has no {claim}"),
        ErrorKind::Json(_) => "the token's claims are not those of a caller".to_owned(),
        _ => before.to_owned(),
    }
}

fn one(text: &str, algorithm: settings::Algorithm) -> Result<Key, String> {
    let bytes = text.as_bytes();
    let public = |_| format!("it is no PEM public key for {algorithm:?}");
    let (algorithm, key) = match algorithm {
        settings::Algorithm::HS256 => {
            let secret = text.trim_end_matches(['\r', '\n']).as_bytes();
            if secret.len() < SHORTEST {
                return Err(format!("the secret is shorter than {SHORTEST} bytes"));
            }
            (Algorithm::HS256, DecodingKey::from_secret(secret))
        }
        settings::Algorithm::ES256 => (Algorithm::ES256, DecodingKey::from_ec_pem(bytes).map_err(public)?),
        settings::Algorithm::ES384 => (Algorithm::ES384, DecodingKey::from_ec_pem(bytes).map_err(public)?),
        settings::Algorithm::EdDSA => (Algorithm::EdDSA, DecodingKey::from_ed_pem(bytes).map_err(public)?),
    };
    Ok(Key { id: None, algorithm, key })
}

fn set(text: &str) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON Web Key Set: {error}; or set auth.algorithm"))?;
    if set.keys.is_empty() {
        return Err("it holds no key".to_owned());
    }
    set.keys
        .iter()
        .enumerate()
        .map(|(index, jwk)| of_set(jwk).map_err(|why| format!("key {}: {why}", index + 1)))
        .collect()
}

fn of_set(jwk: &Jwk) -> Result<Key, String> {
    let algorithm = match jwk.common.key_algorithm {
        Some(KeyAlgorithm::HS256) => Algorithm::HS256,
        Some(KeyAlgorithm::ES256) => Algorithm::ES256,
        Some(KeyAlgorithm::ES384) => Algorithm::ES384,
        Some(KeyAlgorithm::EdDSA) => Algorithm::EdDSA,
        Some(other) => return Err(format!("alg is {other}; it must be HS256, ES256, ES384 or EdDSA")),
        None => return Err("it has no alg".to_owned()),
    };
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    if algorithm == Algorithm::HS256 && key.try_get_as_bytes().is_ok_and(|secret| secret.len() < SHORTEST) {
        return Err(format!("the secret is shorter than {SHORTEST} bytes"));
    }
    Ok(Key { id: jwk.common.key_id.clone(), algorithm, key })
}

#[cfg(test)]
mod tests;
