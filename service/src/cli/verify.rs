//! `exam-service verify`: every stored exam computed anew, differences on the terminal.

use super::arguments::Verify;
use super::report::progress;
use super::sources::database;
use anyhow::{Context, bail};
use service::records::Records;
use service::verify::verify;
use std::io::Write;

/// Verifies every exam of a database that no service is using.
pub fn run(arguments: &Verify) -> anyhow::Result<()> {
    let access = database(&arguments.database)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let verified = runtime.block_on(async {
        let records = Records::open_existing(&access).await?;
        let bar = progress("exams", 0)?;
        let verified = verify(&records, |all| {
            bar.set_length(all);
            bar.inc(1);
        });
        let verified = verified.await.context("the database of record failed")?;
        bar.finish_and_clear();
        records.close().await;
        anyhow::Ok(verified)
    })?;
    let mut stdout = std::io::stdout().lock();
    for difference in &verified.differences {
        writeln!(stdout, "{difference}")?;
    }
    writeln!(stdout, "{} exams, {} events computed anew", verified.exams, verified.events)?;
    match verified.differences.len() {
        0 => Ok(writeln!(stdout, "no difference")?),
        1 => bail!("there is a difference"),
        count => bail!("there are {count} differences"),
    }
}
