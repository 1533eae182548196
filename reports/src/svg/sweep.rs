//! A sweep as a picture: a line for each design, or heat maps for two sweeps.

use super::canvas::{Anchor, Canvas, PlotError, Type, draw, fit, ink, text_width};
use super::compare::{heading, matrix};
use super::style::RGBColor;
use crate::compare::{Grid, grids};
use brownout_lab::compare::{Comparison, Estimate, How};
use brownout_lab::values;

const WIDTH: f64 = 1000.0;
const TOP: f64 = 118.0;
const PANEL: f64 = 380.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = WIDTH - 250.0;
const COLORS: [RGBColor; 7] = [ink::BLUE, ink::VERMILLION, ink::GREEN, ink::PURPLE, ink::ORANGE, ink::SKY, ink::GREY];
/// Lines of one panel.
const LINES: usize = 12;

/// The metric over the values of a sweep, a line with its interval for each design, one panel per table. Of two sweeps,
/// the heat maps of [`matrix`].
///
/// # Errors
/// [`PlotError`] in the drawing library's words.
pub fn sweep(c: &Comparison) -> Result<String, PlotError> {
    let [sweep] = c.sweeps()[..] else { return matrix(c) };
    let grids = grids(c);
    let dimension = &c.dimensions[sweep];
    let height = TOP + grids.len() as f64 * PANEL + 40.0;
    let description = format!("Lines of {} over {}, one for each design.", c.metric, dimension.name);
    draw((WIDTH, height), &format!("{}: {} swept", c.title, dimension.name), &description, |canvas| {
        let written = dimension.written.as_ref().map(|w| format!("; the file says {w}")).unwrap_or_default();
        let what = format!("{} over {}{written}: mean and 95% interval", c.metric, dimension.name);
        heading(canvas, c, &what, WIDTH)?;
        for (i, grid) in grids.iter().enumerate() {
            Panel::new(c, grid, &dimension.points, TOP + i as f64 * PANEL).draw(canvas, &dimension.name)?;
        }
        let key = "bands: 95% intervals over seeds; no band: none, where all seeds gave the same";
        canvas.text(key, (40.0, height - 24.0), Anchor::Start, Type::new(12.5, ink::MUTED))
    })
}

/// The ends of an interval, or the mean where there is none: without a hit, the bound of the mean says how few the runs are,
/// and a band up to it would hide all others.
fn ends(e: &Estimate) -> (f64, f64) {
    match (e.how, e.low, e.high) {
        (How::Interval, Some(low), Some(high)) => (low, high),
        _ => (e.mean, e.mean),
    }
}

struct Panel<'a> {
    c: &'a Comparison,
    grid: &'a Grid,
    points: &'a [String],
    top: f64,
    bottom: f64,
    /// The rate at the top of the axis.
    most: f64,
    x: Vec<f64>,
}

/// Where values stand from 0 to 1: by size where they are numbers, by logarithm where they differ tenfold.
fn places(points: &[String]) -> Vec<f64> {
    let even = || (0..points.len()).map(|i| i as f64 / (points.len() - 1).max(1) as f64).collect();
    let Some(sizes) = points.iter().map(|p| values::number(p)).collect::<Option<Vec<f64>>>() else { return even() };
    let (low, high) = sizes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
    if high <= low {
        return even();
    }
    let geometric = low > 0.0 && high / low >= 10.0;
    let scale = |x: f64| if geometric { libm::log(x / low) / libm::log(high / low) } else { (x - low) / (high - low) };
    sizes.into_iter().map(scale).collect()
}

impl<'a> Panel<'a> {
    fn new(c: &'a Comparison, grid: &'a Grid, points: &'a [String], top: f64) -> Self {
        let highs = grid.rows.iter().take(LINES).flat_map(|(_, cells)| cells).filter_map(|i| {
            let e = c.cells[*i].estimate.as_ref()?;
            Some(ends(e).1)
        });
        let most = highs.fold(0.0, f64::max);
        let most = [0.001, 0.01, 0.05, 0.1, 0.2, 0.5].into_iter().find(|limit| most <= *limit).unwrap_or(1.0);
        let x = places(points).into_iter().map(|part| LEFT + part * (RIGHT - LEFT)).collect();
        Panel { c, grid, points, top: top + 20.0, bottom: top + PANEL - 70.0, most, x }
    }

