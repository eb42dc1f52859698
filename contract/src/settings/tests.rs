//! Settings parse what they print, and report every fault at once.

use super::*;

#[test]
fn defaults_print_and_read_back() {
    let settings = Settings::default();
    assert_eq!(Settings::parse(&settings.to_text()), Ok(settings.clone()));
    assert_eq!(Settings::parse(""), Ok(settings));
}

#[test]
fn every_section_prints_and_reads_back() {
    let settings = Settings {
        auth: Auth::Token { token_file: "/run/token".into() },
        store: Store::basic("redis://redis:6379/0", Some("/run/password".into())),
        api: Api {
            bind: "0.0.0.0:8000".parse().unwrap(),
            allow_origins: vec!["https://exams.school.example".into(), "http://localhost:5173".into()],
        },
        banks: vec![
            Bank {
                name: "algebra".into(),
                from: BankFrom::File(BankFile {
                    file: "/banks/algebra.csv".into(),
                    form: BankForm { scaling: 1.7, ..BankForm::default() },
                }),
            },
            Bank { name: "kept".into(), from: BankFrom::Version { version: "0123456789abcdef".into() } },
        ],
        exam_types: BTreeMap::from([(
            "quiz".into(),
            ExamType {
                bank: "algebra".into(),
                target_standard_error: None,
                max_seconds: Some(3600),
                item_seconds: Some(90),
                attempts: Some(2),
                resume: true,
                students_see: vec![Shown::Correct, Shown::Score],
                ..ExamType::default()
            },
        )]),
        limits: Some(Limits { requests_per_second: 20, burst: 40, trusted_proxies: 1 }),
        trace: Trace { endpoint: Some("http://collector:4318".into()) },
        ..Settings::default()
    };
    assert_eq!(Settings::parse(&settings.to_text()), Ok(settings));
}

#[test]
fn a_policy_stands_in_for_rules_when_it_is_printed() {
    let policy = serde_json::json!({"estimator": {"kind": "eap"}, "stop": [{"max_items": 5}]});
    let quiz = ExamType {
        policy: policy.as_object().cloned(),
        item_seconds: Some(60),
        target_standard_error: None,
        ..ExamType::default()
    };
    let settings = Settings { exam_types: BTreeMap::from([("quiz".into(), quiz)]), ..Settings::default() };
    let read = Settings::parse(&settings.to_text()).unwrap();
    assert_eq!(read.exam_types["quiz"].policy, settings.exam_types["quiz"].policy);
    assert_eq!(read, settings);
}

#[test]
fn a_bank_is_in_a_file_or_kept() {
    for (text, field) in [
        ("name = \"x\"", "banks[0].file"),
        ("name = \"x\"\nfile = \"f\"", "banks[0].scaling"),
        ("name = \"x\"\nfile = \"f\"\nscaling = 1\nversion = \"0123456789abcdef\"", "banks[0].version"),
        ("name = \"x\"\nversion = \"0123456789ABCDEF\"", "banks[0].version"),
        ("name = \"x\"\nversion = \"1\"", "banks[0].version"),
    ] {
        let faults = Settings::parse(&format!("[[banks]]\n{text}\n")).unwrap_err();
        assert_eq!(faults[0].field, field, "{text}: {faults:?}");
    }
}

#[test]
fn an_origin_is_no_more_than_that() {
    for origin in ["*", "https://", "exams.school.example", "https://a.example/", "https://A.example", "null"]
    {
        let faults = Settings::parse(&format!("[api]\nallow_origins = [{origin:?}]")).unwrap_err();
        assert_eq!(faults[0].field, "api.allow_origins[0]", "{origin}: {faults:?}");
    }
}

#[test]
fn signed_tokens_print_and_read_back() {
    for algorithm in [None, Some(Algorithm::HS256), Some(Algorithm::EdDSA)] {
        let auth = Auth::Jwt {
            key_file: "/run/keys.json".into(),
            algorithm,
            audience: "exams".into(),
            issuer: Some("https://school.example".into()),
        };
        let settings = Settings { auth, ..Settings::default() };
        assert_eq!(Settings::parse(&settings.to_text()), Ok(settings));
    }
}

