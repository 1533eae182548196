//! The walk through assumed ranges, as a table for the terminal.

use crate::terminal::Style;
use crate::text;
use brownout_lab::ranges::Range;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

/// The table, the number on which the evidence hangs most first, and a sentence that sums it up.
pub fn table(evidence: &str, rows: &[Range], style: &Style) -> String {
    let mut rows: Vec<&Range> = rows.iter().collect();
    rows.sort_by(|a, b| a.kept.total_cmp(&b.kept));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width.clamp(60, 200) as u16)
        .set_header(["number", "is", "met at", "value: result, from the lowest to the highest"]);
    for row in &rows {
        let mark = |met| if met { "" } else { " (not met)" };
        let points = row.points.iter().map(|p| format!("{}: {}{}", p.value, p.simulated, mark(p.met)));
        table.add_row([
            Cell::new(text::clean(&row.path, style.unicode)),
            Cell::new(text::clean(&row.value, style.unicode)),
            Cell::new(format!("{:.0}%", row.kept * 100.0)).set_alignment(CellAlignment::Right),
            Cell::new(text::clean(&points.collect::<Vec<_>>().join(", "), style.unicode)),
        ]);
    }
    let all: usize = rows.iter().map(|r| r.points.len()).sum();
    let met: usize = rows.iter().flat_map(|r| &r.points).filter(|p| p.met).count();
    let safe = rows.iter().filter(|r| r.kept == 1.0).count();
    let share = if all == 0 { 0.0 } else { 100.0 * met as f64 / all as f64 };
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_string()).collect();
    format!(
        "{}\n\n{} comes out within its band at {met} of {all} points ({share:.0}%) of the ranges, one number moved at a\n\
         time, one run each; {safe} of {} numbers keep it at all their points.\n",
        lines.join("\n"),
        text::clean(evidence, style.unicode),
        rows.len()
    )
}
