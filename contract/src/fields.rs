//! Parsing an untrusted table field by field, so that every fault is reported at once.
//!
//! Input: a JSON value (a request body, or parsed TOML). Output: typed values, and a list of [`Fault`]s with the
//! path of each field. Unknown fields are faults. Must not know: the meaning of fields.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::fmt;

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Path of the field, such as `store.ttl_seconds`; empty for the input as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "{}", self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// A table that is being read. Each reader takes its field out; [`Fields::finish`] names the rest.
#[derive(Debug)]
pub struct Fields<'f> {
    path: String,
    map: Map<String, Value>,
    known: Vec<String>,
    faults: &'f mut Vec<Fault>,
}

impl<'f> Fields<'f> {
    /// Opens `value`, which should be a table; anything else is a fault and reads as empty.
    pub fn open(value: Value, faults: &'f mut Vec<Fault>) -> Self {
        Self::at(String::new(), value, faults)
    }

    fn at(path: String, value: Value, faults: &'f mut Vec<Fault>) -> Self {
        let map = match value {
            Value::Object(map) => map,
            other => {
                let message = format!("expected an object with named fields, not {}", kind(&other));
                faults.push(Fault { field: path.clone(), message });
                Map::new()
            }
        };
        Self { path, map, known: Vec::new(), faults }
    }

    fn child(&self, name: &str) -> String {
        match (self.path.as_str(), name) {
            ("", name) => name.to_owned(),
            (path, "") => path.to_owned(),
            (path, name) => format!("{path}.{name}"),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.known.push(name.to_owned());
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// The field's value, or `None` when it is absent, null or (a fault) of the wrong type.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.take(name)?;
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// The field's value; its absence is a fault.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.take(name);
            self.fault(name, "is required");
            return None;
        }
        self.optional(name)
    }

    /// The field's value, or `default` when it is absent (or wrong, which is a fault).
    pub fn or<T: DeserializeOwned>(&mut self, name: &str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// The table under `name`, which may be absent.
    pub fn section(&mut self, name: &str) -> Fields<'_> {
        let value = self.take(name).unwrap_or_else(|| Value::Object(Map::new()));
        Fields::at(self.child(name), value, self.faults)
    }

    /// Reads each element of the list under `name`, which may be absent.
    pub fn list<T>(&mut self, name: &str, mut read: impl FnMut(&mut Fields<'_>) -> T) -> Vec<T> {
        let elements = match self.take(name) {
            None => return Vec::new(),
            Some(Value::Array(elements)) => elements,
            Some(other) => {
                self.fault(name, format!("expected a list, not {}", kind(&other)));
                return Vec::new();
            }
        };
        let each = |(index, value)| {
            let mut fields = Fields::at(format!("{}[{index}]", self.child(name)), value, self.faults);
            let read = read(&mut fields);
            fields.finish();
            read
        };
        elements.into_iter().enumerate().map(each).collect()
    }

    /// Reads each table of the table of tables under `name`, which may be absent.
    pub fn tables<T>(&mut self, name: &str, mut read: impl FnMut(&str, &mut Fields<'_>) -> T) -> Vec<T> {
        let mut section = self.section(name);
        let keys: Vec<String> = section.map.keys().cloned().collect();
        let mut each = |key: String| {
            let mut fields = section.section(&key);
            let read = read(&key, &mut fields);
            fields.finish();
            read
        };
        keys.into_iter().map(&mut each).collect()
    }

    /// Whether the field was given, and not as null. Call before reading it.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Notes a fault of the field `name`.
    pub fn fault(&mut self, name: &str, message: impl Into<String>) {
        let field = self.child(name);
        self.faults.push(Fault { field, message: message.into() });
    }

    /// Notes a fault of the field `name` unless `good`.
    pub fn expect(&mut self, name: &str, good: bool, message: impl Into<String>) {
        if !good {
            self.fault(name, message);
        }
    }

    /// Ends the reading: every field that nobody asked for is a fault.
    pub fn finish(mut self) {
        let unknown: Vec<String> = std::mem::take(&mut self.map).into_iter().map(|(key, _)| key).collect();
        let known = self.known.join(", ");
        for name in unknown {
            self.fault(&name, format!("is not known here; known fields: {known}"));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
