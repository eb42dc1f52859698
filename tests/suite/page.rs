//! The exam page: a complete exam by keyboard, answers that survive restarts, accessibility, and no requests to
//! other hosts.

mod browser;
mod people;

use crate::crash::database;
use anyhow::{Context, Result};
use browser::Browser;
use fantoccini::key::Key;
use harness::Service;
use serde_json::{Value, json};

const ENTER: char = '\u{e007}';
const TAB: char = '\u{e004}';

/// Fills in the start form by keyboard and waits for the first question.
async fn start_exam(browser: &Browser, service: &Service, items: u32) -> Result<()> {
    browser.open(service.api()).await?;
    browser.until_shown("start").await?;
    browser.press(&format!("{TAB}{TAB}{items}{ENTER}")).await?;
    until_question(browser, 1).await
}

/// Waits until a question is shown and has the focus.
async fn until_question(browser: &Browser, number: u32) -> Result<()> {
    browser.until(&format!("document.activeElement.textContent === 'Question {number}'")).await
}

/// What the result says under a name, exactly.
async fn shown_number(browser: &Browser, name: &str) -> Result<f64> {
    let value = browser.value(&format!("document.querySelector('[data-name={name}]').value")).await?;
    Ok(value.as_str().with_context(|| format!("{name} should be shown"))?.parse()?)
}

#[tokio::test]
async fn a_whole_exam_by_keyboard() -> Result<()> {
    assert_eq!((ENTER, TAB), (char::from(Key::Enter), char::from(Key::Tab)));
    let mut service = Service::start().await?;
    let browser = Browser::start().await?;
    start_exam(&browser, &service, 6).await?;
    for number in 1..=6 {
        until_question(&browser, number).await?;
        browser.press(&format!("{}{ENTER}", 1 + number % 4)).await?;
    }
    browser.until_shown("result").await?;
    let status = service.client().status(1).await?.body;
    assert_eq!(status["completed"], true, "{status}");
    for name in ["theta", "standard_error", "score", "items_completed"] {
        assert_eq!(Some(shown_number(&browser, name).await?), status[name].as_f64(), "{name}");
    }
    assert_eq!(browser.value("document.querySelectorAll('#chart .point').length").await?, 6);
    assert_eq!(browser.value("document.querySelectorAll('#course-rows tr').length").await?, 6);
    assert_eq!(browser.value("document.activeElement.id").await?, "result-heading");
    browser.close().await?;

    service.kill().await?;
    let answers = answers(&service).await?;
    assert_eq!(answers.len(), 6);
    assert!(answers.iter().all(|answer| answer["response_time_ms"].is_u64()), "{answers:?}");
    Ok(())
}

/// The answers in the log of exam 1, in order, of a service that does not run.
async fn answers(service: &Service) -> Result<Vec<Value>> {
    let pool = database(service).await?;
    let bodies: Vec<String> =
        sqlx::query_scalar("SELECT body FROM events WHERE exam_id = 1 ORDER BY seq").fetch_all(&pool).await?;
    let events: Vec<Value> =
        bodies.iter().map(|body| serde_json::from_str(body)).collect::<Result<_, _>>()?;
    Ok(events.into_iter().filter(|event| event["kind"] == "answered").collect())
}

#[tokio::test]
async fn an_answer_survives_a_restart_and_a_page_reload() -> Result<()> {
    let mut service = Service::start().await?;
    let browser = Browser::start().await?;
    start_exam(&browser, &service, 3).await?;
    let address = service.api();
    browser.press("2").await?;
    service.kill().await?;
    browser.press(&ENTER.to_string()).await?;
    browser.until_told("status", "not saved yet").await?;
    browser.reload().await?;
    // The service that has the page is away, too.
    browser.until("document.getElementById('question') === null").await?;

    service.restart(None).await?;
    browser.open(address).await?;
    until_question(&browser, 2).await?;
    browser.until_told("status", "Answer 1 saved").await?;
    let kept = "Object.keys(localStorage).filter((key) => key.startsWith('adaptive-exam.answer')).length";
    assert_eq!(browser.value(kept).await?, 0, "what is saved need not be kept");
    assert_eq!(service.client().status(1).await?.body["items_completed"], 1);

    // Without a reload the page comes back by itself.
    service.kill().await?;
    browser.press(&format!("1{ENTER}")).await?;
    browser.until_told("status", "not saved yet").await?;
    service.restart(None).await?;
    until_question(&browser, 3).await?;
    browser.close().await?;

    service.kill().await?;
    let submitted: Vec<Value> =
        answers(&service).await?.iter().map(|answer| answer["submitted"]["choice"].clone()).collect();
    assert_eq!(submitted, [2, 1], "each answer is in the log once");
    Ok(())
}

