//! Scenario files that are broken, huge or hostile: an error or a run, never a panic, a hang or unbounded memory.
//!
//! A short, deterministic fuzz run: shipped scenarios with bytes changed, tokens exchanged, names made strange, lines moved,
//! numbers made huge, tables nested and multiplied. What still loads is run for some thousand events. `BROWNOUT_FUZZ=200000`
//! tries more; `fuzz/run` has the same as a target for cargo-fuzz, which finds its way by coverage. `fuzz/campaign` is the
//! long run: a hundred thousand mutants checked, and some of them run, hunted, and run as services (`a_campaign`).

use brownout::lab::hunt::{Ask, Failure, Filter, Hunt, Task, Watch};
use brownout::models::units::Ns;
use brownout::reports::saved;
use brownout::scenarios::{Request, Scenario, load, load_text};
use brownout::services::{self, Listener, on_madsim};
use brownout::sim::outcome::Standing;
use brownout::sim::run::{Orders, Run};
use brownout::sim::{orders, simulate};
use peak_alloc::PeakAlloc;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A small generator of its own, so that the run is the same everywhere (SplitMix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

fn shipped() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the catalogue is there") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && name != "src" {
                folders.push(path);
            } else if name.ends_with(".toml") && !["Cargo.toml", "clippy.toml"].contains(&name.as_str()) {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                out.push((path, text));
            }
        }
    }
    out.sort();
    out
}

/// What replaces a token: extremes of every kind of value, and syntax.
const TOKENS: &[&str] = &[
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "4294967295",
    "1e308",
    "-0.0",
    "nan",
    "inf",
    "1e-320",
    "\"\"",
    "\"none\"",
    "\"never\"",
    "\"0s\"",
    "\"1ns\"",
    "\"100000h\"",
    "\"-5s\"",
    "\"0/s\"",
    "\"10000000/s\"",
    "\"1/0\"",
    "\"100%\"",
    "\"0%\"",
    "\"1e9GB\"",
    "\"99999999999G\"",
    "\"all\"",
    "true",
    "{}",
    "[]",
    "[[]]",
    "{ value = 1, assumed = [1, 2] }",
    "[[\"1s\", 1.0]]",
    "\"stores.events.back\"",
    "\"done:x\"",
    "\u{0}",
    "\"",
    "'''",
    "#",
    "=",
    "]",
    "[",
    "}",
    "{",
    ".",
    ",",
    "\\",
    "é",
    "preset",
    "like = \"x\"",
    "1979-05-27",
    "\r\n",
    "\t",
];

/// A value of some line: from after its first `=` to its end.
fn change_value(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    for _ in 0..8 {
        let at = rng.below(lines.len());
        if let Some((key, _)) = lines.get(at).and_then(|line| line.split_once('=')) {
            lines[at] = format!("{key}= {}", rng.of(TOKENS));
            break;
        }
    }
    lines.join("\n")
}

fn change_number(text: &str, rng: &mut Rng) -> String {
    let digits: Vec<usize> = text.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()).map(|(at, _)| at).collect();
    if digits.is_empty() {
        return text.into();
    }
    let at = *rng.of(&digits);
    let more = ["0", "00000", "000000000000", "9", "-", ".", "e9", "_"];
    format!("{}{}{}", &text[..at], rng.of(&more), &text[at..])
}

fn change_bytes(text: &str, rng: &mut Rng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len());
        match rng.below(3) {
            0 => bytes[at] = (rng.next() & 0x7f) as u8,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, (rng.next() & 0x7f) as u8),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines taken out, doubled, or put elsewhere, also from another file.
fn change_lines(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let theirs: Vec<&str> = other.lines().collect();
    for _ in 0..=rng.below(3) {
        let (from, to) = (rng.below(lines.len()), rng.below(lines.len() + 1));
        match rng.below(4) {
            0 if !lines.is_empty() => drop(lines.remove(from)),
            1 => lines.insert(to, lines[from.min(lines.len() - 1)]),
            2 => lines.insert(to, theirs[rng.below(theirs.len())]),
            _ => {
                let at = rng.below(theirs.len());
                lines.splice(to..to, theirs[at..(at + 8).min(theirs.len())].iter().copied());
            }
        }
    }
    lines.join("\n")
}

