//! `exam-service bank check`, `bank import` and `bank list`.
//!
//! Input: bank files, and the database of record. Output: a survey of a bank, a stored bank version, a list.

use super::arguments::{BankCheck, BankImport, BankList};
use super::policies;
use super::sources::database;
use anyhow::{anyhow, bail};
use contract::settings::BankFormat;
use service::exam::bank::ItemBank;
use service::records::Records;
use service::telemetry::metrics::Metrics;
use std::io::Write;

/// Reports a bank's information, its gaps and its unusable items.
pub fn check(arguments: &BankCheck) -> anyhow::Result<()> {
    let (bank, kept_out) = policies::import(&arguments.file, &arguments.reading)?;
    write!(std::io::stdout(), "{}", service::exam::bank::survey::Survey::of(&bank))?;
    if kept_out > 0 && !arguments.quarantine {
        let rows = if kept_out == 1 { "1 row is".to_owned() } else { format!("{kept_out} rows are") };
        bail!("{rows} kept out; mend what is wrong, or say --quarantine to go on without");
    }
    Ok(())
}

/// Keeps a bank, and says how Settings name it.
pub fn import(arguments: &BankImport) -> anyhow::Result<()> {
    if arguments.reading.scaling.is_none() && arguments.reading.format == BankFormat::Standard {
        bail!("say --scaling: D of the bank's calibration, 1, 1.7 or 1.702");
    }
    let access = database(&arguments.database)?;
    let (bank, kept_out) = policies::import(&arguments.file, &arguments.reading)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let records = Records::open(&access, Metrics::new()).await?;
        records.keep_bank(bank.version(), bank.body()).await?;
        records.close().await;
        anyhow::Ok(())
    })?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{} items, {kept_out} rows kept out, version {}", bank.len(), bank.version())?;
    writeln!(stdout, "\nFor exam types to use it, put into the Settings:")?;
    let stem = arguments.file.file_stem().map_or("bank".into(), |stem| stem.to_string_lossy());
    writeln!(stdout, "[[banks]]\nname = \"{}\"\nversion = \"{}\"", stem.replace('"', ""), bank.version())?;
    Ok(())
}

/// Lists the banks that are kept.
pub fn list(arguments: &BankList) -> anyhow::Result<()> {
    let access = database(&arguments.database)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let records = Records::open_existing(&access).await?;
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{:<16} {:>6} {:>8}", "version", "items", "D")?;
        for version in records.banks().await? {
            let body = records.bank(&version).await?.unwrap_or_default();
            let bank = ItemBank::from_body(&body).map_err(|error| anyhow!("bank {version}: {error}"))?;
            writeln!(stdout, "{version:<16} {:>6} {:>8}", bank.len(), bank.measures().scaling())?;
        }
        records.close().await;
        anyhow::Ok(())
    })
}
