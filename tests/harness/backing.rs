//! What stands behind the service on a node and is not made by the operator: PostgreSQL, and a Redis with a password.
//!
//! Input: a namespace of a test. Output: pods that answer, and Secrets that say where. They go with the namespace.

use crate::cluster::TestNamespace;
use crate::wait::{self, SETTLE};
use anyhow::Result;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Makes a data folder where there is none, with a password for everybody who comes by network, and serves it.
const POSTGRES: &str = r#"set -e
export PATH="$PATH:$(dirname "$(echo /usr/lib/postgresql/*/bin/postgres)")"
if [ ! -f /data/db/PG_VERSION ]; then
  printf %s "$PASSWORD" > /tmp/word
  initdb --username exam --pwfile /tmp/word --auth-host scram-sha-256 --auth-local trust --encoding UTF8 --locale C -D /data/db >&2
  echo "host all all all scram-sha-256" >> /data/db/pg_hba.conf
fi
set -- -D /data/db -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=200 -c timezone=GMT -c log_timezone=GMT
if [ -n "$CERTIFICATE" ]; then
  umask 077
  printf %s "$CERTIFICATE" > /tmp/crt; printf %s "$KEY" > /tmp/key
  set -- "$@" -c ssl=on -c ssl_cert_file=/tmp/crt -c ssl_key_file=/tmp/key
fi
exec postgres "$@"
"#;

impl TestNamespace {
    /// A PostgreSQL with this password, `db`, and a Secret `exam-db` whose `url` leads to it.
    ///
    /// # Errors
    /// It does not answer in time.
    pub async fn postgres(&self, password: &str) -> Result<()> {
        self.postgres_with(json!([{"name": "PASSWORD", "value": password}])).await?;
        self.database_secret(password).await
    }

    /// The same with TLS, by this certificate and its key (PEM).
    ///
    /// # Errors
    /// It does not answer in time.
    pub async fn postgres_with_tls(&self, password: &str, [certificate, key]: &[String; 2]) -> Result<()> {
        self.postgres_with(json!([
            {"name": "PASSWORD", "value": password},
            {"name": "CERTIFICATE", "value": certificate},
            {"name": "KEY", "value": key},
        ]))
        .await?;
        self.database_secret(password).await
    }

    async fn postgres_with(&self, environment: Value) -> Result<()> {
        let probe = json!(["sh", "-c", "exec /usr/lib/postgresql/*/bin/pg_isready -h 127.0.0.1"]);
        self.stand_in(
            "db",
            &[5432],
            json!({
                "image": "exam-postgres:dev", "command": ["sh", "-c", POSTGRES], "env": environment,
                "readinessProbe": {"exec": {"command": probe}, "periodSeconds": 1},
            }),
        )
        .await
    }

    /// Writes the Secret `exam-db` with this password.
    ///
    /// # Errors
    /// The API server's.
    pub async fn database_secret(&self, password: &str) -> Result<()> {
        let url = format!("postgres://exam:{password}@db:5432/postgres");
        self.secret("exam-db", json!({"url": url})).await
    }

    /// A Redis that is nobody's but the test's, `cache`, which wants this password.
    ///
    /// # Errors
    /// It does not answer in time.
    pub async fn cache(&self, password: &str) -> Result<()> {
        let command = ["redis-server", "--bind", "* -::*", "--requirepass", password, "--save", ""];
        self.stand_in(
            "cache",
            &[6379],
            json!({
                "image": "exam-redis:dev", "command": command,
                "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
            }),
        )
        .await
    }

    /// Servers of Redis that are nobody's but the test's, in one pod that this script runs, and a Service of the same name
    /// with these ports.
    ///
    /// # Errors
    /// The last port does not answer in time.
    pub async fn redis(&self, name: &str, script: &str, environment: Value, ports: &[u16]) -> Result<()> {
        self.stand_in(
            name,
            ports,
            json!({
                "image": "exam-redis:dev", "command": ["sh", "-c", script], "env": environment,
                "readinessProbe": {"tcpSocket": {"port": ports.last()}, "periodSeconds": 1},
            }),
        )
        .await
    }

    /// A Service that leads from this port to that one of a pod of [`TestNamespace::redis`].
    ///
    /// # Errors
    /// The API server's.
    pub async fn service(&self, name: &str, pod: &str, port: u16, target: u16) -> Result<()> {
        let spec = json!({"selector": {"app": pod}, "ports": [{"port": port, "targetPort": target}]});
        self.create::<Service>(json!({"metadata": {"name": name}, "spec": spec})).await
    }

    /// Makes a Secret, or changes it.
    ///
    /// # Errors
    /// The API server's.
    pub async fn secret(&self, name: &str, text: Value) -> Result<()> {
        let metadata = json!({"name": name});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": text});
        let apply = PatchParams::apply("tests").force();
        self.api::<Secret>().patch(name, &apply, &Patch::Apply(secret)).await?;
        Ok(())
    }

    /// A pod of this one container under the restricted profile, and a Service of the same name before it.
    async fn stand_in(&self, name: &str, ports: &[u16], container: Value) -> Result<()> {
        let mut container = container;
        container["name"] = name.into();
        // Without a request it would be the last to get a processor.
        container["resources"] = json!({"requests": {"cpu": "100m", "memory": "64Mi"}});
        container["securityContext"] = json!({
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": true, "runAsUser": 999,
        });
        container["volumeMounts"] =
            json!([{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}]);
        self.create::<Pod>(json!({
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "containers": [container], "securityContext": {"fsGroup": 999},
                "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
                "terminationGracePeriodSeconds": 1, "enableServiceLinks": false,
            },
        }))
        .await?;
        let ports: Vec<Value> =
            ports.iter().map(|port| json!({"name": format!("port-{port}"), "port": port})).collect();
        let spec = json!({"selector": {"app": name}, "ports": ports});
        self.create::<Service>(json!({"metadata": {"name": name}, "spec": spec})).await?;
        let pods: Api<Pod> = self.api();
        wait::until(&format!("{name} answers"), SETTLE, || async {
            let conditions = pods.get(name).await.ok()?.status?.conditions?;
            conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True").then_some(())
        })
        .await
    }

    async fn create<K>(&self, object: Value) -> Result<()>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + serde::Serialize
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        match self.api::<K>().create(&PostParams::default(), &serde_json::from_value(object)?).await {
            Err(kube::Error::Api(status)) if status.code != 409 => Err(kube::Error::Api(status).into()),
            // It is there from a run before.
            Ok(_) | Err(kube::Error::Api(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
