//! What is built: for every mode it is restricted, owned, free of secrets, and read by the service.

use super::*;
use crate::controller::certificate::Certificate;
use crate::controller::decide::{Known, decide};
use crate::controller::given::Given;
use crate::controller::observe::Observed;
use crate::crd::{AdaptiveExamDeployment, Mode};
use crate::fixtures::{desired, named, passwords};
use contract::Settings;
use serde_json::json;
use std::collections::BTreeMap;

fn built(mode: Mode) -> Resources {
    let mut resource = named("midterm");
    resource.spec.redis.mode = mode;
    built_of(&resource, Observed::default())
}

fn built_of(resource: &AdaptiveExamDeployment, observed: Observed) -> Resources {
    let known = Known { redis_auth: None, fresh: &passwords("a-word") };
    let decision = decide(&desired(resource), &observed, known).unwrap();
    build(&desired(resource), &decision, &Credential("token-word".to_owned()))
}

fn pods(resources: &Resources) -> Vec<&Value> {
    let specs = resources.objects.iter().map(|planned| &planned.body["spec"]["template"]["spec"]);
    specs.filter(|spec| spec.is_object()).collect()
}

#[test]
fn each_mode_has_its_objects_in_order() {
    let names = |mode| -> Vec<String> {
        let objects = built(mode).objects;
        objects.into_iter().map(|planned| format!("{}/{}", planned.api.kind, planned.name)).collect()
    };
    let service = [
        "ConfigMap/midterm",
        "ServiceAccount/midterm",
        "Service/midterm",
        "Service/midterm-ops",
        "Deployment/midterm",
    ];
    let policies =
        ["NetworkPolicy/midterm", "NetworkPolicy/midterm-redis", "NetworkPolicy/midterm-redis-sentinel"];
    assert_eq!(names(Mode::Memory), [service.as_slice(), &policies[..1]].concat());
    let redis = [
        "Secret/midterm-store",
        "ConfigMap/midterm-redis",
        "Service/midterm-redis",
        "Service/midterm-redis-nodes",
        "StatefulSet/midterm-redis",
        "PodDisruptionBudget/midterm-redis",
    ];
    assert_eq!(names(Mode::Basic), [redis.as_slice(), &service, &policies].concat());
    let sentinel = [
        "Service/midterm-redis-sentinel",
        "StatefulSet/midterm-redis-sentinel",
        "PodDisruptionBudget/midterm-redis-sentinel",
    ];
    assert_eq!(names(Mode::Sentinel), [redis.as_slice(), &sentinel, &service, &policies].concat());
    let made: Vec<String> = built(Mode::Basic).create_only.into_iter().map(|planned| planned.name).collect();
    assert_eq!(made, ["midterm-auth", "midterm-redis-auth", "midterm-data"]);
}

#[test]
fn every_pod_keeps_to_the_restricted_profile() {
    for (mode, count) in [(Mode::Memory, 1), (Mode::Basic, 2), (Mode::Sentinel, 3)] {
        let resources = built(mode);
        assert_eq!(pods(&resources).len(), count);
        for pod in pods(&resources) {
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(pod["automountServiceAccountToken"], false);
            for container in pod["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false);
                assert_eq!(security["readOnlyRootFilesystem"], true);
                assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
                for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                    assert!(container[probe].is_object(), "{probe} of {}", container["name"]);
                }
                assert!(container["resources"]["limits"]["memory"].is_string());
            }
        }
    }
}

#[test]
fn all_but_the_volume_of_the_answers_goes_with_its_owner() {
    let Resources { create_only, objects, .. } = built(Mode::Basic);
    for planned in [create_only, objects].concat() {
        let owners = &planned.body["metadata"]["ownerReferences"];
        let kept = planned.api.kind == "PersistentVolumeClaim";
        assert_eq!(owners.is_null(), kept, "{} {}", planned.api.kind, planned.name);
        assert!(kept || owners[0]["controller"] == true);
        assert_eq!(planned.body["metadata"]["labels"]["app.kubernetes.io/managed-by"], "exam-operator");
    }
}

