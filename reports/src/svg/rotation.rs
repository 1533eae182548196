//! Which servers were in rotation, over the day.

use super::canvas::{Anchor, Canvas, PlotError, Type, document, fit, ink, layer, text_width, window};
use super::day::{Day, WIDTH};
use super::panel::{Sheet, axis_data};
use super::style::RGBColor;
use crate::text;
use crate::view;
use brownout_sim::outcome::Outcome;

/// A lane per server, filled while it was in rotation, with the number in rotation above and the stores' outages
/// below. Where a column of the picture holds several changes it is drawn lighter: an absence too short for a
/// column of its own still shows.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub fn rotation(outcome: &Outcome) -> Result<String, PlotError> {
    draw(outcome, &ALONE)
}

/// The same, smaller, for a report in which it stands beside others; its time axis lies where theirs does.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub(crate) fn lanes(outcome: &Outcome) -> Result<String, PlotError> {
    let sheet = Sheet::COLUMN;
    draw(
        outcome,
        &Layout {
            width: sheet.width,
            left: sheet.left,
            right: sheet.right(),
            head: sheet.head(),
            strip: 40.0,
            gap: 8.0,
            lanes: 130.0,
            lane_max: 12.0,
            store: 15.0,
            size: sheet.size,
            rects: 2_500,
            alone: false,
        },
    )
}

/// Where things stand, in units of a drawing.
struct Layout {
    width: f64,
    left: f64,
    right: f64,
    /// Above the strip.
    head: f64,
    /// Height of the strip with the number in rotation.
    strip: f64,
    gap: f64,
    /// Height of all lanes together, and of one at most.
    lanes: f64,
    lane_max: f64,
    /// Height of a store's lane.
    store: f64,
    size: f64,
    /// Rectangles drawn at most; beyond, columns get wider. Some 25 bytes each.
    rects: usize,
    /// Whether it stands alone, with names at the left.
    alone: bool,
}

const ALONE: Layout = Layout {
    width: WIDTH,
    left: 150.0,
    right: WIDTH - 40.0,
    head: 118.0,
    strip: 80.0,
    gap: 18.0,
    lanes: 330.0,
    lane_max: 20.0,
    store: 20.0,
    size: 13.0,
    rects: 7_000,
    alone: true,
};

fn draw(outcome: &Outcome, layout: &Layout) -> Result<String, PlotError> {
    let day = Day::new(outcome, layout.left, layout.right);
    let lanes = Lanes::new(&day, layout);
    let stores = view::stores_ever_down(outcome);
    let key = if layout.alone { 0.0 } else { lanes.top() + layout.size * 4.5 };
    let top = lanes.bottom().max(key) + layout.gap * 0.5;
    let bottom = top + stores.len() as f64 * layout.store;
    let size = (layout.width, bottom + if layout.alone { 88.0 } else { 26.0 });
    let title = format!("{}: servers in rotation", outcome.title);
    let description =
        format!("A lane for each of {} servers, filled while in rotation. {}.", lanes.count(), subject(outcome));
    let picture = Picture { day: &day, layout, lanes: &lanes, stores: &stores, stores_top: top };
    let back = layer(size, |canvas| {
        canvas.rect((0.0, 0.0), size, &ink::PAPER.mix(1.0))?;
        picture.heading(canvas)?;
        picture.names(canvas)
    })?;
    let axis = layer(size, |canvas| match layout.alone {
        true => day.time_axis(canvas, layout.head, bottom),
        false => day.time_ticks(canvas, layout.head, bottom, layout.size - 1.0),
    })?;
    let inside = layer(size, |canvas| {
        day.shade_outages(canvas, layout.head, bottom)?;
        if lanes.count() > 0 {
            picture.strip(canvas)?;
            lanes.draw(canvas)?;
        }
        picture.outages(canvas)
    })?;
    let front = layer(size, |canvas| picture.words(canvas))?;
    let plot = window((layout.left, layout.head), (layout.right, bottom), &inside);
    let body = format!("{back}<g class=\"axis\">\n{axis}</g>\n{plot}<g class=\"inside\">\n{front}</g>\n");
    Ok(document(size, &axis_data(&day, (layout.head, bottom)), (&title, &description), &body))
}

