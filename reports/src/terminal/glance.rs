//! The day at a glance: one row of characters for each thing that changed.

use super::page::{Ink, Line, Page};
use super::{Context, LABEL};
use crate::text;
use crate::view::{self, Bucket};

/// Levels from nothing to all. The first stands for exactly nothing, the last for exactly all.
const BLOCKS: &str = "▁▂▃▄▅▆▇█";
const ASCII: &str = "_.:-=+*#%@";

/// Steps and how they are laid on columns.
struct Grid {
    buckets: Vec<Bucket>,
    /// Columns for each bucket: more than one if the run has fewer steps than the page columns.
    repeat: usize,
    per: usize,
    length_s: f64,
}

impl Grid {
    fn new(context: &Context<'_>, columns: usize) -> Self {
        let steps = context.outcome.timeline.steps.len();
        let per = steps.div_ceil(columns).max(1);
        let buckets = view::buckets(context.outcome, context.kind.unwrap_or(""), per);
        let repeat = (columns / buckets.len().max(1)).clamp(1, 8);
        Grid { buckets, repeat, per, length_s: view::length_s(context.outcome) }
    }

    fn columns(&self) -> usize {
        self.buckets.len() * self.repeat
    }

    /// The column in which a time falls.
    fn column(&self, t_s: f64) -> usize {
        let after = self.buckets.iter().rposition(|bucket| bucket.from_s <= t_s).unwrap_or(0);
        let bucket = &self.buckets[after];
        let share = ((t_s - bucket.from_s) / (bucket.to_s - bucket.from_s).max(1e-9)).clamp(0.0, 0.999);
        after * self.repeat + (share * self.repeat as f64) as usize
    }

    fn row(&self, glyph: impl Fn(&Bucket) -> char) -> String {
        self.buckets.iter().flat_map(|bucket| std::iter::repeat_n(glyph(bucket), self.repeat)).collect()
    }
}

/// The section. Left out if the run has no steps.
pub(super) fn day(context: &Context<'_>, page: &mut Page) {
    if context.outcome.timeline.steps.is_empty() {
        return;
    }
    let servers = context.outcome.rotation.servers.len();
    let notes = [format!("0..{servers} servers"), "up/part/down".to_owned(), "0..100%".to_owned()];
    let note = notes.iter().map(|note| note.len()).max().unwrap_or(0);
    let grid = Grid::new(context, context.style.width - 2 - LABEL - 2 - note);
    axis(context, &grid, page);
    if context.kind.is_some_and(|kind| context.outcome.timeline.steps.iter().any(|s| s.calls.contains_key(kind))) {
        let unicode = context.style.unicode;
        let dropped = grid.row(|b| b.dropped_rate().map_or(' ', |rate| level(rate, unicode)));
        page.line(Line::label("dropped").add(Ink::Bad, &dropped).add(Ink::Dim, "  0..100%"));
        let failed = grid.row(|b| b.failed_rate().map_or(' ', |rate| level(rate, unicode)));
        page.line(Line::label("failed").add(Ink::Warn, &failed).add(Ink::Dim, "  0..100%"));
    }
    if servers > 0 {
        let row = grid.row(|b| level(b.in_rotation / servers as f64, context.style.unicode));
        page.line(Line::label("rotation").add(Ink::Info, &row).add(Ink::Dim, &format!("  {}", notes[0])));
    }
    backlog(context, &grid, "spooled", |b| b.spooled, page);
    backlog(context, &grid, "kept", |b| b.kept, page);
    for store in view::stores_ever_down(context.outcome) {
        let spans = view::downtime(context.outcome, store);
        let row = grid.row(|b| state(down_share(&spans, b), context.style.unicode));
        let label = context.fit(store, LABEL - 1);
        let pad = " ".repeat(LABEL - text::width(&label));
        let legend = format!("  {} up {} down", state(0.0, context.style.unicode), state(1.0, context.style.unicode));
        page.line(Line::new().add(Ink::Dim, &format!("  {label}{pad}")).plain(&row).add(Ink::Dim, &legend));
    }
    let each = grid.per as f64 * context.outcome.timeline.step_s / grid.repeat as f64;
    let note = match (grid.per, grid.repeat) {
        (1, 1) => format!("each column is {}", text::duration(each)),
        (1, n) => format!("each step of {} is {n} columns wide", text::duration(each * n as f64)),
        _ => format!("each column is the mean of {}", text::duration(each)),
    };
    page.line(Line::label("").add(Ink::Dim, &note));
    page.gap();
}

