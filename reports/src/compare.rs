//! A comparison of designs as text, CSV, JSON and pictures.
//!
//! Matrices first, then what they mean in words, then costs, then how to repeat a cell. `docs/comparing.md` tells how to
//! read them.

mod costs;
mod documents;
mod grid;
mod words;

pub use documents::{cells_csv, runs_csv, to_json, write_all};
pub(crate) use grid::{Grid, figure, grids, heat, label_of};
pub(crate) use words::{alike, bad_runs, flips, in_none_of, quiet_at_all, safe};

use crate::terminal::Style;
use crate::terminal::page::{Ink, Line, Page};
use crate::text;
use brownout_lab::compare::{Cell, Comparison, How};

/// What to show beyond the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The costs of all cells, not only of those beside the baseline.
    pub costs: bool,
    /// Matrices of the differences to the baseline, also where there are many cells.
    pub differences: bool,
}

/// Up to so many cells, differences are shown unasked.
const FEW: usize = 24;

/// The text of `brownout compare`, ending in a newline. No line is wider than the style's width, except commands.
pub fn text(comparison: &Comparison, style: &Style, detail: Detail) -> String {
    let style = Style { width: style.width.clamp(60, 200), ..*style };
    let mut page = Page::new(style.width, style.unicode);
    let show = Show { comparison, style };
    show.title(&mut page);
    show.matrices(&mut page);
    show.notes(&mut page);
    if detail.differences || comparison.cells.len() <= FEW {
        show.differences(&mut page);
    } else {
        show.say(&mut page, "", "--differences prints every cell's paired difference to its baseline.");
        page.gap();
    }
    for (label, said) in words::verdicts(comparison) {
        if !label.is_empty() {
            page.gap();
        }
        show.say(&mut page, &label, &said);
    }
    page.gap();
    costs::tables(&show, detail.costs, &mut page);
    show.troubles(&mut page);
    show.repeat(&mut page);
    page.render(style.color)
}

/// The words that make a cell, as options.
pub(crate) fn repeat(comparison: &Comparison, cell: &Cell, seed: u64) -> String {
    let mut words = vec!["brownout run".to_owned(), text::shell(&comparison.scenario)];
    words.extend(cell.design.iter().map(|design| format!("--design {}", text::shell(design))));
    words.extend(cell.set.iter().map(|set| format!("--set {}", text::shell(set))));
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// What all sections read.
pub(crate) struct Show<'a> {
    pub(crate) comparison: &'a Comparison,
    pub(crate) style: Style,
}

