//! The page as people meet it: at school with a token, at a shared computer, on a phone, in their language and script.

use super::browser::Browser;
use crate::bank_files::case;
use anyhow::{Context, Result};
use harness::Service;
use harness::service::Setup;
use harness::tokens::Signer;
use rstest::rstest;
use serde_json::json;

const ENTER: char = '\u{e007}';
/// Everything that the page keeps in the browser.
const KEPT: &str = "Object.keys(localStorage).concat(Object.keys(sessionStorage)).filter((key) => key.startsWith('adaptive-exam'))";
/// Whether nothing sticks out to the side.
const FITS: &str = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";

async fn question(browser: &Browser, number: u32) -> Result<()> {
    browser
        .until(&format!("document.getElementById('question-heading').textContent === 'Question {number}'"))
        .await
}

/// A student with a token: what the exam type shows, "I don't know", an early end with a confirmation, and nothing of
/// them for the next one.
#[tokio::test]
async fn a_student_takes_an_exam_and_leaves_nothing() -> Result<()> {
    let school = Signer::new("school");
    let mut service = Service::stopped(Setup::default())?;
    let keys = service.path("keys.json");
    std::fs::write(&keys, Signer::key_set(&[&school]))?;
    service.set_settings(format!(
        "[auth]\nmode = \"jwt\"\nkey_file = \"{}\"\naudience = \"exams\"\n\
         [exam_types.open]\nstudents_see = [\"correct\"]\nmax_seconds = 5400\nattempts = 1\n[exam_types.silent]\n",
        keys.display()
    ));
    service.restart(None).await?;
    let browser = Browser::start().await?;
    browser.open_with(service.api(), "?exam_type=open").await?;
    browser.until_shown("access").await?;
    browser.until_told("access-token-fault", "asks for a token").await?;
    assert_eq!(browser.barriers().await?, json!([]), "token");
    browser.press(&format!("{}{ENTER}", school.token("ada", "student"))).await?;
    browser.until_shown("start").await?;
    let types = "[...document.querySelectorAll('#exam-type option')].map(({ value }) => value)";
    assert_eq!(browser.value(types).await?, json!(["open", "silent"]));
    let told = browser.shown("introduction").await?;
    for words in ["At most 20 questions", "1 hour 30 minutes", "cannot go back", "once"] {
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }
    for hidden in ["max-items-field", "student-field"] {
        assert_eq!(
            browser.value(&format!("document.getElementById('{hidden}').hidden")).await?,
            true,
            "{hidden}"
        );
    }
    browser.click("exam-type").await?;
    browser.press(&ENTER.to_string()).await?;
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    question(&browser, 1).await?;
    browser.until_told("time", "1:29:").await?;
    browser.click("omit").await?;
    question(&browser, 2).await?;
    assert_eq!(browser.shown("status").await?, "Answer 1 saved.");
    browser.press(&format!("1{ENTER}")).await?;
    question(&browser, 3).await?;
    assert!(browser.shown("status").await?.contains("It was "), "right or wrong, as the exam type shows it");
    browser.click("end").await?;
    browser.until("document.getElementById('end-dialog').open").await?;
    assert_eq!(browser.barriers().await?, json!([]), "dialog");
    browser.press(&ENTER.to_string()).await?;
    browser.until("!document.getElementById('end-dialog').open").await?;
    question(&browser, 3).await?;
    browser.click("end").await?;
    browser.value("document.querySelector('#end-dialog [value=end]').click()").await?;
    browser.until_shown("result").await?;
    let result = browser.shown("result").await?;
    for words in ["open", "2 of at most 20", "ended by hand", "ada"] {
        assert!(result.contains(words), "{words:?} is not in {result:?}");
    }
    assert!(!result.contains("Ability") && !result.contains("Score"), "neither is shown: {result:?}");
    let local = "Object.keys(localStorage).length";
    assert_eq!(browser.value(local).await?, 0, "a result is kept in this tab only");
    browser.click("another").await?;
    browser.until_shown("access").await?;
    assert_eq!(browser.value(KEPT).await?, json!([]), "not even the token");
    assert!(!browser.value("document.body.innerHTML.includes('ada')").await?.as_bool().unwrap_or(true));
    // The one attempt is used up, which is said in the examinee's words.
    browser.press(&format!("{}{ENTER}", school.token("ada", "student"))).await?;
    browser.until_shown("start").await?;
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    browser.until_told("problem", "as often as you may").await?;
    browser.close().await
}

