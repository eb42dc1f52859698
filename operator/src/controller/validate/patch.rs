//! A person's patch of the service's pods.
//!
//! Input: its free form in the spec. Output: the part of a pod's template that it is, or every fault. Must not know: the
//! template that it is merged into.

use contract::Fault;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

const FIELD: &str = "spec.service.podPatch";

/// Reads a patch. A field that a pod's template does not have would be lost without a word, so each is a fault.
pub(super) fn parse(patch: &Map<String, Value>) -> Result<PodTemplateSpec, Vec<Fault>> {
    let given = Value::Object(patch.clone());
    let parsed: PodTemplateSpec = serde_json::from_value(given.clone())
        .map_err(|error| vec![fault(FIELD, &format!("is not part of a pod's template: {error}"))])?;
    let kept = serde_json::to_value(&parsed).unwrap_or_default();
    let mut faults = Vec::new();
    compare(FIELD, &given, &kept, &mut faults);
    if faults.is_empty() { Ok(parsed) } else { Err(faults) }
}

fn fault(field: &str, message: &str) -> Fault {
    Fault { field: field.to_owned(), message: message.to_owned() }
}

/// Collects the fields that were given and not kept.
fn compare(path: &str, given: &Value, kept: &Value, faults: &mut Vec<Fault>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given {
                let path = format!("{path}.{name}");
                match kept.get(name) {
                    Some(kept) => compare(&path, value, kept, faults),
                    None => {
                        faults.push(fault(&path, "no such field in a pod's template, or it has no value"))
                    }
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (place, (value, kept)) in given.iter().zip(kept).enumerate() {
                compare(&format!("{path}[{place}]"), value, kept, faults);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde_json::{Value, json};

    fn read(patch: Value) -> Result<Value, String> {
        let Value::Object(patch) = patch else { panic!("an object") };
        let parsed =
            parse(&patch).map_err(|faults| faults.iter().map(ToString::to_string).collect::<String>())?;
        Ok(serde_json::to_value(parsed).unwrap())
    }

    #[test]
    fn a_patch_is_kept_whole_or_refused_by_name() {
        let whole = json!({
            "metadata": {"annotations": {"team": "exams"}},
            "spec": {
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "exams", "operator": "Exists"}],
                "containers": [{"name": "exam-service", "env": [{"name": "TZ", "value": "UTC"}]}],
            },
        });
        assert_eq!(read(whole.clone()), Ok(whole));
        let wrong = [
            (json!({"spec": {"nodeselector": {}}}), "spec.service.podPatch.spec.nodeselector"),
            (
                json!({"spec": {"containers": [{"name": "a", "envs": []}]}}),
                "podPatch.spec.containers[0].envs",
            ),
            (json!({"spec": {"hostNetwork": "yes"}}), "invalid type: string \"yes\""),
            (json!({"spec": {"$patch": "replace"}}), "podPatch.spec.$patch"),
            (json!({"spec": {"priorityClassName": null}}), "priorityClassName"),
        ];
        for (patch, said) in wrong {
            let error = read(patch.clone()).expect_err(said);
            assert!(error.contains(said), "{patch}: {error}");
        }
    }
}
