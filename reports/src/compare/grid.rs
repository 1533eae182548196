//! Matrices: which cells stand where, and how one is written.

use super::Show;
use crate::terminal::page::{Ink, Line, Page};
use crate::text;
use brownout_lab::compare::{BadRuns, Cell, Comparison, Estimate, How, places};

/// Rows beyond which only those beside the baseline are shown.
const ROWS: usize = 12;
/// Columns of the names of rows, at most.
const NAME: usize = 26;
/// Columns of a column's name before it is broken.
const HEAD: usize = 12;

/// One matrix.
pub(crate) struct Grid {
    /// What all its cells share: "mechanism=crash-loop"; may be empty.
    pub(crate) title: String,
    /// What its rows and its columns are: "isolation", "health".
    pub(crate) names: (String, String),
    /// The names of its columns.
    pub(crate) columns: Vec<String>,
    /// Its rows: a name, and a cell for each column.
    pub(crate) rows: Vec<(String, Vec<usize>)>,
}

/// The matrices of a comparison. Two axes make one; what lies beyond makes several. A sweep is laid across designs, two
/// sweeps across each other.
pub(crate) fn grids(c: &Comparison) -> Vec<Grid> {
    let (tables, rows, columns) = layout(c);
    let lengths = |dims: &[usize]| dims.iter().map(|d| c.dimensions[*d].points.len()).collect::<Vec<_>>();
    let name = |dims: &[usize]| dims.iter().map(|d| c.dimensions[*d].name.as_str()).collect::<Vec<_>>().join("/");
    let point = |dims: &[usize], at: &[usize]| {
        let points = dims.iter().zip(at).map(|(d, p)| c.dimensions[*d].points[*p].as_str());
        points.collect::<Vec<_>>().join("/")
    };
    let mut all_rows = places(&lengths(&rows));
    if columns.iter().any(|d| c.dimensions[*d].sweep) && all_rows.len() > ROWS {
        let beside = rows.iter().rposition(|d| c.dimensions[*d].baseline.is_some());
        all_rows.retain(|at| beside.is_none_or(|i| Some(at[i]) == c.dimensions[rows[i]].baseline));
    }
    let grid = |shared: Vec<usize>| {
        let row = |at: &Vec<usize>| {
            let cell = |column: &Vec<usize>| {
                let mut place = vec![0; c.dimensions.len()];
                for (dims, at) in [(&tables, &shared), (&rows, at), (&columns, column)] {
                    dims.iter().zip(at).for_each(|(d, p)| place[*d] = *p);
                }
                c.index(&place)
            };
            (point(&rows, at), places(&lengths(&columns)).iter().map(cell).collect())
        };
        let title = tables.iter().zip(&shared).map(|(d, p)| {
            let dimension = &c.dimensions[*d];
            format!("{}={}", dimension.name, dimension.points[*p])
        });
        Grid {
            title: title.collect::<Vec<_>>().join(" "),
            names: (name(&rows), name(&columns)),
            columns: places(&lengths(&columns)).iter().map(|at| point(&columns, at)).collect(),
            rows: all_rows.iter().map(row).collect(),
        }
    };
    places(&lengths(&tables)).into_iter().map(grid).collect()
}

/// The dimensions of tables, rows and columns.
fn layout(c: &Comparison) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let sweeps = c.sweeps();
    let axes: Vec<usize> = (0..c.dimensions.len()).filter(|d| !c.dimensions[*d].sweep).collect();
    let split = |dims: &[usize], n: usize| {
        let at = dims.len().saturating_sub(n);
        (dims[..at].to_vec(), dims[at..].to_vec())
    };
    match sweeps[..] {
        [] if axes.len() == 1 => (Vec::new(), axes, Vec::new()),
        [] => {
            let (tables, rest) = split(&axes, 2);
            let (rows, columns) = split(&rest, 1);
            (tables, rows, columns)
        }
        [sweep] => {
            let (mut tables, mut rows) = split(&axes, 2);
            tables.extend(rows.iter().copied().filter(|d| Some(*d) == c.under));
            rows.retain(|d| Some(*d) != c.under);
            (tables, rows, vec![sweep])
        }
        _ => (axes, vec![sweeps[0]], vec![sweeps[1]]),
    }
}

/// A cell in words: "pool-exhaustion bulkhead/shared".
pub(crate) fn label_of(c: &Comparison, cell: &Cell) -> String {
    let point = |d: usize| c.dimensions[d].points[cell.at[d]].as_str();
    let design = c.design_dimensions().into_iter().map(point).collect::<Vec<_>>().join("/");
    let mut words: Vec<String> = c.under.iter().map(|d| point(*d).to_string()).collect();
    words.push(design);
    words.extend(c.sweeps().into_iter().map(|d| format!("{}={}", c.dimensions[d].name, point(d))));
    words.retain(|word| !word.is_empty());
    if words.is_empty() { "the design as written".into() } else { words.join(" ") }
}

