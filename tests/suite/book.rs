//! The commands of the docs are run as they stand: those of the book in its order, those of the READMEs and of the runbooks.
//!
//! Input: the blocks that `docs/book/commands.py` lists, and fences of other files. Output: none. Must not know: what a command does.

use anyhow::{Context, Result, ensure};
use harness::cluster::workspace;
use harness::process::{Process, program};
use harness::{Cluster, Postgres, wait};
use serde::Deserialize;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::Command;

/// Longest time for one block.
const PATIENCE: Duration = Duration::from_secs(400);
/// Namespace of the book's resources.
const NAMESPACE: &str = "school";

/// Commands that stand together on a page.
#[derive(Deserialize)]
struct Block {
    place: String,
    needs: String,
    text: String,
}

/// The blocks of the book.
async fn blocks() -> Result<Vec<Block>> {
    let list = workspace().join("docs/book/commands.py");
    let said = Command::new("python3").arg(list).arg("--json").output().await?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Ok(serde_json::from_slice(&said.stdout)?)
}

/// The commands that stand in a file, fence by fence.
fn fences(file: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(workspace().join(file))?;
    let fences = text.split("\n```sh\n").skip(1);
    fences.map(|rest| rest.split("\n```").next().map(str::to_owned).context("a fence that ends")).collect()
}

/// A shell in this folder, with our programs in its path.
fn shell(folder: &Path, text: &str) -> Result<Command> {
    let programs = program("exam-service")?;
    let programs = programs.parent().context("a folder")?.display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", text])
        .current_dir(folder)
        .env("PATH", format!("{programs}:{path}"));
    shell.stdin(Stdio::null()).kill_on_drop(true);
    Ok(shell)
}

/// Runs it, and gives what it said.
async fn run(place: &str, shell: &mut Command) -> Result<String> {
    let said = tokio::time::timeout(PATIENCE, shell.output()).await;
    let said = said.with_context(|| format!("{place} does not end"))??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(said.status.success(), "{place}: {}{}", text(&said.stdout), text(&said.stderr));
    Ok(text(&said.stdout))
}

#[tokio::test]
async fn commands_that_need_the_programs_alone_succeed() -> Result<()> {
    let (postgres, work) = (Postgres::start().await?, TempDir::new()?);
    let (database, mut count) = (postgres.database().await?, 0);
    for block in blocks().await?.iter().filter(|block| block.needs == "service") {
        let mut shell = shell(workspace(), &block.text)?;
        shell.env("WORK", work.path()).env("DATABASE", &database);
        run(&block.place, &mut shell).await?;
        count += 1;
    }
    ensure!(count > 4, "{count} blocks");
    Ok(())
}

#[tokio::test]
async fn commands_of_the_readme_succeed() -> Result<()> {
    let folder = TempDir::new()?;
    let work = folder.path();
    let fences = fences("README.md")?;
    // The service as `make run` starts it, at the ports that the README names.
    std::fs::create_dir(work.join("run"))?;
    let log = std::fs::File::create(work.join("log"))?;
    let mut serve = shell(&work.join("run"), "exec exam-service serve")?;
    let mut service = Process::start("exam-service", serve.stdout(log.try_clone()?).stderr(log))?;
    let ready = wait::until("the service", Duration::from_secs(30), || async {
        reqwest::get("http://127.0.0.1:9000/readyz").await.ok()?.error_for_status().ok().map(drop)
    });
    ready.await.with_context(|| std::fs::read_to_string(work.join("log")).unwrap_or_default())?;
    let calls = fences.iter().find(|text| text.starts_with("curl")).context("calls")?;
    // What the service refuses fails.
    let said = run("README.md", &mut shell(work, &calls.replace("curl -s", "curl -sS --fail"))?).await?;
    ensure!(said.contains(r#""items_completed":1"#), "the answer counts: {said}");
    service.kill().await?;

    std::fs::copy(workspace().join("service/banks/sample.csv"), work.join("items.csv"))?;
    std::fs::copy(work.join("run/exams.db"), work.join("exams.db"))?;
    std::fs::write(work.join("settings.toml"), "[database]\nurl = \"sqlite:exams.db\"\n")?;
    let policy = std::fs::read_to_string(workspace().join("docs/POLICY.md"))?;
    let policy = policy.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    std::fs::write(work.join("mine.toml"), policy.context("the example of a policy")?)?;
    let tools = fences.iter().find(|text| text.starts_with("exam-service")).context("tools")?;
    run("README.md", &mut shell(work, tools)?).await?;
    for made in ["items.svg", "answers.csv"] {
        ensure!(std::fs::metadata(work.join(made))?.len() > 0, "{made} is written");
    }
    Ok(())
}

#[tokio::test]
async fn commands_that_need_a_cluster_succeed() -> Result<()> {
    Cluster::lend(Cluster::released("book", 1).await?, follow).await
}

/// Runs commands at the top of the workspace, with kubectl, helm and our programs.
async fn on(cluster: &Cluster, place: &str, text: &str) -> Result<String> {
    let (root, programs) = (workspace().display(), program("exam-service")?);
    let programs = programs.parent().context("a folder")?.display();
    let text = format!("cd '{root}'\nexport PATH=\"{programs}:$PATH\"\n{text}");
    let said = tokio::time::timeout(PATIENCE, cluster.tool(&["bash", "-euo", "pipefail", "-c", &text])).await;
    said.with_context(|| format!("{place} does not end"))?.with_context(|| place.to_owned())
}

#[expect(clippy::print_stdout, reason = "figures of a run should be where one looks")]
async fn follow(cluster: &Cluster) -> Result<()> {
    let begin = format!(
        "kubectl create namespace {NAMESPACE}\n\
         kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/enforce=restricted\n\
         kubectl config set-context --current --namespace={NAMESPACE}"
    );
    on(cluster, "the namespace", &begin).await?;
    let mut count = 0;
    for block in blocks().await?.iter().filter(|block| block.needs == "node") {
        let start = Instant::now();
        on(cluster, &block.place, &block.text).await?;
        println!("{:>6.1} s  {}", start.elapsed().as_secs_f64(), block.place);
        count += 1;
    }
    ensure!(count > 15, "{count} blocks");

    // The words with which every runbook asks.
    let words = fences("docs/runbooks.md")?.into_iter().next().context("the words of the runbooks")?;
    let asked = format!("{words}\npods\nlogs | tail -1\nstate | tail -1\nredis $R-redis-0 ping\nwhy");
    let said = on(cluster, "docs/runbooks.md", &asked).await?;
    for expected in ["midterm-redis-0", "PONG", "Ready=True", "\"mode\":\"basic\""] {
        ensure!(said.contains(expected), "no {expected} in {said}");
    }
    // The commands of the READMEs that are not the book's. What is watched for ever is looked at once.
    let file = "charts/adaptive-exam/README.md";
    let chart = fences(file)?.into_iter().next().context("the chart's commands")?;
    let said = on(cluster, file, &chart).await?;
    ensure!(said.contains("counts once"), "{said}");
    for (file, namespace) in [("README.md", "readme"), ("charts/adaptive-exam-operator/README.md", "chart")] {
        let here = format!(
            "kubectl create namespace {namespace}\nkubectl config set-context --current --namespace={namespace}"
        );
        on(cluster, file, &here).await?;
        let first = fences(file)?.into_iter().find(|text| text.starts_with("helm install")).context(file)?;
        on(cluster, file, &first.replace("helm install", "helm upgrade --install").replace(" -w", ""))
            .await?;
    }
    Ok(())
}
