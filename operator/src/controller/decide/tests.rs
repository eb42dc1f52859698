//! Facts and decisions, as tables.

use super::*;
use crate::controller::certificate::Certificate;
use crate::controller::given::Given;
use crate::controller::observe::Workload;
use crate::controller::redis::auth::Stage;
use crate::crd::External;
use crate::fixtures::{desired, named, passwords};
use serde_json::json;

/// Decides without anything known of passwords beside what was observed.
fn decide(desired: &Desired, observed: &Observed) -> Result<Decision, Unusable> {
    let known = Known { redis_auth: observed.redis_auth.value.as_ref(), fresh: &passwords("fresh") };
    super::decide(desired, observed, known)
}

fn word(text: &str) -> Credential {
    Credential(text.to_owned())
}

#[test]
fn the_table_of_facts_and_decisions() {
    let basic = || Observed { redis: Some(Workload::default()), ..Observed::default() };
    let secrets = |observed: Observed| Observed {
        auth: Generated { version: Some("7".to_owned()), value: Some(word("word")) },
        redis_auth: Generated {
            version: Some("7".to_owned()),
            value: Some(RedisAuth::steady(passwords("old"), "")),
        },
        has_redis_config: true,
        has_data: true,
        ..observed
    };
    let run = |redis, auth, redis_auth| {
        let write = |make| if make { SecretWrite::Create } else { SecretWrite::Keep };
        (redis, write(auth), write(redis_auth), auth)
    };
    use Mode::{Basic, Memory};
    let table = [
        ("fresh, memory", Memory, Observed::default(), run(false, true, false)),
        ("fresh, basic", Basic, Observed::default(), run(true, true, true)),
        ("settled, memory", Memory, secrets(Observed::default()), run(false, false, false)),
        ("settled, basic", Basic, secrets(basic()), run(true, false, false)),
        ("basic to memory: Redis stays", Memory, secrets(basic()), run(true, false, false)),
        ("what was lost is made anew", Memory, basic(), run(true, true, true)),
    ];
    for (name, mode, observed, expected) in table {
        let mut resource = named("midterm");
        resource.spec.redis.mode = mode;
        let decision = decide(&desired(&resource), &observed).unwrap();
        let Decision { ref redis, auth, redis_auth, make_data, .. } = decision;
        assert_eq!((redis.is_some(), auth, redis_auth, make_data), expected, "{name}");
        assert_eq!((decision.mode, decision.store.mode()), (mode, mode.as_str()), "{name}");
    }
}

#[test]
fn one_redis_alone_is_the_master_also_when_its_record_was_lost() {
    let of = |wanted: i32| Observed {
        redis: Some(Workload { wanted, ..Workload::default() }),
        ..Observed::default()
    };
    for (name, mode, observed, expected) in [
        ("it is to be made", Mode::Basic, Observed::default(), Some("midterm-redis-0")),
        ("it was made, and that is not recorded", Mode::Basic, of(1), Some("midterm-redis-0")),
        ("of several the record tells", Mode::Basic, of(3), None),
        ("Sentinels are to name it", Mode::Sentinel, of(1), None),
    ] {
        let mut resource = named("midterm");
        resource.spec.redis.mode = mode;
        let decision = decide(&desired(&resource), &observed).unwrap();
        assert_eq!(decision.redis.unwrap().plan.master.as_deref(), expected, "{name}");
    }
}

#[test]
fn an_emptied_secret_is_restored() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::Basic;
    let (auth, redis_auth) = (
        Generated { version: Some("7".to_owned()), value: None },
        Generated { version: Some("7".to_owned()), value: None },
    );
    let observed = Observed { auth, redis_auth, ..Observed::default() };
    let decision = decide(&desired(&resource), &observed).unwrap();
    assert_eq!(
        (decision.auth, decision.redis_auth),
        (SecretWrite::Restore("7".to_owned()), SecretWrite::Restore("7".to_owned()))
    );
}

#[test]
fn volumes_grow_and_never_shrink() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::Basic;
    resource.spec.database.storage.size = "2Gi".to_owned();
    resource.spec.redis.storage.size = "1536Mi".to_owned();
    let claim =
        |name: &str, asked: &str| Claim { name: name.to_owned(), asked: asked.to_owned(), held: None };
    let observed = Observed {
        claims: vec![
            claim("midterm-data", "1Gi"),
            claim("data-midterm-redis-0", "1.5Gi"),
            claim("data-midterm-redis-1", "1Gi"),
            claim("data-midterm-redis-2", "9Gi"),
        ],
        ..Observed::default()
    };
    let grow = decide(&desired(&resource), &observed).unwrap().grow;
    let growth = |claim: &str, size: &str| Growth { claim: claim.to_owned(), size: size.to_owned() };
    assert_eq!(grow, [growth("midterm-data", "2Gi"), growth("data-midterm-redis-1", "1536Mi")]);
}