/// Half of an interval, where its ends were not cut off.
pub(super) fn half(e: &Estimate) -> Option<f64> {
    match (e.how, e.low, e.high) {
        (How::Interval, Some(low), Some(high)) => Some((e.mean - low).max(high - e.mean)),
        _ => None,
    }
}

/// "±0.5pp".
pub(super) fn points(half: f64, unicode: bool) -> String {
    let to = if unicode { "±" } else { "+-" };
    format!("{to}{}pp", trimmed(half * 100.0))
}

/// A number with two figures that count, without zeros at its end.
pub(super) fn trimmed(x: f64) -> String {
    let decimals = if x >= 1.0 { 1 } else { decimals_of(x) + 1 };
    let text = format!("{x:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// Decimals at which the first figure of a number below 1 shows: 1 for 0.3, 4 for 0.0002; at most 9.
fn decimals_of(x: f64) -> usize {
    (1..9).find(|d| x * 10f64.powi(*d) >= 0.95).unwrap_or(9) as usize
}

/// A percentage with its half width, so that both show: "52.6 ±0.3", "0.021 ±0.008".
fn spread(percent: f64, half: f64, unicode: bool) -> String {
    let size = percent.abs();
    let decimals = if size >= 1.0 || size == 0.0 { 1 } else { (decimals_of(size) + 1).min(5) };
    let fine = if half > 0.0 && half < 0.95 { decimals.max(decimals_of(half)).min(5) } else { decimals };
    let to = if unicode { "±" } else { "+-" };
    format!("{percent:.decimals$} {to}{half:.fine$}")
}

/// What stands in a cell: the mean with half of its interval, and how many runs are bad where that is not all or none of
/// the first ones.
pub(crate) fn figure(cell: &Cell, seeds: u64, unicode: bool) -> String {
    let Some(e) = &cell.estimate else { return "-".into() };
    let percent = e.mean * 100.0;
    let mean = match e.how {
        How::Bound => "0".into(),
        How::Same => format!("{} same", trimmed(percent)),
        How::Single => trimmed(percent),
        How::Interval => spread(percent, half(e).unwrap_or(0.0) * 100.0, unicode),
    };
    match &cell.bad_runs {
        Some(found) if is_counted(found, seeds) => format!("{mean} ({}/{})", found.bad, found.of),
        _ => mean,
    }
}

/// Whether a cell's bad runs stand beside its figure.
pub(super) fn is_counted(found: &BadRuns, seeds: u64) -> bool {
    (found.bad > 0 && found.bad < found.of) || (found.bad == 0 && found.of != seeds)
}

/// The difference of a cell to its baseline: "-52.6 ±0.3".
pub(super) fn difference(c: &Comparison, i: usize, unicode: bool) -> String {
    let cell = &c.cells[i];
    match (&cell.difference, cell.estimate.is_some()) {
        (Some(d), _) => {
            let (mean, half) = (d.mean * 100.0, d.high.map(|high| (high - d.mean) * 100.0));
            match half {
                None if d.seeds > 1 && mean == 0.0 => "0 same".into(),
                None if d.seeds > 1 => format!("{} same", signed(mean)),
                Some(half) if mean < 0.0 => spread(mean, half, unicode),
                Some(half) => format!("+{}", spread(mean, half, unicode)),
                None => signed(mean),
            }
        }
        (None, true) if cell.baseline == i => "*".into(),
        _ => "-".into(),
    }
}

/// A difference of which the first figures show: "+16.9", "-0.002".
fn signed(percent: f64) -> String {
    let sign = if percent > 0.0 { "+" } else { "" };
    format!("{sign}{}", spread(percent, f64::NAN, true).split(' ').next().unwrap_or_default())
}

/// From 0, no bad run or shown to be safe, to 4; none without an estimate.
pub(crate) fn heat(cell: &Cell, safe: f64) -> Option<u8> {
    let e = cell.estimate.as_ref()?;
    Some(match e.mean {
        _ if cell.verdict.is_some_and(|verdict| verdict.is_quiet()) => 0,
        m if m < safe => 1,
        m if m < 0.10 => 1,
        m if m < 0.30 => 2,
        m if m < 0.60 => 3,
        _ => 4,
    })
}

/// A name in lines of at most `columns`, broken at spaces, and behind hyphens and other signs where that goes.
fn broken(name: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in name.chars() {
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
        if " -+_/.".contains(c) {
            pieces.push(String::new());
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if text::width(line) + text::width(piece.trim_end()) <= columns => line.push_str(&piece),
            _ => lines.extend(text::wrap(&piece, columns).into_iter().map(|part| {
                if piece.ends_with(' ') && piece.trim_end().ends_with(&part) { format!("{part} ") } else { part }
            })),
        }
    }
    lines.iter().map(|line| line.trim_end().to_string()).filter(|line| !line.is_empty()).collect()
}

impl Grid {
    /// Prints the matrix, in several blocks of columns if the page is too narrow for one.
    pub(super) fn print(&self, show: &Show<'_>, page: &mut Page, cell: &dyn Fn(usize) -> (String, Option<u8>)) {
        let clean = |words: &str| text::clean(words, show.style.unicode);
        if !self.title.is_empty() {
            page.line(Line::new().add(Ink::Bold, &clean(&self.title)));
        }
        let table = Columns {
            corner: clean(&self.names.0),
            over: clean(&self.names.1),
            names: self.rows.iter().map(|(name, _)| clean(name)).collect(),
            heads: self.columns.iter().map(|name| clean(name)).collect(),
            cells: self.rows.iter().map(|(_, row)| row.iter().map(|i| cell(*i)).collect()).collect(),
        };
        table.print(show, page);
    }
}

/// Cells ready to be printed.
pub(super) struct Columns {
    pub(super) corner: String,
    pub(super) over: String,
    pub(super) names: Vec<String>,
    pub(super) heads: Vec<String>,
    pub(super) cells: Vec<Vec<(String, Option<u8>)>>,
}

impl Columns {
    pub(super) fn print(&self, show: &Show<'_>, page: &mut Page) {
        let unicode = show.style.unicode;
        let longest = self.names.iter().map(|name| text::width(name)).max().unwrap_or(0);
        let name = longest.max(text::width(&self.corner)).clamp(1, NAME);
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|j| {
                let cells = self.cells.iter().map(|row| text::width(&row[j].0)).max().unwrap_or(1);
                let head = text::width(&self.heads[j]).min(HEAD);
                cells.max(head)
            })
            .collect();
        let room = show.style.width - 2 - name;
        let mut from = 0;
        while from < widths.len() {
            let mut to = from + 1;
            let mut used = widths[from] + 2;
            while to < widths.len() && used + widths[to] + 2 <= room {
                used += widths[to] + 2;
                to += 1;
            }
            self.block(page, name, &widths, (from, to), unicode);
            page.gap();
            from = to;
        }
    }

    fn block(&self, page: &mut Page, name: usize, widths: &[usize], (from, to): (usize, usize), unicode: bool) {
        let pad =
            |words: &str, width: usize| format!("{}{words}", " ".repeat(width.saturating_sub(text::width(words))));
        let left = |words: &str| {
            let words = text::fit(words, name, unicode);
            format!("  {words}{}", " ".repeat(name.saturating_sub(text::width(&words))))
        };
        let heads: Vec<Vec<String>> = (from..to).map(|j| broken(&self.heads[j], widths[j])).collect();
        let tall = heads.iter().map(Vec::len).max().unwrap_or(0);
        if !self.over.is_empty() {
            page.line(Line::new().add(Ink::Dim, &format!("{}  {}", left(""), self.over)));
        }
        for i in 0..tall {
            let mut line = left(if i + 1 == tall { &self.corner } else { "" });
            for (head, width) in heads.iter().zip(&widths[from..to]) {
                let above = tall - head.len();
                let words = i.checked_sub(above).and_then(|i| head.get(i)).map_or("", String::as_str);
                line.push_str(&format!("  {}", pad(words, *width)));
            }
            page.line(Line::new().add(Ink::Dim, &line));
        }
        for (row, cells) in self.names.iter().zip(&self.cells) {
            let mut line = Line::new().plain(&left(row));
            for ((words, level), width) in cells[from..to].iter().zip(&widths[from..to]) {
                let ink = level.map_or(Ink::Plain, Ink::Heat);
                line = line.plain("  ").add(ink, &pad(words, *width));
            }
            page.line(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_show_what_counts() {
        assert_eq!(spread(52.6412, 0.31, true), "52.6 ±0.3");
        assert_eq!(spread(52.6412, 0.021, true), "52.6 ±0.02");
        assert_eq!(spread(0.0213, 0.0081, true), "0.021 ±0.008");
        assert_eq!(spread(-52.6, 12.0, false), "-52.6 +-12.0");
        assert_eq!([0.0021, -16.94, 0.0].map(signed), ["+0.0021", "-16.9", "0.0"]);
        assert_eq!([0.5, 0.05, 12.0].map(trimmed), ["0.5", "0.05", "12"]);
    }

    #[test]
    fn long_names_are_broken_where_they_join() {
        assert_eq!(broken("deep+fail-open", 10), ["deep+fail-", "open"]);
        assert_eq!(broken("shared", 10), ["shared"]);
        assert_eq!(broken("flaps per server", 10), ["flaps per", "server"]);
        assert_eq!(broken("averyveryverylongname", 8), ["averyver", "yverylon", "gname"]);
    }
}