#[test]
fn all_faults_are_named_at_once() {
    let text = r#"
        colour = "red"
        [api]
        bind = "0.0.0.0:8000"
        port = 1
        [store]
        mode = "basic"
        url = "http://redis"
        ttl_seconds = 0
        [database]
        url = 5
        [[banks]]
        name = "sample"
        scaling = -1
        [exam_types.quiz]
        bank = "missing"
        max_items = 0
        grid_nodes = "many"
    "#;
    let faults = Settings::parse(text).unwrap_err();
    let named: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    for field in [
        "colour",
        "api.port",
        "auth.mode",
        "store.url",
        "store.ttl_seconds",
        "database.url",
        "banks[0].name",
        "banks[0].file",
        "banks[0].scaling",
        "exam_types.quiz.bank",
        "exam_types.quiz.max_items",
        "exam_types.quiz.grid_nodes",
    ] {
        assert!(named.contains(&field), "{field} is not among {named:?}");
    }
}

#[test]
fn a_password_in_the_text_is_refused() {
    let faults =
        Settings::parse("[store]\nmode = \"basic\"\nurl = \"redis://:secret@redis:6379/0\"").unwrap_err();
    assert!(faults[0].message.contains("password_file"), "{faults:?}");
}

#[test]
fn a_database_is_at_a_url_or_at_the_url_in_a_file() {
    let read =
        |lines: &str| Settings::parse(&format!("[database]\n{lines}")).map(|settings| settings.database);
    let in_file = Database {
        url: DatabaseUrl::UrlFile("/run/url".to_owned()),
        password_file: None,
        ca_file: Some("/run/ca.crt".to_owned()),
    };
    assert_eq!(read("url_file = \"/run/url\"\nca_file = \"/run/ca.crt\""), Ok(in_file.clone()));
    let settings = Settings { database: in_file, ..Settings::default() };
    assert_eq!(Settings::parse(&settings.to_text()), Ok(settings), "as it was written");
    for (lines, field) in [
        ("url = \"postgres://db/exams\"\nurl_file = \"/run/url\"", "database.url_file"),
        ("url = \"sqlite:exams.db\"\nca_file = \"/run/ca.crt\"", "database.ca_file"),
        ("url = \"sqlite:exams.db\"\npassword_file = \"/run/word\"", "database.password_file"),
        ("url = \"postgres://me:word@db/exams\"", "database.url"),
    ] {
        assert_eq!(read(lines).unwrap_err()[0].field, field, "{lines}");
    }
}

#[test]
fn traces_go_to_a_collector_that_needs_no_tls_and_no_password() {
    let read = |endpoint: &str| Settings::parse(&format!("[trace]\nendpoint = \"{endpoint}\""));
    for good in ["http://collector:4318", "http://10.0.0.1:4318/", "http://[::1]:4318/base"] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in
        ["collector:4318", "https://collector:4318", "http://", "http://me:word@collector", "http://a b"]
    {
        assert!(read(bad).unwrap_err()[0].message.contains("http://collector:4318"), "{bad}");
    }
}

#[test]
fn no_authentication_needs_loopback_or_a_word() {
    assert!(Settings::parse("[api]\nbind = \"0.0.0.0:8000\"").is_err());
    assert!(Settings::parse("[api]\nbind = \"0.0.0.0:8000\"\n[auth]\nallow_public = true").is_ok());
}

#[test]
fn the_environment_is_honoured_without_a_file() {
    let settings =
        Settings::embedded(Some("redis://:pw@127.0.0.1:6379/2"), Some("sqlite:/tmp/x.db")).unwrap();
    assert_eq!(settings.store.mode(), "basic");
    assert_eq!(settings.database, Database::at("sqlite:/tmp/x.db"));
    assert_eq!(Settings::embedded(Some("127.0.0.1"), Some("")).unwrap_err().len(), 2);
}

#[test]
fn a_revision_names_the_text() {
    assert_eq!(revision("a"), revision("a"));
    assert_ne!(revision("a"), revision("b"));
    assert_eq!(revision("").len(), 12);
}
