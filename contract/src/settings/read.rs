//! From text to [`Settings`]: each section field by field, all faults together.
//!
//! Input: a TOML text. Output: Settings, or every fault. Must not know: files.

use super::{
    Api, Auth, Bank, BankFile, BankForm, BankFormat, BankFrom, Database, DatabaseUrl, ExamType, Limits,
    Listener, Log, Outage, SAMPLE_BANK, Settings, Store, Trace,
};
use crate::{Fault, Fields};
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest name of a bank or an exam type, in bytes.
const NAME_LIMIT: usize = 50;

pub(super) fn settings(text: &str) -> Result<Settings, Vec<Fault>> {
    let value: Value = toml::from_str(text)
        .map_err(|error| vec![Fault { field: String::new(), message: format!("not TOML: {error}") }])?;
    let mut faults = Vec::new();
    let mut root = Fields::open(value, &mut faults);
    let default = Settings::default();
    let settings = Settings {
        api: api(root.section("api"), default.api),
        ops: listener(root.section("ops"), default.ops),
        auth: auth(root.section("auth")),
        limits: root.has("limits").then(|| limits(root.section("limits"))),
        database: database(root.section("database"), default.database),
        store: Store::read(root.section("store")),
        log: log(root.section("log"), default.log),
        outage: outage(root.section("outage")),
        trace: trace(root.section("trace")),
        banks: root.list("banks", bank),
        exam_types: if root.has("exam_types") {
            root.tables("exam_types", |name, fields| (name.to_owned(), exam_type(name, fields)))
                .into_iter()
                .collect()
        } else {
            root.section("exam_types").finish();
            default.exam_types
        },
    };
    cross_check(&settings, &mut root);
    root.finish();
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

pub(super) fn embedded(redis: Option<&str>, database: Option<&str>) -> Result<Settings, Vec<Fault>> {
    let mut settings = Settings::default();
    let mut faults = Vec::new();
    let mut root = Fields::open(Value::Object(serde_json::Map::new()), &mut faults);
    if let Some(url) = redis {
        match Store::from_url(url) {
            Ok(store) => settings.store = store,
            Err(reason) => root.fault("REDIS_URL", reason),
        }
    }
    if let Some(url) = database {
        root.expect("DATABASE_URL", is_database_url(url), DATABASE_URL_FORM);
        settings.database = Database::at(url);
    }
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

const DATABASE_URL_FORM: &str =
    "must be sqlite:PATH or postgres://USER@HOST:PORT/DATABASE, as in sqlite:exams.db";

fn is_database_url(url: &str) -> bool {
    let prefixes = ["sqlite:", "postgres://", "postgresql://"];
    prefixes.iter().any(|prefix| url.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
}

/// Whether the part before the host holds a colon: `USER:PASSWORD@`.
fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) || url.contains("password=")
}

fn api(mut fields: Fields<'_>, default: Api) -> Api {
    let bind = fields.or("bind", default.bind);
    let allow_origins: Vec<String> = fields.or("allow_origins", default.allow_origins);
    for (index, origin) in allow_origins.iter().enumerate().filter(|(_, origin)| !is_origin(origin)) {
        let form = "must be http(s)://HOST[:PORT] and no more, as in https://exams.school.example";
        fields.fault(&format!("allow_origins[{index}]"), format!("{origin:?} {form}"));
    }
    fields.finish();
    Api { bind, allow_origins }
}

/// Whether a browser would send it as `Origin`: scheme, host and port, in small letters, with nothing after.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    !host.is_empty() && host.chars().all(plain)
}

fn listener(mut fields: Fields<'_>, default: Listener) -> Listener {
    let bind = fields.or("bind", default.bind);
    fields.finish();
    Listener { bind }
}

fn log(mut fields: Fields<'_>, default: Log) -> Log {
    let format = fields.or("format", default.format);
    fields.finish();
    Log { format }
}

fn outage(mut fields: Fields<'_>) -> Outage {
    let grace_seconds = fields.or("grace_seconds", Outage::default().grace_seconds);
    fields.expect("grace_seconds", grace_seconds <= 86_400, "must be 0 to 86400");
    fields.finish();
    Outage { grace_seconds }
}

fn trace(mut fields: Fields<'_>) -> Trace {
    let endpoint: Option<String> = fields.optional("endpoint");
    fields.expect("endpoint", endpoint.as_deref().is_none_or(Trace::is_endpoint), Trace::FORM);
    fields.finish();
    Trace { endpoint }
}

