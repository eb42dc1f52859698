//! `exam-service export`: exams or answers as a table, to a file that is whole or not there, or to the terminal.

use super::arguments;
use super::report::progress;
use super::sources::database;
use anyhow::{Context, bail};
use service::export::{Export, Format, Layout, What};
use service::records::{Filter, Records};
use std::io::Write;

/// Exports what the arguments ask for.
pub fn run(arguments: &arguments::Export) -> anyhow::Result<()> {
    let access = database(&arguments.database)?;
    let what = match arguments.what {
        arguments::What::Answers => What::Answers,
        arguments::What::Exams => What::Exams,
    };
    let format = match arguments.format {
        arguments::Format::Csv => Format::Csv(layout(arguments)?),
        arguments::Format::Jsonl if arguments.reader.is_some() => bail!("--for is for --format csv"),
        arguments::Format::Jsonl => Format::JsonLines,
    };
    let filter = Filter {
        exam_type: arguments.exam_type.clone(),
        student_id: arguments.student_id.clone(),
        class_id: arguments.class_id.clone(),
        from: arguments.from.map(|(from, _)| from),
        to: arguments.to.map(|(_, to)| to),
        ..Filter::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let records = Records::open_existing(&access).await?;
        let mut export = Export::new(records.clone(), filter, what, format);
        let bar = progress("exams", u64::try_from(export.count().await?)?)?;
        match &arguments.out {
            None => {
                // Bars go to the standard error, and are not drawn where that is no terminal.
                let mut stdout = std::io::stdout().lock();
                write(&mut export, &mut stdout, &bar).await?;
            }
            Some(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or_else(|| ".".as_ref());
                let mut file = tempfile::NamedTempFile::new_in(folder)
                    .with_context(|| format!("cannot write in {}", folder.display()))?;
                write(&mut export, &mut std::io::BufWriter::new(&mut file), &bar).await?;
                file.as_file().sync_all()?;
                file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        bar.finish_and_clear();
        records.close().await;
        anyhow::Ok(())
    })
}

fn layout(arguments: &arguments::Export) -> anyhow::Result<Layout> {
    let language = arguments.locale.as_deref().unwrap_or("en");
    match arguments.reader {
        None => Ok(Layout::PLAIN),
        Some(arguments::Program::Excel) => Layout::excel(language).with_context(|| {
            format!("--locale {language:?} is not known; it is one of {}", Layout::languages())
        }),
    }
}

async fn write(export: &mut Export, to: &mut impl Write, bar: &indicatif::ProgressBar) -> anyhow::Result<()> {
    while let Some((text, exams)) = export.page().await.context("the database of record failed")? {
        to.write_all(&text)?;
        bar.inc(exams as u64);
    }
    Ok(to.flush()?)
}
