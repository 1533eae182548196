//! A report for a design review: one HTML file that needs no network, and still says everything without its script.
//!
//! The page is `templates/report.html`, filled by askama; its pictures are those of [`svg`](crate::svg), its tables and
//! sentences are made here from documents that `run`, `compare` and `run --ranges` saved. Nothing is simulated.

mod days;
mod hunts;
mod living;
mod matrix;
mod pictures;
mod sensitivity;
mod words;

pub use living::{File, Living};
pub use pictures::{Picture, pictures};

use crate::compare::repeat;
use crate::figure::Figures;
use crate::saved::Hunted;
use crate::svg::PlotError;
use crate::terminal;
use crate::text;
use askama::Template;
use brownout_lab::compare::Comparison;
use brownout_lab::ranges::Walk;
use brownout_sim::outcome::Outcome;
use std::fmt;

/// What a report is made from.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Comparisons: the first without a sweep is the matrix, those with sweeps show what the conclusion hangs on.
    pub comparisons: Vec<Comparison>,
    /// Whole runs. Baselines of the matrix come first, whatever their order here; without a matrix the first is the
    /// baseline.
    pub days: Vec<Outcome>,
    /// Walks through assumed ranges.
    pub walks: Vec<Walk>,
    /// What hunts found.
    pub hunts: Vec<Hunted>,
    /// The command that made the report; empty if it cannot be repeated by one.
    pub command: String,
    /// What makes the page live, if it is to be.
    pub living: Option<Living>,
}

/// Why a report could not be made.
#[derive(Debug)]
pub enum ReportError {
    /// There is nothing to report.
    Nothing,
    /// A picture could not be drawn.
    Plot(PlotError),
    /// The page could not be filled.
    Page(askama::Error),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReportError::Nothing => f.write_str("there is nothing to report: neither a run nor a comparison"),
            ReportError::Plot(why) => write!(f, "{why}"),
            ReportError::Page(why) => write!(f, "cannot fill the page: {why}"),
        }
    }
}

impl std::error::Error for ReportError {}

impl From<PlotError> for ReportError {
    fn from(why: PlotError) -> Self {
        ReportError::Plot(why)
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    version: String,
    css: &'static str,
    js: &'static str,
    live_css: &'static str,
    live_js: &'static str,
    live_worker: &'static str,
    strip_js: &'static str,
    live: Option<living::Live>,
    title: String,
    question: String,
    answer: Vec<String>,
    warnings: Vec<String>,
    cards: Vec<words::Card>,
    sections: Vec<(&'static str, &'static str)>,
    days: Vec<days::Toggle>,
    timeline: Vec<String>,
    events: Vec<days::Event>,
    events_expected: bool,
    matrices: Vec<matrix::Table>,
    matrix_words: String,
    safe: String,
    safe_words: Vec<(String, String)>,
    differences: Vec<String>,
    alike: Vec<(String, Vec<String>)>,
    why_words: String,
    panels: Vec<days::PanelRow>,
    recovery: Vec<String>,
    recovery_rows: Vec<days::Row>,
    sensitivity: Vec<String>,
    sensitivity_words: Vec<String>,
    hunts: Vec<hunts::Section>,
    evidence: Vec<days::EvidenceRow>,
    evidence_days: Vec<String>,
    assumptions: Vec<days::AssumptionRow>,
    assumptions_words: String,
    repeat_words: String,
    command: String,
    runs: Vec<RunRow>,
    cells: Vec<matrix::CellRow>,
}

/// A run with the line that repeats it.
struct RunRow {
    label: String,
    seed: u64,
    digest: String,
    repeat: String,
}

/// What the sections read: the matrix, and the days in order with what they are.
pub(crate) struct Context<'a> {
    pub matrix: Option<&'a Comparison>,
    pub days: Vec<days::Day<'a>>,
    pub material: &'a Material,
}

impl<'a> Context<'a> {
    fn new(material: &'a Material) -> Result<Self, ReportError> {
        if material.comparisons.is_empty()
            && material.days.is_empty()
            && material.walks.is_empty()
            && material.hunts.is_empty()
        {
            return Err(ReportError::Nothing);
        }
        // One cell makes no matrix where its day tells more.
        let several = |c: &&Comparison| c.sweeps().is_empty() && (c.cells.len() > 1 || material.days.is_empty());
        let matrix = material.comparisons.iter().find(several);
        Ok(Context { matrix, days: days::sorted(matrix, &material.days), material })
    }

    fn title(&self) -> String {
        let titles =
            self.material.comparisons.iter().map(|c| &c.title).chain(self.material.days.iter().map(|d| &d.title));
        titles.into_iter().find(|title| !title.is_empty()).cloned().unwrap_or_else(|| "untitled".to_owned())
    }
}