fn subject(outcome: &Outcome) -> String {
    let n = outcome.rotation.servers.len();
    let over = if outcome.outages.is_empty() { "run" } else { "outage" };
    format!("{} of {n} servers in rotation over the {over}, mean", text::mean(outcome.rotation.mean_in_rotation))
}

struct Picture<'a> {
    day: &'a Day<'a>,
    layout: &'a Layout,
    lanes: &'a Lanes<'a>,
    stores: &'a [&'a str],
    stores_top: f64,
}

impl Picture<'_> {
    fn heading(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let layout = self.layout;
        let words = subject(self.day.outcome);
        let key = "blue: in rotation; lighter: out for part of the time; pale: out";
        if layout.alone {
            self.day.heading(canvas, &format!("{words}  ·  {}", self.day.answer()))?;
            let at = (self.day.right, self.bottom() + 64.0);
            return canvas.text(key, at, Anchor::End, Type::new(12.0, ink::MUTED));
        }
        let look = Type::new(layout.size + 0.5, ink::TEXT).bold();
        let room = layout.width - 12.0;
        canvas.text(&fit(&words, layout.size + 1.5, room), (6.0, 13.0), Anchor::Start, look)
    }

    fn bottom(&self) -> f64 {
        self.stores_top + self.stores.len() as f64 * self.layout.store
    }

    /// How many were in rotation, as a line over an area.
    fn strip(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let (day, servers) = (self.day, self.lanes.count());
        let (top, bottom) = (self.layout.head, self.layout.head + self.layout.strip);
        let kind = view::headline_kind(day.outcome).unwrap_or("");
        let y = |n: f64| bottom - (n / servers as f64).clamp(0.0, 1.0) * (bottom - top);
        let most = if self.layout.alone { 1_000 } else { 300 };
        let mut points = Vec::new();
        for bucket in view::buckets(day.outcome, kind, day.outcome.timeline.steps.len().div_ceil(most)) {
            let y = y(bucket.in_rotation);
            points.extend([(day.x(bucket.from_s), y), (day.x(bucket.to_s), y)]);
        }
        let mut area = points.clone();
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            area.extend([(last.0, bottom), (first.0, bottom)]);
        }
        canvas.area(&area, &ink::GREEN.mix(0.22))?;
        canvas.line(&points, 1.5, &ink::GREEN.mix(1.0))?;
        canvas.line(&[(day.left, bottom), (day.right, bottom)], 0.5, &ink::MUTED.mix(1.0))
    }

    /// What stands beside the strip and the lanes.
    fn names(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let (layout, day) = (self.layout, self.day);
        if self.lanes.count() == 0 {
            return day.nothing(canvas, "no servers", layout.head + layout.strip + layout.gap);
        }
        let (top, bottom) = (layout.head, layout.head + layout.strip);
        let look = Type::new(layout.size - 1.0, ink::MUTED);
        let servers = self.lanes.count().to_string();
        canvas.text(&servers, (day.left - 9.0, top + 3.0), Anchor::End, look)?;
        canvas.text("0", (day.left - 9.0, bottom - 3.0), Anchor::End, look)?;
        let look = Type::new(layout.size, ink::TEXT);
        let (x, anchor) = if layout.alone { (day.left - 34.0, Anchor::End) } else { (day.right + 10.0, Anchor::Start) };
        let middle = (top + bottom) / 2.0;
        canvas.text("servers", (x, middle - layout.size * 0.6), anchor, look)?;
        canvas.text("in rotation", (x, middle + layout.size * 0.6), anchor, look)?;
        if layout.alone {
            return self.lanes.names(canvas);
        }
        let top = self.lanes.top();
        let colors = [(ink::BLUE, "in rotation"), (shade(3), "part of the time"), (ink::OUT, "out")];
        for (i, (color, words)) in colors.into_iter().enumerate() {
            let y = top + layout.size * (0.7 + 1.5 * i as f64);
            canvas.rect((x, y - 4.5), (x + 9.0, y + 4.5), &color.mix(1.0))?;
            canvas.text(words, (x + 15.0, y), Anchor::Start, Type::new(layout.size - 1.0, ink::TEXT))?;
        }
        Ok(())
    }

    /// When each store was out of service.
    fn outages(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        for (i, store) in self.stores.iter().enumerate() {
            let (top, bottom) = self.store(i);
            let (day, middle) = (self.day, (top + bottom) / 2.0);
            canvas.rect((day.left, middle - 2.0), (day.right, middle + 2.0), &ink::GREEN.mix(0.55))?;
            for (from_s, to_s, _) in view::downtime(day.outcome, store) {
                let (from, to) = (day.x(from_s), day.x(to_s).max(day.x(from_s) + 1.0));
                canvas.rect((from, top), (to, bottom), &ink::words(ink::VERMILLION).mix(1.0))?;
            }
        }
        Ok(())
    }

    fn store(&self, i: usize) -> (f64, f64) {
        let top = self.stores_top + i as f64 * self.layout.store;
        (top, top + self.layout.store - 4.0)
    }

    /// The names of the stores, and in which way each was out of service, where there is room.
    fn words(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let (layout, day) = (self.layout, self.day);
        let size = layout.size - 0.5;
        for (i, store) in self.stores.iter().enumerate() {
            let (top, bottom) = self.store(i);
            let middle = (top + bottom) / 2.0;
            for (from_s, to_s, mode) in view::downtime(day.outcome, store) {
                let (from, to) = (day.x(from_s), day.x(to_s));
                let words = format!("out of service: {}", text::words(mode));
                if layout.alone && text_width(&words, 13.0) < to - from {
                    let at = ((from + to) / 2.0, middle);
                    canvas.text(&words, at, Anchor::Middle, Type::new(12.0, ink::PAPER).bold())?;
                }
            }
            let (x, anchor, room) = match layout.alone {
                true => (day.left - 9.0, Anchor::End, day.left - 24.0),
                false => (day.right + 10.0, Anchor::Start, layout.width - day.right - 14.0),
            };
            canvas.text(&fit(store, size, room), (x, middle), anchor, Type::new(size, ink::TEXT).bold())?;
        }
        Ok(())
    }
}

