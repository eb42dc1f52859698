//! The rules of the resource, evaluated here as the API server evaluates them.

use super::*;
use serde_json::json;

#[test]
fn an_empty_spec_has_every_default() {
    let spec: AdaptiveExamDeploymentSpec = serde_json::from_value(json!({})).unwrap();
    assert_eq!(spec.redis.mode, Mode::Memory);
    assert_eq!(spec.auth.mode, AuthMode::Token);
    assert_eq!((spec.service.replicas, spec.paused), (1, false));
    assert_eq!(spec.database.storage.size, "1Gi");
}

#[test]
fn the_definition_is_small_and_closed() {
    let yaml = crate::generate::crd_yaml();
    let json: serde_json::Value = serde_yaml_ng::from_str(&yaml).unwrap();
    let size = json.to_string().len();
    assert!(size < 120_000, "{size} bytes: a client-side apply would not keep it");
    let open = yaml.matches("x-kubernetes-preserve-unknown-fields").count();
    assert_eq!(
        open, 2,
        "every field should be known but those of a policy and of a pod's patch, which are judged later"
    );
    let schemas: Vec<&str> =
        yaml.split("description:").filter(|schema| schema.contains("x-kubernetes-preserve")).collect();
    assert!(
        schemas.iter().all(|schema| !schema.contains("additionalProperties")),
        "nested fields would be dropped"
    );
    let version = &json["spec"]["versions"][0];
    assert_eq!(version["name"], "v1alpha1");
    let conditions =
        &version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"];
    assert_eq!(conditions["x-kubernetes-list-type"], "map", "{conditions}");
}

#[test]
fn the_committed_definitions_are_fresh() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for copy in ["crds", "charts/adaptive-exam-operator/files"] {
        let path = format!("{root}/{copy}/adaptiveexamdeployments.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text == crate::generate::crd_yaml(), "{path} is stale: make crds");
    }
}

fn resource(name: &str, spec: serde_json::Value) -> AdaptiveExamDeployment {
    AdaptiveExamDeployment::new(name, serde_json::from_value(spec).unwrap())
}

#[test]
fn rules_refuse_with_a_sentence() {
    let cases = [
        ("midterm", json!({}), None),
        (
            "midterm",
            json!({"redis": {"mode": "basic", "storage": {"size": "10Gi", "className": "fast"}}}),
            None,
        ),
        ("midterm", json!({"exam": {"types": {"quiz": {"minItems": 3, "maxItems": 9}}}}), None),
        ("midterm", json!({"image": {"reference": "registry.example:5000/exam-service:0.1.0"}}), None),
        ("midterm", json!({"service": {"replicas": 2}}), Some("embedded SQLite file")),
        (
            "midterm",
            json!({"service": {"autoscaling": {"min": 1, "max": 2}}}),
            Some("needs database.urlSecretRef"),
        ),
        (
            "midterm",
            json!({"service": {"replicas": 3}, "database": {"urlSecretRef": {"name": "exam-db"}}}),
            None,
        ),
        (
            "midterm",
            json!({"service": {"autoscaling": {"min": 3, "max": 2}}, "database": {"urlSecretRef": {"name": "exam-db"}}}),
            Some("min must not be above max"),
        ),
        ("midterm", json!({"redis": {"mode": "sentinel"}}), None),
        (
            "midterm",
            json!({"redis": {"mode": "sentinel", "sentinel": {"sentinels": 4}}}),
            Some("sentinels must be odd"),
        ),
        (
            "midterm",
            json!({"redis": {"sentinel": {"sentinels": 5, "quorum": 2}}}),
            Some("quorum must be more than half"),
        ),
        ("midterm", json!({"redis": {"mode": "external"}}), Some("mode external needs external")),
        (
            "midterm",
            json!({"redis": {"mode": "external", "external": {"url": "rediss://redis:6379/0"}}}),
            None,
        ),
        ("midterm", json!({"redis": {"external": {}}}), Some("set url or urlSecretRef")),
        (
            "midterm",
            json!({"redis": {"external": {"url": "http://redis"}}}),
            Some("must be redis://HOST:PORT/0"),
        ),
        (
            "midterm",
            json!({"redis": {"external": {"url": "redis://me:word@redis"}}}),
            Some("without a password"),
        ),
        (
            "midterm",
            json!({"redis": {"external": {"url": "redis://redis", "username": "app"}}}),
            Some("username needs passwordSecretRef"),
        ),
        ("midterm", json!({"redis": {"auth": {"rotation": "spring"}}}), None),
        ("midterm", json!({"redis": {"auth": {"secretRef": {"name": "cache"}}}}), None),
        (
            "midterm",
            json!({"redis": {"auth": {"secretRef": {"name": "cache"}, "rotation": "spring"}}}),
            Some("change the password in that Secret"),
        ),
        ("midterm", json!({"redis": {"tls": {"issuerRef": {"name": "ca", "kind": "ClusterIssuer"}}}}), None),
        ("midterm", json!({"redis": {"tls": {}}}), Some("set secretRef or issuerRef")),
        (
            "midterm",
            json!({"redis": {"tls": {"secretRef": {"name": "tls"}, "issuerRef": {"name": "ca"}}}}),
            Some("one of them only"),
        ),
        ("midterm", json!({"exam": {"banks": [{"name": "algebra"}]}}), Some("say where the bank is")),
        (
            "midterm",
            json!({"exam": {"banks": [{"name": "algebra", "configMapRef": {"name": "banks"}}]}}),
            Some("is needed for a file"),
        ),
        (
            "midterm",
            json!({"exam": {"banks": [{"name": "algebra", "secretRef": {"name": "banks"}, "scaling": 1.7}]}}),
            None,
        ),
        (
            "midterm",
            json!({"exam": {"types": {"quiz": {"policy": {"stop": []}, "maxItems": 5}}}}),
            Some("policy holds all rules"),
        ),
        ("midterm", json!({"auth": {"mode": "jwt"}}), Some("go together")),
        (
            "midterm",
            json!({"auth": {"mode": "jwt", "jwt": {"keySecretRef": {"name": "keys"}, "audience": "exams"}}}),
            None,
        ),
        ("midterm", json!({"traces": {"endpoint": "collector:4318"}}), Some("must be http://HOST:PORT")),
        ("midterm", json!({"database": {"caSecretRef": {"name": "ca"}}}), Some("set urlSecretRef too")),
        (
            "midterm",
            json!({"monitoring": {"interval": "often"}}),
            Some("must be a number of seconds or minutes"),
        ),
        ("midterm", json!({"database": {"storage": {"size": "much"}}}), Some("must be a size above 0")),
        ("midterm", json!({"redis": {"storage": {"size": "0"}}}), Some("must be a size above 0")),
        ("midterm", json!({"redis": {"maxMemory": "1Ki"}}), Some("above 1Mi")),
        (
            "midterm",
            json!({"exam": {"types": {"quiz": {"minItems": 9, "maxItems": 3}}}}),
            Some("minItems must not be above maxItems"),
        ),
        (
            "midterm",
            json!({"exam": {"types": {"quiz": {"targetStandardError": 0.0}}}}),
            Some("above 0 and at most 10"),
        ),
        ("midterm", json!({"image": {"reference": "exam-service"}}), Some("name a tag or a digest")),
        ("9lives", json!({}), Some("starting with a letter")),
        ("a.b", json!({}), Some("starting with a letter")),
        ("midterm-redis", json!({}), Some("must not end in -ops, -redis, -redis-nodes")),
        ("midterm-ops", json!({}), Some("choose another ending")),
        ("redis", json!({}), None),
        ("a-name-of-more-than-forty-characters-is-long", json!({}), Some("at most 40")),
    ];
    for (name, spec, sentence) in cases {
        let judged = resource(name, spec.clone()).validate_cel();
        match (judged, sentence) {
            (Ok(()), None) => {}
            (Err(errors), Some(sentence)) => {
                assert!(errors.to_string().contains(sentence), "{name} {spec}: {errors}");
            }
            (judged, _) => panic!("{name} {spec}: {judged:?}, expected {sentence:?}"),
        }
    }
}

