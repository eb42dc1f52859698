//! Banks are imported by the API and the command line, stored by content hash, and used by version.

use anyhow::{Context, Result};
use contract::settings::revision;
use futures::future::try_join_all;
use harness::process::program;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Service, wait};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::process::Command;

/// Thirty good items, and three rows that are none.
fn csv() -> String {
    let good = (0..30).map(|number| {
        format!("Q{number},2PL,{},{},q\n", 0.8 + f64::from(number % 5) / 4.0, f64::from(number) / 8.0 - 1.8)
    });
    let bad = "Q1,2PL,1,0,twice\nW,2PL,-1,0,slope\nV,2PL,one,0,word\n";
    format!("item_id,model,a,b,note\n{}{bad}", good.collect::<String>())
}

async fn put(
    client: &Client,
    query: &str,
    kind: &str,
    body: impl Into<reqwest::Body>,
) -> Result<(u16, Value)> {
    let headers = [("content-type", kind)];
    let carry = if query.is_empty() { "?columns=note" } else { "&columns=note" };
    let reply = client.send_as(Method::PUT, &format!("/banks{query}{carry}"), Some(body), &headers).await?;
    Ok((reply.status, reply.body))
}

#[tokio::test]
async fn a_bank_is_stored_by_content_hash() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let (status, dry) = put(&client, "?scaling=1.7&dry_run=true", "text/csv", csv()).await?;
    assert_eq!((status, &dry["kept"], &dry["items"]), (200, &json!(false), &json!(30)), "{dry}");
    let listed = client.get("/banks").await?.body;
    let sample = json!(["sample"]);
    assert_eq!((listed["banks"].as_array().map(Vec::len), &listed["banks"][0]["names"]), (Some(1), &sample));
    let (_, kept) = put(&client, "?scaling=1.7", "text/csv; charset=utf-8", csv()).await?;
    assert_eq!((&kept["version"], &kept["kept"]), (&dry["version"], &json!(true)));
    assert_eq!(kept["ignored_columns"], json!(["note"]));
    let bad: Vec<&str> = kept["quarantined"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|fault| fault["field"].as_str())
        .collect();
    assert_eq!(bad, ["line 32", "line 33", "line 34"]);
    // The same items as JSON are the same bank; its bad ones are named by their place.
    let items: Vec<Value> = csv().lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |text: &str| text.parse::<f64>().map_or(json!(text), |number| json!(number));
        json!({"item_id": cells[0], "model": cells[1], "a": number(cells[2]), "b": number(cells[3]), "key": null})
    }).collect();
    let body = json!({"scaling": 1.7, "items": items}).to_string();
    let (status, same) = put(&client, "", "application/json", body).await?;
    assert_eq!((status, &same["version"]), (200, &kept["version"]), "{same}");
    assert_eq!(same["quarantined"][0]["field"], "items[30]", "{same}");
    let (_, other) = put(&client, "?scaling=1", "text/csv", csv()).await?;
    assert_ne!(other["version"], kept["version"], "another D is another bank");
    assert_eq!(client.get("/banks").await?.body["banks"].as_array().map(Vec::len), Some(3));

    let version = kept["version"].as_str().context("version")?;
    let survey = client.get(&format!("/banks/{version}")).await?.body;
    assert_eq!((&survey["items"], survey["curve"].as_array().map(Vec::len)), (&json!(30), Some(17)));
    assert!(survey["gaps"].as_array().is_some_and(|gaps| gaps.contains(&json!(-4.0))), "{survey}");
    assert_eq!(client.get("/banks/0000000000000000").await?.code(), "bank_not_found");
    Ok(())
}

#[tokio::test]
async fn an_invalid_bank_is_refused() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let huge = "x".repeat(17 * 1024 * 1024);
    let cases: [(&str, &str, Vec<u8>, u16); 11] = [
        ("?scaling=1", "text/csv", Vec::new(), 422),
        ("?scaling=1", "text/csv", b"a,b\n1,2\n".to_vec(), 422),
        ("?scaling=1", "text/csv", b"item_id,a,b\nX,-1,0\n".to_vec(), 422),
        ("?scaling=1", "text/csv", b"item_id,a\n\xff\xfe,1\n".to_vec(), 422),
        ("", "text/csv", csv().into_bytes(), 422),
        ("?scaling=0", "text/csv", csv().into_bytes(), 422),
        ("?scaling=NaN", "text/csv", csv().into_bytes(), 422),
        ("?scaling=1&dry_run=maybe", "text/csv", csv().into_bytes(), 422),
        ("?scaling=1", "application/json", b"{\"items\": [{\"item_id\": [1]}]}".to_vec(), 422),
        ("?scaling=1", "application/json", b"{".to_vec(), 400),
        ("?scaling=1", "text/plain", csv().into_bytes(), 415),
    ];
    for (query, kind, body, expected) in cases {
        let (status, reply) = put(&client, query, kind, body).await?;
        assert_eq!(status, expected, "{query} {kind}: {reply}");
    }
    let many: String = (0..50_001).map(|number| format!("I{number},1,0\n")).collect();
    let (status, reply) = put(&client, "?scaling=1", "text/csv", format!("item_id,a,b\n{many}")).await?;
    assert!(status == 422 && reply.to_string().contains("at most 50000"), "{reply}");
    let (status, reply) = put(&client, "?scaling=1", "text/csv", huge).await?;
    assert_eq!((status, &reply["code"]), (413, &json!("body_too_large")), "{reply}");
    assert_eq!(
        client.get("/banks").await?.body["banks"].as_array().map(Vec::len),
        Some(1),
        "nothing was kept"
    );
    Ok(())
}

