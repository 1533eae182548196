//! Pictures inside the page, each with the values that a reader may hover for.

use super::ReportError;
use crate::thin::Reach;
use serde::Serialize;

/// Hands out the names of figures: "f1", "f2".
#[derive(Default)]
pub(super) struct Figures {
    made: usize,
}

/// The values of a picture, evenly spaced over time.
#[derive(Serialize)]
pub(super) struct Data {
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
    pub(super) fn of(series: &[(String, &[Reach])]) -> Option<Data> {
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
pub(super) struct Part<'a> {
    pub(super) svg: &'a str,
    /// Shown above it; empty for none.
    pub(super) caption: &'a str,
    /// The day that it is of, if it goes when that day is hidden.
    pub(super) day: Option<usize>,
    pub(super) wide: bool,
    pub(super) data: Option<Data>,
}

impl Figures {
    /// The picture as a `figure` element.
    pub(super) fn html(&mut self, part: &Part<'_>) -> Result<String, ReportError> {
        self.made += 1;
        let id = format!("f{}", self.made);
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
                let json = serde_json::to_string(data).map_err(ReportError::Data)?.replace('<', "\\u003c");
                format!("<script type=\"application/json\" id=\"data-{id}\">{json}</script>\n")
            }
        };
        Ok(format!("<figure id=\"{id}\"{class}{day}>\n{caption}{}{data}</figure>", part.svg))
    }
}

/// Words for HTML.
fn escaped(words: &str) -> String {
    crate::svg::escape(words)
}