#[test]
fn without_authentication_there_is_no_token() {
    let mut resource = named("midterm");
    resource.spec.auth.mode = AuthMode::None;
    assert_eq!(decide(&desired(&resource), &Observed::default()).unwrap().auth, SecretWrite::Keep);
}

fn given(secrets: &[(&str, &str, &str)]) -> Observed {
    let mut given = Given::default();
    for (secret, key, text) in secrets {
        let held = given.0.entry((*secret).to_owned()).or_default().get_or_insert_default();
        held.insert((*key).to_owned(), word(text));
    }
    Observed { given, ..Observed::default() }
}

#[test]
fn another_place_of_the_database_is_another_revision_and_another_password_is_not() {
    let mut resource = named("midterm");
    resource.spec.database = serde_json::from_value(json!({"urlSecretRef": {"name": "db"}})).unwrap();
    let decide = |observed: Observed| decide(&desired(&resource), &observed);
    let revision = |url: &str| decide(given(&[("db", "url", url)])).unwrap().database;
    let first = revision("postgres://exam:one@db/exams");
    assert!(first.is_some());
    assert_eq!(
        revision("postgresql://exam:t@o@db/exams\n"),
        first.clone().map(|_| revision("postgres://db/exams").unwrap())
    );
    assert_eq!(revision("postgres://other:two@db/exams"), first);
    assert_ne!(revision("postgres://exam:one@db2/exams"), first);
    assert_ne!(revision("postgres://exam:one@db/exams?sslmode=require"), first);
    for (observed, reason, words) in [
        (
            Observed::default(),
            "SecretMissing",
            "Secret db, which spec.database.urlSecretRef names, is not there",
        ),
        (given(&[("db", "uri", "x")]), "SecretMissing", "it has uri"),
        (given(&[("db", "url", "mysql://db")]), "InvalidUrl", "must hold postgres://"),
    ] {
        let refused = decide(observed).unwrap_err();
        assert_eq!(refused.reason, reason);
        assert!(refused.message.contains(words), "{refused}");
    }
}

#[test]
fn a_redis_outside_is_described_by_url_and_secrets() {
    let external = |value: serde_json::Value| {
        let mut resource = named("midterm");
        resource.spec.redis.mode = Mode::External;
        resource.spec.redis.external = Some(serde_json::from_value::<External>(value).unwrap());
        desired(&resource)
    };
    let guarded = external(json!({
        "url": "rediss+sentinel://a,b:1/exams/2", "username": "app",
        "passwordSecretRef": {"name": "redis", "key": "word"}, "sentinelPasswordSecretRef": {"name": "redis", "key": "sentinels"},
        "caSecretRef": {"name": "redis-ca"}, "clientCertificateSecretRef": {"name": "client"},
    }));
    let secrets = [
        ("redis", "word", "w"),
        ("redis", "sentinels", "s"),
        ("redis-ca", "ca.crt", "authority"),
        ("client", "tls.crt", "certificate"),
        ("client", "tls.key", "key"),
    ];
    let decision = decide(&guarded, &given(&secrets)).unwrap();
    let files: Vec<&str> = decision.store_files.keys().map(String::as_str).collect();
    assert_eq!(files, ["ca.crt", "password", "sentinel-password", "tls.crt", "tls.key"]);
    assert_eq!(decision.store.mode(), "sentinel");
    let text = guarded.settings(decision.store.clone()).to_text();
    let read = contract::Settings::parse(&text).unwrap();
    assert_eq!(read.store, decision.store, "the service reads the same");
    for absent in 0..secrets.len() {
        let mut fewer = secrets.to_vec();
        let (secret, key, _) = fewer.remove(absent);
        let refused = decide(&guarded, &given(&fewer)).unwrap_err();
        assert!(refused.message.contains(secret), "{secret} {key}: {refused}");
    }
    // The password may be in the URL, if a Secret has that.
    let hidden = external(json!({"urlSecretRef": {"name": "redis"}}));
    let decision = decide(&hidden, &given(&[("redis", "url", "redis://app:w%40rd@cache/1")])).unwrap();
    let redis = decision.store.redis().unwrap();
    assert_eq!((redis.url.as_str(), redis.username.as_deref()), ("redis://cache:6379/1", Some("app")));
    assert_eq!(decision.store_files["password"], word("w@rd"));
    let refused = decide(&hidden, &given(&[("redis", "url", "cache:6379")])).unwrap_err();
    assert_eq!(refused.reason, "InvalidUrl");
    assert!(refused.message.starts_with("spec.redis.external.urlSecretRef: must be redis://"), "{refused}");
}

