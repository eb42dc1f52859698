//! Tokens that open, and all the others.

use super::*;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

const SECRET: &str = "a secret that only the tests know!";

fn keys() -> Keys {
    let algorithm = Some(settings::Algorithm::HS256);
    Keys::read(SECRET, algorithm, "exams", Some("https://school.example")).unwrap()
}

fn claims() -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({"sub": "ada", "aud": "exams", "iss": "https://school.example", "exp": now + 600})
}

fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

#[test]
fn a_token_says_who_calls() {
    let caller = keys().verify(&signed(&claims(), Algorithm::HS256, SECRET)).unwrap();
    assert_eq!(caller, Caller { role: Role::Student, subject: Some("ada".into()), extra_time: 0.0 });
    for (name, value, role) in [
        ("role", json!("proctor"), Role::Proctor),
        ("role", json!("teacher"), Role::Student),
        ("roles", json!(["student", "admin"]), Role::Admin),
    ] {
        let caller = keys().verify(&signed(&changed(name, value), Algorithm::HS256, SECRET)).unwrap();
        assert_eq!(caller.role, role);
    }
    let extra = changed("extra_time", json!(0.5));
    assert_eq!(keys().verify(&signed(&extra, Algorithm::HS256, SECRET)).unwrap().extra_time, 0.5);
}

#[test]
fn every_other_token_is_refused_with_its_reason() {
    let refused = |token: &str| keys().verify(token).unwrap_err();
    for (name, value, reason) in [
        ("exp", json!(1), "expired"),
        ("exp", Value::Null, "no exp"),
        ("nbf", json!(99_999_999_999_u64), "not valid yet"),
        ("aud", json!("others"), "another audience"),
        ("aud", Value::Null, "no aud"),
        ("iss", json!("https://elsewhere.example"), "another issuer"),
        ("iss", Value::Null, "no iss"),
        ("sub", Value::Null, "no sub"),
        ("sub", json!(""), "sub must have"),
        ("sub", json!("x".repeat(300)), "sub must have"),
        ("extra_time", json!(99), "extra_time"),
        ("extra_time", json!(-0.5), "extra_time"),
        ("extra_time", json!("long"), "claims"),
    ] {
        let why = refused(&signed(&changed(name, value), Algorithm::HS256, SECRET));
        assert!(why.contains(reason), "{name}: {why}");
    }
    let token = signed(&claims(), Algorithm::HS256, SECRET);
    let (head, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        signed(&claims(), Algorithm::HS256, "another secret that only the tests know"),
        signed(&claims(), Algorithm::HS512, SECRET),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{head}.{body}.{}", &signature[1..]),
        format!("{head}.{body}"),
        String::new(),
        "x".repeat(100_000),
    ] {
        assert!(keys().verify(&forged).is_err(), "{forged:.80}");
    }
}

#[test]
fn a_key_file_must_be_of_use() {
    let read = |text: &str, algorithm| Keys::read(text, algorithm, "exams", None).err().unwrap_or_default();
    assert!(read("short", Some(settings::Algorithm::HS256)).contains("32 bytes"));
    assert!(read("nothing", Some(settings::Algorithm::ES256)).contains("PEM"));
    assert!(read("nothing", Some(settings::Algorithm::EdDSA)).contains("PEM"));
    assert!(read("nothing", None).contains("Key Set"));
    assert!(read(r#"{"keys": []}"#, None).contains("no key"));
    let weak = r#"{"keys": [{"kty": "oct", "alg": "HS256", "k": "c2hvcnQ"}]}"#;
    assert!(read(weak, None).contains("32 bytes"));
    let other = r#"{"keys": [{"kty": "RSA", "alg": "RS256", "n": "AQAB", "e": "AQAB"}]}"#;
    assert!(read(other, None).contains("RS256"));
}