#[test]
fn secrets_are_in_secrets_only() {
    let resources = built(Mode::Sentinel);
    for planned in resources.objects.iter().filter(|planned| planned.api.kind != "Secret") {
        let text = planned.body.to_string();
        assert!(!text.contains("-word"), "a secret is in {} {}", planned.api.kind, planned.name);
    }
    let data: Vec<&Value> = resources.create_only.iter().map(|planned| &planned.body["data"]).collect();
    let base64 =
        |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap();
    assert_eq!(data[0], &json!({"token": base64("token-word")}));
    let keys: Vec<&String> = data[1].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["app", "exporter", "operator", "redis.conf", "replica", "rotation", "sentinel", "sentinel.conf"]
    );
    // The pods of the service have the password of their own user alone.
    let store = resources.objects.iter().find(|planned| planned.name == "midterm-store").unwrap();
    let store = store.body["data"].as_object().unwrap();
    assert_eq!(store.values().collect::<Vec<_>>(), [&base64("a-word-app")]);
    let pod = object(&resources, "Deployment")["spec"]["template"]["spec"].to_string();
    assert!(!pod.contains("midterm-redis-auth"), "{pod}");
}

#[test]
fn the_service_reads_what_it_is_told() {
    for mode in [Mode::Memory, Mode::Basic, Mode::Sentinel] {
        let resources = built(mode);
        let config = resources
            .objects
            .iter()
            .find(|planned| planned.api.kind == "ConfigMap" && planned.name == "midterm");
        let text = config.unwrap().body["data"][contract::SETTINGS_KEY].as_str().unwrap();
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.store.mode(), mode.as_str());
        assert_eq!(contract::settings::revision(text), resources.revision);
    }
    let [memory, basic] = [Mode::Memory, Mode::Basic].map(built);
    assert_ne!(memory.revision, basic.revision, "a mode is a text of its own");
    assert_eq!(
        object(&memory, "Deployment"),
        object(&basic, "Deployment"),
        "which running pods adopt: no pod is another for it"
    );
}

#[test]
fn the_pods_of_redis_are_the_same_with_and_without_sentinels() {
    let [basic, sentinel] = [Mode::Basic, Mode::Sentinel].map(|mode| {
        let objects = built(mode).objects;
        let set = objects.into_iter().find(|planned| planned.api.kind == "StatefulSet");
        set.unwrap().body["spec"].clone()
    });
    assert_eq!(basic["template"], sentinel["template"], "so a change between them replaces none");
    assert_eq!((&basic["replicas"], &sentinel["replicas"]), (&json!(1), &json!(3)));
    assert_eq!(basic["updateStrategy"]["type"], "OnDelete");
    let config = |mode| {
        let found = built(mode).objects.into_iter().find(|planned| planned.name == "midterm-redis");
        found.unwrap().body["data"].clone()
    };
    let (one, led) = (config(Mode::Basic), config(Mode::Sentinel));
    assert_eq!(
        (&one["master"], &one["may-start-empty"]),
        (&json!("midterm-redis-0.midterm-redis-nodes.school.svc"), &json!("yes"))
    );
    assert_eq!((&led["master"], &led["may-start-empty"]), (&json!(""), &json!("no")), "nobody leads yet");
    assert_eq!(led["sentinels"].as_str().unwrap().lines().count(), 3);
    assert_ne!(led["id-midterm-redis-sentinel-0"], led["id-midterm-redis-sentinel-1"]);
    assert_eq!(led["id-midterm-redis-sentinel-0"].as_str().unwrap().len(), 40);
}

#[test]
fn one_pod_holds_the_database() {
    let resources = built(Mode::Memory);
    let deployment = &object(&resources, "Deployment")["spec"];
    assert_eq!((&deployment["replicas"], &deployment["strategy"]["type"]), (&json!(1), &json!("Recreate")));
}

/// With PostgreSQL, and Redis outside.
fn on_postgres(service: Value) -> Resources {
    let mut resource = named("midterm");
    let spec = &mut resource.spec;
    spec.service = serde_json::from_value(service).unwrap();
    spec.database = serde_json::from_value(json!({"urlSecretRef": {"name": "db", "key": "uri"}})).unwrap();
    spec.redis = serde_json::from_value(json!({
        "mode": "external", "external": {"url": "rediss://cache", "passwordSecretRef": {"name": "cache"}},
    }))
    .unwrap();
    let held = |key: &str, text: &str| Some(BTreeMap::from([(key.to_owned(), Credential(text.to_owned()))]));
    let given = Given(BTreeMap::from([
        ("db".to_owned(), held("uri", "postgres://exam:db-word@db/exams")),
        ("cache".to_owned(), held("password", "cache-word")),
    ]));
    built_of(&resource, Observed { given, ..Observed::default() })
}