/// What is left of the time is shown; a pause keeps the answer that ran into it, and ends by itself.
#[tokio::test]
async fn a_pause_loses_no_answer() -> Result<()> {
    let settings = "[exam_types.placement]\nmax_seconds = 600\nitem_seconds = 90\n";
    let setup = harness::service::Setup { settings: Some(settings.into()), ..Default::default() };
    let service = Service::start_with(setup).await?;
    let (client, browser) = (service.client(), Browser::start().await?);
    start_exam(&browser, &service, 3).await?;
    browser.until_told("time", "left for this question").await?;
    browser.until_told("time", "left for the exam").await?;
    assert_eq!(browser.barriers().await?, json!([]), "question with its time");
    let exam = json!({"exam_session_id": 1});
    client.post("/pause", exam.clone()).await?;
    browser.press(&format!("1{ENTER}")).await?;
    browser.until_told("status", "paused. Your answer is kept").await?;
    client.post("/resume", exam.clone()).await?;
    until_question(&browser, 2).await?;
    assert_eq!(client.status(1).await?.body["items_completed"], 1);

    client.post("/pause", exam.clone()).await?;
    browser.reload().await?;
    browser.until_told("status", "It goes on here by itself").await?;
    assert_eq!(browser.barriers().await?, json!([]), "paused");
    client.post("/resume", exam).await?;
    until_question(&browser, 2).await?;
    browser.close().await
}

#[tokio::test]
async fn a_retried_start_creates_one_exam() -> Result<()> {
    let mut service = Service::stopped(harness::service::Setup::default())?;
    service.restart(Some("start.commit.after")).await?;
    let address = service.api();
    let browser = Browser::start().await?;
    browser.open(address).await?;
    browser.until_shown("start").await?;
    browser.press(&format!("{TAB}{TAB}3{ENTER}")).await?;
    browser.until_told("status", "trying again").await?;
    service.kill().await?;
    service.restart(None).await?;
    until_question(&browser, 1).await?;
    assert_eq!(service.client().get("/exams").await?.body["count"], 1);
    browser.close().await
}

#[tokio::test]
async fn the_page_is_accessible_and_calls_no_other_host() -> Result<()> {
    let service = Service::start().await?;
    let browser = Browser::start().await?;
    browser.open(service.api()).await?;
    browser.until_shown("start").await?;
    assert_eq!(browser.barriers().await?, json!([]), "start form");
    browser.press(&format!("{TAB}{TAB}501{ENTER}")).await?;
    browser.until_told("max-items-fault", "Must be 1 to 500").await?;
    assert_eq!(browser.value("document.activeElement.id").await?, "max-items", "the fault has the focus");
    assert_eq!(browser.barriers().await?, json!([]), "start form with a fault");

    start_exam(&browser, &service, 2).await?;
    assert_eq!(browser.barriers().await?, json!([]), "question");
    browser.press(&format!("1{ENTER}")).await?;
    until_question(&browser, 2).await?;
    browser.press(&format!("1{ENTER}")).await?;
    browser.until_shown("result").await?;
    browser.value("document.querySelector('#course details').open = true").await?;
    assert_eq!(browser.barriers().await?, json!([]), "result");

    let strangers = "performance.getEntriesByType('resource').map(({ name }) => name)\
                     .filter((name) => !name.startsWith(location.origin + '/') && !name.startsWith('data:'))";
    assert_eq!(browser.value(strangers).await?, json!([]));
    let (expected, other): (Vec<_>, Vec<_>) =
        browser.console().await?.into_iter().partition(|message| message.contains("status of 422"));
    assert_eq!(expected.len(), 1, "the log is there to be read");
    assert!(other.is_empty(), "{other:?}");
    browser.close().await
}