/// What names are made of: letters that combine, joiners, blanks, controls, quotes, and what means something to a shell,
/// a file system or a reader.
const NAMES: &[&str] = &[
    "सेवा",
    "e\u{301}",
    "👩\u{200d}💻",
    "❤\u{fe0f}",
    "a\u{a0}b",
    "\\n",
    "\\t",
    "\\\"",
    "'",
    "\\\\",
    "\\u001b[2J",
    "\\u0000",
    "\u{202e}",
    "在庫",
    "..",
    "/",
    "[x]",
    "=",
    ",",
    "$(x)",
    "none",
    "value",
    "CON",
    " ",
];

/// One name, everywhere in the file, made of other characters.
fn change_name(text: &str, rng: &mut Rng) -> String {
    let is_name = |word: &&str| word.len() > 2 && word.bytes().all(|b| b.is_ascii_alphabetic()) && word.is_ascii();
    let words: Vec<&str> = text.split(['"', '.', '[', ']', ' ', '\n']).filter(is_name).collect();
    if words.is_empty() {
        return text.into();
    }
    let (name, strange) = (*rng.of(&words), format!("\"{}{}\"", rng.of(NAMES), rng.of(NAMES)));
    let mut out = String::new();
    for (n, part) in text.split(name).enumerate() {
        let quoted = out.ends_with('"') && part.starts_with('"');
        if n > 0 {
            out.push_str(if quoted { strange.trim_matches('"') } else { &strange });
        }
        out.push_str(part);
    }
    out
}

/// The same thing very often, or within itself very deep.
fn much(text: &str, rng: &mut Rng) -> String {
    let n = *rng.of(&[3, 30, 300, 3000, 30_000]);
    let each = |line: fn(usize) -> String| (0..n).map(line).collect::<String>();
    match rng.below(9) {
        0 => format!("{text}\nx = {}1{}", "[".repeat(n), "]".repeat(n)),
        1 => format!("{text}\nx = {}1{}", "{a=".repeat(n), "}".repeat(n)),
        2 => format!("{text}\n{}", each(|i| format!("[axes.a{i}.b{i}]\nclients = {{}}\n"))),
        3 => format!("{text}\n{}", each(|i| format!("[stores.s{i}]\nlike = \"s{}\"\n", i + 1))),
        4 => format!("{text}\n{}", each(|i| format!("[fleets.f{i}]\nlike = \"collectors\"\nserves = []\n"))),
        5 => format!("{text}\n{}", each(|i| format!("[clients.c{i}]\nsends = \"track\"\nrate = \"1/s\"\n"))),
        6 => format!("{text}\n{}", each(|i| format!("[[timeline]]\nat = \"{i}s\"\ndo = \"note\"\nsays = \"x\"\n"))),
        7 => format!("{text}\n{}", each(|i| format!("[fleets.collectors.calls.k{i}]\nwork = \"1ms\"\n"))),
        _ => format!("{text}\n{}", each(|i| format!("[designs.d{i}]\nbased_on = \"d{}\"\n", i + 1))),
    }
}

fn mutated(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut text = text.to_string();
    for _ in 0..=*rng.of(&[0, 0, 0, 1, 2]) {
        text = match rng.below(14) {
            12 | 13 => change_name(&text, rng),
            0..=2 => change_value(&text, rng),
            3..=6 => change_number(&text, rng),
            7 => change_bytes(&text, rng),
            8..=10 => change_lines(&text, other, rng),
            _ => much(&text, rng),
        };
        if text.is_empty() {
            return text;
        }
    }
    text
}

/// Loads it; if that is a scenario, the world is set up and some events are handled.
fn survive(text: &str, base: &Path) -> bool {
    match load_text("hostile.toml", text, base, &[], &[]) {
        Err(mistakes) => {
            assert!(mistakes.count() > 0);
            let defect = mistakes.messages().into_iter().find(|m| m.contains("defect of brownout"));
            assert_eq!(defect, None, "a panic was caught on\n{text}");
            assert!(!mistakes.render(false).is_empty());
            false
        }
        Ok(scenario) => {
            let few = Orders { event_limit: Some(3000), ..orders(&scenario, 1) };
            let mut run = Run::new(&scenario.plan, few);
            run.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}\n{text}"));
            true
        }
    }
}

