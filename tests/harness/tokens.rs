//! Signed tokens (JSON Web Tokens) as an identity provider issues them.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

/// Somebody who signs tokens with a secret.
#[derive(Clone, Debug)]
pub struct Signer {
    id: String,
    secret: String,
}

impl Signer {
    /// A signer with a secret made from its name.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), secret: format!("the secret of the signer named {id}") }
    }

    /// The secret, as a key file for `HS256` holds it.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// A JSON Web Key Set with the keys of these signers.
    pub fn key_set(signers: &[&Self]) -> String {
        let keys = signers.iter().map(|signer| {
            let key = EncodingKey::from_secret(signer.secret.as_bytes());
            let key = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::HS256);
            let mut key = json!(key.expect("a secret should have a JSON form"));
            key["kid"] = json!(signer.id);
            key
        });
        json!({"keys": keys.collect::<Vec<Value>>()}).to_string()
    }

    /// A token for the audience `exams` that says who calls and as what, for an hour.
    pub fn token(&self, subject: &str, role: &str) -> String {
        self.token_with(subject, json!({"role": role}))
    }

    /// A token with more claims.
    ///
    /// # Panics
    /// The claims are no object.
    pub fn token_with(&self, subject: &str, more: Value) -> String {
        let mut claims = json!({"sub": subject, "aud": "exams", "exp": get_current_timestamp() + 3600});
        for (name, value) in more.as_object().expect("claims should be an object") {
            claims[name] = value.clone();
        }
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(self.secret.as_bytes()))
            .expect("claims should be signed")
    }
}