#[test]
fn passwords_of_redis_are_given_or_generated_and_rotated() {
    let resource = |auth: serde_json::Value| {
        let mut resource = named("midterm");
        resource.spec.redis = serde_json::from_value(json!({"mode": "sentinel", "auth": auth})).unwrap();
        desired(&resource)
    };
    let held = |auth: &RedisAuth, observed: Observed| Observed {
        redis_auth: Generated { version: Some("7".to_owned()), value: Some(auth.clone()) },
        has_redis_config: true,
        ..observed
    };
    let cache = |text| given(&[("cache", "password", text)]);
    let chosen = resource(json!({"secretRef": {"name": "cache"}}));
    let refused = decide(&chosen, &Observed::default()).unwrap_err();
    assert_eq!(refused.reason, "SecretMissing");
    assert!(refused.message.contains("Secret cache, which spec.redis.auth.secretRef names"), "{refused}");
    let first = decide(&chosen, &cache("chosen\n")).unwrap();
    let auth = first.redis.unwrap().auth;
    assert_eq!(auth.current.of(User::App), &word("chosen"));
    assert_ne!(auth.current.of(User::Operator), &word("chosen"), "the others are generated");
    let redis = first.store.redis().unwrap();
    assert_eq!(redis.username.as_deref(), Some("app"));
    let file = redis.password_file.as_ref().unwrap().strip_prefix("/etc/exam-service-store/").unwrap();
    assert_eq!(first.store_files[file], word("chosen"), "the file that the Settings name");

    let same = decide(&chosen, &held(&auth, cache("chosen"))).unwrap();
    assert_eq!((same.redis_auth, same.redis.unwrap().pass), (SecretWrite::Keep, None));
    let other = decide(&chosen, &held(&auth, cache("other"))).unwrap();
    assert_eq!(
        (&other.store, other.redis_auth),
        (&first.store, SecretWrite::Update("7".to_owned())),
        "nobody uses it yet"
    );
    let adding = other.redis.unwrap();
    assert_eq!(adding.pass, Some(Pass::Add));
    assert_eq!(other.store_files.len(), 2, "it is there before the Settings name it");
    let switched = decide(&chosen, &held(&adding.auth, cache("other"))).unwrap();
    assert_ne!(switched.store, first.store);
    let switching = switched.redis.unwrap();
    assert_eq!(switching.pass, Some(Pass::Switch));
    let silent = ServicePod {
        ops: String::new(),
        name: "midterm-1".to_owned(),
        told: None,
        told_of_secrets: None,
        state: Err("silent".to_owned()),
    };
    let observed = Observed { pods: vec![silent], ..cache("other") };
    let waiting = decide(&chosen, &held(&switching.auth, observed)).unwrap();
    assert_eq!(waiting.redis.unwrap().pass, None, "a pod does not say that it uses it");

    let rotated = resource(json!({"rotation": "summer"}));
    let decision = decide(&rotated, &held(&auth, Observed::default())).unwrap();
    let auth = decision.redis.unwrap().auth;
    assert_eq!((auth.made_for.as_str(), auth.stage), ("summer", Stage::Adding(passwords("fresh"))));
}

#[test]
fn redis_has_a_certificate_before_it_is_made() {
    let with = |tls: serde_json::Value| {
        let mut resource = named("midterm");
        resource.spec.redis = serde_json::from_value(json!({"mode": "sentinel", "tls": tls})).unwrap();
        desired(&resource)
    };
    let (given, issued) =
        (with(json!({"secretRef": {"name": "tls"}})), with(json!({"issuerRef": {"name": "ca"}})));
    let certificate = Certificate { id: "an-id".to_owned(), authority: word("authority") };
    let missing = Unusable { reason: "SecretMissing", message: "Secret tls".to_owned() };
    let seen = |certificate, has_issuers, is_made_with_tls| Observed {
        certificate: Some(certificate),
        has_issuers,
        is_made_with_tls,
        ..Observed::default()
    };
    for (desired, observed, reason) in [
        (&given, seen(Err(missing.clone()), false, None), "SecretMissing"),
        (&issued, seen(Err(missing.clone()), true, None), "WaitingForCertificate"),
        (&issued, seen(Ok(certificate.clone()), false, None), "CRDsMissing"),
        (&given, seen(Ok(certificate.clone()), false, Some(false)), "TlsChanged"),
    ] {
        let refused = decide(desired, &observed).unwrap_err();
        assert_eq!(refused.reason, reason, "{refused}");
    }
    let decision = decide(&given, &seen(Ok(certificate), false, Some(true))).unwrap();
    assert_eq!(decision.store_files["redis-ca.crt"], word("authority"));
    let redis = decision.store.redis().unwrap();
    assert!(redis.url.starts_with("rediss+sentinel://"), "{}", redis.url);
    assert_eq!(redis.ca_file.as_deref(), Some("/etc/exam-service-store/redis-ca.crt"));
    let text = given.settings(decision.store.clone()).to_text();
    assert_eq!(contract::Settings::parse(&text).unwrap().store, decision.store, "the service reads the same");
}