/// The servers' lanes.
struct Lanes<'a> {
    day: &'a Day<'a>,
    layout: &'a Layout,
    /// Per server, per column: the share of the time in rotation.
    shares: Vec<Vec<f64>>,
    height: f64,
}

impl<'a> Lanes<'a> {
    fn new(day: &'a Day<'a>, layout: &'a Layout) -> Self {
        let servers = &day.outcome.rotation.servers;
        let height = (layout.lanes / servers.len().max(1) as f64).clamp(3.0, layout.lane_max);
        let mut columns = (day.right - day.left) as usize;
        loop {
            let shares: Vec<Vec<f64>> = servers.iter().map(|server| shares(day, server, columns)).collect();
            let rects: usize = shares.iter().map(|lane| runs(lane).len()).sum();
            if rects <= layout.rects || columns <= 60 {
                return Lanes { day, layout, shares, height };
            }
            columns /= 2;
        }
    }

    fn count(&self) -> usize {
        self.shares.len()
    }

    fn top(&self) -> f64 {
        self.layout.head + self.layout.strip + self.layout.gap
    }

    fn bottom(&self) -> f64 {
        self.top() + self.height * self.count().max(1) as f64
    }

    fn gap(&self) -> f64 {
        (self.height * 0.18).min(3.0)
    }

