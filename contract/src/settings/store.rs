//! The snapshot store in Settings: in the process, or in Redis of some shape.
//!
//! Input: fields of the table `store`, and the URLs that people write. Output: plain values, and faults. Must not
//! know: Redis commands, files.

use crate::{Fields, KEY_PREFIX, SNAPSHOT_TTL_SECONDS};
use serde::Serialize;
use std::fmt;

/// Port of a Redis server, if a URL names none.
const SERVER_PORT: u16 = 6379;
/// Port of a Sentinel, if a URL names none.
const SENTINEL_PORT: u16 = 26379;
/// Most addresses in a URL.
const MOST_ADDRESSES: usize = 64;

/// Where snapshots live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Store {
    /// In the process.
    Memory {
        /// Sliding lifetime of a snapshot, in seconds.
        ttl_seconds: u64,
    },
    /// In one Redis.
    Basic(Redis),
    /// In the master that Sentinels name.
    Sentinel(Redis),
    /// In the shards of a Redis Cluster.
    Cluster(Redis),
}

/// A Redis, in any shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redis {
    /// Its address, without a password: see [`RedisUrl`].
    pub url: String,
    /// The ACL user; absent: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password, if Redis wants one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// The ACL user of the Sentinels; absent: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentinel_username: Option<String>,
    /// File with the password of the Sentinels, if they want one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentinel_password_file: Option<String>,
    /// File with the certificates of the authority (PEM), for TLS; absent: those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// File with the client's certificate (PEM), if Redis asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<String>,
    /// File with the key of that certificate (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// Prefix of every key.
    pub key_prefix: String,
    /// Sliding lifetime of a snapshot, in seconds.
    pub ttl_seconds: u64,
    /// How many replicas have to have a snapshot before it counts as saved (0 to 5). 0: best effort.
    #[serde(skip_serializing_if = "is_zero")]
    pub wait_replicas: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Redis {
    /// A Redis at `url` with the standard prefix and lifetime.
    pub fn at(url: impl Into<String>, password_file: Option<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password_file,
            sentinel_username: None,
            sentinel_password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            key_prefix: KEY_PREFIX.to_owned(),
            ttl_seconds: SNAPSHOT_TTL_SECONDS,
            wait_replicas: 0,
        }
    }
}

impl Store {
    /// The mode's name, as in `spec.redis.mode`, metrics and status.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "memory",
            Self::Basic(_) => "basic",
            Self::Sentinel(_) => "sentinel",
            Self::Cluster(_) => "cluster",
        }
    }

    /// The Redis, if there is one.
    pub fn redis(&self) -> Option<&Redis> {
        match self {
            Self::Memory { .. } => None,
            Self::Basic(redis) | Self::Sentinel(redis) | Self::Cluster(redis) => Some(redis),
        }
    }

    /// One Redis at `url` with the standard prefix and lifetime.
    pub fn basic(url: impl Into<String>, password_file: Option<String>) -> Self {
        Self::Basic(Redis::at(url, password_file))
    }

    /// The Redis of a URL, in the mode that its scheme names.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn from_url(url: &str) -> Result<Self, String> {
        let redis = Redis::at(url, None);
        Ok(match RedisUrl::parse(url)?.place {
            Place::Server { .. } => Self::Basic(redis),
            Place::Sentinels { .. } => Self::Sentinel(redis),
            Place::Cluster { .. } => Self::Cluster(redis),
        })
    }

    pub(super) fn read(mut fields: Fields<'_>) -> Self {
        let ttl_seconds = fields.or("ttl_seconds", SNAPSHOT_TTL_SECONDS);
        fields.expect("ttl_seconds", (1..=31_536_000).contains(&ttl_seconds), "must be 1 to 31536000");
        let mode: String = fields.or("mode", "memory".to_owned());
        let make = match mode.as_str() {
            "basic" => Self::Basic,
            "sentinel" => Self::Sentinel,
            "cluster" => Self::Cluster,
            other => {
                fields.expect("mode", other == "memory", "must be memory, basic, sentinel or cluster");
                fields.finish();
                return Self::Memory { ttl_seconds };
            }
        };
        let redis = Redis { ttl_seconds, ..Redis::read(&mut fields, &mode) };
        fields.finish();
        make(redis)
    }
}