#[test]
fn a_volume_grows_and_stays_where_it_is() {
    let sized = |size: &str| resource("midterm", json!({"database": {"storage": {"size": size}}}));
    assert!(sized("1Gi").validate_cel_update(&sized("1024Mi")).is_ok());
    assert!(sized("1.5Gi").validate_cel_update(&sized("1Gi")).is_ok());
    let refused = sized("1G").validate_cel_update(&sized("1Gi")).unwrap_err().to_string();
    assert!(refused.contains("a volume cannot be made smaller"), "{refused}");
    let fast = json!({"redis": {"storage": {"size": "1Gi", "className": "fast"}}});
    let refused = resource("midterm", fast).validate_cel_update(&resource("midterm", json!({}))).unwrap_err();
    assert!(refused.to_string().contains("stays in its StorageClass"), "{refused}");
    let elsewhere = resource("midterm", json!({"database": {"urlSecretRef": {"name": "exam-db"}}}));
    let refused = elsewhere.validate_cel_update(&sized("1Gi")).unwrap_err().to_string();
    assert!(refused.contains("make a new resource"), "{refused}");
    assert!(elsewhere.validate_cel_update(&elsewhere).is_ok());
}

#[test]
fn tls_is_set_when_redis_is_made() {
    let redis = |mode: &str, secret: Option<&str>| {
        let tls = secret.map(|name| json!({"secretRef": {"name": name}}));
        let mut redis = json!({"mode": mode});
        if let Some(tls) = tls {
            redis["tls"] = tls;
        }
        resource("midterm", json!({"redis": redis}))
    };
    for (before, after, is_allowed) in [
        (redis("sentinel", None), redis("sentinel", Some("tls")), false),
        (redis("basic", Some("tls")), redis("basic", None), false),
        (redis("memory", None), redis("basic", Some("tls")), false),
        (redis("basic", Some("tls")), redis("sentinel", Some("other")), true),
        (redis("memory", None), redis("memory", Some("tls")), true),
        (redis("external", Some("tls")), redis("memory", Some("tls")), true),
    ] {
        let mut after = after;
        let mut before = before;
        for resource in [&mut before, &mut after] {
            if resource.spec.redis.mode == Mode::External {
                resource.spec.redis.external =
                    serde_json::from_value(json!({"url": "redis://cache:6379/0"})).unwrap();
            }
        }
        let judged = after.validate_cel_update(&before).map_err(|errors| errors.to_string());
        assert_eq!(judged.is_ok(), is_allowed, "{before:?} {judged:?}");
        assert!(is_allowed || judged.unwrap_err().contains("make a new resource"));
    }
}
