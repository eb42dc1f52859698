//! Validation of every reply against the OpenAPI document.

use anyhow::{Context, Result, bail};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(service::http::openapi::DOCUMENT).expect("openapi.json should be JSON")
});

/// Validators by the name of their schema.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// The document's own form of a path: `/banks/{version}` for `/banks/0123456789abcdef`.
fn template(path: &str) -> &str {
    let fits = |template: &&str| {
        let (mut one, mut other) = (template.split('/'), path.split('/'));
        let same = one.by_ref().zip(other.by_ref()).all(|(one, other)| one == other || one.starts_with('{'));
        same && template.matches('/').count() == path.matches('/').count()
    };
    let templates = DOCUMENT["paths"].as_object().into_iter().flat_map(serde_json::Map::keys);
    templates.map(String::as_str).find(fits).unwrap_or(path)
}

/// Holds a reply to the document.
///
/// # Errors
/// What the document does not say, or says otherwise.
pub fn hold(method: &str, path: &str, status: u16, kind: &str, body: &Value) -> Result<()> {
    let path = path.split('?').next().unwrap_or_default();
    let operation = &DOCUMENT["paths"][template(path)][method.to_ascii_lowercase()];
    // A path or a method that is not served has no entry: a problem all the same.
    let schema = match operation["responses"].get(status.to_string()) {
        Some(response) => {
            let content = response["content"].get(kind.split(';').next().unwrap_or_default());
            let content =
                content.with_context(|| format!("{method} {path} {status} is not said to be {kind}"))?;
            match content["schema"]["$ref"].as_str() {
                Some(schema) => schema.to_owned(),
                // A table; its form is held elsewhere.
                None if body.is_string() => return Ok(()),
                None => bail!("{method} {path} {status} has no schema by name"),
            }
        }
        None if operation.is_null() && [404, 405].contains(&status) => {
            "#/components/schemas/Problem".to_owned()
        }
        None if status == 405 => "#/components/schemas/Problem".to_owned(),
        None => bail!("{method} {path} is not said to reply {status}: {body}"),
    };
    let mut validators = VALIDATORS.lock().expect("no holder of the validators should panic");
    if !validators.contains_key(&schema) {
        let whole = json!({"$ref": schema, "components": DOCUMENT["components"]});
        let validator =
            jsonschema::draft202012::new(&whole).context("openapi.json should hold JSON schemas")?;
        validators.insert(schema.clone(), validator);
    }
    let faults: Vec<String> = validators[&schema]
        .iter_errors(body)
        .map(|fault| format!("{fault} at {}", fault.instance_path()))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{method} {path} {status} is not a {schema}: {}\n{body}", faults.join("; "))
}
