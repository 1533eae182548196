//! Calls followed from outside: the run does not notice, no call is missed, and the trace is what viewers read.

use brownout::models::kernel::Fact;
use brownout::models::units::Ns;
use brownout::reports::trace::{About, write};
use brownout::scenarios::{Request, Scenario, load, load_text};
use brownout::sim::run::Run;
use brownout::sim::trace::{Followed, Life, Sought, What, Which, follow, seek, spans, tell};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn shipped(file: &str, set: &[&str]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(file);
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    load(&Request { path: &path, set: &set, design: &[] }).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The degradation scenarios, shortened: every way in which a store can be away.
fn short(kind: &str) -> Scenario {
    shipped(
        &format!("degradation/{kind}.toml"),
        &["span=80s", "window.from=10s", "window.to=70s", "timeline.0.at=20s", "timeline.0.for=30s"],
    )
}

fn all(scenario: &Scenario) -> Followed {
    follow(scenario, 1, Which::Between(Ns::ZERO, Ns::NEVER, usize::MAX), None).expect("the ledger balances")
}

/// The call looked for among some, whenever they were offered.
fn sought(scenario: &Scenario, sought: Sought, subject: &str) -> Option<Which> {
    seek(scenario, 1, sought, (subject, (Ns::ZERO, Ns::NEVER)), None).expect("the ledger balances").ok()
}

fn facts(life: &Life) -> impl Iterator<Item = &Fact> {
    life.changes.iter().filter_map(|change| if let What::Fact(fact) = &change.what { Some(fact) } else { None })
}

#[test]
fn a_run_that_is_looked_on_is_the_same_run() {
    for kind in ["hang", "sever"] {
        let scenario = short(kind);
        let mut alone = Run::new(&scenario.plan, brownout::sim::orders(&scenario, 1));
        alone.finish(None, &mut |_| ()).expect("the ledger balances");
        let observed = all(&scenario).run;
        assert_eq!(observed.ledger().digest(), alone.ledger().digest(), "{kind}");
        assert_eq!(observed.events, alone.events, "{kind}");
        assert!(observed.steps == alone.steps, "{kind}");
    }
}

#[test]
fn every_call_is_followed_once_to_the_fate_that_the_books_give_it() {
    for kind in ["hang", "slow", "sever", "error"] {
        let scenario = short(kind);
        let Followed { run, lives, .. } = all(&scenario);
        let numbers: Vec<u64> = lives.iter().map(|life| life.number).collect();
        assert_eq!(numbers, (1..=run.ledger().offered()).collect::<Vec<_>>(), "{kind}");
        let mut counted: BTreeMap<usize, [u64; 5]> = BTreeMap::new();
        for life in &lives {
            let counts = counted.entry(usize::from(life.population)).or_default();
            for fact in facts(life) {
                let place = match fact {
                    Fact::Attempt(_) => 0,
                    Fact::Stored(..) => 1,
                    Fact::Dropped(..) => 2,
                    Fact::Ok(..) => 3,
                    Fact::Failed(..) => 4,
                    _ => continue,
                };
                counts[place] += 1;
            }
        }
        for (population, counts) in counted {
            let books = run.ledger().over(population, Ns::ZERO, Ns::NEVER);
            let expected = [books.attempts, books.stored, books.dropped_total(), books.ok, books.failed_total()];
            assert_eq!(counts, expected, "{kind}, population {population}");
        }
    }
}

#[test]
fn times_of_a_life_never_go_back_and_each_try_ends() {
    let Followed { lives, .. } = all(&short("hang"));
    for life in &lives {
        assert!(life.changes.windows(2).all(|pair| pair[0].at <= pair[1].at), "{life:?}");
        let mut open = BTreeSet::new();
        for change in &life.changes {
            match change.what {
                What::Stands(number, _) => drop(open.insert(number)),
                What::Over(number, _) => assert!(open.remove(&number), "{life:?}"),
                What::Fact(_) => {}
            }
        }
        assert!(!life.over || open.is_empty(), "{life:?}");
    }
}

fn story(scenario: &Scenario, which: Which) -> (Vec<String>, String, String) {
    let Followed { run, lives, .. } = follow(scenario, 1, which, None).expect("the ledger balances");
    let story = tell(scenario, run.world(), &lives[0]);
    (story.moments.into_iter().map(|moment| moment.what).collect(), story.data, story.client)
}

#[test]
fn the_first_dropped_call_of_a_hang_tells_of_each_unanswered_connect() {
    let scenario = short("hang");
    let which = sought(&scenario, Sought::FirstDropped, "track").expect("tracks are dropped");
    let (moments, data, client) = story(&scenario, which);
    for n in 2..=4 {
        assert!(
            moments.iter().any(|m| m.starts_with(&format!("try {n}: the balancer connects to collectors-"))),
            "{moments:#?}"
        );
    }
    assert!(data.starts_with("dropped (backlog_full): "), "{data}");
    assert_eq!(client, "failed: saw a 503");
    // It is the first: under the same seed nothing else of its kind is dropped before it.
    let Followed { run, lives, .. } = all(&scenario);
    let at = |life: &Life| {
        let dropped = |c: &&brownout::sim::trace::Change| matches!(c.what, What::Fact(Fact::Dropped(..)));
        life.changes.iter().find(dropped).map(|c| c.at)
    };
    let tracks =
        lives.iter().filter(|life| run.world().spec.clients.0[life.population as usize].1.sends.text == "track");
    let first = tracks.filter(|life| at(life).is_some()).min_by_key(|life| at(life)).expect("one");
    assert_eq!(which, Which::Salt(first.population, first.salt));
    assert_eq!(sought(&short("refuse"), Sought::FirstDropped, "track"), None);
}

#[test]
fn a_call_that_hangs_is_told_to_its_end_also_as_a_zombie() {
    let scenario = short("hang");
    let Followed { run, lives, .. } = all(&scenario);
    let zombie =
        lives.iter().find(|life| facts(life).any(|fact| matches!(fact, Fact::Stored(_, true)))).expect("a zombie");
    let told = tell(&scenario, run.world(), zombie);
    assert_eq!(told.data, "stored after its client had left (a zombie)");
    assert_eq!(told.client, "failed: no answer within its timeout");
    let hung = lives
        .iter()
        .map(|life| tell(&scenario, run.world(), life))
        .find(|story| story.moments.iter().any(|moment| moment.what == "identify has its query and says nothing"));
    let moments: Vec<String> = hung.expect("a hung query").moments.into_iter().map(|m| m.what).collect();
    assert!(moments.iter().any(|m| m.starts_with("collectors-") && m.ends_with(" works on it")), "{moments:#?}");
}

/// A store that is away for 20 s; what is asked of it is accepted into a spool.
const SPOOL: &str = r#"brownout = 1
title = "spool"
span = "120s"

[clients.pages]
sends = "identify"
rate = "10/s"

[fleets.collectors]
count = 1
calls.identify = { work = "1ms", asks = "identify", writes = true, timeout = "1s", spool = { replay = "50/s" } }

[stores.identify]
service = { exponential = "2ms" }

[[timeline]]
at = "20s"
do = "refuse"
store = "identify"
for = "20s"
"#;

#[test]
fn a_call_in_a_spool_is_followed_until_it_is_stored_late() {
    let scenario =
        load_text("spool.toml", SPOOL, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let Followed { lives, run, .. } = all(&scenario);
    let late =
        lives.iter().find(|life| facts(life).any(|fact| matches!(fact, Fact::Late(_)))).expect("one stored late");
    let (moments, data, client) = story(&scenario, Which::Number(late.number));
    assert_eq!(data, "stored late", "{moments:#?}");
    assert!(client.starts_with("ok after "), "{client}");
    assert!(moments.iter().any(|m| m.starts_with("out of the spool: ")), "{moments:#?}");
    assert!(run.ledger().over(0, Ns::ZERO, Ns::NEVER).late > 100);
}

fn chrome(scenario: &Scenario, which: Which) -> Value {
    let followed = follow(scenario, 1, which, None).expect("the ledger balances");
    let about = About { scenario: "a\u{1b}b.toml".into(), design: "as written".into(), seed: 1 };
    let mut out = Vec::new();
    write(&spans(scenario, &followed), &about, &mut out).expect("memory takes all");
    serde_json::from_slice(&out).expect("one JSON document")
}

/// The rules of the Trace Event Format for the phases that are used, and what viewers need to lay slices out.
#[test]
fn the_trace_keeps_the_rules_of_its_format() {
    let scenario = short("hang");
    let trace = chrome(&scenario, Which::Between(Ns::secs(18), Ns::NEVER, 1500));
    assert_eq!(trace["displayTimeUnit"], "ms");
    assert_eq!(trace["otherData"]["scenario"], "a\\u{1b}b.toml");
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap_or_else(|| panic!("`{key}` of {event}"));
    let mut rows: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
    let mut flows: BTreeMap<u64, Vec<(f64, String)>> = BTreeMap::new();
    let (mut named, mut used) = (BTreeSet::new(), BTreeSet::new());
    for event in trace["traceEvents"].as_array().expect("a list of events") {
        let (pid, tid) = (number(event, "pid") as u64, number(event, "tid") as u64);
        assert!(event["name"].is_string(), "{event}");
        match event["ph"].as_str().expect("a phase") {
            "M" => {
                assert!(event["args"].is_object(), "{event}");
                if event["name"] == "process_name" {
                    assert!(named.insert(pid), "two names for {pid}");
                }
                continue;
            }
            "X" => {
                assert!(number(event, "dur") >= 0.0, "{event}");
                rows.entry((pid, tid)).or_default().push((number(event, "ts"), number(event, "dur")));
            }
            "i" => assert!(matches!(event["s"].as_str(), Some("g" | "p" | "t")), "{event}"),
            phase @ ("s" | "t" | "f") => {
                assert_eq!(event["bp"] == "e", phase == "f", "{event}");
                let on = rows.get(&(pid, tid)).and_then(|row| row.last()).map(|(ts, _)| *ts);
                assert_eq!(on, Some(number(event, "ts")), "a flow starts with the slice that it is bound to: {event}");
                flows.entry(number(event, "id") as u64).or_default().push((number(event, "ts"), phase.to_string()));
            }
            other => panic!("phase {other}"),
        }
        used.insert(pid);
        assert!(number(event, "ts") >= 0.0, "{event}");
    }
    assert!(used.is_subset(&named), "every process has a name");
    // Slices of a row lie side by side: viewers nest those that overlap.
    for (row, slices) in &mut rows {
        slices.sort_by(|a, b| a.0.total_cmp(&b.0));
        let apart = |pair: &[(f64, f64)]| pair[0].0 + pair[0].1 <= pair[1].0 + 1e-6;
        assert!(slices.windows(2).all(apart), "{row:?}");
    }
    assert!(flows.len() > 1000 && rows.len() > 20, "{} flows, {} rows", flows.len(), rows.len());
    for (call, steps) in flows {
        let phases: String = steps.iter().map(|(_, phase)| phase.as_str()).collect();
        let inner = phases.strip_prefix('s').and_then(|rest| rest.strip_suffix('f'));
        assert!(inner.is_some_and(|inner| inner.chars().all(|c| c == 't')), "call {call}: {phases}");
        assert!(steps.windows(2).all(|pair| pair[0].0 <= pair[1].0), "call {call}");
    }
}

#[test]
fn a_trace_takes_in_no_more_calls_than_it_may() {
    let scenario = short("refuse");
    let followed = follow(&scenario, 1, Which::Between(Ns::secs(10), Ns::secs(11), 50), None).expect("balances");
    assert_eq!(followed.lives.len(), 50);
    assert!(followed.lives.iter().all(|life| life.offered >= Ns::secs(10) && life.offered < Ns::secs(11)));
    assert!(followed.run.at() < Ns::secs(60), "it ends when the last of them is over: {}", followed.run.at());
    // Its numbers are those of the whole run.
    let Followed { lives, .. } = all(&scenario);
    for life in &followed.lives {
        assert_eq!(lives[life.number as usize - 1].salt, life.salt);
    }
}

#[test]
fn calls_are_found_by_what_became_of_them_as_somebody_finds_them_who_follows_all() {
    for kind in ["refuse", "slow"] {
        let scenario = shipped(
            &format!("degradation/{kind}.toml"),
            &["span=60s", "window.from=10s", "window.to=50s", "timeline.0.at=20s", "timeline.0.for=20s"],
        );
        let Followed { lives, .. } = all(&scenario);
        let named = |life: &Life| Which::Salt(life.population, life.salt);
        let when = |life: &Life, is: &dyn Fn(&Fact) -> bool| {
            life.changes
                .iter()
                .find(|change| matches!(&change.what, What::Fact(fact) if is(fact)))
                .map(|change| change.at)
        };
        for (from, to) in [(Ns::ZERO, Ns::NEVER), (Ns::millis(27_300), Ns::secs(33))] {
            let offered = || lives.iter().filter(|life| life.offered >= from && life.offered < to);
            let first = |is: &dyn Fn(&Fact) -> bool| {
                offered()
                    .filter_map(|life| Some((when(life, is)?, life)))
                    .min_by_key(|(at, _)| *at)
                    .map(|(_, life)| named(life))
            };
            let find = |sought| seek(&scenario, 1, sought, ("all", (from, to)), None).expect("balances").ok();
            assert_eq!(find(Sought::FirstFailed), first(&|fact| matches!(fact, Fact::Failed(..))), "{kind}");
            assert_eq!(find(Sought::FirstDropped), first(&|fact| matches!(fact, Fact::Dropped(..))), "{kind}");
            let second = |life: &Life| facts(life).filter(|fact| matches!(fact, Fact::Attempt(_))).count() > 1;
            let again = |life: &Life| {
                let sends = life.changes.iter().filter(|change| matches!(change.what, What::Fact(Fact::Attempt(_))));
                sends.map(|change| change.at).nth(1)
            };
            let retried = offered().filter(|life| second(life)).min_by_key(|life| again(life)).map(named);
            assert_eq!(find(Sought::FirstRetried), retried, "{kind}");
            let latency =
                |life: &Life| facts(life).find_map(|fact| if let Fact::Ok(_, t) = fact { Some(*t) } else { None });
            let longest = offered().filter_map(latency).max();
            let Some(Which::Salt(population, salt)) = find(Sought::Slowest) else { panic!("{kind}: none is slowest") };
            let found =
                offered().find(|life| (life.population, life.salt) == (population, salt)).expect("offered then");
            assert_eq!(latency(found), longest, "{kind}");
        }
    }
    assert!(sought(&short("refuse"), Sought::FirstFailed, "track").is_none());
    assert!(sought(&short("refuse"), Sought::FirstFailed, "identify").is_some());
}
