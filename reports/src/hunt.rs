//! What `brownout hunt` prints: what was tried, the smallest find as a story, what was covered and what was not.

use crate::terminal::Style;
use crate::text::{clean, grouped, width, wrap};
use brownout_lab::hunt::{Found, Remedy, Report, Safe, StoryLine, Worst};

/// Kinds and places named on a line before the rest is counted.
const NAMED: usize = 8;

/// The report as one JSON document.
///
/// # Errors
/// It cannot be written as JSON: a bug.
pub fn to_json(report: &Report) -> Result<String, serde_json::Error> {
    crate::json::marked(report, report.ended == "interrupted")
}

/// The report for a terminal. `all` lists every place that was reached, and every one that was not.
pub fn text(report: &Report, style: &Style, all: bool) -> String {
    let mut page = Page { style, out: String::new() };
    page.paragraph(&headline(report));
    for found in &report.found {
        page.found(found, &report.ended);
    }
    if let Some(worst) = &report.worst {
        page.worst(worst);
    }
    if !["fails without faults", "holds", "shrunk"].contains(&report.ended.as_str()) {
        page.coverage(report, all);
    }
    page.out
}

/// Hunts at the points of an axis, side by side: the smallest find of each.
pub fn table(axis: &str, reports: &[(String, Report)], style: &Style) -> String {
    let mut page = Page { style, out: String::new() };
    let rows: Vec<(String, String)> = reports.iter().map(|(point, report)| (point.clone(), smallest(report))).collect();
    let widest = rows.iter().map(|(point, _)| width(point)).max().unwrap_or(0).max(width(axis));
    let pad = |text: &str| format!("  {text}{}  ", " ".repeat(widest - width(text)));
    page.behind(&pad(axis), "smallest find");
    for ((point, words), (_, report)) in rows.iter().zip(reports) {
        page.behind(&pad(point), words);
        for found in &report.found {
            page.behind(&pad(""), &format!("{}: {}", found.condition, found.why));
            if let Some(repeat) = &found.repeat {
                page.line(&format!("{}{repeat}", pad("")));
            }
        }
    }
    page.out
}

/// The smallest find of a hunt in a line, or how hard it tried.
fn smallest(report: &Report) -> String {
    let tried = counted(report.runs, "schedule");
    if let Some(worst) = report.worst.as_ref().filter(|w| w.worst.is_some()) {
        return format!("{} {}: {}", worst.metric, worst.value, worst.schedule.join("; "));
    }
    match (report.ended.as_str(), &report.found[..]) {
        ("fails without faults", _) => "fails already without any fault".into(),
        (_, []) => format!("none in {tried}"),
        (_, found) => {
            let each = found.iter().map(|f| f.schedule.join("; ")).collect::<Vec<_>>();
            format!("{} (of {tried})", each.join("; or "))
        }
    }
}

/// "searched 320 fault schedules, until something was found; ...".
fn headline(report: &Report) -> String {
    let why = match report.ended.as_str() {
        "found" => "until something was found",
        "runs" => "the whole budget",
        "time" => "until the time was up",
        "nothing new" => "until nothing new was reached",
        "interrupted" => "until it was interrupted",
        "fails without faults" => {
            return "fails already without any fault added: there is nothing to hunt. --instead takes the file's own \
                    faults out; `brownout test` says more about them."
                .into();
        }
        "shrunk" => return format!("the {} of {}:", counted(report.faults as u64, "fault"), report.scenario),
        "holds" => return "nothing is violated with the faults of this file, so there is nothing to shrink.".into(),
        other => other,
    };
    let took = report.kinds.iter().filter(|k| k.took_effect > 0).count();
    let mut out = format!(
        "searched {} ({why}), of up to {} each; {took} of {} took effect",
        counted(report.runs, "fault schedule"),
        counted(report.faults as u64, "fault"),
        counted(report.kinds.len() as u64, "fault kind"),
    );
    if report.from_corpus > 0 {
        out.push_str(&format!("; {} from the corpus", counted(report.from_corpus, "schedule")));
    }
    if !report.left_out.is_empty() {
        let some = some(&report.left_out.iter().map(String::as_str).collect::<Vec<_>>(), false);
        out.push_str(&format!("; left out, as it reaches beyond the end of this run: {some}"));
    }
    if report.worst.is_none() {
        let violated: Vec<String> =
            report.found.iter().map(|f| format!("{} violated `{}`", grouped(f.violated), f.condition)).collect();
        let none = || format!("none violated {}", listed(&report.hunted));
        out.push_str(&format!("; {}", if violated.is_empty() { none() } else { violated.join("; ") }));
    }
    out
}

fn listed(all: &[String]) -> String {
    all.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

/// "1 fault", "2,000 faults".
fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

struct Page<'a> {
    style: &'a Style,
    out: String,
}

