//! `exam-service ping`: every dependency, asked once, with the time it took.

use super::arguments::Ping;
use super::report::faults;
use super::sources::{database_access, settings, store_secrets};
use anyhow::{Context, anyhow, bail};
use contract::Settings;
use contract::settings::{BankFile, BankFrom};
use service::exam::bank::{Import, ItemBank};
use service::records::Records;
use service::store;
use service::telemetry::metrics::Metrics;
use std::io::Write;
use std::time::{Duration, Instant};

/// Asks the database, the store and the bank files that Settings name.
pub fn run(arguments: &Ping) -> anyhow::Result<()> {
    let (settings, _) = settings(&arguments.source)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let failed = runtime.block_on(async {
        let mut failed = 0;
        for (what, found) in
            [("database", timed(database(&settings)).await), ("store", timed(store(&settings)).await)]
        {
            failed += report(what, found)?;
        }
        for bank in &settings.banks {
            let read = async {
                match &bank.from {
                    BankFrom::File(file) => check_bank(file),
                    BankFrom::Version { version } => kept_bank(&settings, version).await,
                }
            };
            failed += report(&format!("bank {}", bank.name), timed(read).await)?;
        }
        anyhow::Ok(failed)
    })?;
    match failed {
        0 => Ok(()),
        1 => bail!("one of them does not answer"),
        count => bail!("{count} of them do not answer"),
    }
}

type Timed = (anyhow::Result<String>, Duration);

async fn timed(check: impl Future<Output = anyhow::Result<String>>) -> Timed {
    let start = Instant::now();
    let answer = check.await;
    (answer, start.elapsed())
}

fn report(what: &str, (answer, took): Timed) -> anyhow::Result<usize> {
    let (word, text, failed) = match answer {
        Ok(text) => ("ok", text, 0),
        Err(error) => ("FAILED", format!("{error:#}"), 1),
    };
    let milliseconds = took.as_secs_f64() * 1000.0;
    writeln!(std::io::stdout(), "{what:<16} {word:<7} {milliseconds:>8.1} ms  {text}")?;
    Ok(failed)
}

async fn database(settings: &Settings) -> anyhow::Result<String> {
    let records = Records::open(&database_access(&settings.database)?, Metrics::new()).await?;
    let open = records.open_exams().await?;
    let durability = records.durability().to_owned();
    records.close().await;
    Ok(format!("{durability}; {open} open exams"))
}

async fn kept_bank(settings: &Settings, version: &str) -> anyhow::Result<String> {
    let records = Records::open(&database_access(&settings.database)?, Metrics::new()).await?;
    let body =
        records.bank(version).await?.with_context(|| format!("version {version} was never imported"))?;
    records.close().await;
    let bank = ItemBank::from_body(&body).map_err(|error| anyhow!(error))?;
    Ok(format!("{} items, version {version}", bank.len()))
}

async fn store(settings: &Settings) -> anyhow::Result<String> {
    let secrets = store_secrets(&settings.store)?;
    let store = store::Store::open(&settings.store, &secrets, Metrics::new())?;
    store.check().await.map_err(|error| anyhow!("{}: {error}", store.mode()))?;
    Ok(match settings.store.redis() {
        Some(_) => format!("{}, it answers", store.mode()),
        None => format!("{}: nothing beside the process", store.mode()),
    })
}

fn check_bank(BankFile { file, form }: &BankFile) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let Import { bank, quarantined, .. } =
        ItemBank::from_csv(&bytes, form).map_err(|found| faults(file, &found))?;
    Ok(format!("{} items, {} rows kept out, version {}", bank.len(), quarantined.len(), bank.version()))
}
