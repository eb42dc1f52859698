//! The rights of the operator on a real node: each one that the chart grants is used, and nothing else is asked for.
//!
//! Input: the rules as helm renders them, and the API server's audit log of a scenario in which two operators start anew
//! and do all they can do. Must not know: how the operator is made.

use crate::e2e::resource;
use crate::replicas::change;
use anyhow::{Context, Result, ensure};
use harness::cluster::{RELEASE, TestNamespace, workspace};
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use kube::core::ApiResource;
use operator::crd::AdaptiveExamDeployment;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

/// The definition of the resource.
const DEFINITION: &str = "adaptiveexamdeployments.exam.dreamseed.ai";
/// Where the definition lists the modes.
const MODES: &str =
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/redis/properties/mode/enum";

/// What may be done with a kind: its group, its resource with the subresource if there is one, and the verb.
type Right = (String, String, String);

/// The rules that the chart grants, in this scope.
async fn granted(cluster: &Cluster, scope: &str) -> Result<BTreeSet<Right>> {
    let chart = workspace().join("charts/adaptive-exam-operator");
    let (chart, template) = (chart.to_string_lossy(), "templates/rbac.yaml");
    let rendered =
        cluster.tool(&["helm", "template", RELEASE, &chart, "--show-only", template, "--set", scope]).await?;
    let mut rights = BTreeSet::new();
    for document in serde_yaml_ng::Deserializer::from_str(&rendered) {
        let object = Value::deserialize(document)?;
        let rules: Vec<PolicyRule> = match object.get("rules") {
            Some(rules) => serde_json::from_value(rules.clone())?,
            None => continue,
        };
        for rule in rules {
            ensure!(
                rule.resource_names.is_none() && rule.non_resource_urls.is_none(),
                "{rule:?} is not compared"
            );
            for group in rule.api_groups.iter().flatten() {
                for resource in rule.resources.iter().flatten() {
                    rights.extend(
                        rule.verbs.iter().map(|verb| (group.clone(), resource.clone(), verb.clone())),
                    );
                }
            }
        }
    }
    Ok(rights)
}

/// What the operators asked for since the log was so long, and what of it was refused.
fn asked(cluster: &Cluster, from: u64) -> Result<(BTreeSet<Right>, Vec<String>)> {
    let mut log = std::fs::File::open(cluster.audit_log())?;
    log.seek(SeekFrom::Start(from))?;
    let mut text = String::new();
    log.read_to_string(&mut text)?;
    let operator = format!("system:serviceaccount:{RELEASE}:{RELEASE}");
    let (mut asked, mut refused) = (BTreeSet::new(), Vec::new());
    // The last line may be half written.
    for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        // What kinds there are may be read by everybody who is known.
        let is_discovery = event["objectRef"].is_null() && event["verb"] == "get";
        if event["user"]["username"] != operator.as_str() || is_discovery {
            continue;
        }
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (about, verb) = (&event["objectRef"], word(&event["verb"]));
        let resource = match about["subresource"].as_str() {
            Some(part) => format!("{}/{part}", word(&about["resource"])),
            None => word(&about["resource"]),
        };
        let group = word(&about["apiGroup"]);
        let code = &event["responseStatus"]["code"];
        let message = word(&event["responseStatus"]["message"]);
        // In a namespace that ends nobody may make anything: that is no matter of rights.
        if code == 403 && !message.contains("because it is being terminated") {
            refused.push(format!("{verb} {resource}.{group}: {message}"));
        }
        // An apply that makes an object needs both.
        if verb == "patch" && code == 201 {
            asked.insert((group.clone(), resource.clone(), "create".to_owned()));
        }
        asked.insert((group, resource, verb));
    }
    Ok((asked, refused))
}

