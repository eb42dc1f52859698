//! ConfigMaps: the Settings of the service, and the configuration of Redis.
//!
//! Input: what is desired, and the Settings text. Output: ConfigMaps with stable names. Must not know: who mounts them.

use crate::controller::validate::Desired;
use crate::names::{self, Component, Names, REDIS_PORT};
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;

/// Folder of the Redis password in the pod.
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

/// The configuration of Redis. Keys are never evicted: a full Redis refuses writes, and exams continue from the log.
pub fn redis(desired: &Desired) -> ConfigMap {
    let names = &desired.names;
    let text = format!(
        "bind * -::*\n\
         port {REDIS_PORT}\n\
         dir {REDIS_DATA_FOLDER}\n\
         appendonly yes\n\
         appendfsync everysec\n\
         maxmemory {}\n\
         maxmemory-policy noeviction\n\
         include {REDIS_AUTH_FOLDER}/{}\n",
        desired.redis.max_memory_bytes,
        names::REDIS_AUTH_KEY,
    );
    ConfigMap {
        metadata: names.owned(names.redis(), Component::Redis),
        data: Some(BTreeMap::from([("redis.conf".to_owned(), text)])),
        ..ConfigMap::default()
    }
}
