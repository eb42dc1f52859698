//! The stored policy of an exam, with the exact text that its hash chain covers.
//!
//! Input: a policy of the engine, or a stored text in the current or an earlier form. Output: the policy in the
//! current form, and the text. The root of an exam's hash chain covers the policy text, so the text is preserved
//! even if this version would write another. Must not know: where texts are stored.

use engine::Policy;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Formatter};
use std::ops::Deref;
use std::sync::Arc;

/// The policy of an exam.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPolicy {
    policy: Policy,
    /// The stored text, if this version would write a different one.
    earlier: Option<Arc<str>>,
}

impl StoredPolicy {
    /// Reads a stored text.
    ///
    /// # Errors
    /// What is wrong with it, in terms of the current form.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let policy = serde_json::from_str(text).or_else(|error| renewed(text).ok_or(error))?;
        let kept = Self { policy, earlier: None };
        let is_todays = kept.text() == text;
        Ok(if is_todays { kept } else { Self { earlier: Some(text.into()), ..kept } })
    }

    /// The stored text.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.earlier {
            Some(text) => Cow::Borrowed(text),
            None => serde_json::to_string(&self.policy).expect("a policy should have a JSON form").into(),
        }
    }
}

/// Converts the form of the first release, which had a single start rule.
fn renewed(text: &str) -> Option<Policy> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let rules = value.as_object_mut()?;
    let theta = rules.remove("start_theta")?;
    rules.insert("start".to_owned(), serde_json::json!({ "theta": theta }));
    serde_json::from_value(value).ok()
}

impl From<Policy> for StoredPolicy {
    fn from(policy: Policy) -> Self {
        Self { policy, earlier: None }
    }
}

impl Deref for StoredPolicy {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

/// Written as an object, or as the stored text if this version would write a different one.
impl Serialize for StoredPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.earlier {
            Some(text) => serializer.serialize_str(text),
            None => self.policy.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for StoredPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = StoredPolicy;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a policy, or the text of one")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StoredPolicy, E> {
                StoredPolicy::read(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StoredPolicy, A::Error> {
                Policy::deserialize(MapAccessDeserializer::new(map)).map(StoredPolicy::from)
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first release stored it.
    const FIRST: &str = r#"{"start_theta":0.5,"estimator":{"method":"eap","prior":{"normal":{"mean":0.0,"sd":1.0}},"grid":{"from":-6.0,"to":6.0,"nodes":121}},"selection":{"criterion":"maximum_information"},"stop":{"max_items":8,"min_items":10,"rules":[{"rule":"standard_error","at_most":0.3}],"when":"any"}}"#;

    #[test]
    fn an_earlier_text_is_read_and_stays_as_it_is() {
        let kept = StoredPolicy::read(FIRST).unwrap();
        assert_eq!((kept.start.theta, kept.stop.max_items), (0.5, 8));
        assert_eq!(kept.text(), FIRST);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<StoredPolicy>(&text).unwrap(), kept);
    }

    #[test]
    fn todays_text_is_an_object() {
        let kept = StoredPolicy::from(Policy::default());
        let text = kept.text().into_owned();
        assert_eq!(serde_json::to_string(&kept).unwrap(), text);
        assert_eq!(StoredPolicy::read(&text).unwrap(), kept);
        assert_eq!(serde_json::from_str::<StoredPolicy>(&text).unwrap(), kept);
    }

    #[test]
    fn what_is_no_policy_is_refused_in_todays_words() {
        let error = StoredPolicy::read(r#"{"start":{"tehta":1}}"#).unwrap_err().to_string();
        assert!(error.contains("tehta"), "{error}");
        assert!(StoredPolicy::read(r#"{"start_theta":"none"}"#).is_err());
    }
}
