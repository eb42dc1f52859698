//! Authentication, limits and origins of callers in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: Secrets.

use super::reference::SecretKey;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Authentication of callers of the exam API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.mode) && self.mode == 'jwt') == has(self.jwt)")
    .message("mode jwt and the section jwt go together"))]
pub struct Auth {
    /// `token`: callers send the token in the Secret NAME-auth, which the operator creates. `jwt`: callers send signed tokens with
    /// roles. `none`: everyone who can reach the Service. Default: token.
    #[serde(default)]
    pub mode: AuthMode,
    /// How signed tokens are verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
}

/// Authentication mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthMode {
    /// By a token.
    #[default]
    Token,
    /// By signed tokens.
    Jwt,
    /// No authentication.
    None,
}

/// How signed tokens (RFC 7519) are verified. Their `role` is student, proctor or admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Jwt {
    /// Where what verifies a token is: a JSON Web Key Set, or a single key for `algorithm`. Key, if absent: `keys.json`.
    pub key_secret_ref: SecretKey,
    /// The algorithm of a single key; absent: each key of the set names its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// Must be in the `aud` of a token.
    pub audience: String,
    /// Must be the `iss` of a token; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// How often one caller may call. A caller is the `sub` of a token, a token, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests a second in the long run.
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_second: i32,
    /// Requests at once after a pause. Default: as many as a second.
    #[schemars(range(min = 1, max = 100_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<i32>,
    /// How many proxies of one's own stand before the service, each of which appends to `X-Forwarded-For` whom it heard.
    /// Default: 0, and the header is not read.
    #[schemars(range(min = 0, max = 8))]
    #[serde(default)]
    pub trusted_proxies: i32,
}

/// Where traces go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    /// A collector that takes OTLP over HTTP, as in `http://collector:4318`; absent: there are no traces. A change takes
    /// effect at the next start of a pod.
    #[x_kube(validation = Rule::new("self.matches('^http://[^/:@ ]+(:[0-9]+)?(/[^ @?#]*)?$')")
        .message("must be http://HOST:PORT of a collector that takes OTLP over HTTP, as in http://collector:4318"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}
