//! ConfigMaps: the Settings of the service, and the configuration of Redis.
//!
//! Input: what is desired, and the Settings text. Output: ConfigMaps with stable names. Must not know: who mounts them.

use crate::controller::decide::Provisioned;
use crate::controller::redis::auth::REDIS_CONFIG_KEY;
use crate::controller::validate::Desired;
use crate::names::{Component, Names, REDIS_PORT, SENTINEL_PORT, TLS_FOLDER};
use k8s_openapi::api::core::v1::ConfigMap;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Folder of the passwords in the pods of Redis and Sentinels.
pub const REDIS_AUTH_FOLDER: &str = "/etc/redis-auth";
/// Folder of the data of Redis in the pod.
pub const REDIS_DATA_FOLDER: &str = "/data";

/// The Settings of the service; their revision is the hash of the text.
pub fn settings(names: &Names, text: &str) -> ConfigMap {
    ConfigMap {
        metadata: names.owned(names.name.clone(), Component::Service),
        data: Some(BTreeMap::from([(contract::SETTINGS_KEY.to_owned(), text.to_owned())])),
        ..ConfigMap::default()
    }
}

/// Scripts and configuration of Redis and its Sentinels. Nothing in it restarts a pod: what changes is set while they run,
/// and read at the next start. Keys are never evicted: a full Redis refuses writes, and exams continue from the log.
pub fn redis(desired: &Desired, Provisioned { wanted, plan, .. }: &Provisioned) -> ConfigMap {
    let names = &desired.names;
    let common = "bind * -::*\nprotected-mode no\n";
    let listen = |port: i32| match desired.redis.tls {
        None => format!("port {port}\n"),
        // Who connects is known by a password: a certificate for servers alone is enough.
        Some(_) => format!(
            "port 0\n\
             tls-port {port}\n\
             tls-replication yes\n\
             tls-auth-clients no\n\
             tls-cert-file {TLS_FOLDER}/tls.crt\n\
             tls-key-file {TLS_FOLDER}/tls.key\n\
             tls-ca-cert-file {TLS_FOLDER}/ca.crt\n"
        ),
    };
    let redis = format!(
        "{common}\
         {}\
         dir {REDIS_DATA_FOLDER}\n\
         appendonly yes\n\
         appendfsync everysec\n\
         maxmemory {}\n\
         maxmemory-policy noeviction\n\
         min-replicas-to-write {}\n\
         min-replicas-max-lag 10\n\
         repl-diskless-sync-delay 0\n\
         include {REDIS_AUTH_FOLDER}/{}\n",
        listen(REDIS_PORT),
        wanted.max_memory,
        wanted.tuning(0).min_replicas,
        REDIS_CONFIG_KEY,
    );
    // Nobody copies its emptiness.
    let is_alone = wanted.nodes == 1 && plan.nodes == 1;
    let host = |pod: &String| format!("{pod}{}", names.redis_domain());
    // Those that run are asked, too, while they become fewer.
    let hosts = names.sentinel_hosts(wanted.sentinels.max(plan.sentinels));
    let mut data = BTreeMap::from([
        ("redis.sh".to_owned(), include_str!("scripts/redis.sh").to_owned()),
        ("sentinel.sh".to_owned(), include_str!("scripts/sentinel.sh").to_owned()),
        ("redis.conf".to_owned(), redis),
        ("sentinel.conf".to_owned(), format!("{common}{}dir /tmp\n", listen(SENTINEL_PORT))),
        ("cli-options".to_owned(), cli_options(desired)),
        ("domain".to_owned(), names.redis_domain()),
        ("master".to_owned(), plan.master.as_ref().map(host).unwrap_or_default()),
        ("may-start-empty".to_owned(), if is_alone { "yes" } else { "no" }.to_owned()),
        ("sentinels".to_owned(), hosts.iter().fold(String::new(), |lines, host| lines + host + "\n")),
        ("quorum".to_owned(), wanted.quorum.to_string()),
        ("down-after".to_owned(), wanted.down_after.to_string()),
    ]);
    for ordinal in 0..hosts.len() {
        let pod = format!("{}-{ordinal}", names.sentinel());
        data.insert(format!("id-{pod}"), sentinel_id(names, &pod));
    }
    ConfigMap {
        metadata: names.owned(names.redis(), Component::Redis),
        data: Some(data),
        ..ConfigMap::default()
    }
}

/// How redis-cli connects.
pub fn cli_options(desired: &Desired) -> String {
    let tls = desired.redis.tls.as_ref().map(|_| format!("--tls --cacert {TLS_FOLDER}/ca.crt"));
    tls.unwrap_or_default()
}

/// The id of a Sentinel, by its place: one that comes back is not one more.
fn sentinel_id(names: &Names, pod: &str) -> String {
    let hash = Sha256::digest(format!("{}/{pod}", names.namespace));
    hash.iter().take(20).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