fn auth(mut fields: Fields<'_>) -> Auth {
    let auth = match fields.or("mode", "none".to_owned()).as_str() {
        "token" => Auth::Token { token_file: fields.required("token_file").unwrap_or_default() },
        "jwt" => Auth::Jwt {
            key_file: fields.required("key_file").unwrap_or_default(),
            algorithm: fields.optional("algorithm"),
            audience: fields.required("audience").unwrap_or_default(),
            issuer: fields.optional("issuer"),
        },
        other => {
            fields.expect("mode", other == "none", "must be none, token or jwt");
            Auth::None { allow_public: fields.or("allow_public", false) }
        }
    };
    fields.finish();
    auth
}

fn limits(mut fields: Fields<'_>) -> Limits {
    let requests_per_second = fields.required("requests_per_second").unwrap_or(1);
    let burst = fields.or("burst", requests_per_second);
    let trusted_proxies = fields.or("trusted_proxies", 0);
    for (name, number) in [("requests_per_second", requests_per_second), ("burst", burst)] {
        fields.expect(name, (1..=100_000).contains(&number), "must be 1 to 100000");
    }
    fields.expect("trusted_proxies", trusted_proxies <= 8, "must be 0 to 8");
    fields.finish();
    Limits { requests_per_second, burst, trusted_proxies }
}

fn database(mut fields: Fields<'_>, default: Database) -> Database {
    let (url, url_file): (Option<String>, Option<String>) =
        (fields.optional("url"), fields.optional("url_file"));
    fields.expect(
        "url_file",
        url.is_none() || url_file.is_none(),
        "stands in for url: remove one of the two",
    );
    let url = match (url, url_file) {
        (None, Some(file)) => DatabaseUrl::UrlFile(file),
        (Some(url), _) => DatabaseUrl::Url(url),
        (None, None) => default.url,
    };
    let mut is_sqlite = false;
    if let DatabaseUrl::Url(url) = &url {
        is_sqlite = url.starts_with("sqlite:");
        fields.expect("url", is_database_url(url), DATABASE_URL_FORM);
        fields.expect("url", !holds_password(url), "must not hold a password; use password_file");
    }
    let (password_file, ca_file) = (fields.optional("password_file"), fields.optional("ca_file"));
    let good = |file: &Option<String>| file.is_none() || !is_sqlite;
    fields.expect("password_file", good(&password_file), "is for PostgreSQL; SQLite has no password");
    fields.expect("ca_file", good(&ca_file), "is for PostgreSQL; SQLite is a file");
    fields.finish();
    Database { url, password_file, ca_file }
}

fn bank(fields: &mut Fields<'_>) -> Bank {
    let name: String = fields.required("name").unwrap_or_default();
    fields.expect("name", name != SAMPLE_BANK, "sample is the built-in bank; choose another name");
    fields.expect("name", name.len() <= NAME_LIMIT, format!("must be at most {NAME_LIMIT} bytes"));
    if !fields.has("version") {
        let file = fields.required("file").unwrap_or_default();
        let scaling: f64 = fields.required("scaling").unwrap_or(1.0);
        fields.expect("scaling", scaling > 0.0 && scaling <= 10.0, "must be above 0 and at most 10");
        let format = fields.or("format", BankFormat::default());
        let (columns, encoding) = (fields.or("columns", Vec::new()), fields.optional("encoding"));
        return Bank {
            name,
            from: BankFrom::File(BankFile { file, form: BankForm { scaling, format, columns, encoding } }),
        };
    }
    let version: String = fields.optional("version").unwrap_or_default();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let good = version.len() == 16 && version.chars().all(hex);
    fields.expect("version", good, "must be the 16 hexadecimal digits that an import gave");
    let of_files = ["file", "scaling", "format", "columns", "encoding"];
    let alone = !of_files.iter().any(|name| fields.has(name));
    fields.expect(
        "version",
        alone,
        format!("is of a bank that was imported; leave out {}", of_files.join(", ")),
    );
    of_files.iter().for_each(|name| drop(fields.optional::<Value>(name)));
    Bank { name, from: BankFrom::Version { version } }
}

/// Fields of an exam type that its policy stands in for.
const RULES: [&str; 10] = [
    "max_items",
    "min_items",
    "max_seconds",
    "target_standard_error",
    "start_theta",
    "prior_mean",
    "prior_sd",
    "grid_from",
    "grid_to",
    "grid_nodes",
];

