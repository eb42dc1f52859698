//! The steps of the schema, for each database.
//!
//! Input: the files of `service/migrations`. Output: what sqlx runs at start. Must not know: connections.
//!
//! Not by sqlx's macros: they would have each build compile sqlx and its drivers a second time, for the compiler itself.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Version, name and statements of the files in one folder.
macro_rules! files {
    ($folder:literal) => {
        [
            (1, "exams", include_str!(concat!("../../migrations/", $folder, "/0001_exams.sql"))),
            (2, "expiry", include_str!(concat!("../../migrations/", $folder, "/0002_expiry.sql"))),
            (3, "terms", include_str!(concat!("../../migrations/", $folder, "/0003_terms.sql"))),
            (4, "outages", include_str!(concat!("../../migrations/", $folder, "/0004_outages.sql"))),
        ]
    };
}

/// Of SQLite.
pub(super) fn sqlite() -> Migrator {
    additive(&files!("sqlite"))
}

/// Of PostgreSQL.
pub(super) fn postgres() -> Migrator {
    additive(&files!("postgres"))
}

/// Migrations only add columns and tables, so a schema that a later version migrated serves this version too: an
/// update can be rolled back.
fn additive(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let read = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrations = Migrator::with_migrations(files.iter().map(read).collect());
    migrations.set_ignore_missing(true);
    migrations
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A file that is not listed would never be run.
    #[tokio::test]
    async fn every_file_is_run() -> Result<(), sqlx::migrate::MigrateError> {
        for (folder, listed) in [("sqlite", sqlite()), ("postgres", postgres())] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files = Migrator::new(path).await?;
            let parts = |of: &Migrator| -> Vec<_> {
                of.iter()
                    .map(|step| (step.version, step.description.clone(), step.checksum.clone()))
                    .collect()
            };
            assert_eq!(parts(&listed), parts(&files), "{folder}");
        }
        Ok(())
    }
}
