//! The document is one that generators can use: clients in Python and TypeScript are generated from it, type-checked,
//! and sit an exam; its links lead a checker through exams in every order.

use anyhow::{Context, Result, ensure};
use harness::Service;
use harness::cluster::workspace;
use harness::process::program;
use rstest::rstest;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Rounds of the checker for each way through the links.
const ROUNDS: &str = "25";

/// Where `make clients` puts the generators.
fn tools() -> Result<PathBuf> {
    let built = program("exam-service")?;
    let target = built.ancestors().nth(2).context("a target folder")?.join("clients");
    ensure!(target.is_dir(), "the generators of clients are not there: make clients");
    Ok(target)
}

/// Runs a command in a folder, with the generators on its path; gives what it said.
async fn run(tools: &Path, folder: &Path, words: &[&str]) -> Result<String> {
    let [python, typescript] = ["python/bin", "typescript/node_modules/.bin"].map(|path| tools.join(path));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{path}", python.display(), typescript.display());
    let program = words.first().context("a program")?;
    let known =
        [&python, &typescript].into_iter().map(|folder| folder.join(program)).find(|path| path.exists());
    let mut command = Command::new(known.unwrap_or_else(|| PathBuf::from(program)));
    command.args(&words[1..]).current_dir(folder).env("PATH", path).env("PYTHONPATH", folder);
    let output = command.kill_on_drop(true).output().await.with_context(|| words.join(" "))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{}: {said}", words.join(" "));
    Ok(said)
}

/// The document and the files of a client, in a folder of their own.
fn folder(files: &[&str]) -> Result<tempfile::TempDir> {
    let folder = tempfile::TempDir::new()?;
    let root = workspace();
    std::fs::copy(root.join("service/openapi.json"), folder.path().join("openapi.json"))?;
    for file in files {
        std::fs::copy(root.join("tests/clients").join(file), folder.path().join(file))?;
    }
    Ok(folder)
}

#[tokio::test]
async fn a_generated_python_client_sits_an_exam() -> Result<()> {
    let (tools, folder) = (tools()?, folder(&["python.yaml", "sit.py"])?);
    let service = Service::start().await?;
    let url = format!("http://{}", service.api());
    let here = folder.path();
    let generate = ["openapi-python-client", "generate", "--config", "python.yaml", "--path", "openapi.json"];
    run(&tools, here, &[&generate[..], &["--output-path", "client", "--fail-on-warning"]].concat()).await?;
    let client = here.join("client");
    std::fs::copy(here.join("sit.py"), client.join("sit.py"))?;
    run(&tools, &client, &["mypy", "--strict", "sit.py", "exam_client"]).await?;
    let told = run(&tools, &client, &["python", "sit.py", &url]).await?;
    assert!(told.contains("5 answers"), "{told}");
    assert_eq!(service.client().get("/exams?status=completed&student_id=ada@school").await?.body["count"], 1);
    Ok(())
}

#[tokio::test]
async fn a_generated_typescript_client_sits_an_exam() -> Result<()> {
    let (tools, folder) = (tools()?, folder(&["sit.ts", "tsconfig.json", "package.json"])?);
    std::os::unix::fs::symlink(tools.join("typescript/node_modules"), folder.path().join("node_modules"))?;
    let service = Service::start().await?;
    let url = format!("http://{}", service.api());
    let here = folder.path();
    run(&tools, here, &["openapi-typescript", "openapi.json", "--output", "schema.d.ts"]).await?;
    run(&tools, here, &["tsc", "--project", "."]).await?;
    let told = run(&tools, here, &["node", "sit.js", &url]).await?;
    assert!(told.contains("5 answers"), "{told}");
    assert_eq!(service.client().get("/exams?status=completed&class_id=7").await?.body["count"], 1);
    Ok(())
}

/// Requests follow the links from reply to request, with values that the replies held, in orders of the checker's choice.
#[rstest]
#[case(1)]
#[case(20261128)]
#[tokio::test]
async fn the_links_lead_through_exams(#[case] seed: u32) -> Result<()> {
    let (tools, folder) = (tools()?, folder(&[])?);
    let service = Service::start().await?;
    let (url, seed) = (format!("http://{}", service.api()), seed.to_string());
    let checks =
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let words = [
        "schemathesis",
        "run",
        "openapi.json",
        "--url",
        &url,
        "--phases",
        "stateful",
        "--checks",
        checks,
        "--max-examples",
        ROUNDS,
        "--seed",
        &seed,
        "--no-color",
        "--exclude-path-regex",
        "banks|export",
    ];
    let told = run(&tools, folder.path(), &words).await?;
    assert!(told.contains("Stateful") && !told.contains("0 scenarios"), "{told}");
    println!(
        "{}",
        told.lines()
            .filter(|line| line.contains("Stateful") || line.contains("passed"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let exams = service.client().get("/exams").await?.body["count"].as_u64().unwrap_or_default();
    assert!(exams > 0, "exams were started: {told}");
    Ok(())
}