fn object<'r>(resources: &'r Resources, kind: &str) -> &'r Value {
    let found = resources.objects.iter().find(|planned| planned.api.kind == kind);
    &found.unwrap_or_else(|| panic!("{kind} should be built")).body
}

#[test]
fn on_postgres_there_are_as_many_pods_as_are_wanted() {
    let three = on_postgres(json!({"replicas": 3}));
    let deployment = &object(&three, "Deployment")["spec"];
    assert_eq!(deployment["replicas"], 3);
    assert_eq!(
        deployment["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    );
    let pod = deployment["template"]["spec"].to_string();
    assert!(pod.contains(r#"{"key":"uri","path":"url"}"#) && !pod.contains("persistentVolumeClaim"), "{pod}");
    assert_eq!(object(&three, "PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    assert!(three.create_only.iter().all(|planned| planned.api.kind != "PersistentVolumeClaim"));
    let absent: Vec<&str> = three.absent.iter().map(|(kind, _)| kind.kind.as_str()).collect();
    assert_eq!((absent, &three.scaled), (vec!["HorizontalPodAutoscaler"], &None));

    let scaled = on_postgres(json!({"autoscaling": {"min": 2, "max": 4}}));
    assert!(object(&scaled, "Deployment")["spec"].get("replicas").is_none(), "that is the autoscaler's");
    let autoscaler = &object(&scaled, "HorizontalPodAutoscaler")["spec"];
    assert_eq!((&autoscaler["minReplicas"], &autoscaler["maxReplicas"]), (&json!(2), &json!(4)));
    assert_eq!(autoscaler["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
    assert_eq!((scaled.absent.len(), scaled.scaled.as_deref()), (0, Some("midterm")));
    // A password is in Secrets only: the one of the database is mounted, that of the store is copied.
    for planned in &scaled.objects {
        let is_secret = planned.api.kind == "Secret";
        assert!(!planned.body.to_string().contains("-word"), "{}", planned.name);
        assert_eq!(is_secret, planned.name == "midterm-store");
    }
}

#[test]
fn exams_callers_and_banks_are_what_the_service_reads() {
    let mut resource = named("midterm");
    resource.spec = serde_json::from_value(json!({
        "exam": {
            "banks": [
                {"name": "algebra", "configMapRef": {"name": "banks", "key": "algebra.csv"}, "scaling": 1.7, "format": "mirt"},
                {"name": "secret one", "secretRef": {"name": "items"}, "scaling": 1.0},
                {"name": "kept", "version": "0123456789abcdef"},
            ],
            "types": {
                "quiz": {"bank": "algebra", "maxItems": 5, "maxSeconds": 600, "studentsSee": ["score"], "attempts": 2},
                "final": {"bank": "kept", "policy": {"stop": [{"max_items": 9}]}, "itemSeconds": 60},
            },
        },
        "auth": {"mode": "jwt", "jwt": {"keySecretRef": {"name": "keys"}, "algorithm": "ES256", "audience": "exams"}},
        "limits": {"requestsPerSecond": 20},
        "allowedOrigins": ["https://exams.school.example"],
        "traces": {"endpoint": "http://collector:4318"},
    }))
    .unwrap();
    let keys = BTreeMap::from([("keys.json".to_owned(), Credential("{}".to_owned()))]);
    let given = Given(BTreeMap::from([("keys".to_owned(), Some(keys))]));
    let resources = built_of(&resource, Observed { given, ..Observed::default() });
    let config = resources.objects.iter().find(|planned| planned.name == "midterm").unwrap();
    let settings = Settings::parse(config.body["data"][contract::SETTINGS_KEY].as_str().unwrap()).unwrap();
    assert_eq!(settings.banks.len(), 3);
    let (quiz, last) = (&settings.exam_types["quiz"], &settings.exam_types["final"]);
    assert_eq!((quiz.max_items, quiz.max_seconds, quiz.attempts), (5, Some(600), Some(2)));
    assert_eq!((last.policy.is_some(), last.item_seconds), (true, Some(60)));
    assert_eq!(settings.limits.map(|limits| (limits.requests_per_second, limits.burst)), Some((20, 20)));
    assert_eq!(settings.api.allow_origins, ["https://exams.school.example"]);
    assert_eq!(settings.trace.endpoint.as_deref(), Some("http://collector:4318"));
    let pod = object(&resources, "Deployment")["spec"]["template"]["spec"].to_string();
    for words in ["algebra.csv", "items.csv", "/etc/exam-service-jwt", "/etc/exam-service-banks"] {
        assert!(pod.contains(words), "{words} is not in {pod}");
    }
    assert!(resources.create_only.iter().all(|planned| planned.name != "midterm-auth"), "no token is made");
}

#[test]
fn a_redis_outside_changes_no_pod() {
    let outside = on_postgres(json!({}));
    let mut resource = named("midterm");
    resource.spec.database =
        serde_json::from_value(json!({"urlSecretRef": {"name": "db", "key": "uri"}})).unwrap();
    let url = BTreeMap::from([("uri".to_owned(), Credential("postgres://other:word@db/exams".to_owned()))]);
    let given = Given(BTreeMap::from([("db".to_owned(), Some(url))]));
    let in_memory = built_of(&resource, Observed { given, ..Observed::default() });
    assert_eq!(object(&outside, "Deployment"), object(&in_memory, "Deployment"));
    assert_ne!(outside.revision, in_memory.revision);
}

#[test]
fn the_same_question_has_the_same_answer() {
    assert_eq!(built(Mode::Basic), built(Mode::Basic));
}

/// Redis with Sentinels and TLS, whose certificate cert-manager makes.
fn with_tls(id: &str) -> Resources {
    let mut resource = named("midterm");
    resource.spec.redis =
        serde_json::from_value(json!({"mode": "sentinel", "tls": {"issuerRef": {"name": "ca"}}})).unwrap();
    let authority = Credential("authority".to_owned());
    let certificate = Some(Ok(Certificate { id: id.to_owned(), authority }));
    built_of(&resource, Observed { certificate, has_issuers: true, ..Observed::default() })
}

#[test]
fn with_tls_nothing_listens_without_it() {
    let (one, other) = (with_tls("one"), with_tls("other"));
    let config = one.objects.iter().find(|planned| planned.name == "midterm-redis").unwrap();
    for file in ["redis.conf", "sentinel.conf"] {
        let text = config.body["data"][file].as_str().unwrap();
        for line in ["port 0", "tls-replication yes", "tls-cert-file /etc/redis-tls/tls.crt"] {
            assert!(text.lines().any(|known| known == line), "{file} lacks {line}");
        }
    }
    let request = &object(&one, "Certificate")["spec"];
    assert_eq!(request["secretName"], "midterm-redis-tls");
    assert_eq!(request["issuerRef"], json!({"group": "cert-manager.io", "kind": "Issuer", "name": "ca"}));
    assert_eq!(request["dnsNames"][1], "*.midterm-redis-sentinel.school.svc");
    let template = |resources: &Resources, name: &str| {
        let found = resources.objects.iter().find(|set| set.api.kind == "StatefulSet" && set.name == name);
        found.unwrap().body["spec"]["template"].clone()
    };
    let [redis, sentinel] = ["midterm-redis", "midterm-redis-sentinel"];
    assert!(template(&one, redis)["spec"].to_string().contains("midterm-redis-tls"));
    assert!(template(&one, redis)["spec"].to_string().contains("redis-cli --tls --cacert"));
    assert_eq!(template(&one, redis), template(&other, redis), "Redis reads another while it runs");
    assert_ne!(template(&one, sentinel), template(&other, sentinel), "a Sentinel does not");
}

/// What the operator's account may do covers every kind that is built.
#[test]
fn the_charts_rules_cover_every_kind() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/adaptive-exam-operator/templates/rbac.yaml");
    let rbac = std::fs::read_to_string(path).unwrap();
    let rule = |group: &str, plural: &str| {
        let group = if group.is_empty() { "[\"\"]".to_owned() } else { format!("[{group}]") };
        rbac.split("- apiGroups: ").find_map(|rule| {
            let rule = rule.strip_prefix(&group)?;
            let resources = rule.lines().find(|line| line.contains("resources:"))?;
            resources.contains(plural).then(|| rule.lines().find(|line| line.contains("verbs:")))?
        })
    };
    for planned in [with_tls("one").objects, on_postgres(json!({})).objects].concat() {
        let verbs = rule(&planned.api.group, &planned.api.plural).unwrap_or_default();
        for verb in ["get", "create", "patch"] {
            assert!(verbs.contains(verb), "{verb} {} is not in the chart's rules", planned.api.plural);
        }
    }
    for planned in built(Mode::Basic).create_only {
        let verbs = rule(&planned.api.group, &planned.api.plural).map(str::trim);
        let allowed = match planned.api.kind.as_str() {
            // One that has lost its content gets it again.
            "Secret" => "verbs: [get, create, patch]",
            // They are grown, and found by their labels.
            _ => "verbs: [get, list, watch, create, patch]",
        };
        assert_eq!(verbs, Some(allowed), "{} are never deleted", planned.api.plural);
    }
    assert!(!rbac.contains('*'), "no wildcards");
}

#[test]
fn a_patch_is_merged_into_the_pods_of_the_service_alone() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::Basic;
    let plain = built_of(&resource, Observed::default());
    let patch = json!({
        "metadata": {"annotations": {"team": "exams"}},
        "spec": {
            "priorityClassName": "high",
            "containers": [
                {"name": "exam-service", "env": [{"name": "TZ", "value": "UTC"}]},
                {"name": "beside", "image": "beside:1"},
            ],
        },
    });
    resource.spec.service.pod_patch = serde_json::from_value(patch).unwrap();
    let patched = built_of(&resource, Observed::default());
    let template = &object(&patched, "Deployment")["spec"]["template"];
    let unpatched = &object(&plain, "Deployment")["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"]["team"], "exams");
    assert_eq!(template["metadata"]["labels"], unpatched["metadata"]["labels"]);
    assert_eq!(template["spec"]["priorityClassName"], "high");
    let (ours, beside) = (&template["spec"]["containers"][0], &template["spec"]["containers"][1]);
    assert_eq!(ours["env"], json!([{"name": "TZ", "value": "UTC"}]));
    assert_eq!(ours["image"], unpatched["spec"]["containers"][0]["image"]);
    assert_eq!(beside["name"], "beside");
    assert_eq!(object(&patched, "StatefulSet"), object(&plain, "StatefulSet"));
}

#[test]
fn policies_admit_who_has_to_come_in() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::Sentinel;
    let resources = built_of(&resource, Observed::default());
    let policy = |name: &str| {
        let found = resources.objects.iter();
        let mut found = found.filter(|planned| planned.api.kind == "NetworkPolicy" && planned.name == name);
        found.next().unwrap().body["spec"].clone()
    };
    let operator = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "exam-system"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "adaptive-exam-operator"}},
    });
    let service = policy("midterm");
    assert_eq!(service["ingress"][0], json!({"ports": [{"port": "http", "protocol": "TCP"}]}), "everybody");
    assert_eq!(service["ingress"][1]["from"][0], operator);
    assert_eq!(
        service["ingress"][1]["from"].as_array().map(Vec::len),
        Some(2),
        "the operator and Prometheus"
    );
    for (name, port) in [("midterm-redis", "redis"), ("midterm-redis-sentinel", "sentinel")] {
        let rules = policy(name)["ingress"].as_array().unwrap().clone();
        let [rule] = rules.as_slice() else { panic!("{rules:?}") };
        assert_eq!(rule["ports"], json!([{"port": port, "protocol": "TCP"}]));
        let from = rule["from"].as_array().unwrap();
        assert_eq!((from.len(), from.last()), (5, Some(&operator)), "{name}");
        assert_eq!(
            from[3]["podSelector"]["matchLabels"],
            json!({"exam.dreamseed.ai/redis-access": "midterm"})
        );
        for port_name in ["redis", "sentinel"] {
            let named = pods(&resources).iter().any(|pod| {
                pod["containers"][0]["ports"].as_array().unwrap().iter().any(|port| port["name"] == port_name)
            });
            assert!(named, "a port {port_name}");
        }
    }
    resource.spec.network_policy.enabled = false;
    let without = built_of(&resource, Observed::default());
    assert!(without.objects.iter().all(|planned| planned.api.kind != "NetworkPolicy"));
    let absent: Vec<&str> = without.absent.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(absent, ["midterm", "midterm", "midterm-redis", "midterm-redis-sentinel"]);
}