impl Page<'_> {
    fn paragraph(&mut self, text: &str) {
        let text = clean(text, self.style.unicode);
        wrap(&text, self.style.width).iter().for_each(|line| self.line(line));
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// Wrapped text behind a heading of its own width.
    fn behind(&mut self, head: &str, text: &str) {
        let text = clean(text, self.style.unicode);
        let room = self.style.width.saturating_sub(width(head)).max(20);
        for (i, line) in wrap(&text, room).iter().enumerate() {
            let head = if i == 0 { head.to_string() } else { " ".repeat(width(head)) };
            self.line(&format!("{head}{line}"));
        }
    }

    fn found(&mut self, found: &Found, ended: &str) {
        if ended == "fails without faults" {
            self.line("");
            self.behind("  ", &format!("`{} {}` (line {}): {}", found.kind, found.condition, found.line, found.why));
            return;
        }
        self.line("");
        let (before, after) = (found.faults_before as u64, found.schedule.len() as u64);
        let broken_off = if found.smallest { "" } else { ", broken off" };
        self.paragraph(&format!(
            "smallest found, from {} down to {after} ({} tried{broken_off}):",
            counted(before, "fault"),
            grouped(found.shrinking)
        ));
        self.line("");
        self.story(&found.story);
        self.line("");
        self.behind("  ", &format!("violates `{} {}`: {}", found.kind, found.condition, found.why));
        self.safe(&found.safe);
        for Remedy { path, value, safe } in &found.remedies {
            self.behind("  ", &format!("would have held under this seed with {path} = {safe} instead of {value}"));
        }
        if found.other_seeds.1 > 0 {
            let (fails, of) = found.other_seeds;
            self.behind("  ", &format!("fails under {fails} of {of} further seeds"));
        }
        self.file(found.file.as_deref(), found.repeat.as_deref());
    }

    fn worst(&mut self, worst: &Worst) {
        self.line("");
        let (Some(value), without) = (&worst.worst, worst.without.as_deref().unwrap_or("nothing")) else {
            self.paragraph(&format!("{} had no value in any run", worst.metric));
            return;
        };
        if worst.schedule.is_empty() {
            self.paragraph(&format!("no schedule made {} worse than the {without} without faults", worst.metric));
            return;
        }
        self.paragraph(&format!(
            "worst found for {}: {value}, against {without} without faults; {} with what is left of that schedule, {}:",
            worst.metric,
            worst.value,
            counted(worst.schedule.len() as u64, "fault")
        ));
        self.line("");
        self.story(&worst.story);
        self.file(worst.file.as_deref(), worst.repeat.as_deref());
    }

    fn story(&mut self, story: &[StoryLine]) {
        let widest = story.iter().map(|line| width(&line.at)).max().unwrap_or(0);
        for line in story {
            let at = format!("  {}{}  ", line.at, " ".repeat(widest - width(&line.at)));
            self.behind(&at, &line.what);
        }
    }

    /// "would have held under this seed with ...".
    fn safe(&mut self, all: &[Safe]) {
        for safe in all {
            let what = if safe.key == "for" { "if it lasted".to_string() } else { format!("with {} =", safe.key) };
            let text = match &safe.safe {
                Some(value) => {
                    format!("would have held under this seed {what} {value} instead of {} ({})", safe.fails, safe.fault)
                }
                None if safe.key == "for" => format!("did not hold even for the shortest time tried ({})", safe.fault),
                None => format!("did not hold even at the mildest {} tried ({})", safe.key, safe.fault),
            };
            self.behind("  ", &text);
        }
    }

    fn file(&mut self, file: Option<&str>, repeat: Option<&str>) {
        if let (Some(file), Some(repeat)) = (file, repeat) {
            self.line("");
            // Commands are not broken: they are to be copied.
            let (file, repeat) = (clean(file, self.style.unicode), clean(repeat, self.style.unicode));
            self.line(&format!("wrote {file}: {repeat}"));
        }
    }

    fn coverage(&mut self, report: &Report, all: bool) {
        let (reached, missed): (Vec<_>, Vec<_>) = report.coverage.iter().partition(|(_, runs)| *runs > 0);
        self.line("");
        self.behind(
            "covered   ",
            &format!(
                "{} of {} transitions of checks, processes, breakers, spools and stores; nothing new after run {}",
                reached.len(),
                report.coverage.len(),
                grouped(report.last_new)
            ),
        );
        let idle: Vec<&str> = report.kinds.iter().filter(|k| k.took_effect == 0).map(|k| k.kind.as_str()).collect();
        if !idle.is_empty() {
            self.behind("no effect ", &some(&idle, all));
        }
        let missed: Vec<String> = missed.iter().map(|(place, _)| format!("{} {}", place.part, place.what)).collect();
        if !missed.is_empty() {
            self.behind("not seen  ", &some(&missed.iter().map(String::as_str).collect::<Vec<_>>(), all));
        }
        if all {
            for (place, runs) in reached {
                self.behind("  ", &format!("{} {}: in {}", place.part, place.what, counted(*runs, "run")));
            }
        }
        if report.shows_nothing() {
            self.line("");
            self.paragraph("This shows nothing: no fault changed anything, or no run had anything to judge.");
        }
        if report.vacuous > 0 || report.limited > 0 {
            let text = format!(
                "{} in which a fault changed nothing, or nothing was there to judge; {} with too many events, broken off",
                counted(report.vacuous, "run"),
                counted(report.limited, "run")
            );
            self.behind("beside    ", &text);
        }
        self.line("");
        self.behind("again     ", &format!("--seed {} repeats this hunt; another seed draws others", report.seed));
    }
}

/// The first few, and how many more.
fn some(all: &[&str], whole: bool) -> String {
    let most = if whole { all.len() } else { NAMED };
    let mut out = all.iter().take(most).copied().collect::<Vec<_>>().join(", ");
    if all.len() > most {
        out.push_str(&format!(", and {} more (--coverage lists them)", all.len() - most));
    }
    out
}
