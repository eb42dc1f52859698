//! The exam on a full-screen terminal: keys in, frames out, and the terminal restored at the end.
//!
//! Input: an exam, keys, signals. Output: the exam as far as it was answered. A panic restores the terminal too, by
//! the hook that `ratatui` installs. Must not know: how a frame looks, how items are chosen.

use super::screen::{View, draw};
use super::sitting::Sitting;
use anyhow::Context;
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;
use service::crash;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long to wait for a key before checking signals.
const LOOK: Duration = Duration::from_millis(100);

/// The source of answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers {
    /// The keyboard.
    Keys,
    /// A simulated examinee of this ability, with this pause before each answer.
    Auto(f64, Duration),
}

/// The meaning of a key.
enum Wish {
    Leave,
    Mark(usize),
    Answer(usize),
}

/// Runs the exam until it ends or is left.
pub fn sit(sitting: &mut Sitting, title: &str, answers: Answers) -> anyhow::Result<()> {
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&told)).context("no signal can be awaited")?;
    }
    let opened = ratatui::try_init().context("the terminal cannot be drawn on");
    let sat = opened.and_then(|mut terminal| play(&mut terminal, sitting, title, answers, &told));
    ratatui::restore();
    sat
}

fn play(
    terminal: &mut DefaultTerminal,
    sitting: &mut Sitting,
    title: &str,
    answers: Answers,
    told: &AtomicBool,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let theta = match answers {
        Answers::Keys => None,
        Answers::Auto(theta, _) => Some(theta),
    };
    let (mut marked, mut drawn) = (0, Instant::now());
    while !told.load(Ordering::Relaxed) {
        terminal.draw(|frame| draw(frame, &View { sitting, title, marked, theta }))?;
        crash::point("demo.drawn");
        let question = sitting.question();
        if let (Answers::Auto(theta, pace), true) = (answers, question.is_some())
            && drawn.elapsed() >= pace
        {
            if let Some(submitted) = sitting.drawn(theta) {
                sitting.answer(submitted, 0);
            }
            drawn = Instant::now();
            continue;
        }
        let wait = match answers {
            Answers::Auto(_, pace) if question.is_some() => pace.saturating_sub(drawn.elapsed()).min(LOOK),
            _ => LOOK,
        };
        if !event::poll(wait)? {
            continue;
        }
        let Event::Key(key) = event::read()? else { continue };
        let options = question.map(|question| question.options).unwrap_or_default();
        match wish(key, marked, options.len()) {
            Some(Wish::Leave) => break,
            Some(Wish::Mark(option)) => marked = option,
            Some(Wish::Answer(option)) if theta.is_none() => {
                if let Some((_, submitted)) = options.get(option) {
                    sitting
                        .answer(*submitted, i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
                    marked = 0;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn wish(key: KeyEvent, marked: usize, options: usize) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Leave),
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Leave),
        KeyCode::Enter if options == 0 => Some(Wish::Leave),
        KeyCode::Enter => Some(Wish::Answer(marked)),
        KeyCode::Down | KeyCode::Tab => Some(Wish::Mark((marked + 1) % options.max(1))),
        KeyCode::Up => Some(Wish::Mark((marked + options.max(1) - 1) % options.max(1))),
        KeyCode::Char(digit @ '1'..='9') => {
            let option = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok())? - 1;
            (option < options).then_some(Wish::Answer(option))
        }
        _ => None,
    }
}
