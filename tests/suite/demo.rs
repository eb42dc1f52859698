//! The terminal demo: the exam is the engine's, drawn and answered by keys, and the terminal is restored.

use anyhow::{Context, Result};
use engine::Policy;
use harness::Terminal;
use harness::process::program;
use rstest::rstest;
use rustix::process::Signal;
use service::exam::bank::ItemBank;
use service::simulate::{self, Simulee, Sitting};
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const SIZE: (u16, u16) = (32, 120);

/// What the engine does with an examinee of this ability.
fn simulated(theta: f64, seed: u64, policy: &Policy) -> (Vec<String>, Sitting) {
    let bank = ItemBank::sample();
    let simulee = Simulee { theta, answers: None };
    let sat = simulate::run(&bank.measures(), policy, &[simulee], seed, 1, || {}).remove(0);
    let codes = sat
        .items
        .iter()
        .map(|item| {
            bank.item(u32::try_from(item + 1).unwrap_or(0)).map_or_else(String::new, |item| item.code.clone())
        })
        .collect();
    (codes, sat)
}

async fn run(words: &[&str], typed: &str) -> Result<Output> {
    let mut command = Command::new(program("exam-service")?);
    command.arg("demo").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    child.stdin.take().context("stdin should be piped")?.write_all(typed.as_bytes()).await?;
    Ok(child.wait_with_output().await?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The codes of the items in rows such as `  3  ALG17  right …`.
fn codes(text: &str) -> Vec<String> {
    let code = |line: &str| {
        let mut words = line.split_whitespace();
        words.next()?.parse::<usize>().ok()?;
        words.next().filter(|word| word.starts_with("ALG")).map(str::to_owned)
    };
    text.lines().filter_map(code).collect()
}

#[rstest]
#[case(0.0, 1)]
#[case(1.5, 7)]
#[case(-2.0, 9_007_199_254_740_991)]
#[tokio::test]
async fn in_a_pipe_the_exam_is_the_engines(#[case] theta: f64, #[case] seed: u64) -> Result<()> {
    let words = ["--auto", &format!("--theta={theta}"), "--seed", &seed.to_string()];
    let output = run(&words, "").await?;
    let said = said(&output);
    assert!(output.status.success() && !said.contains('\u{1b}'), "plain lines: {said}");
    let (items, sat) = simulated(theta, seed, &Policy::default());
    assert_eq!(codes(&said), items, "{said}");
    let error = sat.ability.standard_error.context("a standard error")?;
    let result = format!("theta {:.2}, SE {error:.2}", sat.ability.theta);
    assert!(said.contains(&result), "{result} is not in {said}");
    assert_eq!(run(&words, "").await?.stdout, output.stdout, "the same seed, the same exam");
    Ok(())
}

#[tokio::test]
async fn answers_may_be_piped_too() -> Result<()> {
    let output = run(&["--items", "3"], "1\nx\n5\n2\n4\n").await?;
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("\"x\" is none of them") && told.contains("\"5\" is none of them"), "{told}");
    assert_eq!(codes(&told).len(), 3, "{told}");
    assert!(told.contains("ended after 3 items: max_items_reached"), "{told}");
    let left = said(&run(&["--items", "3"], "1\n").await?);
    assert!(left.contains("left after 1 item\n"), "{left}");

    // Banks and policies of one's own, and what is wrong with them.
    let folder = tempfile::TempDir::new()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (bank, policy) = (path("bank.csv"), path("policy.toml"));
    std::fs::write(
        &bank,
        "item_id,model,a,b,delta1,delta2\nALGa,2PL,1,0,,\nALGb,GPCM,1,,-1,1\nALGc,2PL,1,1,,\n",
    )?;
    std::fs::write(&policy, "[stop]\nmax_items = 9\nmin_items = 2\n")?;
    let own = said(&run(&["--bank", &bank, "--policy", &policy, "--auto"], "").await?);
    assert!(own.contains("no_items_available") && own.contains(" of 2 "), "{own}");
    for (words, told) in [
        (&["--policy", "/nowhere.toml"][..], "cannot read /nowhere.toml"),
        (&["--items", "0"], "max_items"),
        (&["--theta", "1"], "--auto"),
        (&["--seed", "9007199254740992"], "below 2^53"),
        (&["--bank", &policy], "no column item_id"),
    ] {
        let output = run(words, "").await?;
        assert!(!output.status.success() && said(&output).contains(told), "{words:?}: {}", said(&output));
    }
    Ok(())
}

#[tokio::test]
async fn a_screen_follows_the_keys() -> Result<()> {
    let (mut terminal, before) = Terminal::start(&program("exam-service")?, &["demo", "--items", "4"], SIZE)?;
    let first = ["item 1 of at most 4: ALG08", "Simplify 5a + 2a", "before the first answer", "q leave"];
    terminal.shows(&first).await?;
    assert!(terminal.is_above() && terminal.modes()? != before);
    // The third choice is right: by its number, then the next by arrows and Enter.
    terminal.press("3")?;
    terminal.shows(&["item 2 of at most 4", "1 ALG08        right     0.51 0.82", "●", "theta 0.5"]).await?;
    assert!(terminal.hides_cursor());
    terminal.press("\u{1b}[B\u{1b}[B\u{1b}[A\r")?;
    terminal.shows(&["item 3 of at most 4"]).await?;
    terminal.press("9x\u{1b}[C1")?;
    terminal.shows(&["item 4 of at most 4"]).await?;
    terminal.press("2")?;
    terminal.shows(&["ended after 4 items: max_items_reached", "score"]).await?;
    terminal.press("q")?;
    assert!(terminal.ended().await?);
    // What stays on the terminal is the story in plain lines.
    let left = terminal.shows(&["ended after 4 items"]).await?;
    assert_eq!(codes(&left).len(), 4, "{left}");
    assert_eq!((terminal.is_above(), terminal.hides_cursor(), terminal.modes()?), (false, false, before));
    Ok(())
}

#[tokio::test]
async fn auto_mode_answers_on_a_screen() -> Result<()> {
    let words = ["demo", "--auto", "--theta", "1.5", "--seed", "7", "--pace", "1"];
    let (mut terminal, before) = Terminal::start(&program("exam-service")?, &words, (40, 120))?;
    let (items, sat) = simulated(1.5, 7, &Policy::default());
    // The estimate stands below all rows, so it is drawn last.
    let shown =
        terminal.shows(&["max_items_reached", "▼", &format!(" theta {:.3}", sat.ability.theta)]).await?;
    let rows = shown.lines().filter_map(|line| line.split("││").nth(1)).collect::<Vec<_>>().join("\n");
    assert_eq!(codes(&rows), items, "{shown}");
    terminal.press("\r")?;
    assert!(terminal.ended().await?);
    assert_eq!((terminal.is_above(), terminal.modes()?), (false, before));
    Ok(())
}

/// However it ends in the middle, the terminal is as it was before.
#[rstest]
#[case::control_c("\u{3}", None)]
#[case::escape("\u{1b}", None)]
#[case::terminated("", Some(Signal::TERM))]
#[case::interrupted("", Some(Signal::INT))]
#[case::hung_up("", Some(Signal::HUP))]
#[tokio::test]
async fn the_terminal_is_restored(#[case] keys: &str, #[case] signal: Option<Signal>) -> Result<()> {
    let (mut terminal, before) = Terminal::start(&program("exam-service")?, &["demo"], SIZE)?;
    terminal.shows(&["item 1 of at most 20"]).await?;
    assert!(terminal.is_above() && terminal.modes()? != before);
    terminal.press("1")?;
    terminal.shows(&["item 2 of at most 20"]).await?;
    match signal {
        Some(signal) => terminal.process().signal(signal)?,
        None => terminal.press(keys)?,
    }
    assert!(terminal.ended().await?);
    terminal.shows(&["left after 1 item"]).await?;
    assert_eq!((terminal.is_above(), terminal.hides_cursor(), terminal.modes()?), (false, false, before));
    Ok(())
}

#[tokio::test]
async fn a_panic_restores_the_terminal() -> Result<()> {
    let plan = [("EXAM_PANIC_AT", "demo.drawn:2")];
    let (mut terminal, before) = Terminal::start_with(&program("exam-service")?, &["demo"], SIZE, &plan)?;
    assert!(!terminal.ended().await?, "it ends badly");
    let shown = terminal.shows(&["asked to panic at demo.drawn"]).await?;
    assert_eq!(
        (terminal.is_above(), terminal.hides_cursor(), terminal.modes()?),
        (false, false, before),
        "{shown}"
    );
    Ok(())
}