/// The report as one HTML document. The same bytes for the same material.
///
/// # Errors
///
/// [`ReportError`]; drawing and filling to memory give no reason for any but [`ReportError::Nothing`].
pub fn html(material: &Material) -> Result<String, ReportError> {
    let context = Context::new(material)?;
    let mut figures = Figures::default();
    let (panels, recovery) = (days::panels(&context, &mut figures)?, days::recovery(&context, &mut figures)?);
    let evidence = days::evidence(&context);
    let assumptions = days::assumptions(&context);
    let events = days::events(&context);
    let page = Page {
        version: version(&context),
        css: include_str!("../templates/report.css"),
        js: include_str!("../templates/report.js"),
        live_css: include_str!("../templates/live.css"),
        live_js: include_str!("../templates/live.js"),
        live_worker: include_str!("../templates/worker.js"),
        strip_js: include_str!("../templates/strip.js"),
        live: living::live(&context)?,
        title: context.title(),
        question: words::question(&context),
        answer: words::answer(&context),
        warnings: words::warnings(&context),
        cards: words::cards(&context),
        sections: sections(&context, !evidence.is_empty(), !assumptions.is_empty()),
        days: days::toggles(&context),
        timeline: days::timeline(&context, &mut figures)?,
        events_expected: events.iter().any(|event| !event.expected.is_empty()),
        events,
        matrices: context.matrix.map(|c| matrix::tables(c, &context)).unwrap_or_default(),
        matrix_words: context.matrix.map(matrix::words).unwrap_or_default(),
        safe: context.matrix.map(|c| text::percent(c.safe)).unwrap_or_default(),
        safe_words: context.matrix.map(matrix::safe).unwrap_or_default(),
        differences: matrix::differences(&context, &mut figures)?,
        alike: context.matrix.map(matrix::alike).unwrap_or_default(),
        why_words: days::why(&context),
        panels,
        recovery,
        recovery_rows: days::recovery_rows(&context),
        sensitivity: sensitivity::figures(&context, &mut figures)?,
        sensitivity_words: sensitivity::words(&context),
        hunts: hunts::sections(&context),
        evidence,
        evidence_days: context.days.iter().map(|day| day.label.clone()).collect(),
        assumptions_words: days::assumptions_words(&context),
        assumptions,
        repeat_words: words::repeat(&context),
        command: material.command.clone(),
        runs: runs(&context),
        cells: context.matrix.map(matrix::cells).unwrap_or_default(),
    };
    Ok(harmless(&page.render().map_err(ReportError::Page)?))
}

fn sections(context: &Context<'_>, evidence: bool, assumptions: bool) -> Vec<(&'static str, &'static str)> {
    let (days, matrix) = (!context.days.is_empty(), context.matrix.is_some());
    let all = [
        (context.material.living.is_some(), ("ask", "Ask it again")),
        (days, ("day", "The day")),
        (matrix, ("matrix", "The designs")),
        (matrix, ("differences", "Differences")),
        (days, ("why", "Why")),
        (days, ("recovery", "Recovery")),
        (true, ("sensitivity", "What it hangs on")),
        (!context.material.hunts.is_empty(), ("hunt0", "Hunt")),
        (evidence, ("evidence", "Evidence")),
        (assumptions, ("assumptions", "Assumptions")),
        (true, ("repeat", "How to repeat it")),
    ];
    all.into_iter().filter(|(there, _)| *there).map(|(_, section)| section).collect()
}

fn version(context: &Context<'_>) -> String {
    let of_days = context.days.iter().map(|day| day.outcome.meta.brownout.as_str()).find(|version| !version.is_empty());
    of_days.unwrap_or(env!("CARGO_PKG_VERSION")).to_owned()
}

fn runs(context: &Context<'_>) -> Vec<RunRow> {
    let mut rows: Vec<RunRow> = context
        .days
        .iter()
        .map(|day| RunRow {
            label: day.label.clone(),
            seed: day.outcome.seed,
            digest: day.outcome.digest.clone(),
            repeat: terminal::repeat(day.outcome),
        })
        .collect();
    if let (true, Some(c)) = (rows.is_empty(), context.matrix) {
        let first = c.cells.iter().filter_map(|cell| Some((cell, cell.runs.first()?))).next();
        rows.extend(first.map(|(cell, run)| RunRow {
            label: crate::compare::label_of(c, cell),
            seed: run.seed,
            digest: run.digest.clone(),
            repeat: repeat(c, cell, run.seed),
        }));
    }
    rows
}

/// The last line of defence: askama has escaped the markup, and what is left are characters that cannot be seen but
/// reorder a line or are forbidden in a document. Line breaks are the page's own.
fn harmless(page: &str) -> String {
    page.split('\n').map(|line| text::clean(line, true)).collect::<Vec<_>>().join("\n")
}
