//! How a database is reached: its URL, and the secrets that go with it.
//!
//! Input: what Settings and the files of secrets say. Output: options of connections, and a text without passwords.
//! Must not know: files, statements.

use super::transaction_pooling;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::str::FromStr;

/// How a database is reached.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DatabaseAccess {
    /// `sqlite:PATH`, or `postgres://…`, with or without the password.
    pub url: String,
    /// PostgreSQL's password, in place of the URL's.
    pub password: Option<String>,
    /// File with the certificates of the authority, in place of what the URL says of TLS.
    pub ca_file: Option<String>,
}

impl std::fmt::Debug for DatabaseAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseAccess({})", self.shown())
    }
}

impl DatabaseAccess {
    /// A database at a URL, with no secret beside it.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), password: None, ca_file: None }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// The options of a connection to PostgreSQL, and whether there is a transaction pooler between.
    pub(super) fn postgres(&self) -> Result<(PgConnectOptions, bool), sqlx::Error> {
        let (url, is_pooled) = transaction_pooling::parse(&self.url);
        let mut options = PgConnectOptions::from_str(&url)?.application_name("exam-service");
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(file) = &self.ca_file {
            options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(file);
        }
        // A pooler refuses startup parameters that it cannot track.
        if is_pooled {
            options = options.extra_float_digits(None).statement_cache_capacity(0);
        }
        Ok((options, is_pooled))
    }

    /// Whether both lead to the same database of the same PostgreSQL in the same way, whoever asks.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        let place = |access: &Self| {
            let (options, is_pooled) = access.postgres().ok().filter(|_| !access.is_sqlite())?;
            let database = options.get_database().map(str::to_owned);
            Some((options.get_host().to_owned(), options.get_port(), database, is_pooled))
        };
        place(self).is_some_and(|mine| place(other) == Some(mine))
    }

    /// The URL without passwords, for logs and errors.
    pub(super) fn shown(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        // Query parameters may contain a password, and an unescaped password may contain any character but `@`.
        let shown = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
        match rest.rsplit_once('@') {
            Some((user, place)) => {
                format!("{scheme}://{}@{}", user.split(':').next().unwrap_or_default(), shown(place))
            }
            None => format!("{scheme}://{}", shown(rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("postgres://exam:word@db:5432/exams?sslmode=require", "postgres://exam@db:5432/exams"),
            ("postgres://exam:wo/rd@db/exams", "postgres://exam@db/exams"),
            ("postgres://exam:wo?rd@db/exams", "postgres://exam@db/exams"),
            ("postgres://exam:wo@rd@db/exams", "postgres://exam@db/exams"),
            ("postgres://db/exams?password=word", "postgres://db/exams"),
            ("sqlite:exams.db", "sqlite:exams.db"),
        ] {
            let access = DatabaseAccess { password: Some("word".to_owned()), ..DatabaseAccess::at(url) };
            assert_eq!(access.shown(), shown);
            assert_eq!(format!("{access:?}"), format!("DatabaseAccess({shown})"));
        }
    }

    #[test]
    fn whoever_asks_it_is_the_same_place() {
        let same = |one: &str, other: &str| DatabaseAccess::at(one).is_same_place(&DatabaseAccess::at(other));
        assert!(same("postgres://exam:one@db/exams", "postgresql://other:two@db:5432/exams"));
        for other in [
            "postgres://exam@db2/exams",
            "postgres://exam@db:6432/exams",
            "postgres://exam@db/other",
            "postgres://exam@db/exams?pooled=true",
            "sqlite:exams.db",
        ] {
            assert!(!same("postgres://exam@db/exams", other), "{other}");
        }
        assert!(!same("sqlite:exams.db", "sqlite:exams.db"), "a file is nobody's but the process's");
    }

    #[test]
    fn an_authority_asks_for_verified_tls_whatever_the_url_says() {
        let access = DatabaseAccess {
            ca_file: Some("/run/ca.crt".to_owned()),
            ..DatabaseAccess::at("postgres://exam@db/exams?sslmode=disable")
        };
        let (options, is_pooled) = access.postgres().unwrap();
        assert!(matches!(options.get_ssl_mode(), PgSslMode::VerifyFull));
        assert!(!is_pooled);
    }
}
