//! Certificates that can be used, and others. The files beside this one were made by openssl for these tests alone.

use super::*;
use std::collections::BTreeMap;

const NOW: u64 = 1_900_000_000;

fn judged(replace: Option<(&str, &str)>, host: &str, now: u64) -> Result<Certificate, Unusable> {
    let texts = [
        ("tls.crt", include_str!("tls.crt")),
        ("tls.key", include_str!("tls.key")),
        ("ca.crt", include_str!("ca.crt")),
    ];
    let mut held: BTreeMap<String, Credential> =
        texts.map(|(key, text)| (key.to_owned(), Credential(text.to_owned()))).into_iter().collect();
    if let Some((key, text)) = replace {
        held.insert(key.to_owned(), Credential(text.to_owned()));
    }
    let given = Given(BTreeMap::from([("redis-tls".to_owned(), Some(held))]));
    let reference = |key: &str| Reference {
        secret: "redis-tls".to_owned(),
        key: key.to_owned(),
        field: "spec.redis.tls.secretRef",
    };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    read(&given, &["tls.crt", "tls.key", "ca.crt"].map(reference), &[host.to_owned()], now)
}

#[test]
fn what_is_wrong_is_said() {
    let host = "midterm-redis-0.midterm-redis-nodes.school.svc";
    let good = judged(None, host, NOW).unwrap();
    assert_eq!((good.id.len(), good.authority.0.as_str()), (64, include_str!("ca.crt")));
    let other = include_str!("other.crt");
    for (replace, host, now, words) in [
        (Some(("tls.key", include_str!("other.key"))), host, NOW, "tls.key is not the key of tls.crt"),
        (Some(("tls.key", "a key")), host, NOW, "tls.key is no key (PEM)"),
        (Some(("tls.crt", "a certificate")), host, NOW, "tls.crt holds no certificate (PEM)"),
        (Some(("ca.crt", other)), host, NOW, "is not by an authority of ca.crt"),
        (None, "cache", NOW, "is not for cache; name it"),
        (None, host, 9_000_000_000, "has expired"),
    ] {
        let refused = judged(replace, host, now).unwrap_err();
        assert_eq!(refused.reason, "InvalidCertificate", "{refused}");
        let start = "Secret redis-tls, which spec.redis.tls.secretRef names: ";
        assert!(refused.message.starts_with(start) && refused.message.contains(words), "{refused}");
    }
    assert_eq!(judged(Some(("ca.crt", " ")), host, NOW).unwrap_err().reason, "InvalidCertificate");
}