#[tokio::test]
async fn each_right_is_used_and_no_other_is_asked_for() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let granted_here = granted(cluster, "watchNamespace=").await?;
    let in_one_namespace = granted(cluster, "watchNamespace=school").await?;
    ensure!(granted_here == in_one_namespace, "a Role holds the same rules as a ClusterRole");
    for (group, resource, verb) in &granted_here {
        ensure!(![group, resource, verb].iter().any(|word| word.contains('*')), "a wildcard: {resource}");
        ensure!(!resource.contains("exec") && !resource.contains("attach"), "{resource}");
        ensure!(resource != "secrets" || !matches!(verb.as_str(), "list" | "watch"), "{verb} secrets");
    }

    // From before the first operator to the end of the last resource.
    cluster.scale_operator(0).await?;
    let leases: Api<Lease> = Api::namespaced(cluster.kube().await?, RELEASE);
    leases.delete(RELEASE, &DeleteParams::default()).await?;
    let from = std::fs::metadata(cluster.audit_log())?.len();
    cluster.scale_operator(2).await?;
    let namespace = cluster.namespace("exam-rights").await?;
    live(&namespace).await?;
    serve_many(&namespace).await?;
    certify(&namespace).await?;
    watch_over(&namespace).await?;
    misunderstand(cluster, &namespace).await?;

    let unused = wait::until("each right to be used", SETTLE, || async {
        let (asked, _) = asked(cluster, from).ok()?;
        granted_here.is_subset(&asked).then_some(())
    })
    .await;
    let (asked, refused) = asked(cluster, from)?;
    unused.with_context(|| {
        format!("granted and not used: {:?}", granted_here.difference(&asked).collect::<Vec<_>>())
    })?;
    let outside: Vec<&Right> = asked.difference(&granted_here).collect();
    ensure!(outside.is_empty(), "asked for and not granted: {outside:?}");
    ensure!(refused.is_empty(), "refused: {refused:?}");
    println!("{} rights are granted, and each was used", granted_here.len());
    namespace.remove().await
}

/// One pod on a volume goes through every mode, its Redis is replaced, and it ends.
async fn live(namespace: &TestNamespace) -> Result<()> {
    namespace.cache("word").await?;
    namespace.secret("cache", json!({"password": "word"})).await?;
    let spec =
        json!({"redis": {"external": {"url": "redis://cache:6379", "passwordSecretRef": {"name": "cache"}}}});
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    namespace.ready("midterm", "memory").await?;
    change(namespace, json!({"redis": {"mode": "basic"}})).await?;
    namespace.ready("midterm", "basic").await?;
    let pods: Api<Pod> = namespace.api();
    let first = pods.get("midterm-redis-0").await?.metadata.uid;
    change(namespace, json!({"redis": {"resources": {"requests": {"cpu": "20m"}}}})).await?;
    wait::until("another pod of Redis", SETTLE, || async {
        let pod = pods.get_opt("midterm-redis-0").await.ok()??;
        (pod.metadata.uid != first).then_some(())
    })
    .await?;
    for mode in ["sentinel", "external", "memory"] {
        change(namespace, json!({"redis": {"mode": mode}})).await?;
        namespace.ready("midterm", mode).await?;
    }
    let grown = json!({"redis": {"storage": {"size": "2Gi"}}, "networkPolicy": {"enabled": false}});
    change(namespace, grown).await?;
    namespace.ready("midterm", "memory").await?;
    delete(namespace, "midterm").await
}