#[test]
fn whatever_becomes_of_a_shipped_file_the_answer_is_an_error_or_a_run() {
    let files = shipped();
    let cases = std::env::var("BROWNOUT_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let mut rng = Rng(20_151_028);
    let mut ran = 0;
    for case in 0..cases {
        let (path, text) = rng.of(&files);
        let (_, other) = rng.of(&files);
        let text = mutated(text, other, &mut rng);
        let kept = text.clone();
        let base = path.parent().expect("a folder");
        let result = std::panic::catch_unwind(|| survive(&kept, base));
        let ok = result.unwrap_or_else(|_| panic!("case {case}, from {}:\n{text}", path.display()));
        ran += usize::from(ok);
    }
    // Otherwise nothing but the parser was tried.
    assert!(ran * 10 > cases, "only {ran} of {cases} files were scenarios");
    assert!(ran < cases * 9 / 10, "{ran} of {cases} files were scenarios: they are hardly changed");
}

/// What a campaign counts.
#[derive(Default)]
struct Counts {
    checked: u64,
    scenarios: u64,
    run: u64,
    limited: u64,
    hunted: u64,
    finds: u64,
    services: u64,
    documents: u64,
    slowest: Duration,
    largest: usize,
}

/// Ends the program where a case takes longer than any may, and says which.
struct Guard {
    begun: Arc<Mutex<(Instant, Duration, String)>>,
    cases: Arc<AtomicU64>,
}

/// The longest that a case may take of a processor, and the most that it may allocate.
const CASE: (Duration, usize) = (Duration::from_secs(120), 1 << 30);
/// The longest that it may take by the clock, whatever else the machine does.
const STUCK: Duration = Duration::from_secs(1800);

/// The time of processors that this program has taken, where Linux tells; else none.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets come the state and ten other figures, then the ticks in user and in system mode.
    let figures = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u64 = figures.filter_map(|figure| figure.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

impl Guard {
    fn new() -> Guard {
        let guard = Guard {
            begun: Arc::new(Mutex::new((Instant::now(), processor_time(), String::new()))),
            cases: Arc::default(),
        };
        let (begun, cases) = (guard.begun.clone(), guard.cases.clone());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(5));
                let (since, spent, text) = begun.lock().expect("no panic within").clone();
                if processor_time().saturating_sub(spent) > CASE.0 || since.elapsed() > STUCK {
                    eprintln!("case {} takes longer than {:?}:\n{text}", cases.load(Ordering::Relaxed), CASE.0);
                    std::process::exit(1);
                }
            }
        });
        guard
    }

    /// Runs a case, and takes its time and its memory.
    fn case<T>(&self, counts: &mut Counts, what: &str, text: &str, work: impl FnOnce() -> T) -> T {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let begun = Instant::now();
        *self.begun.lock().expect("no panic within") = (begun, processor_time(), format!("{what}:\n{text}"));
        self.cases.fetch_add(1, Ordering::Relaxed);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let taken = MEMORY.peak_usage().saturating_sub(before);
        assert!(taken < CASE.1, "{what}: {taken} bytes for\n{text}");
        counts.slowest = counts.slowest.max(begun.elapsed());
        counts.largest = counts.largest.max(taken);
        done.unwrap_or_else(|_| panic!("{what}: a panic on\n{text}"))
    }
}

/// A mutant of a shipped file that is a scenario.
fn next_scenario(files: &[(PathBuf, String)], rng: &mut Rng) -> (String, Scenario) {
    loop {
        let (path, text) = rng.of(files);
        let (_, other) = rng.of(files);
        let text = mutated(text, other, rng);
        let base = path.parent().expect("a folder");
        if let Ok(scenario) = load_text("hostile.toml", &text, base, &[], &[]) {
            return (text, scenario);
        }
    }
}

fn few(scenario: &Scenario, events: u64) -> Orders {
    Orders { event_limit: Some(events), memory_limit: Some(128_000_000), ..orders(scenario, 1) }
}

