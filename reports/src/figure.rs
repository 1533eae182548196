//! Pictures inside the page, each with the values that a reader may hover for.

use crate::svg::panel::{self, Chart, Sheet};
use crate::svg::{self, PlotError};
use crate::thin::{Reach, thin};
use crate::view;
use brownout_sim::outcome::Outcome;
use serde::Serialize;

/// Hands out the names of figures: "f1", "f2".
#[derive(Default)]
pub(crate) struct Figures {
    prefix: &'static str,
    made: usize,
}

/// The values of a picture, evenly spaced over time.
#[derive(Serialize)]
pub(crate) struct Data {
    /// Points.
    n: usize,
    /// Seconds from one to the next.
    d: f64,
    s: Vec<Values>,
}

#[derive(Serialize)]
struct Values {
    name: String,
    /// Means of the points.
    v: Vec<Option<f64>>,
    /// Their highest steps, where a point stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<Vec<Option<f64>>>,
}

impl Data {
    /// Values of series that share their points; none without any.
    pub(crate) fn of(series: &[(String, &[Reach])]) -> Option<Data> {
        let points = series.iter().map(|(_, points)| *points).max_by_key(|points| points.len())?;
        let first = points.first()?;
        let values = |(name, points): &(String, &[Reach])| Values {
            name: name.clone(),
            v: points.iter().map(|p| p.mean().map(rounded)).collect(),
            h: points.iter().any(|p| p.steps > 1).then(|| points.iter().map(|p| p.high().map(rounded)).collect()),
        };
        let d = (first.to_s - first.from_s).max(1e-9);
        Some(Data { n: points.len(), d, s: series.iter().map(values).collect() })
    }
}

/// Four figures say enough for a pointer.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// A picture ready for the page.
pub(crate) struct Part<'a> {
    pub(crate) svg: &'a str,
    /// Shown above it; empty for none.
    pub(crate) caption: &'a str,
    /// The day that it is of, if it goes when that day is hidden.
    pub(crate) day: Option<usize>,
    pub(crate) wide: bool,
    pub(crate) data: Option<Data>,
}

impl Figures {
    /// Names that begin so, for pictures that come into a page which has others.
    pub(crate) fn named(prefix: &'static str) -> Figures {
        Figures { prefix, made: 0 }
    }

    /// The picture as a `figure` element.
    pub(crate) fn html(&mut self, part: &Part<'_>) -> Result<String, PlotError> {
        self.made += 1;
        let id = format!("{}f{}", self.prefix, self.made);
        let class = if part.wide { " class=\"wide scroll\"" } else { "" };
        let day = part.day.map(|day| format!(" data-day=\"{day}\"")).unwrap_or_default();
        let caption = match part.caption {
            "" => String::new(),
            words => format!("<figcaption>{}</figcaption>\n", escaped(words)),
        };
        let data = match &part.data {
            None => String::new(),
            Some(data) => {
                // "<" would end the element where a name holds "</script".
                let json = serde_json::to_string(data).map_err(PlotError::because)?.replace('<', "\\u003c");
                format!("<script type=\"application/json\" id=\"data-{id}\">{json}</script>\n")
            }
        };
        Ok(format!("<figure id=\"{id}\"{class}{day}>\n{caption}{}{data}</figure>", part.svg))
    }
}

/// A picture with its values.
pub(crate) type Drawn = (String, Option<Data>);

/// The share of calls dropped and failed over the day, with its events.
pub(crate) fn dropped(outcome: &Outcome) -> Result<Drawn, PlotError> {
    let kind = view::headline_kind(outcome).unwrap_or("").to_owned();
    let share = |failed: bool| {
        thin(outcome, 240, |step| {
            let calls = step.calls.get(&kind).filter(|calls| calls.offered > 0)?;
            let hit = if failed { calls.failed } else { view::dropped(step, &kind) };
            Some(100.0 * hit as f64 / calls.offered as f64)
        })
    };
    let (dropped, failed) = (share(false), share(true));
    let data = Data::of(&[("% dropped".to_owned(), &dropped[..]), ("% failed".to_owned(), &failed[..])]);
    Ok((svg::dropped(outcome)?, data))
}

/// Servers in rotation, as lanes.
pub(crate) fn lanes(outcome: &Outcome) -> Result<Drawn, PlotError> {
    let points = thin(outcome, Sheet::COLUMN.points, |step| Some(step.in_rotation));
    let data = Data::of(&[("servers in rotation".to_owned(), &points[..])]);
    Ok((svg::lanes(outcome)?, data))
}

/// A chart of the day, as wide as a column.
pub(crate) fn chart(outcome: &Outcome, chart: &Chart) -> Result<Drawn, PlotError> {
    let named = chart.series.iter().filter(|series| !series.name.is_empty());
    let series: Vec<_> = named.map(|series| (series.name.clone(), &series.points[..])).collect();
    Ok((panel::draw(outcome, chart, &Sheet::COLUMN)?, Data::of(&series)))
}

/// Words for HTML.
fn escaped(words: &str) -> String {
    crate::svg::escape(words)
}
