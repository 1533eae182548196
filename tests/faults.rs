//! Faults of the timeline, from the file to the outcome.

use brownout::models::component::operator::{Action, Entry, Timing, Trigger};
use brownout::models::fault::{Kind, kinds};
use brownout::models::units::Ns;
use brownout::scenarios::{Request, Scenario, catalogue, load, load_text};
use brownout::sim::outcome::Outcome;
use brownout::sim::run::Run;
use brownout::sim::{orders, write_up};
use std::path::{Path, PathBuf};

fn read(text: &str) -> Scenario {
    load_text("world.toml", text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

/// Every scenario file of the repository.
fn shipped() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the catalogue is there") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && !["src", "target"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(".toml") && !["Cargo.toml", "clippy.toml"].contains(&name.as_str()) {
                out.push(path);
            }
        }
    }
    out
}

/// A world with these entries in its timeline and nothing else of `like`'s.
fn with_timeline(like: &Scenario, entries: &[Entry]) -> String {
    let spec = &like.plan.spec;
    let part = |name: &str, toml: String| format!("{name} = {toml}\n");
    use brownout::models::setting::Setting;
    [
        format!("brownout = 1\ntitle = \"again\"\nspan = \"{}\"\n", like.span),
        part("clients", spec.clients.toml()),
        part("network", spec.network.toml()),
        part("balancer", spec.balancer.toml()),
        part("fleets", spec.fleets.toml()),
        part("stores", spec.stores.toml()),
        entries.iter().map(Entry::toml).collect(),
    ]
    .concat()
}

#[test]
fn what_is_written_back_reads_as_it_was() {
    for path in shipped() {
        let scenario = load(&Request { path: &path, set: &[], design: &[] }).unwrap_or_else(|m| panic!("{m}"));
        if scenario.plan.traces.iter().any(Option::is_some) {
            continue; // its trace lies beside it
        }
        let text = with_timeline(&scenario, &scenario.plan.spec.timeline);
        let entries = |scenario: &Scenario| scenario.plan.spec.timeline.iter().map(Entry::toml).collect::<String>();
        assert_eq!(entries(&read(&text)), entries(&scenario), "{}", path.display());
    }
}

/// A world in which every example of a fault has its target, under the names that the examples use.
const SOUND: &str = r#"brownout = 1
title = "sound"
step = "1s"
[clients.my-clients]
sends = "write"
rate = "60/s"
timeout = "4s"
connection = "per-call"
retry = { retries = 1, delay = "100ms" }
[clients.my-other-clients]
sends = "read"
rate = "20/s"
timeout = "4s"
[network.servers]
latency = "0.5ms"
[balancer]
retries = 2
connect_timeout = "1s"
idle_timeout = "3s"
health = { interval = "1s", timeout = "500ms", rise = 2, fall = 2 }
[fleets.my-fleet]
count = 4
workers = 3
heap_limit = "100MB"
health = { kind = "shared", work = "0.2ms" }
restart = { delay = "2s", boot = "500ms" }
calls.write = { work = "2ms", asks = "my-store", writes = true, timeout = "200ms" }
calls.read = { work = "1ms", then = [{ asks = "my-cache", timeout = "200ms" }] }
[stores.my-store]
service = { exponential = "4ms" }
concurrency = 16
spare = { detection = "5s", promotion = "3s", lag = "100ms" }
[stores.my-cache]
cache = { of = "my-store", keys = 20, ttl = "2s" }
"#;

/// What some kinds need beside them: something to have been learnt, something to retry.
fn beside(kind: &str) -> &'static str {
    match kind {
        "config-push" => "[[timeline]]\nat = \"17s\"\ndo = \"crash\"\nfleet = \"my-fleet\"\nservers = 1\n",
        "checker-stopped" => "[[timeline]]\nat = \"25s\"\ndo = \"crash\"\nfleet = \"my-fleet\"\nservers = 1\n",
        "retry-storm" => {
            "[[timeline]]\nat = \"20s\"\ndo = \"error\"\nstore = \"my-store\"\nshare = \"50%\"\nfor = \"20s\"\n"
        }
        _ => "",
    }
}

/// The example of a kind, from 20 s to 40 s.
fn exemplary(kind: &Kind) -> String {
    let example = catalogue::fault_example(kind).replace("\"1min\"", "\"20s\"").replace("\"5min\"", "\"20s\"");
    format!("{example}{}", beside(kind.word))
}