/// Calls that wait somewhere to be stored late, if there ever were any.
fn backlog(context: &Context<'_>, grid: &Grid, label: &str, of: fn(&Bucket) -> u64, page: &mut Page) {
    let most = grid.buckets.iter().map(of).max().unwrap_or(0);
    if most > 0 {
        let row = grid.row(|b| level(of(b) as f64 / most as f64, context.style.unicode));
        let note = format!("  0..{} calls", text::short(most));
        page.line(Line::label(label).add(Ink::Info, &row).add(Ink::Dim, &note));
    }
}

/// Nothing and all have a character of their own, so that neither is claimed where it only came close.
fn level(share: f64, unicode: bool) -> char {
    let levels: Vec<char> = if unicode { BLOCKS } else { ASCII }.chars().collect();
    let between = levels.len() - 2;
    if share.is_nan() || share <= 0.0 {
        levels[0]
    } else if share >= 1.0 - 1e-9 {
        levels[between + 1]
    } else {
        levels[1 + ((share * between as f64) as usize).min(between - 1)]
    }
}

/// Part of a bucket's time that is covered.
fn down_share(spans: &[(f64, f64, &str)], bucket: &Bucket) -> f64 {
    let covered: f64 = spans.iter().map(|(from, to, _)| (to.min(bucket.to_s) - from.max(bucket.from_s)).max(0.0)).sum();
    covered / (bucket.to_s - bucket.from_s).max(1e-9)
}

fn state(down: f64, unicode: bool) -> char {
    let [up, part, out] = if unicode { ['●', '◐', '○'] } else { ['#', '+', '.'] };
    if down <= 0.0 {
        up
    } else if down < 1.0 - 1e-9 {
        part
    } else {
        out
    }
}

/// Start, first outage and end over their columns: on one line, on two where they would touch.
fn axis(context: &Context<'_>, grid: &Grid, page: &mut Page) {
    let zone = context.fit(&context.outcome.span.zone_abbreviation, 6);
    let mut labels = vec![(0, context.clock.minute(0.0))];
    if let Some(outage) = context.outcome.outages.first() {
        labels.push((grid.column(outage.from_s), context.clock.minute(outage.from_s)));
        if let Some(to_s) = outage.to_s {
            labels.push((grid.column(to_s), context.clock.minute(to_s)));
        }
    }
    let end = context.clock.minute(grid.length_s);
    labels.push((grid.columns().saturating_sub(text::width(&end)), end));
    let room = context.room();
    let mut rows: Vec<String> = vec![String::new(); 2];
    for (i, (column, label)) in labels.iter().enumerate() {
        let last = i + 1 == labels.len();
        let label = if last && !zone.is_empty() { format!("{label} {zone}") } else { label.clone() };
        let wide = text::width(&label);
        // The end may stand a little to the right of its column: nothing follows it.
        let shifts = if last { 0..12 } else { 0..1 };
        let fits =
            |row: &String, column: usize| (row.is_empty() || text::width(row) + 2 <= column) && column + wide <= room;
        let spot = shifts.map(|shift| column + shift).find(|column| fits(&rows[1], *column)).map(|column| (1, column));
        let spot = spot.or_else(|| fits(&rows[0], *column).then_some((0, *column)));
        if let Some((row, column)) = spot {
            let gap = column - text::width(&rows[row]);
            rows[row].push_str(&" ".repeat(gap));
            rows[row].push_str(&label);
        }
    }
    for row in rows.iter().filter(|row| !row.is_empty()) {
        page.line(Line::label("").add(Ink::Dim, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extremes_are_exact() {
        let shown: String = [0.0, 0.001, 0.5, 0.999, 1.0].iter().map(|share| level(*share, true)).collect();
        assert_eq!(shown, "▁▂▅▇█");
        let shown: String = [0.0, 0.001, 0.5, 0.999, 1.0, f64::NAN].iter().map(|share| level(*share, false)).collect();
        assert_eq!(shown, "_.+%@_");
    }
}
