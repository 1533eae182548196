//! Worlds that faults come and go in, and the schedules of them.

use brownout_models::component::operator::{Action, BringBack, Entry, Repeat, TakeDown, Timing, Trigger};
use brownout_models::fault::{Fault, Kind, Range, kinds};
use brownout_models::random::Stream;
use brownout_models::setting::{Data, Name};
use brownout_models::units::Ns;
use brownout_scenarios::{Scenario, load_text};
use brownout_services::{Ask, HAS_MADSIM, Listener, on_madsim};
use brownout_sim::outcome::Outcome;
use brownout_sim::{orders, simulate};
use std::path::Path;

/// When the first faults begin.
pub const FIRST: Ns = Ns::secs(5);
/// How long they are in force at most.
pub const LASTS: Ns = Ns::secs(5);
/// From when on nothing of them may be left.
pub const QUIET: Ns = Ns::secs(30);
/// When a second fault begins, and how long it is in force.
pub const SECOND: Ns = Ns::secs(33);
pub const SECOND_LASTS: Ns = Ns::secs(3);
/// When the last call is made, and when the run ends: time to drain.
pub const CALLS_END: Ns = Ns::secs(44);
pub const END: Ns = Ns::secs(64);

pub fn read(text: &str) -> Scenario {
    let text = format!("brownout = 1\ntitle = \"ended\"\nstep = \"1s\"\n{text}");
    load_text("ended.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

pub fn kernel(scenario: &Scenario, seed: u64) -> Outcome {
    simulate(scenario, seed, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"))
}

/// A run of the services on the simulated network; none where the build has none.
pub fn madsim(scenario: &Scenario, seed: u64) -> Option<Outcome> {
    let listener = Listener { stop: None, progress: &|_| {} };
    let run = || on_madsim(scenario, Ask::new(orders(scenario, seed)), &listener);
    HAS_MADSIM.then(|| run().unwrap_or_else(|failure| panic!("{failure}")))
}

/// Two kinds of call, of which one writes, at these servers over this balancer, until [`CALLS_END`].
fn world(rate: u32, balancer: &str, fleet: &str, write: &str, store: &str) -> Scenario {
    let clients = |name: &str, sends: &str, rate: u32| {
        format!(
            "[clients.{name}]\nsends = \"{sends}\"\nrate = \"{rate}/s\"\ntimeout = \"2s\"\nretry = {{ retries = 1, delay = \"100ms\" }}\n\
             profile = [[\"44s\", 1.0], [\"44.001s\", 0.0]]\n"
        )
    };
    read(&format!(
        "span = \"64s\"\nwindow = {{ from = \"30s\", to = \"44s\" }}\n{}{}[network.servers]\nlatency = \"0.5ms\"\n\
         [balancer]\n{balancer}\n[fleets.f]\ncount = 4\nbacklog = 8\nheap_limit = \"100MB\"\nrestart = {{ delay = \"1s\", boot = \"300ms\" }}\n{fleet}\n\
         calls.write = {{ work = \"2ms\", asks = \"db\", writes = true, timeout = \"300ms\", {write} }}\n\
         calls.read = {{ work = \"3ms\", asks = \"db\", timeout = \"300ms\" }}\n[stores.db]\n{store}\n",
        clients("a", "write", 20 * rate),
        clients("b", "read", 10 * rate),
    ))
}

/// A world in which nothing hangs on how many calls or checks went before, but for the pools of connections: so calls that
/// are made long after a fault are the very same with it and without, to the nanosecond. The pools are filled to their
/// size at 2 s, and again at 24 s. `rate` 1 is some thirty calls a second.
pub fn exact(rate: u32) -> Scenario {
    let checks = "health = { interval = \"500ms\", timeout = \"200ms\", rise = 2, fall = 2, pace = \"from-start\" }";
    let mut scenario = world(
        rate,
        &format!(
            "algorithm = \"random\"\nretries = 2\nconnection = \"per-call\"\nconnect_timeout = \"200ms\"\nidle_timeout = \"2s\"\n{checks}"
        ),
        "workers = 8\nhealth = \"shallow\"\npools.db = { size = 3 }",
        "on_severed = \"retry\"",
        "link.latency = \"0s\"\nservice = \"4ms\"\nconnections = 100\nspare = { detection = \"1h\", promotion = \"1s\", lag = \"0s\" }",
    );
    let every = |from: u64, to: u64| (from..to).step_by(100 / rate as usize + 3).map(Ns::millis);
    let at = |second: u64, n: u64| (0..n).map(move |i| Ns(Ns::secs(second).0 + i));
    scenario.plan.traces[1] = Some(
        at(2, 100)
            .chain(every(3_000, 24_000))
            .chain(at(24, 100))
            .chain(every(24_500, CALLS_END.0 / 1_000_000))
            .collect(),
    );
    scenario
}

/// Worlds in which calls, checks and protections depend on one another in all the ways that there are; by name.
pub fn entangled() -> Vec<(&'static str, Scenario)> {
    let store = "link.latency = \"0.2ms\"\nservice = { exponential = \"4ms\" }\nconcurrency = 16\nconnect = \"1ms\"\n\
                 spare = { detection = \"1h\", promotion = \"1s\", lag = \"50ms\" }";
    vec![
        (
            "haproxy",
            world(
                2,
                "retries = 2\nconnect_timeout = \"300ms\"\nidle_timeout = \"2s\"\nmax_connections = 6\n\
                 health = { interval = \"1s\", timeout = \"300ms\", rise = 2, fall = 2, fast_interval = \"300ms\", slow_start = \"2s\", observe = { errors = 3 } }",
                "workers = 6\nhealth = { kind = \"shared\", work = \"0.2ms\" }",
                "at_most = 4, queue = 4",
                store,
            ),
        ),
        (
            "envoy",
            world(
                2,
                "algorithm = \"least-requests\"\nconnection = \"per-call\"\nretries = 1\nconnect_timeout = \"300ms\"\nidle_timeout = \"2s\"\n\
                 health = { interval = \"1s\", timeout = \"300ms\", rise = 1, fall = 2, jitter = \"10%\", fail_open_below = \"50%\", \
                 outlier = { interval = \"1s\", base_ejection = \"2s\", max_share = \"50%\" } }",
                "concurrency = \"event-loop\"\ncores = 2\nmemory_per_call = \"100kB\"\nhealth = { kind = \"cached\", every = \"1s\" }",
                "breaker = { preset = \"hystrix\", minimum = 5, open_for = \"1s\" }",
                store,
            ),
        ),
        (
            "nginx",
            world(
                2,
                "preset = \"nginx\"\nconnect_timeout = \"300ms\"\nidle_timeout = \"2s\"\nhealth = { preset = \"nginx\", max_fails = { window = \"2s\" } }",
                "workers = 6\nnotices_departure = true",
                "spool = { capacity = 500, replay = \"100/s\", retry_every = \"200ms\" }",
                store,
            ),
        ),
    ]
}

/// Random numbers for schedules.
pub fn dice(name: &str) -> Stream {
    let seed = std::env::var("ENDED_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    Stream::new(seed, name)
}

/// How many combinations to try, if nobody asks for another number.
pub fn cases(usual: usize) -> usize {
    std::env::var("ENDED_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn below(dice: &mut Stream, n: usize) -> usize {
    ((dice.unit() * n as f64) as usize).min(n - 1)
}

fn entry(at: Ns, action: Action) -> Entry {
    Entry { id: None, trigger: Trigger::At(at), delay: Ns::ZERO, expected_at: None, enabled: true, action }
}

/// A fault from `at` on, for so long, if its end does not come by itself.
pub fn fault(fault: Fault, at: Ns, lasts: Ns) -> Entry {
    let timing = Timing { r#for: (!fault.course().ends_itself()).then_some(lasts), ..Timing::default() };
    entry(at, Action::Fault(fault, timing))
}

/// Every kind of fault at every target that it may have in a world, as bad as `level` says (from 0 to 1). Jobs take a few
/// seconds.
pub fn every_fault(scenario: &Scenario, level: f64) -> Vec<Fault> {
    let spec = &scenario.plan.spec;
    let at_targets = |kind: &Kind| -> Vec<Fault> {
        let aimed = |keys: Vec<(&'static str, Data)>| {
            let mut fault = kind.plain().with_severities(&vec![level; kind.severities.len()]);
            keys.into_iter().for_each(|(key, data)| fault.set(key, data));
            if fault.course().ends_itself() {
                fault.set("drain", Data::Text("500ms".into()));
                fault.set("pause", Data::Text("300ms".into()));
            }
            fault
        };
        kind.targets(spec).into_iter().map(aimed).collect()
    };
    kinds().iter().flat_map(at_targets).collect()
}

/// A random one of them: first the kind, so that one with many targets is not drawn more often.
pub fn any_fault(scenario: &Scenario, dice: &mut Stream, worst: f64) -> Fault {
    let mut kinds = kinds();
    kinds.retain(|kind| !kind.targets(&scenario.plan.spec).is_empty());
    let at = below(dice, kinds.len());
    let word = kinds[at].word;
    let mut level = dice.unit() * worst;
    // Factors multiply: several of them would take longer to drain than anybody waits for.
    if kinds[at].severities.iter().any(|severity| matches!(severity.range, Range::Factor(..))) && worst < 1.0 {
        level *= 0.3;
    }
    let mut all = every_fault(scenario, level);
    all.retain(|fault| fault.word() == word);
    all.swap_remove(below(dice, all.len()))
}

/// A few faults that overlap, all over before [`FIRST`] + [`LASTS`]: of any kinds, or twice the same; one within the other, one
/// after the other's beginning, or both at once; rising, or again and again; and operators who take servers out meanwhile.
pub fn overlapping(scenario: &Scenario, dice: &mut Stream, worst: f64) -> Vec<Entry> {
    let mut out = Vec::new();
    let n = 2 + below(dice, 2);
    let mut last = any_fault(scenario, dice, worst);
    for _ in 0..n {
        let (from, to) = (below(dice, 5) as u64 * 500, 2_500 + below(dice, 6) as u64 * 500);
        let mut next = fault(last.clone(), FIRST.plus(Ns::millis(from)), Ns::millis(to - from));
        if let Action::Fault(fault, timing) = &mut next.action {
            let (length, may_rise) = (to - from, fault.kind().is_gradual());
            match below(dice, 4) {
                0 if may_rise => timing.ramp = Ns::millis(length),
                1 if !fault.course().ends_itself() => {
                    timing.r#for = Some(Ns::millis(length / 2));
                    timing.repeat = Some(Repeat { every: Ns::millis(length / 3), times: Some(2) });
                }
                _ => {}
            }
        }
        out.push(next);
        if dice.unit() < 0.6 {
            last = any_fault(scenario, dice, worst);
        }
    }
    if dice.unit() < 0.3 {
        let (fleet, count) = (Name { text: "f".into(), ..Name::default() }, 1 + below(dice, 3) as u32);
        let at = FIRST.plus(Ns::millis(below(dice, 4) as u64 * 700));
        out.push(entry(at, Action::TakeDown(TakeDown { fleet: fleet.clone(), count })));
        out.push(entry(FIRST.plus(LASTS), Action::BringBack(BringBack { fleet, count: 4 })));
    }
    out
}

/// The same scenario with these entries as its timeline.
pub fn with(scenario: &Scenario, entries: &[Entry]) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.plan.spec.timeline = entries.to_vec();
    scenario
}

/// The entries as a file would write them.
pub fn show(entries: &[Entry]) -> String {
    entries.iter().map(Entry::toml).collect()
}