/// Imported many times at once, used after a change of Settings, and kept by exams that run on another.
#[tokio::test]
async fn an_imported_bank_is_used_by_its_version() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = |banks: &str, bank: &str| {
        format!(
            "[database]\nurl = \"{}\"\n{banks}[exam_types.placement]\nbank = \"{bank}\"\nmax_items = 12\n",
            postgres.url()
        )
    };
    let unknown = "[[banks]]\nname = \"own\"\nversion = \"0123456789abcdef\"\n";
    let refused =
        Service::start_with(Setup { settings: Some(settings(unknown, "own")), ..Setup::default() }).await;
    let said = format!("{:#}", refused.err().context("a bank that was never imported should be refused")?);
    assert!(said.contains("banks[0].version") && said.contains("never imported"), "{said}");

    let setup = Setup { settings: Some(settings("", "sample")), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client = service.client();
    let mut before = Examinee::start(&client, 12).await?;
    before.answer(&client).await?;
    let imports = try_join_all((0..8).map(|_| put(&client, "?scaling=1.7", "text/csv", csv()))).await?;
    let version = imports[0].1["version"].as_str().context("version")?.to_owned();
    assert!(imports.iter().all(|(status, reply)| *status == 200 && reply["version"] == version));
    let text = settings(&format!("[[banks]]\nname = \"own\"\nversion = \"{version}\"\n"), "own");
    std::fs::write(service.path("settings.toml"), &text)?;
    let wanted = revision(&text);
    wait::until("the settings are taken up", Duration::from_secs(10), || async {
        let state: Value = reqwest::get(format!("{}/state", service.ops())).await.ok()?.json().await.ok()?;
        (state["settings_revision"] == wanted).then_some(())
    })
    .await?;
    let start = client.post("/start", json!({"exam_type": "placement"})).await?.body;
    assert!(start["item"]["code"].as_str().is_some_and(|code| code.starts_with('Q')), "{start}");
    before.finish(&client).await?;
    assert_eq!(before.replies.len(), 12, "a running exam keeps its bank");
    let listed = client.get("/banks").await?.body;
    let own = listed["banks"].as_array().into_iter().flatten().find(|bank| bank["version"] == version);
    assert_eq!(own.map(|bank| &bank["exam_types"]), Some(&json!(["placement"])), "{listed}");
    Ok(())
}

#[tokio::test]
async fn banks_on_the_command_line() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("algebra.csv");
    std::fs::write(&file, csv())?;
    let database = format!("sqlite:{}", folder.path().join("exams.db").display());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program("exam-service").expect("it should be built"));
        command.args(["bank"]).args(arguments).args(["--database", &database]);
        async move {
            let output = command.output().await?;
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            anyhow::ensure!(output.status.success(), "{said}");
            Ok(said)
        }
    };
    let said = run(&["import", &file.display().to_string(), "--scaling", "1.7", "--carry", "note"]).await?;
    assert!(said.contains("30 items, 3 rows kept out") && said.contains("kept out: line 32"), "{said}");
    let settings: String = said
        .lines()
        .skip_while(|line| *line != "[[banks]]")
        .take(3)
        .map(|line| format!("{line}\n"))
        .collect();
    let text =
        format!("[database]\nurl = \"{database}\"\n{settings}[exam_types.placement]\nbank = \"algebra\"\n");
    let listed = run(&["list"]).await?;
    assert!(listed.lines().count() == 2 && listed.contains("30      1.7"), "{listed}");
    // What it says is what works.
    let service = Service::start_with(Setup {
        settings: Some(text),
        database_url: Some(database.clone()),
        ..Setup::default()
    })
    .await?;
    let mut examinee = Examinee::start(&service.client(), 10).await?;
    examinee.finish(&service.client()).await?;
    Ok(())
}
