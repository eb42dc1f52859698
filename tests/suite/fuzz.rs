//! Requests generated from the OpenAPI document: valid ones, and invalid mutations of them.
//!
//! No request gets a 5xx or a reply that the document does not allow (`harness::contract` validates every reply),
//! and no body is accepted that the document does not allow. Requests depend on a seed alone, which a failure
//! prints.

use anyhow::{Context, Result, ensure};
use harness::client::Reply;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Service};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Method, Url};
use rstest::rstest;
use serde_json::{Map, Value, json};
use service::verify::verify;

/// Requests of each operation.
const REQUESTS: u64 = 250;
/// Words that mean something here, and some that should not.
const WORDS: &[&str] = &[
    "placement",
    "mock",
    "1",
    "0",
    "-1",
    "true",
    "null",
    "",
    " ",
    "in_progress",
    "csv",
    "item_id",
    "a",
    "b",
    "key",
    "2026-01-01T00:00:00Z",
    "2026-13-01",
    "9223372036854775808",
    "1e400",
    "' OR 1=1 --",
    "\u{0}",
    "\r\nX-More: 1",
    "\u{202e}\u{fffd}",
    "{\"a\":1}",
    "../../etc/passwd",
    "%00%ff",
];

struct Draw {
    random: StdRng,
    document: Value,
}

impl Draw {
    fn chance(&mut self, share: f64) -> bool {
        self.random.random_bool(share)
    }

