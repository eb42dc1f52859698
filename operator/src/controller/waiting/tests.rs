//! Each kind of trouble, as the cluster says it, gives one reason and one sentence.

use super::*;
use serde_json::{Value, json};

fn pod(status: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "midterm-redis-0"}, "status": status})).unwrap()
}

fn container(state: Value, last: Value, restarts: u32) -> Value {
    json!({"containerStatuses": [{"name": "redis", "image": "redis:9", "imageID": "", "ready": false,
        "restartCount": restarts, "state": state, "lastState": last}]})
}

fn claim(class: Option<&str>, phase: &str) -> PersistentVolumeClaim {
    let spec = json!({"storageClassName": class});
    serde_json::from_value(json!({"metadata": {"name": "data"}, "spec": spec, "status": {"phase": phase}}))
        .unwrap()
}

fn warning(kind: &str, name: &str, reason: &str, message: &str) -> Warning {
    let owned = str::to_owned;
    Warning { kind: owned(kind), name: owned(name), reason: owned(reason), message: owned(message) }
}

fn told(evidence: &Evidence, refused: Option<&str>, class: Option<&str>) -> Option<(&'static str, String)> {
    let wanted = Storage { size: "1Gi".to_owned(), class_name: class.map(str::to_owned) };
    let fields = Fields {
        image: "spec.redis.image",
        resources: "spec.redis.resources",
        storage: "spec.redis.storage",
        wanted: Some(&wanted),
    };
    why(evidence, refused, fields).map(|waiting| (waiting.reason, waiting.message))
}

fn of_pod(status: Value) -> Evidence {
    Evidence { pods: vec![pod(status)], ..Evidence::default() }
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_alike_in_both_forms() {
    let cause = "failed to pull and unpack image \"redis:9\": not found";
    let pull = json!({"waiting": {"reason": "ErrImagePull", "message": cause}});
    let back_off = json!({"waiting": {"reason": "ImagePullBackOff",
        "message": format!("Back-off pulling image \"redis:9\": ErrImagePull: {cause}")}});
    let first = told(&of_pod(container(pull, json!({}), 0)), None, None);
    assert_eq!(first, told(&of_pod(container(back_off, json!({}), 0)), None, None));
    let (reason, message) = first.unwrap();
    assert_eq!(reason, "ImagePull");
    assert!(
        message.contains("redis:9") && message.contains("not found") && message.contains("spec.redis.image")
    );
}

#[test]
fn a_crash_is_told_with_its_last_words() {
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "starting\nno space left on device\n"}});
    let waits = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}});
    let (reason, message) = told(&of_pod(container(waits, ended, 4)), None, None).unwrap();
    assert_eq!(
        (reason, message.as_str()),
        ("Crashing", "pod midterm-redis-0 ended with exit code 1; its last words: no space left on device")
    );
    let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    let (_, message) = told(&of_pod(container(json!({"running": {}}), killed, 1)), None, None).unwrap();
    assert!(message.ends_with("exit code 137 (OOMKilled)"), "{message}");
    assert_eq!(
        told(&of_pod(container(json!({"running": {}}), json!({}), 0)), None, None),
        None,
        "it only starts"
    );
}

#[test]
fn a_volume_that_does_not_come_is_told_with_its_class() {
    let missing =
        warning("PersistentVolumeClaim", "data", "ProvisioningFailed", "storageclass \"no-such\" not found");
    let evidence = |class, warnings| Evidence {
        pods: vec![pod(json!({"phase": "Pending"}))],
        claims: vec![claim(class, "Pending")],
        warnings,
    };
    let (reason, message) =
        told(&evidence(Some("no-such"), vec![missing.clone()]), None, Some("no-such")).unwrap();
    assert_eq!(reason, "VolumePending");
    assert!(message.contains("not found") && message.contains("spec.redis.storage.className"), "{message}");
    for wanted in [Some("fast"), None] {
        let (_, message) = told(&evidence(Some("no-such"), vec![missing.clone()]), None, wanted).unwrap();
        assert!(message.contains("left over") && message.contains("delete the claim"), "{message}");
    }
    assert_eq!(
        told(&evidence(Some("fast"), vec![]), None, Some("fast")),
        None,
        "it waits for its pod in peace"
    );
    let bound = Evidence { claims: vec![claim(Some("no-such"), "Bound")], ..Evidence::default() };
    assert_eq!(told(&bound, None, Some("fast")), None);
}

#[test]
fn pods_that_cannot_be_placed_or_made_are_told_with_the_field_to_set() {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory."});
    let (reason, message) = told(&of_pod(json!({"conditions": [condition]})), None, None).unwrap();
    assert!(
        reason == "Unschedulable"
            && message.contains("Insufficient")
            && message.contains("spec.redis.resources")
    );
    let forbidden = "create Pod midterm-redis-0 in StatefulSet midterm-redis failed error: pods \"midterm-redis-0\" is forbidden: failed quota: limits: must specify limits.cpu for: redis";
    let refused = Evidence {
        warnings: vec![warning("StatefulSet", "midterm-redis", "FailedCreate", forbidden)],
        ..Evidence::default()
    };
    let (reason, message) = told(&refused, None, None).unwrap();
    assert_eq!(
        (reason, message.as_str()),
        (
            "PodsRefused",
            "no pod can be made: failed quota: limits: must specify limits.cpu for: redis; set spec.redis.resources to what the namespace allows"
        )
    );
    assert_eq!(told(&Evidence::default(), Some("exceeded quota"), None).unwrap().0, "PodsRefused");
    let mount = warning("Pod", "midterm-redis-0", "FailedMount", "secret \"midterm-redis-auth\" not found");
    let waits = Evidence { warnings: vec![mount], ..of_pod(json!({"phase": "Pending"})) };
    assert_eq!(told(&waits, None, None).unwrap().0, "VolumeNotMounted");
}