fn exam_type(name: &str, fields: &mut Fields<'_>) -> ExamType {
    let default = ExamType::default();
    fields.expect("", !name.is_empty() && name.len() <= NAME_LIMIT, "name must have 1 to 50 bytes");
    let beside: Vec<&str> = RULES.into_iter().filter(|field| fields.has(field)).collect();
    let read = ExamType {
        bank: fields.or("bank", default.bank),
        max_items: fields.or("max_items", default.max_items),
        min_items: fields.optional("min_items"),
        target_standard_error: fields.optional("target_standard_error"),
        start_theta: fields.or("start_theta", default.start_theta),
        prior_mean: fields.or("prior_mean", default.prior_mean),
        prior_sd: fields.or("prior_sd", default.prior_sd),
        grid_from: fields.or("grid_from", default.grid_from),
        grid_to: fields.or("grid_to", default.grid_to),
        grid_nodes: fields.or("grid_nodes", default.grid_nodes),
        max_seconds: fields.optional("max_seconds"),
        item_seconds: fields.optional("item_seconds"),
        expires_after_seconds: fields.or("expires_after_seconds", default.expires_after_seconds),
        attempts: fields.optional("attempts"),
        resume: fields.or("resume", default.resume),
        students_see: fields.or("students_see", default.students_see),
        policy: fields.optional("policy"),
    };
    let lasts = (1..=31_536_000).contains(&read.expires_after_seconds);
    fields.expect("expires_after_seconds", lasts, "must be 1 to 31536000");
    let limit = read.max_seconds.filter(|limit| *limit > read.expires_after_seconds);
    let message = "must be at least max_seconds: the exam would close before its time is over";
    fields.expect("expires_after_seconds", limit.is_none(), message);
    let fits = read.min_items.is_none_or(|least| least <= read.max_items);
    fields.expect("min_items", fits, "must be at most max_items");
    let in_range = |value: Option<u32>, most| value.is_none_or(|value| (1..=most).contains(&value));
    fields.expect("max_seconds", in_range(read.max_seconds, 604_800), "must be 1 to 604800");
    fields.expect("item_seconds", in_range(read.item_seconds, 86_400), "must be 1 to 86400");
    fields.expect("attempts", in_range(read.attempts, 1000), "must be 1 to 1000");
    let alone = read.policy.is_none() || beside.is_empty();
    fields.expect("policy", alone, format!("holds all rules; remove {}", beside.join(", ")));
    let within = |value: f64| (-6.0..=6.0).contains(&value);
    fields.expect("max_items", (1..=500).contains(&read.max_items), "must be 1 to 500");
    fields.expect("min_items", in_range(read.min_items, 500), "must be 1 to 500");
    let target = read.target_standard_error.unwrap_or(1.0);
    fields.expect("target_standard_error", target > 0.0 && target <= 10.0, "must be above 0 and at most 10");
    fields.expect("start_theta", within(read.start_theta), "must be -6 to 6");
    fields.expect("prior_mean", within(read.prior_mean), "must be -6 to 6");
    fields.expect("prior_sd", read.prior_sd > 0.0 && read.prior_sd <= 10.0, "must be above 0 and at most 10");
    fields.expect("grid_nodes", (3..=1001).contains(&read.grid_nodes), "must be 3 to 1001");
    let ordered = read.grid_from >= -20.0 && read.grid_from < read.grid_to && read.grid_to <= 20.0;
    fields.expect("grid_from", ordered, "must be below grid_to, both within -20 to 20");
    read
}

fn cross_check(settings: &Settings, root: &mut Fields<'_>) {
    if settings.auth == (Auth::None { allow_public: false }) && !settings.api.bind.ip().is_loopback() {
        let bind = settings.api.bind;
        root.fault(
            "auth.mode",
            format!("none serves everybody who reaches {bind}; use token, or set auth.allow_public = true on a trusted network"),
        );
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::from([(SAMPLE_BANK, 1)]);
    for bank in &settings.banks {
        *names.entry(&bank.name).or_default() += 1;
    }
    for (name, _) in names.iter().filter(|(name, count)| **count > 1 && **name != SAMPLE_BANK) {
        root.fault("banks", format!("two banks are named {name:?}"));
    }
    for (name, exam_type) in &settings.exam_types {
        if !names.contains_key(exam_type.bank.as_str()) {
            let bank = &exam_type.bank;
            let known: Vec<&str> = names.keys().copied().collect();
            let known = known.join(", ");
            root.fault(
                &format!("exam_types.{name}.bank"),
                format!("no bank is named {bank:?}; banks: {known}"),
            );
        }
    }
    root.expect("exam_types", !settings.exam_types.is_empty(), "at least one exam type is needed");
}