    fn one<'v, T>(&mut self, of: &'v [T]) -> &'v T {
        &of[self.random.random_range(0..of.len())]
    }

    fn word(&mut self) -> &'static str {
        let word: &&'static str = self.one(WORDS);
        word
    }

    fn resolved(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(name) => self.document.pointer(name.trim_start_matches('#')).cloned().unwrap_or_default(),
            None => schema.clone(),
        }
    }

    /// A value that a schema allows, as far as this knows schemas.
    fn right(&mut self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.one(values).clone();
        }
        if schema["properties"].is_object() {
            return self.object(&schema);
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            let branch = self.one(branches).clone();
            return self.right(&branch);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.one(kinds).clone(),
            kind => kind.clone(),
        };
        match kind.as_str().unwrap_or_default() {
            "integer" => self.integer(&schema),
            "number" => self.number(&schema),
            "boolean" => json!(self.chance(0.5)),
            "string" => json!(self.text(&schema)),
            "array" => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                let count = self.random.random_range(least..least + 3);
                (0..count).map(|_| self.right(&schema["items"])).collect()
            }
            "object" => {
                let count = self.random.random_range(0..5);
                let member =
                    |draw: &mut Self| (draw.word().to_owned(), draw.right(&schema["additionalProperties"]));
                Value::Object((0..count).map(|_| member(self)).collect())
            }
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let names = |of: &Value| -> Vec<String> {
            let names = of["required"].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let required = names(schema);
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(name) || self.chance(0.4) {
                object.insert(name.clone(), self.right(property));
            }
        }
        Value::Object(object)
    }

    /// Mostly small, for small numbers are those of exams and items; now and then an edge.
    fn integer(&mut self, schema: &Value) -> Value {
        let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
        let drawn = match self.random.random_range(0..10) {
            0 => least,
            1 => most,
            2 => self.random.random_range(least..=most),
            _ => self.random.random_range(1..=12).clamp(least, most),
        };
        json!(drawn)
    }

    fn number(&mut self, schema: &Value) -> Value {
        let least =
            schema["minimum"].as_f64().or(schema["exclusiveMinimum"].as_f64().map(|least| least + 0.1));
        let (least, most) = (least.unwrap_or(-1e9), schema["maximum"].as_f64().unwrap_or(1e9));
        let drawn = match self.random.random_range(0..6) {
            0 => least,
            1 => most,
            _ => self.random.random_range(least..=most),
        };
        json!(drawn)
    }

    fn text(&mut self, schema: &Value) -> String {
        match schema["pattern"].as_str() {
            Some(number) if number.starts_with("^([1-9]") => self.random.random_range(1..=255).to_string(),
            Some(_) => {
                let length = self.random.random_range(1..=255);
                (0..length).map(|_| char::from(self.random.random_range(b'!'..=b'~'))).collect()
            }
            None if self.chance(0.5) => self.word().to_owned(),
            None if self.chance(0.5) => "placement".to_owned(),
            None => {
                let length = self.random.random_range(0..40);
                (0..length).map(|_| self.random.random::<char>()).collect()
            }
        }
    }

    /// Anything.
    fn strange(&mut self) -> Value {
        match self.random.random_range(0..9) {
            0 => Value::Null,
            1 => json!(self.chance(0.5)),
            2 => json!(self.random.random::<i64>()),
            3 => json!(u64::MAX),
            4 => json!(self.random.random::<f64>() * 1e300),
            5 => json!([1, [2, {}]]),
            6 => json!({"exam_session_id": 1}),
            7 => json!("x".repeat(5000)),
            _ => json!(self.word()),
        }
    }

    /// Changes something somewhere in a value.
    fn spoil(&mut self, value: &mut Value) {
        let inner = self.chance(0.9);
        match value {
            Value::Object(members) if inner && !members.is_empty() => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = self.one(&names).clone();
                match self.random.random_range(0..5) {
                    0 => drop(members.remove(&name)),
                    1 => drop(members.insert(self.word().to_owned(), json!(1))),
                    _ => self.spoil(&mut members[&name]),
                }
            }
            Value::Array(items) if inner && !items.is_empty() => {
                let place = self.random.random_range(0..items.len());
                self.spoil(&mut items[place]);
            }
            other => *other = self.strange(),
        }
    }

    /// A query or a path with values for the parameters of an operation.
    fn address(&mut self, path: &str, parameters: &[Value]) -> Result<String> {
        let mut url = Url::parse(&format!("http://any{path}"))?;
        for parameter in parameters {
            let name = parameter["name"].as_str().context("a parameter has a name")?;
            let mut value = self.right(&parameter["schema"]);
            if self.chance(0.15) {
                value = self.strange();
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let is_there = self.chance(0.8);
            match parameter["in"].as_str() {
                Some("query") if is_there => drop(url.query_pairs_mut().append_pair(name, &text)),
                Some("path") => {
                    let mut segments = url.path_segments_mut().map_err(|()| anyhow::anyhow!("a path"))?;
                    segments.pop().push(if is_there { &text } else { "0123456789abcdef" });
                }
                _ => {}
            }
        }
        if self.chance(0.05) {
            let name = self.word();
            url.query_pairs_mut().append_pair(name, "1");
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(format!("{}{query}", url.path()))
    }
}

/// One request of an operation; gives its reply, and whether the document allows its body.
async fn request(
    draw: &mut Draw,
    client: &Client,
    (method, path, operation): (&str, &str, &Value),
) -> Result<(Reply, bool)> {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let path = draw.address(path.trim_start_matches(contract::API_PREFIX), &parameters)?;
    let kinds = operation["requestBody"]["content"].as_object().cloned().unwrap_or_default();
    let kinds: Vec<(String, Value)> = kinds.into_iter().collect();
    let (mut body, mut kind, mut allowed) = (None, "application/json".to_owned(), true);
    if !kinds.is_empty() {
        let (name, content) = draw.one(&kinds).clone();
        let mut value = draw.right(&content["schema"]);
        for _ in 0..draw.random.random_range(0..3) {
            draw.spoil(&mut value);
        }
        if name == "application/json" {
            let whole = json!({"allOf": [content["schema"]], "components": draw.document["components"]});
            allowed = jsonschema::draft202012::is_valid(&whole, &value);
        }
        let mut text = match value.as_str() {
            Some(table) if name == "text/csv" => table.to_owned().into_bytes(),
            _ => value.to_string().into_bytes(),
        };
        if draw.chance(0.05) {
            let place = draw.random.random_range(0..=text.len());
            text.truncate(place);
            text.push(0xff);
            allowed = false;
        }
        (body, kind) = (Some(text), name);
    }
    let key = draw.text(&json!({"pattern": "visible"}));
    let mut headers = vec![("content-type", kind.as_str())];
    if draw.chance(0.2) {
        headers.push(("idempotency-key", &key));
    }
    let sent = body.clone().map(|body| String::from_utf8_lossy(&body).into_owned());
    let reply = client.send_as(Method::from_bytes(method.as_bytes())?, &path, body, &headers).await;
    let reply = reply.with_context(|| format!("{method} {path} {}", sent.clone().unwrap_or_default()))?;
    let told = || format!("{method} {path} {}: {reply:?}", sent.unwrap_or_default());
    ensure!(reply.status < 500, "{}", told());
    ensure!(allowed || reply.status >= 400, "the document does not allow this: {}", told());
    Ok((reply, allowed))
}

#[rstest]
#[tokio::test]
async fn generated_requests_match_the_document(
    #[values("sqlite", "postgres")] database: &str,
    #[values(1, 2)] seed: u64,
) -> Result<()> {
    let postgres = if database == "postgres" { Some(Postgres::start().await?) } else { None };
    let setup = Setup { database_url: postgres.as_ref().map(Postgres::url), ..Setup::default() };
    let mut service = Service::start_with(setup).await?;
    let client = service.client();
    for _ in 0..6 {
        Examinee::start(&client, 10).await?;
    }
    let document: Value = serde_json::from_str(service::http::openapi::DOCUMENT)?;
    let mut draw = Draw { random: StdRng::seed_from_u64(seed), document: document.clone() };
    let (mut all, mut taken, mut refused) = (0, 0, 0);
    for number in 0..REQUESTS {
        for (path, operations) in document["paths"].as_object().context("paths")? {
            for (method, operation) in operations.as_object().context("operations")? {
                let method = method.to_ascii_uppercase();
                let (reply, allowed) = request(&mut draw, &client, (&method, path, operation))
                    .await
                    .with_context(|| format!("seed {seed}, request {number}"))?;
                all += 1;
                taken += u32::from(reply.status == 200);
                refused += u32::from(!allowed);
            }
        }
    }
    println!("{all} requests, {taken} taken, {refused} with a body that the document does not allow");
    ensure!(
        taken > all / 10 && refused > all / 20,
        "too one-sided to say much: {taken} and {refused} of {all}"
    );
    let log = std::fs::read_to_string(service.path("service.log"))?;
    ensure!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    service.kill().await?;
    let records = service::records::Records::open_existing(&service::records::DatabaseAccess::at(
        service.database_url(),
    ))
    .await?;
    let verified = verify(&records, |_| ()).await?;
    ensure!(verified.differences.is_empty(), "{:?}", verified.differences);
    Ok(())
}