/// Whoever comes next is asked whether the open exam is theirs.
#[tokio::test]
async fn an_open_exam_is_offered_to_its_owner_only() -> Result<()> {
    let settings = "[exam_types.again]\nresume = true\n[exam_types.free]\n";
    let service = Service::start_with(Setup { settings: Some(settings.into()), ..Setup::default() }).await?;
    let browser = Browser::start().await?;
    browser.open_with(service.api(), "?exam_type=again").await?;
    browser.until_shown("start").await?;
    // A resumed exam is that of a person, so it needs a name.
    browser.click("student-id").await?;
    browser.press(&ENTER.to_string()).await?;
    browser.until_told("student-id-fault", "needs it").await?;
    browser.press(&format!("Ada Lovelace{ENTER}")).await?;
    browser.until_told("student-id-fault", "without spaces").await?;
    assert_eq!(browser.barriers().await?, json!([]), "a fault of the name");
    browser.value("document.getElementById('student-id').value = ''").await?;
    browser.press(&format!("ada@school{ENTER}")).await?;
    question(&browser, 1).await?;
    assert_eq!(service.client().get("/exams?student_id=ada@school").await?.body["count"], 1);
    browser.press(&format!("1{ENTER}")).await?;
    question(&browser, 2).await?;

    browser.new_tab().await?;
    browser.open(service.api()).await?;
    browser.until_shown("open-exam").await?;
    assert_eq!(browser.barriers().await?, json!([]), "open exam");
    browser.click("open-mine").await?;
    question(&browser, 2).await?;
    browser.new_tab().await?;
    browser.open(service.api()).await?;
    browser.until_shown("open-exam").await?;
    browser.click("open-other").await?;
    browser.until_shown("start").await?;
    assert_eq!(browser.value(KEPT).await?, json!([]));
    assert_eq!(service.client().status(1).await?.body["completed"], false, "nothing of it has changed");

    // A start that never arrived is not sent for whoever comes next, and its name is not shown to them.
    let start = json!({"key": "ada's", "body": {"exam_type": "again", "student_id": "ada@school"}});
    browser
        .value(&format!("localStorage.setItem('adaptive-exam.start', {})", json!(start.to_string())))
        .await?;
    browser.new_tab().await?;
    browser.open(service.api()).await?;
    browser.until_shown("open-exam").await?;
    browser.click("open-other").await?;
    browser.until_shown("start").await?;
    assert_eq!(browser.value("document.getElementById('student-id').value").await?, "");
    assert_eq!(browser.value(KEPT).await?, json!([]));
    assert_eq!(service.client().get("/exams").await?.body["count"], 1, "no exam was started");
    browser.close().await
}

/// An item whose time is up says so; a countdown is shown only where there is hurry.
#[tokio::test]
async fn an_item_whose_time_is_up_says_so() -> Result<()> {
    let settings = "[exam_types.brief]\nitem_seconds = 1\n[exam_types.calm]\n";
    let service = Service::start_with(Setup { settings: Some(settings.into()), ..Setup::default() }).await?;
    let browser = Browser::start().await?;
    browser.open_with(service.api(), "?exam_type=brief").await?;
    browser.until_shown("start").await?;
    assert!(browser.shown("introduction").await?.contains("1 second for each question"));
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    question(&browser, 1).await?;
    browser.until_told("time", "time for this question is up").await?;
    browser.press(&format!("1{ENTER}")).await?;
    browser.until_told("status", "Answer 1 saved").await?;
    browser.value("sessionStorage.clear() || localStorage.clear()").await?;
    browser.open_with(service.api(), "?exam_type=calm").await?;
    browser.until_shown("start").await?;
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    question(&browser, 1).await?;
    assert_eq!(browser.value("document.getElementById('time').hidden").await?, true, "a week is no hurry");
    browser.close().await
}

