//! The architecture as tables: floors of rooms, names that only some modules may use, dependencies of crates.
//!
//! Input: none. Output: constants. A new room gets a place on a floor here. Must not know: how the rules are checked.

/// The rules of one crate.
pub struct Crate {
    /// The package, and its folder at the top level.
    pub name: &'static str,
    /// Rooms from top to bottom. A room is a top-level module with its submodules; it imports only from lower floors.
    /// Empty: the crate has no floors, and only circles are checked.
    pub floors: &'static [&'static [&'static str]],
    /// Names that only some modules may use.
    pub only: &'static [Only],
    /// Packages that must not appear among its normal dependencies, direct or indirect.
    pub banned: &'static [&'static str],
    /// Its direct dependencies, where they are fixed.
    pub exactly: Option<&'static [&'static str]>,
}

/// A name that only some modules may use.
pub struct Only {
    /// A path: its leading segments, or `…::` and its last ones. A trailing `*` matches the rest of a segment.
    pub path: &'static str,
    /// Modules that may use it; `::*` includes submodules.
    pub modules: &'static [&'static str],
}

const fn only(path: &'static str, modules: &'static [&'static str]) -> Only {
    Only { path, modules }
}

/// The workspace.
pub const CRATES: &[Crate] = &[
    Crate {
        name: "contract",
        floors: &[],
        only: &[],
        banned: &["engine", "service", "operator", "tokio", "axum", "kube", "redis", "sqlx", "tracing"],
        exactly: None,
    },
    Crate {
        name: "engine",
        floors: &[],
        only: &[],
        banned: &[
            "contract",
            "service",
            "operator",
            "tokio",
            "axum",
            "kube",
            "redis",
            "sqlx",
            "serde_json",
            "rand",
            "tracing",
        ],
        exactly: Some(&["libm", "serde"]),
    },
    Crate {
        name: "service",
        floors: &[
            &["main"],
            &["cli"],
            &["serve"],
            &["http", "jobs"],
            &["app"],
            &["live"],
            &["flow"],
            &["access", "exposure", "export", "verify"],
            &["catalogue"],
            &["store", "records"],
            &["telemetry"],
            &["exam", "simulate"],
            &["batch_receive", "crash"],
        ],
        only: &[
            only("axum", &["http::*"]),
            only("…::StatusCode", &["http::*"]),
            only("clap", &["main", "cli::*"]),
            only("anyhow", &["main", "cli::*"]),
            // `store::redis` is the module that uses the crate `redis`.
            only("redis", &["store", "store::redis::*"]),
            only("sqlx", &["records::*"]),
            only("opentelemetry*", &["telemetry::trace::*"]),
            only("tracing_opentelemetry", &["telemetry::trace::*"]),
            only("…::SystemTime::now", &["records::clock"]),
            only("…::Timestamp::now", &["http::exams::reply::lists"]),
        ],
        banned: &["operator", "kube", "k8s-openapi", "openssl-sys", "native-tls", "aws-lc-rs"],
        exactly: None,
    },
    Crate {
        name: "operator",
        floors: &[
            &["main"],
            &["controller", "generate", "leader", "ops"],
            &["metrics"],
            &["names"],
            &["crd"],
        ],
        only: &[
            only("axum", &["ops"]),
            // Several modules are named as the crate is: these are its own names.
            only("redis::aio", &["controller::redis::link::*"]),
            only("redis::RedisError", &["controller::redis::link::*"]),
            only(
                "kube::Client",
                &[
                    "main",
                    "leader",
                    "ops",
                    "controller",
                    "controller::redis::steps",
                    "controller::watch",
                    "controller::observe::*",
                    "controller::apply::*",
                    "controller::events::*",
                ],
            ),
            only("…::Timestamp::now", &["controller", "metrics"]),
            only("…::SystemTime::now", &["controller", "metrics"]),
            only("…::Instant::now", &["controller", "controller::redis::link", "leader", "metrics"]),
        ],
        banned: &["engine", "service", "sqlx", "openssl-sys", "native-tls", "aws-lc-rs"],
        exactly: None,
    },
];