    /// Level by level, since what has one colour makes one path.
    fn draw(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let rows: Vec<Vec<(usize, usize, u8)>> = self.shares.iter().map(|lane| runs(lane)).collect();
        for wanted in 0..=LEVELS {
            for (i, row) in rows.iter().enumerate() {
                let top = self.top() + i as f64 * self.height;
                let bottom = top + self.height - self.gap();
                if wanted == 0 {
                    canvas.rect((self.day.left, top), (self.day.right, bottom), &shade(0).mix(1.0))?;
                    continue;
                }
                let column = (self.day.right - self.day.left) / self.shares[i].len().max(1) as f64;
                for (from, to, _) in row.iter().filter(|(.., level)| *level == wanted) {
                    let (x0, x1) = (self.day.left + *from as f64 * column, self.day.left + *to as f64 * column);
                    canvas.rect((x0, top), (x1, bottom), &shade(wanted).mix(1.0))?;
                }
            }
        }
        Ok(())
    }

    fn names(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let every = (13.0 / self.height).ceil() as usize;
        for (i, server) in self.day.outcome.rotation.servers.iter().enumerate().step_by(every) {
            let size = self.height.clamp(9.0, 12.5);
            let name = fit(server, size, self.day.left - 24.0);
            let middle = self.top() + i as f64 * self.height + (self.height - self.gap()) / 2.0;
            canvas.text(&name, (self.day.left - 9.0, middle), Anchor::End, Type::new(size, ink::MUTED))?;
        }
        Ok(())
    }
}

/// Levels of a column: out, in, and between them four for the share.
const LEVELS: u8 = 5;

/// In rotation all the time is a level of its own, so that the shortest absence changes the colour.
fn level(share: f64) -> u8 {
    if share >= 1.0 - 1e-9 { LEVELS } else { (share * f64::from(LEVELS)) as u8 }
}

fn shade(level: u8) -> RGBColor {
    // The step from "all the time" to "almost" is a large one, for the same reason.
    let weight = if level == LEVELS { 1.0 } else { f64::from(level) / f64::from(LEVELS) * 0.75 };
    let mix = |out: u8, full: u8| (f64::from(out) + (f64::from(full) - f64::from(out)) * weight).round() as u8;
    let (out, full) = (ink::OUT, ink::BLUE);
    RGBColor(mix(out.0, full.0), mix(out.1, full.1), mix(out.2, full.2))
}

/// Columns of one level: first, one past the last, level.
fn runs(lane: &[f64]) -> Vec<(usize, usize, u8)> {
    let mut runs: Vec<(usize, usize, u8)> = Vec::new();
    for (column, share) in lane.iter().enumerate() {
        let level = level(*share);
        match runs.last_mut() {
            Some(last) if last.2 == level => last.1 = column + 1,
            _ => runs.push((column, column + 1, level)),
        }
    }
    runs
}

/// Per column the share of the time that a server was in rotation.
fn shares(day: &Day<'_>, server: &str, columns: usize) -> Vec<f64> {
    let mut shares = vec![1.0; columns];
    let Some(changes) = day.outcome.rotation.changes_s.get(server) else { return shares };
    let column = day.length_s / columns.max(1) as f64;
    for out in changes.chunks(2) {
        let from = out[0].clamp(0.0, day.length_s) / column;
        let to = out.get(1).copied().unwrap_or(day.length_s).clamp(0.0, day.length_s) / column;
        let mut at = from;
        while at < to {
            let index = at as usize;
            let until = (index as f64 + 1.0).min(to);
            if let Some(share) = shares.get_mut(index) {
                *share = (*share - (until - at)).max(0.0);
            }
            at = until;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_absence_changes_its_column() {
        let mut outcome = Outcome::default();
        outcome.span.length_s = 86_400.0;
        outcome.rotation.servers = vec!["a".into()];
        outcome.rotation.changes_s.insert("a".into(), vec![40_000.0, 40_000.5]);
        let day = Day::new(&outcome, 0.0, 1000.0);
        assert_eq!(runs(&shares(&day, "a", 1000)), [(0, 462, 5), (462, 463, 4), (463, 1000, 5)]);
        outcome.rotation.changes_s.insert("a".into(), vec![43_200.0]);
        let day = Day::new(&outcome, 0.0, 1000.0);
        assert_eq!(runs(&shares(&day, "a", 1000)), [(0, 500, 5), (500, 1000, 0)]);
    }
}