impl Redis {
    fn read(fields: &mut Fields<'_>, mode: &str) -> Self {
        let url: String = fields.required("url").unwrap_or_default();
        let parsed = if url.is_empty() { None } else { Some(RedisUrl::parse(&url)) };
        let is_tls = match parsed {
            None => true,
            Some(Err(reason)) => {
                fields.fault("url", reason);
                true
            }
            Some(Ok(parsed)) => {
                let fits = parsed.place.mode() == mode;
                fields.expect("url", fits, format!("is of mode {}, not {mode}", parsed.place.mode()));
                let has_password = parsed.username.is_some() || parsed.password.is_some();
                fields.expect(
                    "url",
                    !has_password,
                    "must not hold a password; use username and password_file",
                );
                parsed.is_tls
            }
        };
        let redis = Self {
            username: fields.optional("username"),
            password_file: fields.optional("password_file"),
            sentinel_username: fields.optional("sentinel_username"),
            sentinel_password_file: fields.optional("sentinel_password_file"),
            ca_file: fields.optional("ca_file"),
            cert_file: fields.optional("cert_file"),
            key_file: fields.optional("key_file"),
            key_prefix: fields.or("key_prefix", KEY_PREFIX.to_owned()),
            wait_replicas: fields.or("wait_replicas", 0),
            ..Self::at(url, None)
        };
        fields.expect("wait_replicas", redis.wait_replicas <= 5, "must be 0 to 5");
        let of_sentinels = redis.sentinel_username.is_some() || redis.sentinel_password_file.is_some();
        fields.expect("sentinel_username", mode == "sentinel" || !of_sentinels, "is for mode sentinel");
        let has_files = redis.ca_file.is_some() || redis.cert_file.is_some();
        fields.expect("ca_file", is_tls || !has_files, "is for TLS: the URL has to begin with rediss");
        let pair = redis.cert_file.is_some() == redis.key_file.is_some();
        fields.expect("key_file", pair, "and cert_file come together");
        let named = redis.username.is_none() || redis.password_file.is_some();
        fields.expect("username", named, "needs password_file");
        redis
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// A name, or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl HostPort {
    fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| format!("{text:?} has no ]"))?;
                (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")))
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, Some("")),
            },
        };
        let port = match port {
            Some("") => Some(default_port),
            Some(port) => port.parse().ok().filter(|port| *port > 0),
            None => None,
        };
        let good = !host.is_empty() && host.len() <= 253 && !host.contains(char::is_whitespace);
        match (good, port) {
            (true, Some(port)) => Ok(Self { host: host.to_owned(), port }),
            _ => Err(format!("{text:?} is not HOST:PORT (an IPv6 address needs brackets)")),
        }
    }
}

/// What a URL of a Redis says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    /// Whether connections are encrypted (`rediss`).
    pub is_tls: bool,
    /// The ACL user, if the URL names one.
    pub username: Option<String>,
    /// The password, if the URL holds one.
    pub password: Option<String>,
    /// Where Redis is.
    pub place: Place,
}

/// Where Redis is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One server: `redis://HOST:PORT/DATABASE`.
    Server {
        /// Its address.
        server: HostPort,
        /// Number of the database.
        database: u32,
    },
    /// The master that these Sentinels name: `redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DATABASE`.
    Sentinels {
        /// Their addresses.
        sentinels: Vec<HostPort>,
        /// Name of the master.
        master: String,
        /// Number of the database.
        database: u32,
    },
    /// A cluster, found through these nodes: `redis+cluster://HOST:PORT,HOST:PORT`.
    Cluster {
        /// Their addresses.
        nodes: Vec<HostPort>,
    },
}

impl Place {
    /// The mode that goes with it.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Server { .. } => "basic",
            Self::Sentinels { .. } => "sentinel",
            Self::Cluster { .. } => "cluster",
        }
    }
}

impl RedisUrl {
    /// What a URL has to look like.
    pub const FORM: &str = "must be redis://HOST:PORT/DATABASE, redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DATABASE or \
                            redis+cluster://HOST:PORT,HOST:PORT, with rediss instead of redis for TLS";