    fn y(&self, rate: f64) -> f64 {
        self.bottom - (rate / self.most).clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, name: &str) -> Result<(), PlotError> {
        let title = Type::new(15.0, ink::TEXT).bold();
        canvas.text(&fit(&self.grid.title, 15.0, 700.0), (40.0, self.top - 20.0), Anchor::Start, title)?;
        let look = Type::new(12.5, ink::MUTED);
        for tick in 0..=4 {
            let rate = self.most * f64::from(tick) / 4.0;
            let y = self.y(rate);
            canvas.line(&[(LEFT, y), (RIGHT, y)], 0.5, &ink::GRID.mix(1.0))?;
            canvas.text(&crate::text::percent(rate), (LEFT - 10.0, y), Anchor::End, look)?;
        }
        let mut last = f64::NEG_INFINITY;
        for (x, point) in self.x.iter().zip(self.points) {
            canvas.line(&[(*x, self.bottom), (*x, self.bottom + 5.0)], 1.0, &ink::MUTED.mix(1.0))?;
            let words = fit(point, 12.5, 80.0);
            let half = text_width(&words, 12.5) / 2.0;
            if x - half >= last + 6.0 {
                canvas.text(&words, (*x, self.bottom + 17.0), Anchor::Middle, look)?;
                last = x + half;
            }
        }
        canvas.text(&fit(name, 12.5, 500.0), ((LEFT + RIGHT) / 2.0, self.bottom + 39.0), Anchor::Middle, look)?;
        self.lines(canvas)
    }

    fn lines(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let mut labels: Vec<(f64, &str, RGBColor)> = Vec::new();
        for (k, (name, cells)) in self.grid.rows.iter().take(LINES).enumerate() {
            let color = COLORS[k % COLORS.len()];
            let known: Vec<(f64, f64, f64, f64)> = cells
                .iter()
                .zip(&self.x)
                .filter_map(|(i, x)| {
                    let e = self.c.cells[*i].estimate.as_ref()?;
                    let (low, high) = ends(e);
                    Some((*x, e.mean, low, high))
                })
                .collect();
            let mut band: Vec<(f64, f64)> = known.iter().map(|(x, _, _, high)| (*x, self.y(*high))).collect();
            band.extend(known.iter().rev().map(|(x, _, low, _)| (*x, self.y(*low))));
            canvas.area(&band, &color.mix(0.18))?;
            let line: Vec<(f64, f64)> = known.iter().map(|(x, mean, _, _)| (*x, self.y(*mean))).collect();
            canvas.line(&line, 2.0, &color.mix(1.0))?;
            for (x, y) in &line {
                canvas.rect((x - 2.5, y - 2.5), (x + 2.5, y + 2.5), &color.mix(1.0))?;
            }
            if let Some((_, y)) = line.last() {
                labels.push((*y, if name.is_empty() { "the design as written" } else { name }, color));
            }
        }
        // Names at the ends of their lines, pushed apart where they would meet.
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let room = (labels.len() as f64 - 1.0) * 16.0;
        let mut free = f64::NEG_INFINITY;
        for (i, (y, name, color)) in labels.iter().enumerate() {
            let latest = self.bottom - room + i as f64 * 16.0;
            let at = y.max(free).min(latest.max(free));
            free = at + 16.0;
            canvas.line(&[(RIGHT + 2.0, *y), (RIGHT + 14.0, at)], 1.0, &color.mix(1.0))?;
            canvas.text(
                &fit(name, 12.5, 200.0),
                (RIGHT + 18.0, at),
                Anchor::Start,
                Type::new(12.5, ink::words(*color)).bold(),
            )?;
        }
        Ok(())
    }
}
