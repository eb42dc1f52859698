//! A plot of simulated exams: conditional bias and RMSE, exposure, standard error by length.
//!
//! Input: named sittings and reports. Output: an SVG text. Must not know: files.

use super::Sitting;
use super::report::{Accuracy, Report};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;

const SIZE: (u32, u32) = (1100, 800);
const COLOURS: [RGBColor; 4] =
    [RGBColor(31, 119, 180), RGBColor(214, 39, 40), RGBColor(44, 160, 44), RGBColor(148, 103, 189)];
/// Width of a bin of true ability.
const GROUP: f64 = 0.5;

/// One policy's sittings and figures.
pub struct Simulated<'a> {
    /// Name of the policy.
    pub name: &'a str,
    /// Its sittings.
    pub sittings: &'a [Sitting],
    /// Its report.
    pub report: &'a Report,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Line = Vec<(f64, f64)>;

/// Draws all policies into one plot.
///
/// # Errors
/// Errors of the plotting library.
pub fn svg(all: &[Simulated<'_>]) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(boxed)?;
        let panels = root.split_evenly((2, 2));
        let lines = |of: &dyn Fn(&Simulated<'_>) -> Line| {
            all.iter().map(|one| (one.name, of(one))).collect::<Vec<_>>()
        };
        draw(
            &panels[0],
            "Bias by ability",
            "theta",
            "bias",
            &lines(&|one| conditional(one.sittings, |of| of.bias)),
        )?;
        draw(
            &panels[1],
            "RMSE by ability",
            "theta",
            "RMSE",
            &lines(&|one| conditional(one.sittings, |of| of.rmse)),
        )?;
        draw(
            &panels[2],
            "Exposure, items by rank",
            "rank",
            "share of exams",
            &lines(&|one| exposure(one.report)),
        )?;
        draw(
            &panels[3],
            "Standard error by length",
            "items",
            "mean SE",
            &lines(&|one| errors(one.sittings)),
        )?;
        root.present().map_err(boxed)?;
    }
    Ok(text)
}

fn boxed(error: impl Error) -> Box<dyn Error + Send + Sync> {
    error.to_string().into()
}

fn conditional(sittings: &[Sitting], of: impl Fn(&Accuracy) -> f64) -> Line {
    let group = |sitting: &Sitting| (sitting.theta / GROUP).round().clamp(-6.0, 6.0);
    let mut line: Line = Vec::new();
    for step in -6..=6 {
        let centre = f64::from(step);
        let inside: Vec<&Sitting> = sittings.iter().filter(|sitting| group(sitting) == centre).collect();
        // Bins with fewer examinees are too noisy to show.
        if inside.len() >= 10 {
            line.push((centre * GROUP, of(&Accuracy::of(&inside))));
        }
    }
    line
}

fn exposure(report: &Report) -> Line {
    let mut shares = report.exposure.clone();
    shares.sort_by(|one, other| other.total_cmp(one));
    (1_u32..).zip(shares).map(|(rank, share)| (f64::from(rank), share)).collect()
}

fn errors(sittings: &[Sitting]) -> Line {
    let longest = sittings.iter().map(|sitting| sitting.errors.len()).max().unwrap_or(0);
    let mean = |length: usize| {
        let errors: Vec<f64> = sittings.iter().filter_map(|sitting| *sitting.errors.get(length)?).collect();
        (!errors.is_empty()).then(|| ((length + 1) as f64, errors.iter().sum::<f64>() / errors.len() as f64))
    };
    (0..longest).filter_map(mean).collect()
}

fn draw(
    area: &Area<'_>,
    title: &str,
    x: &str,
    y: &str,
    lines: &[(&str, Line)],
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let points = || lines.iter().flat_map(|(_, line)| line);
    let span = |of: fn(&(f64, f64)) -> f64, least: f64, most: f64| {
        let (low, high) =
            points().map(of).fold((least, most), |(low, high), value| (low.min(value), high.max(value)));
        low..high + (high - low).max(0.1) * 0.05
    };
    let (across, up) = (span(|point| point.0, 0.0, 1.0), span(|point| point.1, 0.0, 0.1));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(across, up)
        .map_err(boxed)?;
    chart.configure_mesh().x_desc(x).y_desc(y).light_line_style(WHITE).draw().map_err(boxed)?;
    for ((name, line), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.iter().copied(), style))
            .map_err(boxed)?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    let legend = chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw();
    legend.map_err(boxed)
}