impl Show<'_> {
    /// Words, wrapped, below a heading of their own if there is one.
    fn say(&self, page: &mut Page, label: &str, said: &str) {
        if !label.is_empty() {
            for line in text::wrap(&text::clean(label, self.style.unicode), self.style.width) {
                page.line(Line::new().add(Ink::Bold, &line));
            }
        }
        for line in text::wrap(&text::clean(said, self.style.unicode), self.style.width - 2) {
            page.line(Line::new().plain("  ").plain(&line));
        }
    }

    fn title(&self, page: &mut Page) {
        let c = self.comparison;
        let seeds = match c.seeds {
            0 | 1 => format!("seed {}", c.first_seed),
            n => format!("seeds {} to {}", c.first_seed, c.first_seed + n - 1),
        };
        let title = if c.title.is_empty() { "untitled" } else { &c.title };
        let room = self.style.width - seeds.len() - 2;
        let title = text::fit(&text::clean(title, self.style.unicode), room, self.style.unicode);
        let gap = " ".repeat(self.style.width - seeds.len() - text::width(&title));
        page.line(Line::new().add(Ink::Bold, &title).plain(&gap).add(Ink::Dim, &seeds));
        let all: Vec<&str> = c.asked.iter().chain(&c.set).map(String::as_str).collect();
        if !all.is_empty() {
            page.line(Line::new().add(Ink::Info, &text::clean(&all.join(", "), self.style.unicode)));
        }
        page.gap();
        if c.ended != "complete" {
            let said = format!("NOT COMPLETE: {}. Cells without all their seeds are marked \"-\".", c.ended);
            page.line(Line::new().plain("  ").add(Ink::Warn, &said));
            page.gap();
        }
        let to = if self.style.unicode { "±" } else { "+-" };
        let mut said = format!(
            "{} in per cent, {} to {}; lower is better. Mean over seeds {to} half of its 95% interval; *: baseline.",
            c.metric, c.window.0, c.window.1
        );
        if c.cells.iter().filter_map(|cell| cell.estimate.as_ref()).any(|e| e.how == How::Same) {
            said.push_str(" same: every seed gave exactly this, so there is no interval.");
        }
        said.push_str(&words::bad_runs(c));
        if c.seeds == 1 {
            said.push_str(" One seed has no interval, and nothing can be told apart: --seeds 5.");
        }
        self.say(page, "", &said);
        page.gap();
    }

    fn matrices(&self, page: &mut Page) {
        for grid in grids(self.comparison) {
            let cell = |i: usize| {
                let cell = &self.comparison.cells[i];
                let mark = if cell.baseline == i && self.comparison.cells.len() > 1 { "*" } else { "" };
                (
                    format!("{}{mark}", figure(cell, self.comparison.seeds, self.style.unicode)),
                    heat(cell, self.comparison.safe),
                )
            };
            grid.print(self, page, &cell);
        }
    }

    fn differences(&self, page: &mut Page) {
        if self.comparison.cells.iter().all(|cell| cell.difference.is_none()) {
            return;
        }
        page.line(Line::new().add(Ink::Bold, "paired difference to the baseline, in percentage points"));
        page.gap();
        for grid in grids(self.comparison) {
            let cell = |i: usize| (grid::difference(self.comparison, i, self.style.unicode), None);
            grid.print(self, page, &cell);
        }
    }

    /// What the figures do not say by themselves.
    fn notes(&self, page: &mut Page) {
        let c = self.comparison;
        if c.dimensions.is_empty() {
            let said = "This scenario has no axes, so there is one design to compare. Axes are tables \
                        [axes.<axis>.<point>] of what each design changes: see docs/scenario-format.md.";
            self.say(page, "", said);
            page.gap();
        }
        let Some(half) = c.precision else { return };
        let most = c.cells.iter().map(|cell| cell.runs.len()).max().unwrap_or(0);
        let mut said = format!(
            "Precision: a pilot of {} seeds says how many each cell needs for {}; {most} at most were run (Stein's rule).",
            c.seeds,
            grid::points(half, self.style.unicode)
        );
        let wide = |cell: &&Cell| cell.estimate.as_ref().and_then(grid::half).is_some_and(|h| h > half * (1.0 + 1e-9));
        let (capped, rest): (Vec<&Cell>, Vec<&Cell>) = c.cells.iter().partition(|cell| cell.capped);
        let spread: Vec<&Cell> = rest.into_iter().filter(wide).collect();
        let why = format!("Not reached within {} seeds", c.max_seeds);
        self.name_wide(&mut said, &why, &capped);
        self.name_wide(&mut said, "Not reached, since later seeds spread more than the pilot", &spread);
        self.say(page, "", &said);
        page.gap();
    }

    /// " Not reached ...: shared (±2.9pp)."
    fn name_wide(&self, said: &mut String, why: &str, cells: &[&Cell]) {
        let name = |cell: &&Cell| {
            let half = cell.estimate.as_ref().and_then(grid::half);
            let half = half.map_or("-".into(), |h| grid::points(h, self.style.unicode));
            format!("{} ({half})", label_of(self.comparison, cell))
        };
        if cells.is_empty() {
            return;
        }
        said.push_str(&format!(" {why}: {}", cells.iter().take(8).map(name).collect::<Vec<_>>().join(", ")));
        if cells.len() > 8 {
            said.push_str(&format!(" and {} more", cells.len() - 8));
        }
        said.push('.');
    }

    fn troubles(&self, page: &mut Page) {
        for trouble in self.comparison.troubles.iter().take(5) {
            let cell = &self.comparison.cells[trouble.cell];
            page.line(Line::new().add(Ink::Bad, "  no result: ").plain(&text::clean(&trouble.why, self.style.unicode)));
            page.line(Line::new().plain("    ").plain(&repeat(self.comparison, cell, trouble.seed)).whole());
        }
        if !self.comparison.troubles.is_empty() {
            page.gap();
        }
    }

    /// The commands that repeat the baseline and the best, each with the digest that must come out.
    fn repeat(&self, page: &mut Page) {
        let c = self.comparison;
        let done = |cell: &&Cell| !cell.runs.is_empty();
        let baseline = c.cells.iter().enumerate().filter(|(i, cell)| cell.baseline == *i).map(|(_, cell)| cell);
        let mut chosen: Vec<&Cell> = baseline.filter(done).take(1).collect();
        let mean = |cell: &Cell| cell.estimate.as_ref().map_or(f64::INFINITY, |e| e.mean);
        if let Some(best) = c.cells.iter().filter(done).min_by(|a, b| mean(a).total_cmp(&mean(b)))
            && chosen.iter().all(|cell| cell.at != best.at)
        {
            chosen.push(best);
        }
        for cell in chosen {
            let run = &cell.runs[0];
            page.line(Line::label("repeat").add(Ink::Bold, &repeat(c, cell, run.seed)).whole());
            page.line(Line::label("digest").plain(&run.digest));
        }
        let next = "--out DIR writes every cell and seed as CSV and JSON, each with its command, and pictures";
        for (i, line) in text::wrap(next, self.style.width - 12).iter().enumerate() {
            page.line(Line::label(if i == 0 { "next" } else { "" }).plain(line));
        }
    }
}
