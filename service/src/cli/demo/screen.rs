//! The exam on a screen: the question on the left, the ability estimates on the right.
//!
//! Input: the state of an exam. Output: a drawn frame. Must not know: keys, when to draw.

use super::sitting::{Question, Sitting, Taken};
use super::{interval, plain};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};

/// Minimum width for question and ability side by side.
const WIDE: u16 = 100;
/// Columns of a row before the ability line.
const BEFORE: usize = 38;

/// What a frame shows.
#[derive(Debug)]
pub struct View<'v> {
    pub sitting: &'v Sitting,
    pub title: &'v str,
    /// The selected option, counted from 0.
    pub marked: usize,
    /// The true ability, for a simulated examinee.
    pub theta: Option<f64>,
}

/// Draws a frame.
pub fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    let title = Line::from(vec![" exam-service demo ".bold().reversed(), format!("  {}", view.title).into()]);
    frame.render_widget(title, top);
    let halves = [Constraint::Percentage(40), Constraint::Percentage(60)];
    let [left, right] = match frame.area().width >= WIDE {
        true => Layout::horizontal(halves).areas(middle),
        false => Layout::vertical([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(middle),
    };
    match view.sitting.question() {
        Some(question) => ask(frame, left, view, &question),
        None => tell(frame, left, view.sitting),
    }
    follow(frame, right, view);
    let keys = match (view.sitting.question(), view.theta) {
        (None, _) => " q leave",
        (_, Some(_)) => " it answers by itself   q leave",
        _ => " number: answer   ↑ ↓ Enter: mark and answer   q leave",
    };
    frame.render_widget(Line::from(keys).dim(), bottom);
}

fn ask(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, question: &Question) {
    let (number, most) = (view.sitting.taken().len() + 1, view.sitting.max_items());
    let block = Block::bordered().title(format!(" item {number} of at most {most}: {} ", question.code));
    let mut lines = vec![Line::default(), Line::from(question.text.as_str()).bold(), Line::default()];
    for ((index, (option, _)), number) in question.options.iter().enumerate().zip(1..) {
        let line = Line::from(format!(" {number}  {option} "));
        lines.push(if index == view.marked && view.theta.is_none() { line.reversed() } else { line });
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

fn tell(frame: &mut Frame<'_>, area: Rect, sitting: &Sitting) {
    let mut lines = vec![Line::default()];
    for words in plain::words(&sitting.outcome()) {
        lines.push(Line::from(words).bold());
        lines.push(Line::default());
    }
    let block = Block::bordered().title(" result ").border_style(Color::Green);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

fn follow(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = Block::bordered().title(" ability and its 95 % interval ");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width).saturating_sub(BEFORE).min(61);
    let blank = " ".repeat(BEFORE);
    let axis = format!("{:>3} {:<12} {:<8} {:>5} {:>4}  ", "n", "item", "answer", "theta", "SE");
    let mut lines = vec![Line::from(axis + &interval::axis(width)).dim()];
    if let Some(theta) = view.theta {
        let truth = blank + &interval::mark(theta, width, '▼');
        lines.push(Line::from(truth).yellow());
    }
    let now = view.sitting.ability();
    let taken = view.sitting.taken();
    let room = usize::from(inner.height).saturating_sub(lines.len() + 2);
    let from = taken.len().saturating_sub(room);
    for (taken, number) in taken.iter().zip(1..).skip(from) {
        lines.push(row(taken, number, width, number == view.sitting.taken().len()));
    }
    if taken.is_empty() {
        lines.push(
            Line::from(format!("{:>BEFORE$}{}", "before the first answer  ", interval::line(now, width)))
                .cyan(),
        );
    }
    let error = now.standard_error.map_or_else(String::new, |error| format!("   SE {error:.3}"));
    lines.push(Line::default());
    lines.push(Line::from(format!(" theta {:.3}{error}", now.theta)).bold());
    frame.render_widget(Paragraph::new(lines), inner);
}

fn row<'r>(taken: &Taken, number: usize, width: usize, is_last: bool) -> Line<'r> {
    let Taken { code, grade, is_good, ability } = taken;
    let code: String = code.chars().take(12).collect();
    let error = ability.standard_error.map_or_else(String::new, |error| format!("{error:.2}"));
    let grade = Span::from(format!("{grade:<8} ")).fg(if *is_good { Color::Green } else { Color::Red });
    let line = Span::from(interval::line(*ability, width));
    Line::from(vec![
        format!("{number:>3} {code:<12} ").into(),
        grade,
        format!("{:>5.2} {error:>4}  ", ability.theta).into(),
        if is_last { line.cyan().bold() } else { line.dim() },
    ])
}
