//! What a sample or an overlay wants to be there before: a PostgreSQL and Redis servers with TLS, and cert-manager.
//!
//! Input: a namespace of a test. Output: pods that answer, and Secrets as a person makes them. Must not know: the operator.

use anyhow::{Context, Result};
use harness::cluster::TestNamespace;
use harness::wait::SETTLE;
use harness::{Authority, wait};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use std::fs::read_to_string;

/// The password of a Redis that is outside.
pub(crate) const WORD: &str = "a-word";

/// Redis with TLS, which wants a password, and a certificate of a client where CLIENTS says so.
const TLS: &str = r#"set -e
cd /tmp
printf %s "$CERTIFICATE" > crt; printf %s "$KEY" > key; printf %s "$AUTHORITY" > ca
set -- --bind '* -::*' --save '' --port 0 --tls-port "$PORT" --tls-cert-file crt --tls-key-file key --tls-ca-cert-file ca --tls-auth-clients "$CLIENTS"
if [ -n "$NAME" ]; then
  exec redis-server "$@" --user default off --user "$NAME" on ">$WORD" '~*' '&*' +@all
fi
exec redis-server "$@" --requirepass "$WORD"
"#;

/// A master with a password, and three Sentinels with a user of their own, in one pod.
const SENTINELS: &str = r#"set -e
cd /data
redis-server --bind '* -::*' --save '' --port 6379 --requirepass "$WORD" &
for number in 0 1 2; do
  mkdir -p "$number"
  cat > "$number/sentinel.conf" << CONF
port $((26379 + number))
bind * -::*
dir /data/$number
user default off
user watcher on >$WORD allchannels +@all
sentinel sentinel-user watcher
sentinel sentinel-pass $WORD
sentinel monitor exams $ADDRESS 6379 2
sentinel auth-pass exams $WORD
CONF
  redis-sentinel "$number/sentinel.conf" &
done
wait
"#;

/// Three masters of a Redis Cluster in one pod, each with a third of the slots.
const SHARDS: &str = r#"set -e
cd /data
export REDISCLI_AUTH="$WORD"
for port in 7000 7001 7002; do
  redis-server --bind '* -::*' --save '' --port "$port" --cluster-enabled yes --cluster-config-file "$port.conf" --cluster-announce-ip "$ADDRESS" --requirepass "$WORD" &
done
until redis-cli -p 7000 ping && redis-cli -p 7001 ping && redis-cli -p 7002 ping; do sleep 0.2; done
redis-cli --cluster create "$ADDRESS:7000" "$ADDRESS:7001" "$ADDRESS:7002" --cluster-yes
wait
"#;

/// The address of a pod, for its own script.
fn address() -> Value {
    json!({"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
}

/// A Secret with the certificate of an authority.
async fn trust(namespace: &TestNamespace, secret: &str, authority: &Authority) -> Result<()> {
    namespace.secret(secret, json!({"ca.crt": read_to_string(authority.certificate())?})).await
}

/// A PostgreSQL with TLS, `exam-db` and `exam-db-ca`.
pub(crate) async fn database(namespace: &TestNamespace) -> Result<()> {
    let authority = Authority::new()?;
    let certificate = authority.issue(&["db"])?;
    namespace.postgres_with_tls("word", &certificate).await?;
    trust(namespace, "exam-db-ca", &authority).await
}

/// A Redis with TLS at this port of `cache`, its password in `cache`, its authority in `cache-ca`; with a `user`, the
/// certificate of a client in `cache-client` as well. Gives the authority (PEM).
pub(crate) async fn cache(namespace: &TestNamespace, port: u16, user: Option<&str>) -> Result<String> {
    let authority = Authority::new()?;
    let [certificate, key] = authority.issue(&["cache", &format!("cache.{}.svc", namespace.name)])?;
    let of = |name: &str, value: &str| json!({"name": name, "value": value});
    let environment = json!([
        of("CERTIFICATE", &certificate),
        of("KEY", &key),
        of("AUTHORITY", &read_to_string(authority.certificate())?),
        of("PORT", &port.to_string()),
        of("WORD", WORD),
        of("NAME", user.unwrap_or_default()),
        of("CLIENTS", if user.is_some() { "yes" } else { "no" }),
    ]);
    namespace.redis("cache", TLS, environment, &[port]).await?;
    namespace.secret("cache", json!({"password": WORD})).await?;
    trust(namespace, "cache-ca", &authority).await?;
    if user.is_some() {
        let [certificate, key] = authority.issue(&["client"])?;
        namespace.secret("cache-client", json!({"tls.crt": certificate, "tls.key": key})).await?;
    }
    Ok(read_to_string(authority.certificate())?)
}

/// Three Sentinels at `sentinel-0` to `sentinel-2`, and their master.
pub(crate) async fn sentinels(namespace: &TestNamespace) -> Result<()> {
    let environment = json!([address(), {"name": "WORD", "value": WORD}]);
    namespace.redis("sentinels", SENTINELS, environment, &[26379, 26380, 26381]).await?;
    for (number, target) in [26379, 26380, 26381].into_iter().enumerate() {
        namespace.service(&format!("sentinel-{number}"), "sentinels", 26379, target).await?;
    }
    namespace.secret("cache", json!({"password": WORD, "sentinel": WORD})).await
}

/// A Redis Cluster, whose URL is in `cache`.
pub(crate) async fn shards(namespace: &TestNamespace) -> Result<()> {
    namespace
        .redis("shards", SHARDS, json!([address(), {"name": "WORD", "value": WORD}]), &[7000, 7001, 7002])
        .await?;
    let url = format!("redis+cluster://:{WORD}@shards:7000,shards:7001");
    namespace.secret("cache", json!({"url": url})).await
}

/// What cert-manager would do: a Secret for the one Certificate that is asked for here.
pub(crate) async fn certify(namespace: &TestNamespace) -> Result<()> {
    let kind = operator::names::certificate_kind();
    let asked: Api<DynamicObject> = Api::namespaced_with(namespace.kube.clone(), &namespace.name, &kind);
    let certificate = wait::until("a Certificate", SETTLE, || async {
        asked.list(&kube::api::ListParams::default()).await.ok()?.items.pop()
    })
    .await?;
    let spec = &certificate.data["spec"];
    let names: Vec<&str> =
        spec["dnsNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let authority = Authority::new()?;
    let [signed, key] = authority.issue(&names)?;
    let secret = spec["secretName"].as_str().context("a secretName")?;
    let authority = read_to_string(authority.certificate())?;
    namespace.secret(secret, json!({"tls.crt": signed, "tls.key": key, "ca.crt": authority})).await
}

/// Makes the kind of cert-manager known.
pub(crate) async fn certificates_are_known(namespace: &TestNamespace) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(namespace.kube.clone());
    let kind = crate::rbac::definition(&operator::names::certificate_kind())?;
    definitions.create(&PostParams::default(), &kind).await?;
    Ok(())
}