    /// Parses a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| Self::FORM.to_owned())?;
        let (security, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let is_tls = match security {
            "redis" => false,
            "rediss" => true,
            _ => return Err(Self::FORM.to_owned()),
        };
        if rest.contains(['?', '#']) {
            return Err("must not have a query or a fragment".to_owned());
        }
        let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            None => (None, None),
            Some((name, word)) => (some(name)?, some(word)?),
        };
        let (addresses, path) = rest.split_once('/').unwrap_or((rest, ""));
        let default_port = if kind == "sentinel" { SENTINEL_PORT } else { SERVER_PORT };
        let addresses: Vec<HostPort> =
            addresses.split(',').map(|text| HostPort::parse(text, default_port)).collect::<Result<_, _>>()?;
        if addresses.len() > MOST_ADDRESSES {
            return Err(format!("has {} addresses; at most {MOST_ADDRESSES} are asked", addresses.len()));
        }
        let number = |text: &str| match text {
            "" => Ok(0),
            text => {
                text.parse::<u32>().map_err(|_| format!("has the database {text:?}; it must be a number"))
            }
        };
        let path = path.trim_end_matches('/');
        let place = match kind {
            "" => match addresses.as_slice() {
                [server] => Place::Server { server: server.clone(), database: number(path)? },
                _ => {
                    return Err("has several addresses: say redis+sentinel:// or redis+cluster://".to_owned());
                }
            },
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err("has no name of the master: redis+sentinel://HOST:PORT/MASTER".to_owned());
                }
                let (master, database) = (master.to_owned(), number(database)?);
                Place::Sentinels { sentinels: addresses, master, database }
            }
            "cluster" => {
                if number(path)? != 0 {
                    return Err("has a database; a cluster has only database 0".to_owned());
                }
                Place::Cluster { nodes: addresses }
            }
            _ => return Err(Self::FORM.to_owned()),
        };
        Ok(Self { is_tls, username, password, place })
    }
}

impl fmt::Display for RedisUrl {
    /// The URL as Settings have it: without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let list =
            |addresses: &[HostPort]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match &self.place {
            Place::Server { server, database } => write!(f, "{scheme}://{server}/{database}"),
            Place::Sentinels { sentinels, master, database } => {
                write!(f, "{scheme}+sentinel://{}/{master}/{database}", list(sentinels))
            }
            Place::Cluster { nodes } => write!(f, "{scheme}+cluster://{}", list(nodes)),
        }
    }
}

/// A part of the user information, with `%40` and the like decoded; `None` where it is empty.
fn some(text: &str) -> Result<Option<String>, String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "has a user or password that is not UTF-8".to_owned())?;
    Ok(Some(decoded.into_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn urls_of_every_shape_are_read() {
        let of = |url: &str| RedisUrl::parse(url).map(|url| (url.is_tls, url.place));
        assert_eq!(
            of("redis://cache"),
            Ok((false, Place::Server { server: host("cache", 6379), database: 0 }))
        );
        assert_eq!(
            of("rediss://[fd00::1]:6380/3"),
            Ok((true, Place::Server { server: host("fd00::1", 6380), database: 3 }))
        );
        let sentinels = vec![host("a", 26379), host("b", 1)];
        assert_eq!(
            of("redis+sentinel://a,b:1/exams/2"),
            Ok((false, Place::Sentinels { sentinels, master: "exams".to_owned(), database: 2 }))
        );
        assert_eq!(
            of("rediss+cluster://a:7000,b:7001"),
            Ok((true, Place::Cluster { nodes: vec![host("a", 7000), host("b", 7001)] }))
        );
        for url in [
            "rediss://[fd00::1]:6380/3",
            "redis+sentinel://a:26379,b:1/exams/2",
            "redis+cluster://a:7000,b:7001",
        ] {
            assert_eq!(RedisUrl::parse(url).unwrap().to_string(), url);
        }
        let named = RedisUrl::parse("redis://app:p%40ss@cache:6379/0").unwrap();
        assert_eq!(named.to_string(), "redis://cache:6379/0");
        assert_eq!((named.username.as_deref(), named.password.as_deref()), (Some("app"), Some("p@ss")));
        for (url, reason) in [
            ("cache:6379", "must be redis://"),
            ("http://cache", "must be redis://"),
            ("redis+proxy://cache", "must be redis://"),
            ("redis://a:1,b:2", "several addresses"),
            ("redis://a:port", "not HOST:PORT"),
            ("redis://::1:6379", "brackets"),
            ("redis://a/zero", "must be a number"),
            ("redis+sentinel://a,b", "no name of the master"),
            ("redis+cluster://a/1", "only database 0"),
            ("redis://a?db=1", "query"),
        ] {
            let refused = RedisUrl::parse(url).unwrap_err();
            assert!(refused.contains(reason), "{url}: {refused}");
        }
    }
}