/// As many pods as an autoscaler wants, and then as many as the spec says; nobody is at the database.
async fn serve_many(namespace: &TestNamespace) -> Result<()> {
    namespace.database_secret("word").await?;
    let spec = json!({
        "service": {"autoscaling": {"min": 2, "max": 4}}, "database": {"urlSecretRef": {"name": "exam-db"}},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    let autoscalers: Api<HorizontalPodAutoscaler> = namespace.api();
    wait::until("an autoscaler", SETTLE, || async { autoscalers.get_opt("midterm").await.ok().flatten() })
        .await?;
    change(namespace, json!({"service": {"autoscaling": null, "replicas": 2}})).await?;
    wait::until("no autoscaler", SETTLE, || async {
        matches!(autoscalers.get_opt("midterm").await, Ok(None)).then_some(())
    })
    .await?;
    // A Secret that the operator writes is changed.
    let external = json!({"url": "redis://cache:6379", "passwordSecretRef": {"name": "cache"}});
    change(namespace, json!({"redis": {"mode": "external", "external": external}})).await?;
    let secrets: Api<Secret> = namespace.api();
    wait::until("the copy of the password", SETTLE, || async {
        secrets.get_opt("midterm-store").await.ok()?
    })
    .await?;
    delete(namespace, "midterm").await
}

/// An issuer of cert-manager is asked for a certificate; only its kind is there.
async fn certify(namespace: &TestNamespace) -> Result<()> {
    let kind = operator::names::certificate_kind();
    let definitions: Api<CustomResourceDefinition> = Api::all(namespace.kube.clone());
    let asked = async {
        definitions.create(&PostParams::default(), &definition(&kind)?).await?;
        let tls = json!({"issuerRef": {"name": "school"}});
        let spec = json!({"redis": {"mode": "basic", "tls": tls}});
        namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
        namespace.tells("midterm", "WaitingForCertificate", &[]).await?;
        delete(namespace, "midterm").await
    }
    .await;
    definitions.delete(&name_of(&kind), &DeleteParams::default()).await?;
    asked
}

/// It is watched over, and then no more; only the kinds of the Prometheus Operator are there.
async fn watch_over(namespace: &TestNamespace) -> Result<()> {
    let kinds = [operator::names::service_monitor_kind(), operator::names::prometheus_rule_kind()];
    let definitions: Api<CustomResourceDefinition> = Api::all(namespace.kube.clone());
    let watched = async {
        for kind in &kinds {
            definitions.create(&PostParams::default(), &definition(kind)?).await?;
        }
        let spec = json!({"redis": {"mode": "basic"}, "monitoring": {"enabled": true}});
        namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
        namespace.ready("midterm", "basic").await?;
        let rules: Api<DynamicObject> =
            Api::namespaced_with(namespace.kube.clone(), &namespace.name, &kinds[1]);
        wait::until("rules", SETTLE, || async { rules.get_opt("midterm").await.ok()? }).await?;
        change(namespace, json!({"monitoring": {"enabled": false}})).await?;
        let deployments: Api<Deployment> = namespace.api();
        wait::until("neither rules nor an exporter", SETTLE, || async {
            let gone = tokio::join!(rules.get_opt("midterm"), deployments.get_opt("midterm-redis-metrics"));
            matches!(gone, (Ok(None), Ok(None))).then_some(())
        })
        .await?;
        delete(namespace, "midterm").await
    }
    .await;
    for kind in &kinds {
        definitions.delete(&name_of(kind), &DeleteParams::default()).await?;
    }
    watched
}

fn name_of(kind: &ApiResource) -> String {
    format!("{}.{}", kind.plural, kind.group)
}

/// A definition of a kind that takes anything.
pub(crate) fn definition(kind: &ApiResource) -> Result<CustomResourceDefinition> {
    let ApiResource { group, version, kind: name, plural, .. } = kind;
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": name_of(kind)},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": name, "plural": plural, "singular": name.to_lowercase()},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    Ok(serde_json::from_value(definition)?)
}

/// A resource of another release's definition, which has a mode that this operator does not know.
async fn misunderstand(cluster: &Cluster, namespace: &TestNamespace) -> Result<()> {
    let definition = cluster.tool(&["kubectl", "get", "crd", DEFINITION, "-o", "json"]).await?;
    let modes = serde_json::from_str::<Value>(&definition)?.pointer(MODES).cloned().context("the modes")?;
    let with = async |modes: &Value| {
        let patch = json!([{"op": "replace", "path": MODES, "value": modes}]).to_string();
        cluster.tool(&["kubectl", "patch", "crd", DEFINITION, "--type=json", "-p", &patch]).await
    };
    let mut more = modes.clone();
    more.as_array_mut().context("a list")?.push("later".into());
    with(&more).await?;
    let kind = ApiResource::erase::<AdaptiveExamDeployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(namespace.kube.clone(), &namespace.name, &kind);
    let later = DynamicObject::new("midterm", &kind).data(json!({"spec": {"redis": {"mode": "later"}}}));
    let message = async {
        wait::until("the API server to take the mode", SETTLE, || async {
            api.create(&PostParams::default(), &later).await.ok()
        })
        .await?;
        wait::until("what the operator says of it", SETTLE, || async {
            let conditions = api.get("midterm").await.ok()?.data["status"]["conditions"].take();
            let ready = conditions.as_array()?.iter().find(|known| known["type"] == "Ready")?.clone();
            (ready["reason"] == "SchemaOutdated").then(|| ready["message"].to_string())
        })
        .await
    }
    .await;
    delete(namespace, "midterm").await?;
    with(&modes).await?;
    let message = message?;
    ensure!(message.contains("another version of the operator"), "{message}");
    Ok(())
}

/// Deletes a resource and waits until it is gone, with all that is its own.
async fn delete(namespace: &TestNamespace, name: &str) -> Result<()> {
    let kind = ApiResource::erase::<AdaptiveExamDeployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(namespace.kube.clone(), &namespace.name, &kind);
    api.delete(name, &DeleteParams::foreground()).await?;
    wait::until("its end", SETTLE, || async { matches!(api.get_opt(name).await, Ok(None)).then_some(()) })
        .await
}
