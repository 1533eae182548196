//! What `brownout explain-call` prints: one call's life, line by line, and what became of it.

use crate::terminal::Style;
use crate::terminal::page::{Ink, Line, Page};
use crate::text;
use brownout_sim::trace::Story;

/// Lines of the middle of a long life that are left out: so many are shown from its beginning, and as many from its end.
const SHOWN: usize = 100;

/// The text, ending in a newline. `repeat` is the command that shows it again.
pub fn text(story: &Story, repeat: &str, style: &Style) -> String {
    let style = Style { width: style.width.clamp(60, 200), ..*style };
    let clean = |words: &str| text::clean(words, style.unicode);
    let mut page = Page::new(style.width, style.unicode);
    let title = format!("call {}: {} from {}", text::grouped(story.number), story.kind, story.population);
    page.line(Line::new().add(Ink::Bold, &clean(&title)).plain(&format!(", offered at {}", clean(&story.offered_at))));
    page.gap();
    let hidden = story.moments.len().saturating_sub(2 * SHOWN);
    let times: Vec<String> = story.moments.iter().map(|moment| after(moment.after_s)).collect();
    let column = times.iter().map(String::len).max().unwrap_or(0);
    for (i, (moment, time)) in story.moments.iter().zip(&times).enumerate() {
        if hidden > 0 && (SHOWN..SHOWN + hidden).contains(&i) {
            if i == SHOWN {
                page.line(Line::new().add(Ink::Dim, &format!("  {:>column$}  {hidden} more; --json has all", "...")));
            }
            continue;
        }
        for (i, line) in text::wrap(&clean(&moment.what), style.width - column - 4).iter().enumerate() {
            let time = if i == 0 { time.as_str() } else { "" };
            page.line(Line::new().add(Ink::Dim, &format!("  {time:>column$}  ")).plain(line));
        }
    }
    page.gap();
    let stored = story.data.starts_with("stored");
    for (label, words, good) in
        [("data", &story.data, stored), ("client", &story.client, story.client.starts_with("ok"))]
    {
        let words = text::wrap(&clean(words), style.width - 10);
        for (i, line) in words.iter().enumerate() {
            let ink = if good { Ink::Good } else { Ink::Bad };
            page.line(Line::new().add(Ink::Dim, &format!("  {:<8}", if i == 0 { label } else { "" })).add(ink, line));
        }
    }
    page.line(Line::new().add(Ink::Dim, "  repeat  ").add(Ink::Bold, repeat).whole());
    page.render(style.color)
}

/// The command that tells of a call again, quoted for a shell.
pub fn repeat(file: &str, design: &[String], set: &[String], seed: u64, number: u64) -> String {
    let mut words = vec!["brownout explain-call".to_owned(), text::shell(file), format!("--id {number}")];
    words.extend(design.iter().map(|design| format!("--design {}", text::shell(design))));
    words.extend(set.iter().map(|set| format!("--set {}", text::shell(set))));
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// Time since the offer: "+0.0003s" to a tenth of a millisecond.
fn after(seconds: f64) -> String {
    format!("+{seconds:.4}s")
}