fn sound(span: u32, timeline: &str) -> Scenario {
    read(
        &SOUND
            .replace(
                "title",
                &format!("span = \"{span}s\"\nwindow = {{ from = \"{}s\", to = \"{span}s\" }}\ntitle", span - 30),
            )
            .replace("[clients.my-clients]", &format!("{timeline}[clients.my-clients]")),
    )
}

/// A run to its end, and what it looks like then.
fn run(scenario: &Scenario) -> (Run, Outcome) {
    let mut run = Run::new(&scenario.plan, orders(scenario, 7));
    let ended = run.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"));
    let outcome = write_up(scenario, 7, &run, ended);
    (run, outcome)
}

#[test]
fn every_fault_takes_effect_and_its_end_ends_it() {
    let (_, calm) = run(&sound(150, ""));
    assert_eq!((calm.calls["write"].dropped, calm.calls["write"].failed), (0, 0), "the world is sound");
    for kind in kinds() {
        let entry = exemplary(&kind);
        let others = beside(kind.word);
        let (at_end, short) = run(&sound(70, &entry));
        let (later, long) = run(&sound(150, &entry));
        let (fault, after) = (&short.faults[0], &long.faults[0]);
        assert_eq!(fault.kind, kind.word);
        assert!(fault.effects > 0, "{} never took effect:\n{entry}", kind.word);
        let (_, without) = run(&sound(150, others));
        assert_ne!(long.digest, without.digest, "{} changes nothing that anybody sees", kind.word);
        // Its end.
        let to = fault.to_s.unwrap_or_else(|| panic!("{} does not end", kind.word));
        assert!((20.0..=60.0).contains(&to), "{} ends at {to}", kind.word);
        assert_eq!(
            (fault.effects, &fault.spells),
            (after.effects, &after.spells),
            "{} goes on after its end",
            kind.word
        );
        for run in [&at_end, &later] {
            assert!(run.world().is_sound(), "{} leaves something in force", kind.word);
        }
        let write = &long.calls["write"];
        assert!(write.offered > 1000 && write.failed == 0, "not as before after {}: {write:?}", kind.word);
        assert_eq!(long.timeline.steps.last().map(|step| step.in_rotation), Some(4.0), "after {}", kind.word);
    }
}

#[test]
fn a_fault_that_is_switched_off_is_not_there() {
    let (_, calm) = run(&sound(60, ""));
    for kind in kinds() {
        let entry = catalogue::fault_example(&kind).replace("do =", "enabled = false\ndo =");
        let (_, outcome) = run(&sound(60, &entry));
        assert_eq!((&outcome.digest, outcome.faults[0].effects), (&calm.digest, 0), "{}", kind.word);
        assert_eq!(outcome.faults[0].from_s, None);
    }
}

#[test]
fn a_fault_comes_again_and_rises_as_its_entry_says() {
    let entry = "[[timeline]]\nid = \"waves\"\nat = \"10s\"\ndo = \"slow\"\nstore = \"my-store\"\nfactor = 9.0\nfor = \"8s\"\n\
                 ramp = \"4s\"\nrepeat = { every = \"20s\", times = 3 }\n[[timeline]]\nwhen = \"done:waves\"\ndo = \"note\"\nsays = \"over\"\n";
    let scenario = sound(100, entry);
    let mut run = Run::new(&scenario.plan, orders(&scenario, 7));
    let mut factors = Vec::new();
    while run.step().unwrap_or_else(|imbalance| panic!("{imbalance}")).is_none() {
        factors.push(run.world().stores[0].knobs.slow);
    }
    // A step ends just before the second does: four sixteenths of the way from 1 to 9 each.
    assert_eq!(factors[9..19], [1.0, 3.0, 5.0, 7.0, 9.0, 9.0, 9.0, 9.0, 9.0, 1.0]);
    let outcome = write_up(&scenario, 7, &run, brownout::sim::run::Ended::Complete);
    let spells: Vec<_> = outcome.faults[0].spells.iter().map(|s| (s.from_s, s.to_s)).collect();
    assert_eq!(spells, [(10.0, Some(18.0)), (30.0, Some(38.0)), (50.0, Some(58.0))]);
    let over = outcome.events.iter().find(|mark| mark.what == "over").expect("the entry was done");
    assert_eq!(over.at_s, 58.0);
}