/// Hunts in a mutant for a moment; what is found is read from its file and found again. How many finds.
fn hunt_and_read(text: &str, length: Ns) -> Result<u64, String> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("campaign");
    std::fs::create_dir_all(&out).map_err(|why| why.to_string())?;
    let path = out.join("mutant.toml");
    std::fs::write(&path, text).map_err(|why| why.to_string())?;
    let set = ["limits.events=60000".to_string()];
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, out_of_time: &|| false, progress: &|_| {} };
    let first = (length > Ns::secs(60)).then_some(Ns::secs(30));
    let task = Task { set: &set, first, expect: Some("all.failed_rate < 1%"), ..Task::of(&path) };
    let ask = Ask {
        task,
        filter: Filter::default(),
        faults: Some(2),
        severity: 1.0,
        longest: None,
        runs: 4,
        patience: None,
        keep_going: true,
        seed: 7,
        jobs: Some(1),
        corpus: None,
        out: Some(&out.join("finds")),
        remedies: false,
        worst: None,
        lose_a_call: false,
    };
    let report = match Hunt::new(&ask).and_then(|hunt| hunt.run(&watch)) {
        Ok(report) => report,
        // A mutant with traces of its own, or in which nothing can go wrong.
        Err(Failure::Scenario(_) | Failure::Usage(_)) => return Ok(0),
        Err(why) => return Err(why.to_string()),
    };
    for found in report.found.iter().filter(|found| found.file.is_some()) {
        let file = PathBuf::from(found.file.clone().unwrap_or_default());
        let read = load(&Request { path: &file, set: &[], design: &[] })
            .map_err(|why| format!("{}: {why}", file.display()))?;
        let again = simulate(&read, found.seed, None, &mut |_| {}).map_err(|why| why.to_string())?;
        let same = again.expectations.iter().any(|v| v.standing == Standing::Violated && v.why == found.why);
        if !same {
            return Err(format!("{} does not show \"{}\"", file.display(), found.why));
        }
        std::fs::remove_file(&file).map_err(|why| why.to_string())?;
    }
    Ok(report.found.len() as u64)
}

/// Some thousand facts of a mutant as services.
fn serve(scenario: &Scenario) -> Result<(), String> {
    let mut scenario = scenario.clone();
    let calendar = scenario.calendar.clone();
    if scenario.span > Ns::secs(30) {
        let (from, to) = (calendar.wall(Ns::ZERO), calendar.wall(Ns::secs(30)));
        scenario.excerpt(&format!("{from}..{to}"))?;
    }
    let listener = Listener { stop: None, progress: &|_| {} };
    let ask = services::Ask::new(few(&scenario, 3000));
    on_madsim(&scenario, ask, &listener).map(drop).map_err(|why| why.to_string())
}

/// A document with some of it changed: read and shown, or refused.
fn show(document: &str, rng: &mut Rng) {
    let text = if rng.below(2) == 0 { change_number(document, rng) } else { change_bytes(document, rng) };
    if let Ok(saved::Saved::Run(outcome)) = saved::read(&text) {
        let material = brownout::reports::report::Material { days: vec![*outcome], ..Default::default() };
        // It may be empty of what a page needs; that is said.
        let _ = brownout::reports::report::html(&material);
    }
}

/// How many of each; a hundredth of it with `BROWNOUT_CAMPAIGN=1`.
fn share() -> u64 {
    std::env::var("BROWNOUT_CAMPAIGN").ok().and_then(|n| n.parse().ok()).unwrap_or(100)
}

/// Whether a part of the campaign is asked for: all are, unless `BROWNOUT_CAMPAIGN_PARTS` names some ("run,hunt").
fn asked_for(part: &str) -> bool {
    std::env::var("BROWNOUT_CAMPAIGN_PARTS").map_or(true, |parts| parts.split(',').any(|one| one == part))
}

/// The long run: `fuzz/campaign` starts it and says how long it takes. Each part draws mutants of its own.
#[test]
#[ignore = "takes the better part of an hour: fuzz/campaign"]
fn a_campaign() {
    let (files, mut counts, guard) = (shipped(), Counts::default(), Guard::new());
    let share = share();
    let parts: [(&str, Part); 5] = [
        ("check", check_mutants),
        ("run", run_mutants),
        ("hunt", hunt_mutants),
        ("services", serve_mutants),
        ("documents", show_documents),
    ];
    for (number, (_, part)) in (0..).zip(parts).filter(|(_, (name, _))| asked_for(name)) {
        part(&files, &mut Rng(29_102_015 + number), &mut counts, &guard, share);
    }
    eprintln!("the slowest case took {:?}, the largest {} bytes", counts.slowest, counts.largest);
}

/// What draws so many mutants, a hundred shares of them for the whole, and tries them.
type Part = fn(&Files, &mut Rng, &mut Counts, &Guard, u64);

/// Shipped files and what they say.
type Files = Vec<(PathBuf, String)>;

fn check_mutants(files: &Files, rng: &mut Rng, counts: &mut Counts, guard: &Guard, share: u64) {
    while counts.checked < 1000 * share {
        let (path, text) = rng.of(files);
        let (_, other) = rng.of(files);
        let text = mutated(text, other, rng);
        let base = path.parent().expect("a folder");
        let ok = guard.case(counts, "check", &text, || match load_text("hostile.toml", &text, base, &[], &[]) {
            Ok(_) => true,
            Err(mistakes) => {
                let defect = mistakes.messages().into_iter().find(|m| m.contains("defect of brownout"));
                assert_eq!(defect, None);
                assert!(!mistakes.render(false).is_empty());
                false
            }
        });
        counts.checked += 1;
        counts.scenarios += u64::from(ok);
    }
    eprintln!("{} mutants checked, {} of them scenarios", counts.checked, counts.scenarios);
}