/// The reader's language by file, and every script in its direction.
#[rstest]
#[case("en", "Start an exam", "Question 1")]
#[case("de", "Prüfung beginnen", "Frage 1")]
#[case("ko", "시험 시작", "문항 1")]
#[tokio::test]
async fn languages_and_scripts(
    #[case] language: &str,
    #[case] heading: &str,
    #[case] first: &str,
) -> Result<()> {
    let bank = |name: &str, file: &str| {
        format!(
            "[[banks]]\nname = \"{name}\"\nfile = \"{}\"\nscaling = 1.0\n[exam_types.{name}]\nbank = \"{name}\"\n",
            case(file).display()
        )
    };
    let settings = format!("{}{}", bank("scripts", "scripts.csv"), bank("code", "code.csv"));
    let service = Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await?;
    let browser = Browser::start_narrow().await?;
    let query = |exam_type: &str| format!("?lang={language}&exam_type={exam_type}");
    browser.open_with(service.api(), &query("scripts")).await?;
    browser.until_shown("start").await?;
    assert_eq!(browser.shown("start-heading").await?, heading);
    assert_eq!(browser.value("document.documentElement.lang").await?, language);
    assert_eq!(browser.barriers().await?, json!([]), "start");
    assert_eq!(browser.value(FITS).await?, true, "start");
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    browser.until(&format!("document.activeElement.textContent === '{first}'")).await?;
    let keys = "getComputedStyle(document.getElementById('choices-hint')).display";
    assert_eq!(browser.value(keys).await?, "none", "no keys on a phone");
    let mut right_to_left = 0;
    for number in 1..=5 {
        let code = service.client().next(1).await?.body["item"]["code"].as_str().context("code")?.to_owned();
        let direction =
            browser.value("getComputedStyle(document.getElementById('question-text')).direction").await?;
        let is_rtl = code.starts_with("AR") || code.starts_with("HE");
        assert_eq!(direction, if is_rtl { "rtl" } else { "ltr" }, "{code}");
        right_to_left += u32::from(is_rtl);
        assert_eq!(browser.barriers().await?, json!([]), "{code}");
        assert_eq!(browser.value(FITS).await?, true, "{code}");
        browser.value("document.querySelector('#choices input').click()").await?;
        browser.value("document.getElementById('answer-form').requestSubmit()").await?;
        let answered = format!(
            "document.getElementById('progress').value === {number} || !document.getElementById('result').hidden"
        );
        browser.until(&answered).await?;
    }
    assert_eq!(right_to_left, 2, "Arabic and Hebrew were there");
    browser.until_shown("result").await?;
    assert_eq!(browser.barriers().await?, json!([]), "result");
    assert_eq!(browser.value(FITS).await?, true, "result");
    // Every text of the page has one in this language.
    assert_eq!(browser.value("[...document.querySelectorAll('[data-words]')].filter(({ textContent, dataset }) => !textContent || textContent === dataset.words).length").await?, 0);

    browser.click("another").await?;
    browser.open_with(service.api(), &query("code")).await?;
    browser.until_shown("start").await?;
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    browser.until_shown("question").await?;
    let spaces = "[...document.querySelectorAll('#question-text, .words')].map((words) => getComputedStyle(words).whiteSpace)";
    let spaces = browser.value(spaces).await?;
    assert!(spaces.as_array().is_some_and(|all| all.iter().all(|one| one == "pre-wrap")), "{spaces}");
    browser.close().await
}

/// Languages have the same keys: none is missing, none is left over.
#[tokio::test]
async fn every_language_has_every_text() -> Result<()> {
    let service = Service::start().await?;
    let browser = Browser::start().await?;
    browser.open(service.api()).await?;
    browser.until_shown("start").await?;
    browser
        .value("Promise.all(['en', 'de', 'ko'].map((name) => import(`./words/${name}.js`))).then((all) => { window.keys = all.map((file) => Object.keys(file.default)); }) && 1")
        .await?;
    browser.until("Array.isArray(window.keys)").await?;
    let keys = browser.value("window.keys").await?;
    assert!(keys[0].as_array().is_some_and(|keys| keys.len() > 100));
    assert_eq!(keys[0], keys[1], "German");
    assert_eq!(keys[0], keys[2], "Korean");
    browser.close().await
}

/// Program code is set in a fixed-width font; whether the examinee has passed is said first.
#[tokio::test]
async fn code_and_verdicts_are_shown_as_such() -> Result<()> {
    let mut service = Service::stopped(Setup::default())?;
    let bank = service.path("code.csv");
    std::fs::write(
        &bank,
        "item_id,a,b,text,choice_1,choice_2,key,code_fields\nA,1.5,0,\"if x:\n    y()\",x,y,1,text\nB,1.5,0.1,Which?,    a,a,1,choices\n",
    )?;
    service.set_settings(format!(
        "[[banks]]\nname = \"code\"\nfile = \"{}\"\nscaling = 1.0\n[exam_types.code]\nbank = \"code\"\n\
         policy = {{ stop = {{ max_items = 2, min_items = 2, rules = [{{ rule = \"interval\", cuts = [0.0], confidence = 0.95 }}] }} }}\n",
        bank.display()
    ));
    service.restart(None).await?;
    let browser = Browser::start().await?;
    browser.open(service.api()).await?;
    browser.until_shown("start").await?;
    browser.value("document.getElementById('start-form').requestSubmit()").await?;
    let font = |query: &str| {
        format!("getComputedStyle(document.querySelector('{query}')).fontFamily.includes('monospace')")
    };
    for number in 1..=2 {
        question(&browser, number).await?;
        let code = service.client().next(1).await?.body["item"]["code"].clone();
        let (text, choices) =
            (browser.value(&font("#question-text")).await?, browser.value(&font(".words")).await?);
        assert_eq!(
            (text, choices),
            if code == "A" { (json!(true), json!(false)) } else { (json!(false), json!(true)) }
        );
        browser.press(&format!("1{ENTER}")).await?;
    }
    browser.until_shown("result").await?;
    assert_eq!(browser.shown("verdict").await?, "Passed");
    assert_eq!(browser.barriers().await?, json!([]), "verdict");
    browser.close().await
}