#[test]
fn overlapping_faults_of_every_class_end_in_any_order() {
    for kind in kinds().into_iter().filter(|kind| !kind.course.ends_itself()) {
        let one = exemplary(&kind);
        let other = one.replacen("at = \"20s\"", "at = \"30s\"", 1);
        let (mut two, _) = run(&sound(100, &format!("{other}{one}")));
        assert!(two.world().is_sound(), "{}", kind.word);
        let scenario = sound(45, &format!("{other}{one}"));
        two = run(&scenario).0;
        assert!(!two.world().is_sound(), "the second {} was taken off with the first", kind.word);
    }
}

#[test]
fn a_fault_with_a_target_that_is_not_there_is_a_mistake() {
    let mistakes = [
        ("do = \"pause\"\nfleet = \"my-flet\"", "no fleet \"my-flet\""),
        ("do = \"pause\"\nfleet = \"my-fleet\"\nservers = [\"my-fleet-5\"]", "no server \"my-fleet-5\" in `my-fleet`"),
        ("do = \"pause\"\nfleet = \"my-fleet\"\nservers = 0", "a fault of no server changes nothing"),
        (
            "do = \"partition\"\nbetween = [\"clients\", \"stores.my-store\"]",
            "there is no link between \"clients\" and \"stores.my-store\"",
        ),
        (
            "do = \"loss\"\nbetween = [\"clients\", \"balancer\"]\nservers = 1",
            "`servers` needs a fleet at one end of the link",
        ),
        ("do = \"latency\"\nbetween = [\"clients\", \"balanser\"]", "no part \"balanser\""),
        ("do = \"surge\"\nclients = \"nobody\"", "no population of clients \"nobody\""),
        (
            "do = \"mix-shift\"\nclients = \"my-clients\"\nto = \"my-clients\"",
            "the calls of `my-clients` cannot become its own",
        ),
        ("do = \"crash\"\nfleet = \"my-fleet\"\nfor = \"3s\"", "unknown key `for` in [timeline.0]"),
        ("do = \"hang\"\nstore = \"my-store\"\nramp = \"3s\"", "unknown key `ramp` in [timeline.0]"),
        ("do = \"slow\"\nstore = \"my-store\"\nfor = \"2s\"\nramp = \"3s\"", "`ramp` = 3s is longer than `for`"),
        (
            "do = \"hang\"\nstore = \"my-store\"\nrepeat = { every = \"3s\" }",
            "`repeat` needs `for`: how long it is in force each time",
        ),
    ];
    for (entry, expected) in mistakes {
        let text = SOUND
            .replace("title", "span = \"60s\"\ntitle")
            .replace("[clients.my-clients]", &format!("[[timeline]]\nat = \"1s\"\n{entry}\n[clients.my-clients]"));
        let found = load_text("x.toml", &text, Path::new("."), &[], &[]).expect_err(expected);
        assert!(found.messages().iter().any(|m| m == expected), "{entry}: {:?}", found.messages());
    }
    let bare = SOUND
        .replace("title", "span = \"60s\"\ntitle")
        .replace("heap_limit = \"100MB\"\n", "")
        .replace("spare =", "# ");
    for (entry, expected) in [
        ("do = \"memory-leak\"\nfleet = \"my-fleet\"", "`my-fleet` has no heap limit that a leak could reach"),
        ("do = \"failover\"\nstore = \"my-store\"", "`my-store` has no spare to promote"),
    ] {
        let text =
            bare.replace("[clients.my-clients]", &format!("[[timeline]]\nat = \"1s\"\n{entry}\n[clients.my-clients]"));
        let found = load_text("x.toml", &text, Path::new("."), &[], &[]).expect_err(expected);
        assert_eq!(found.messages(), [expected]);
    }
}

#[test]
fn random_faults_are_drawn_for_what_a_world_has_and_read_back() {
    let world = sound(60, "").plan.spec;
    let mut state = 1_u64;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for kind in kinds() {
        for _ in 0..20 {
            let fault = kind.draw(&world, &mut unit).unwrap_or_else(|| panic!("nothing can have {}", kind.word));
            assert_eq!(fault.problems(&world), [], "{fault:?}");
            let entry = Entry {
                id: None,
                trigger: Trigger::At(Ns::secs(5)),
                delay: Ns::ZERO,
                expected_at: None,
                enabled: true,
                action: Action::Fault(fault.clone(), Timing::default()),
            };
            let again = sound(60, &entry.toml());
            assert_eq!(again.plan.spec.timeline[0].toml(), entry.toml());
            for (was, is) in fault.severities().iter().zip(fault.with_severities(&fault.severities()).severities()) {
                assert!((was - is).abs() < 0.02, "{fault:?}: {was} became {is}");
            }
        }
    }
}