fn run_mutants(files: &Files, rng: &mut Rng, counts: &mut Counts, guard: &Guard, share: u64) {
    while counts.run < 100 * share {
        let (text, scenario) = next_scenario(files, rng);
        let ended = guard.case(counts, "run", &text, || {
            let mut run = Run::new(&scenario.plan, few(&scenario, 50_000));
            let ended = run.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"));
            brownout::sim::write_up(&scenario, 1, &run, ended);
            ended
        });
        counts.run += 1;
        counts.limited += u64::from(ended.limit().is_some());
    }
    eprintln!("{} run on the kernel, {} of them up to a limit", counts.run, counts.limited);
}

fn hunt_mutants(files: &Files, rng: &mut Rng, counts: &mut Counts, guard: &Guard, share: u64) {
    while counts.hunted < 10 * share {
        let (text, scenario) = next_scenario(files, rng);
        let found = guard.case(counts, "hunt", &text, || hunt_and_read(&text, scenario.span));
        counts.finds += found.unwrap_or_else(|why| panic!("{why}\n{text}"));
        counts.hunted += 1;
    }
    eprintln!("{} hunted, {} finds written, read and found again", counts.hunted, counts.finds);
}

fn serve_mutants(files: &Files, rng: &mut Rng, counts: &mut Counts, guard: &Guard, share: u64) {
    while counts.services < 5 * share && cfg!(madsim) {
        let (text, scenario) = next_scenario(files, rng);
        let served = guard.case(counts, "services", &text, || serve(&scenario));
        served.unwrap_or_else(|why| panic!("{why}\n{text}"));
        counts.services += 1;
    }
    eprintln!("{} run as services", counts.services);
}

fn show_documents(files: &Files, rng: &mut Rng, counts: &mut Counts, guard: &Guard, share: u64) {
    let (_, scenario) = next_scenario(files, rng);
    let outcome = simulate(&scenario, 1, None, &mut |_| {}).expect("books that balance");
    let document = serde_json::to_string(&outcome).expect("a document");
    while counts.documents < 20 * share {
        guard.case(counts, "document", "", || show(&document, rng));
        counts.documents += 1;
    }
    eprintln!("{} documents read", counts.documents);
}

const HEAD: &str = "brownout = 1\ntitle = \"x\"\nspan = \"10s\"\n[clients.c]\nsends = \"track\"\nrate = \"1/s\"\n\
                    [fleets.f]\ncalls.track = { work = \"1ms\" }\n";

#[test]
fn what_would_take_too_much_memory_is_refused() {
    let many = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    let kinds = many(600, &|i| format!("[fleets.g.calls.k{i}]\nwork = \"1ms\"\n"));
    let asking = many(21, &|i| format!("[stores.s{i}]\n[fleets.f.calls.a{i}]\nasks = \"s{i}\"\n"));
    let cases = [
        (
            format!("{HEAD}{}", many(1001, &|i| format!("[stores.s{i}]\n"))),
            "1001 stores are more than the 1000 supported",
        ),
        (
            format!("{HEAD}{}", many(1000, &|i| format!("[clients.d{i}]\nlike = \"c\"\n"))),
            "1001 clients are more than the 1000 supported",
        ),
        (
            format!("{HEAD}{kinds}{}", many(99, &|i| format!("[fleets.h{i}]\nlike = \"g\"\n"))),
            "101 fleets with up to 600 kinds of call are more than the 5000 supported",
        ),
        (
            format!("{}{asking}", HEAD.replace("[fleets.f]", "[fleets.f]\ncount = 100000")),
            "connection pools of 100000 servers to 21 stores: 2100000 are more than the 2000000 supported",
        ),
        (
            format!("{HEAD}{}", many(21, &|i| format!("[clients.d{i}]\nlike = \"c\"\n")))
                .replace("span = \"10s\"", "span = \"50s\"\nstep = \"1ms\""),
            "figures of 50000 steps with 23 parts: 1150000 are more than the 1000000 supported",
        ),
    ];
    for (text, expected) in &cases {
        let found = load_text("x.toml", text, Path::new("."), &[], &[]).expect_err(expected);
        assert!(found.messages().iter().any(|m| m == expected), "{:?}", found.messages());
    }
}
