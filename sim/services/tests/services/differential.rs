//! The same scenarios on the kernel and on the services: rates, detection times and flaps must agree.
//!
//! A row is a scenario with designs; both runtimes run the same excerpt at the same scale under the same seeds, and so on
//! the same arrivals. Tolerances, on means over the seeds:
//!
//! * of tracks and of identify calls, the share that is dropped, fails, is stored late, or is still in flight at the end (in
//!   a spool, or kept for another try): 2 percentage points (3 where workers are exhausted or the store is
//!   hung or slow: those rows swing between seeds), or two standard errors of the difference where that is more;
//! * first ejection: one interval of the checks (in a crash loop it hangs on which checks happen to meet a dead process: a
//!   matter of milliseconds), or two standard errors, and none where the kernel has none;
//! * downs per server: 20% or 1, or two standard errors;
//! * the causes of dropped calls, of either kind, over all seeds: each as large a share of them within 15 points, where more
//!   than 2% are dropped on both (how much is turned away by backlogs and how much for want of a server hangs on the phase of the flapping).
//!
//! `cargo test -p brownout-services --test services differential -- --nocapture` prints both runtimes' numbers for a third of the
//! rows, with `--include-ignored` for all; `ROW=spool`
//! before it leaves only the rows with that in their name, `SEEDS=2` takes so many seeds for each (otherwise one where that
//! shows no difference, and else two or six), and `EACH=1` prints each run.

use crate::support::{Figure, kernel, madsim, scenario, with_fault};
use brownout_sim::outcome::{Outcome, Totals};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A row of the table.
struct Row {
    name: &'static str,
    file: &'static str,
    design: &'static [&'static str],
    /// Changes by hand, as `--set` takes them.
    set: &'static [&'static str],
    excerpt: &'static str,
    scale: &'static str,
    /// In the place of the file's fault.
    fault: Option<&'static str>,
    /// How far dropped and failed shares may differ.
    within: f64,
    /// The interval of the health checks, in seconds.
    interval: f64,
    /// How many seeds, if the first shows a difference.
    seeds: u64,
}

const fn day(name: &'static str, design: &'static [&'static str]) -> Row {
    Row {
        name,
        file: "october-28.toml",
        design,
        set: &[],
        excerpt: "11:44..11:54",
        scale: "25%",
        fault: None,
        within: 0.02,
        interval: 10.0,
        seeds: 2,
    }
}

const fn fault(name: &'static str, file: &'static str) -> Row {
    let (design, set, seeds) = (&[], &[], 2);
    Row {
        name,
        file,
        design,
        set,
        excerpt: "90s..210s",
        scale: "100%",
        fault: None,
        within: 0.02,
        interval: 2.0,
        seeds,
    }
}

const fn machines(name: &'static str, fault: &'static str) -> Row {
    Row { fault: Some(fault), ..self::fault(name, "degradation/hang.toml") }
}

/// A row over another part of its scenario.
const fn over(excerpt: &'static str, row: Row) -> Row {
    Row { excerpt, ..row }
}

/// A row with changes by hand.
const fn with(set: &'static [&'static str], row: Row) -> Row {
    Row { set, ..row }
}

/// A row whose first ejection swings (by 12 to 37 s in a crash loop with few seeds), or whose causes do: of the tracks
/// dropped with a breaker 72% to 92% by a full backlog with two seeds, on either runtime. With a spare that begins cold, a heap
/// is full just before the excerpt ends, or just after.
const fn six(row: Row) -> Row {
    Row { seeds: 6, ..row }
}

/// A row that swings between seeds.
const fn swings(row: Row) -> Row {
    Row { within: 0.03, ..row }
}

const ROWS: &[Row] = &[
    day("crash loop, as on the day", &[]),
    swings(day("pool exhaustion", &["pool-exhaustion"])),
    swings(day("memory growth", &["memory-growth"])),
    day("exhaustion, bulkhead", &["pool-exhaustion", "isolation=bulkhead"]),
    day("exhaustion, short timeout", &["pool-exhaustion", "isolation=short-timeout"]),
    six(swings(day("exhaustion, breaker", &["pool-exhaustion", "isolation=breaker"]))),
    swings(day("exhaustion, shedding", &["pool-exhaustion", "isolation=shedding"])),
    day("errors handled", &["isolation=handled"]),
    day("handled, bulkhead", &["isolation=handled-bulkhead"]),
    day("exhaustion, fleets apart", &["pool-exhaustion", "isolation=separate-fleets"]),
    swings(day("exhaustion, shallow checks", &["pool-exhaustion", "health=shallow"])),
    day("handled, deep checks", &["isolation=handled", "health=deep"]),
    day("handled, cached checks", &["isolation=handled", "health=cached"]),
    day("deep checks, fail open", &["isolation=handled", "health=deep-fail-open"]),
    day("crash loop, outliers", &["health=outlier"]),
    day("crash loop, memory spool", &["isolation=spool-memory"]),
    day("crash loop, disk spool", &["isolation=spool-disk"]),
    day("crash loop, hot spare", &["isolation=hot-spare"]),
    day("exhaustion, memory spool", &["pool-exhaustion", "isolation=spool-memory"]),
    // The library lets it grow to 200: more than the heap (or all workers) would hold, so that it never bites.
    with(
        &["fleets.collectors.limit.most=100"],
        day("memory, adaptive limit", &["memory-growth", "isolation=adaptive-limit"]),
    ),
    day("memory, identify limit", &["memory-growth", "identify-limit"]),
    day("memory, bounded queue", &["memory-growth", "bounded-queue"]),
    six(swings(day("memory, hot spare", &["memory-growth", "isolation=hot-spare"]))),
    swings(day("exhaustion, hot spare", &["pool-exhaustion", "isolation=hot-spare"])),
    day("memory, disk spool", &["memory-growth", "isolation=spool-disk"]),
    swings(day("exhaustion, cached checks", &["pool-exhaustion", "health=cached"])),
    swings(day("crash loop, client retries", &["client-retry"])),
    six(swings(day("crash loop, retry budget", &["client-retry-budget"]))),
    day("crash loop, fail open", &["health=fail-open"]),
    day("deep checks, panic", &["isolation=handled", "health=deep-panic"]),
    // Their two hours are minutes here, and the replay begins while the store is still out.
    six(with(&["clients.browsers.offline.returns_after=2min"], day("crash loop, offline queue", &["offline-queue"]))),
    with(&REPLAYED_AT_ONCE, day("crash loop, log replay", &["log-replay"])),
    with(&REPLAYED_BY_WHO_WAITS, day("replay, aborts on close", &["log-replay"])),
    swings(fault("store hangs", "degradation/hang.toml")),
    // The store comes back after 40 s: the dead are accepted before the living, or it starts up first.
    with(&DEAD_FIRST, machines("store resumes, backlog full of the dead", HANGS_40S)),
    with(&["stores.identify.start_up=15s"], machines("store starts up", REFUSES_40S)),
    fault("store refuses", "degradation/refuse.toml"),
    fault("store refuses writes", "degradation/refuse-writes.toml"),
    fault("store severs", "degradation/sever.toml"),
    swings(fault("store slow", "degradation/slow.toml")),
    fault("half of the queries fail", "degradation/error.toml"),
    with(&ONE_MORE, fault("half fail, tried once more", "degradation/error.toml")),
    // The balancer hangs up on calls that wait in a backlog, or for the core of a slow loop.
    swings(with(&NOTICES, fault("store hangs, departures seen", "degradation/hang.toml"))),
    swings(with(&LOOPS_NOTICE, machines("slow loops, departures seen", SLOW_LOOPS))),
    // Checks are so rare that what brings the next one forward decides.
    swings(with(&OBSERVED, fault("errors bring checks forward", "degradation/hang.toml"))),
    // The store comes back within these, and the spools do not get through all that they hold.
    over("90s..600s", with(&[DISK_SPOOL], fault("disk spool, back late", "degradation/refuse.toml"))),
    over("90s..600s", with(&[DISK_SPOOL, DIES], fault("disk spool, processes die", "degradation/refuse.toml"))),
    over("90s..600s", with(&[SMALL_SPOOL], fault("disk spool, full", "degradation/hang.toml"))),
    with(&SPARE, fault("store refuses, spare", "degradation/refuse.toml")),
    with(&SPARE, machines("failover of a sound store", "do = \"failover\"\nstore = \"identify\"")),
    machines("two processes stand still", "do = \"pause\"\nfleet = \"collectors\"\nservers = 2"),
    // What is not answered in time goes on, a few retries at once; each draws a server afresh after a pause.
    with(&GOES_ON, machines("two stand still, calls go on", "do = \"pause\"\nfleet = \"collectors\"\nservers = 2")),
    with(
        &GOES_ON_AS_NGINX,
        machines("two stand still, as nginx goes on", "do = \"pause\"\nfleet = \"collectors\"\nservers = 2"),
    ),
    with(&GOES_ON, fault("half fail, calls go on", "degradation/error.toml")),
    machines(
        "half the fleet cut off",
        "do = \"partition\"\nbetween = [\"balancer\", \"fleets.collectors\"]\nservers = 3",
    ),
    machines("two servers slow", "do = \"gray-failure\"\nfleet = \"collectors\"\nservers = 2\nfactor = 300.0"),
    with(
        &["balancer.retries=1", "balancer.health.fall=1000"],
        machines(
            "slow balancer-fleet link",
            "do = \"latency\"\nbetween = [\"balancer\", \"fleets.collectors\"]\nadd = \"250ms\"\njitter = \"500ms\"",
        ),
    ),
    machines(
        "lossy balancer-fleet link",
        "do = \"loss\"\nbetween = [\"balancer\", \"fleets.collectors\"]\nshare = \"20%\"",
    ),
    with(
        &["balancer.retries=0", "balancer.health.fall=1000"],
        machines(
            "the same, nothing tried again",
            "do = \"loss\"\nbetween = [\"balancer\", \"fleets.collectors\"]\nshare = \"20%\"",
        ),
    ),
    with(
        &["balancer.retries=0"],
        machines(
            "nothing comes back from half",
            "do = \"one-way-partition\"\nfrom = \"fleets.collectors\"\nto = \"balancer\"\nservers = 3",
        ),
    ),
    machines(
        "servers' answers reset",
        "do = \"connection-reset\"\nbetween = [\"balancer\", \"fleets.collectors\"]\nshare = \"20%\"",
    ),
    with(
        &["fleets.collectors.calls.identify.timeout=1200ms"],
        machines(
            "slow fleet-store link",
            "do = \"latency\"\nbetween = [\"fleets.collectors\", \"stores.identify\"]\nadd = \"100ms\"\njitter = \"700ms\"",
        ),
    ),
    with(
        &["fleets.collectors.calls.identify.timeout=500ms"],
        machines(
            "lossy fleet-store link",
            "do = \"loss\"\nbetween = [\"fleets.collectors\", \"stores.identify\"]\nshare = \"30%\"",
        ),
    ),
    swings(machines("store cut off", "do = \"partition\"\nbetween = [\"fleets.collectors\", \"stores.identify\"]")),
    machines(
        "store's answers reset",
        "do = \"connection-reset\"\nbetween = [\"fleets.collectors\", \"stores.identify\"]\nshare = \"20%\"",
    ),
    machines("browsers cut off", "do = \"partition\"\nbetween = [\"clients.browsers\", \"balancer\"]"),
    machines(
        "slow client link",
        "do = \"latency\"\nbetween = [\"clients\", \"balancer\"]\nadd = \"800ms\"\njitter = \"1s\"",
    ),
    machines("lossy client link", "do = \"loss\"\nbetween = [\"clients\", \"balancer\"]\nshare = \"40%\""),
    machines(
        "clients' answers reset",
        "do = \"connection-reset\"\nbetween = [\"clients\", \"balancer\"]\nshare = \"20%\"",
    ),
    with(
        &["balancer.retries=0", "fleets.collectors.restart.delay=4s"],
        machines(
            "processes die every 10 s",
            "do = \"crash\"\nfleet = \"collectors\"\nservers = 3\nrepeat = { every = \"10s\", times = 9 }",
        ),
    ),
    with(
        &["balancer.retries=0"],
        machines(
            "processes in a crash loop",
            "do = \"crash-loop\"\nfleet = \"collectors\"\nservers = 3\nafter = \"3s\"",
        ),
    ),
    with(
        &["balancer.retries=0", "fleets.collectors.restart.delay=40s"],
        machines(
            "no checks, and processes die",
            "do = \"checker-stopped\"\n[[timeline]]\nat = \"130s\"\ndo = \"crash\"\nfleet = \"collectors\"\nservers = 3",
        ),
    ),
    with(
        &["balancer.retries=0"],
        machines(
            "what checks found is forgotten",
            "do = \"pause\"\nfleet = \"collectors\"\nservers = 3\n[[timeline]]\nat = \"140s\"\ndo = \"config-push\"\n\
             repeat = { every = \"15s\", times = 9 }",
        ),
    ),
    with(
        &["fleets.collectors.calls.identify.timeout=5s"],
        swings(machines(
            "clocks ten times as fast, store hangs",
            "do = \"clock-skew\"\nfleet = \"collectors\"\nrate = 10.0\n[[timeline]]\nat = \"2min\"\ndo = \"hang\"\n\
             store = \"identify\"",
        )),
    ),
    with(
        &[
            "fleets.collectors.workers=1",
            "fleets.collectors.calls.track.work=20ms",
            "balancer.health.fall=1000",
            "balancer.retries=0",
        ],
        machines("twice as many calls", "do = \"surge\"\nclients = \"browsers\"\nfactor = 2.5"),
    ),
    with(
        &[
            "stores.identify.service=12ms",
            "stores.identify.concurrency=1",
            "fleets.collectors.calls.identify.timeout=500ms",
        ],
        machines(
            "half the tracks are identifies",
            "do = \"mix-shift\"\nclients = \"browsers\"\nto = \"pages\"\nshare = \"50%\"",
        ),
    ),
    with(
        &[
            "fleets.collectors.workers=1",
            "fleets.collectors.calls.identify.work=40ms",
            "balancer.health.fall=1000",
            "balancer.retries=0",
        ],
        machines(
            "a storm of retries",
            "do = \"retry-storm\"\nclients = \"pages\"\nretries = 10\npause = \"10ms\"\n[[timeline]]\nat = \"2min\"\n\
             do = \"error\"\nstore = \"identify\"\nshare = \"100%\"",
        ),
    ),
    with(
        &["balancer.retries=0", "fleets.collectors.restart.delay=4s"],
        machines(
            "servers replaced in a hurry",
            "do = \"rolling-deploy\"\nfleet = \"collectors\"\nbatch = 2\ndrain = \"0s\"\npause = \"15s\"",
        ),
    ),
    with(
        &["fleets.collectors.workers=4", "balancer.health.fall=1000", "balancer.retries=0"],
        machines("workers are lost", "do = \"worker-leak\"\nfleet = \"collectors\"\nservers = 3\nevery = \"12s\""),
    ),
    with(
        &["balancer.retries=0", "fleets.collectors.heap_limit=100MB", "fleets.collectors.restart.delay=7500ms"],
        machines("memory is lost", "do = \"memory-leak\"\nfleet = \"collectors\"\nservers = 3\nper_second = \"20MB\""),
    ),
    with(
        &[
            "fleets.collectors.health=deep",
            "stores.identify.service=200ms",
            "stores.identify.concurrency=200",
            "clients.browsers.timeout=1s",
            "balancer.retries=0",
            "balancer.health.fall=1000",
        ],
        machines("a storm of deep checks", "do = \"check-storm\"\ncheckers = 80"),
    ),
    machines("too few connections", "do = \"connection-limit\"\nstore = \"identify\"\nto = 3"),
    machines("one connection", "do = \"connection-limit\"\nstore = \"identify\"\nto = 1"),
];
const DISK_SPOOL: &str = "fleets.collectors.calls.identify.spool={ to = \"disk\", replay = \"4/s\" }";
const SMALL_SPOOL: &str = "fleets.collectors.calls.identify.spool={ to = \"disk\", capacity = 300, replay = \"4/s\" }";
const REPLAYED_AT_ONCE: [&str; 4] =
    ["timeline.replay.when=none", "timeline.replay.at=11:49", "timeline.replay.delay=0s", "timeline.replay.rate=120/s"];
const REPLAYED_BY_WHO_WAITS: [&str; 5] = [
    REPLAYED_AT_ONCE[0],
    REPLAYED_AT_ONCE[1],
    REPLAYED_AT_ONCE[2],
    REPLAYED_AT_ONCE[3],
    "balancer.abort_on_close=true",
];
const GOES_ON: [&str; 8] = [
    "balancer.retry_on=[\"5xx\"]",
    "balancer.retries=2",
    "balancer.redispatch=afresh",
    "balancer.redraws=1",
    "balancer.retry_pause={}",
    "balancer.retries_at_once=20",
    "balancer.idle_timeout=500ms",
    "balancer.call_timeout=1200ms",
];
const GOES_ON_AS_NGINX: [&str; 4] = [
    "balancer.retry_on=[\"error\", \"timeout\", \"non_idempotent\"]",
    "balancer.redispatch=untried",
    "balancer.retry_within=700ms",
    "balancer.idle_timeout=500ms",
];
const HANGS_40S: &str = "do = \"hang\"\nstore = \"identify\"\nfor = \"40s\"";
const REFUSES_40S: &str = "do = \"refuse\"\nstore = \"identify\"\nfor = \"40s\"";
/// Two identify calls at once, so that no server flaps: what is seen is when the store is back.
const DEAD_FIRST: [&str; 3] =
    ["stores.identify.backlog=20", "stores.identify.accept=200ms", "fleets.collectors.calls.identify.at_most=2"];
const ONE_MORE: [&str; 2] =
    ["fleets.collectors.calls.identify.on_error=retry", "fleets.collectors.calls.identify.retry_at_most=1"];
const NOTICES: [&str; 2] = ["fleets.collectors.notices_departure=true", "balancer.idle_timeout=3s"];
const LOOPS_NOTICE: [&str; 4] = [
    NOTICES[0],
    "balancer.idle_timeout=1s",
    "fleets.collectors.concurrency=event-loop",
    "fleets.collectors.health=shallow",
];
const SLOW_LOOPS: &str = "do = \"gray-failure\"\nfleet = \"collectors\"\nservers = 2\nfactor = 20.0";
const OBSERVED: [&str; 4] = [
    "balancer.health.observe={ errors = 5, on_error = \"fastinter\" }",
    "balancer.health.fast_interval=1s",
    "balancer.health.interval=20s",
    "balancer.idle_timeout=1s",
];
/// What the spare had not heard of was stored before the outage; so the window begins before it.
const SPARE: [&str; 2] =
    ["stores.identify.spare={ detection = \"20s\", promotion = \"20s\", lag = \"10s\" }", "window.from=90s"];
const DIES: &str = "fleets.collectors.calls.identify.on_error=crash";

/// Two runtimes' figure, and whether they agree.
fn agree(figure: impl Fn(&Outcome) -> f64, runs: &[(Outcome, Outcome)], least: f64, relative: f64) -> (f64, f64, bool) {
    let k = Figure::of(runs.iter().map(|(kernel, _)| figure(kernel)));
    let m = Figure::of(runs.iter().map(|(_, madsim)| figure(madsim)));
    let error = ((k.deviation * k.deviation + m.deviation * m.deviation) / runs.len() as f64).sqrt();
    let tolerance = least.max(relative * k.mean).max(2.0 * error);
    (k.mean, m.mean, (k.mean - m.mean).abs() <= tolerance)
}

/// Dropped calls of a kind by cause, as shares of all that were dropped; nothing where too few were.
fn causes<'a>(kind: &str, outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> BTreeMap<String, f64> {
    let total: u64 = outcomes.clone().map(|o| o.calls[kind].dropped).sum();
    let offered: u64 = outcomes.clone().map(|o| o.calls[kind].offered).sum();
    let mut shares = BTreeMap::new();
    if total as f64 > 0.02 * offered as f64 {
        for (cause, n) in outcomes.flat_map(|o| &o.calls[kind].causes) {
            *shares.entry(cause.clone()).or_default() += *n as f64 / total as f64;
        }
    }
    shares
}

/// What has become of calls, as a share of those offered.
fn share(calls: &Totals, fate: &str) -> f64 {
    let n = match fate {
        "dropped" => calls.dropped,
        "failed" => calls.failed,
        "late" => calls.late,
        "in flight" => calls.in_flight,
        other => panic!("no such fate: {other}"),
    };
    if calls.offered == 0 { 0.0 } else { n as f64 / calls.offered as f64 }
}

/// What a row has to tell beside its figures: fates that most rows do not know, and why calls were dropped on madsim.
fn notes(rarer: &[(&str, &str, (f64, f64))], runs: &[(Outcome, Outcome)]) -> String {
    let fates = rarer
        .iter()
        .filter(|(.., (k, m))| *k > 0.005 || *m > 0.005)
        .map(|(kind, fate, (k, m))| format!("{kind} {fate} {k:.3} {m:.3}"));
    let dropped = ["track", "identify"].into_iter().flat_map(|kind| {
        let causes = causes(kind, runs.iter().map(|r| &r.1)).into_iter();
        causes
            .filter(|(_, share)| *share > 0.05)
            .map(move |(cause, share)| format!("{kind} {cause} {:.0}%", share * 100.0))
    });
    fates.chain(dropped).collect::<Vec<_>>().join(", ")
}

/// What decides whether two runs differ: dropped and failed shares, first ejection in seconds, downs per server.
fn figures(outcome: &Outcome) -> [f64; 6] {
    let (track, identify) = (&outcome.calls["track"], &outcome.calls["identify"]);
    let ejection = outcome.rotation.first_ejection_s.unwrap_or(-1.0);
    let rates = [track.dropped_rate, track.failed_rate, identify.dropped_rate, identify.failed_rate];
    [rates[0], rates[1], rates[2], rates[3], ejection, outcome.rotation.mean_downs]
}

/// Whether two runs hardly differ.
fn is_close((kernel, madsim): &(Outcome, Outcome)) -> bool {
    const WITHIN: [f64; 6] = [0.005, 0.005, 0.005, 0.005, 0.5, 0.1];
    let pairs = figures(kernel).into_iter().zip(figures(madsim));
    pairs.zip(WITHIN).all(|((k, m), within)| (k - m).abs() <= within)
}

/// Every third row: designs and faults stand in groups, so each kind of them is among these.
fn is_in_brief(at: usize) -> bool {
    at.is_multiple_of(3)
}

#[test]
fn the_runtimes_agree() {
    // A row that is asked for by name is looked at, whichever it is.
    match std::env::var("ROW") {
        Ok(only) => agree_on(&ROWS.iter().filter(|row| row.name.contains(&only)).collect::<Vec<_>>()),
        Err(_) => agree_on(&rows(is_in_brief)),
    }
}

#[test]
#[ignore = "the other two thirds of the table: .ci/run has them as a step of its own"]
fn the_runtimes_agree_on_the_other_rows() {
    agree_on(&rows(|at| !is_in_brief(at)));
}

fn rows(which: impl Fn(usize) -> bool) -> Vec<&'static Row> {
    ROWS.iter().enumerate().filter(|(at, _)| which(*at)).map(|(_, row)| row).collect()
}

fn agree_on(rows: &[&Row]) {
    let seeds: Option<u64> = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok());
    let run = |row: &Row, seed: u64| {
        let mut scenario = match row.fault {
            None => scenario(row.file, row.design, row.set),
            Some(fault) => with_fault(row.file, fault, row.set),
        };
        let share = brownout_models::units::parse_share(row.scale).unwrap().0;
        scenario.scale(share, row.scale).unwrap();
        let (from, _) = scenario.excerpt(row.excerpt).unwrap();
        (kernel(&scenario, seed), madsim(&scenario, seed, from))
    };
    // Where the first seed shows no difference to speak of, more of them would not either.
    let firsts: Vec<(Outcome, Outcome)> = rows.par_iter().map(|row| run(row, 1)).collect();
    let wanted = |at: usize| seeds.unwrap_or(if is_close(&firsts[at]) { 1 } else { rows[at].seeds });
    let more: Vec<(usize, u64)> = (0..rows.len()).flat_map(|at| (2..=wanted(at)).map(move |seed| (at, seed))).collect();
    let others: Vec<(Outcome, Outcome)> = more.par_iter().map(|(at, seed)| run(rows[*at], *seed)).collect();
    let mut outcomes: Vec<Vec<(Outcome, Outcome)>> = firsts.into_iter().map(|first| vec![first]).collect();
    more.iter().zip(others).for_each(|((at, _), pair)| outcomes[*at].push(pair));
    if std::env::var("EACH").is_ok() {
        for (row, runs) in rows.iter().zip(&outcomes) {
            for (seed, (kernel, madsim)) in (1..).zip(runs) {
                println!("{} seed {seed}: {:?} {:?}", row.name, figures(kernel), figures(madsim));
            }
        }
    }
    let mut off = Vec::new();
    println!(
        "\n{:<28} {:^13} {:^13} {:^13} {:^13} {:^13} {:^11}",
        "kernel madsim", "track dropped", "track failed", "ident. dropped", "ident. failed", "1st ejection", "downs"
    );
    for (row, runs) in rows.iter().zip(&outcomes) {
        let mut judge = |what: &str, (k, m, good): (f64, f64, bool)| {
            if !good {
                off.push(format!("{}: {what} {k:.3} on the kernel, {m:.3} on madsim", row.name));
            }
            (k, m)
        };
        let mut of = |kind: &'static str, fate: &str| {
            let share = |o: &Outcome| share(&o.calls[kind], fate);
            judge(&format!("{kind} {fate}"), agree(share, runs, row.within, 0.0))
        };
        let shown = [("track", "dropped"), ("track", "failed"), ("identify", "dropped"), ("identify", "failed")];
        let [dropped, failed, lost, identify] = shown.map(|(kind, fate)| of(kind, fate));
        let rarer = [("track", "late"), ("track", "in flight"), ("identify", "late"), ("identify", "in flight")];
        let rarer = rarer.map(|(kind, fate)| (kind, fate, of(kind, fate)));
        let none = f64::INFINITY;
        let ejection = agree(|o| o.rotation.first_ejection_s.unwrap_or(none), runs, row.interval, 0.0);
        let (all_k, all_m) = (ejection.0.is_finite(), ejection.1.is_finite());
        let ejection = judge("first ejection", (ejection.0, ejection.1, (!all_k && !all_m) || ejection.2));
        let downs = judge("downs", agree(|o| o.rotation.mean_downs, runs, 1.0, 0.2));
        println!(
            "{:<28} {:.3}  {:.3}  {:.3}  {:.3}  {:.3}  {:.3}  {:.3}  {:.3}  {:>5.1}  {:>5.1}  {:>4.1}  {:>4.1}  {}",
            row.name,
            dropped.0,
            dropped.1,
            failed.0,
            failed.1,
            lost.0,
            lost.1,
            identify.0,
            identify.1,
            ejection.0,
            ejection.1,
            downs.0,
            downs.1,
            notes(&rarer, runs),
        );
        for kind in ["track", "identify"] {
            let (k, m) = (causes(kind, runs.iter().map(|r| &r.0)), causes(kind, runs.iter().map(|r| &r.1)));
            let compared = !k.is_empty() && !m.is_empty();
            for cause in k.keys().chain(m.keys()).collect::<BTreeSet<_>>().into_iter().filter(|_| compared) {
                let share = |of: &BTreeMap<String, f64>| of.get(cause).copied().unwrap_or(0.0);
                let (k, m) = (share(&k), share(&m));
                if (k - m).abs() > 0.15 {
                    off.push(format!(
                        "{}: {cause} {k:.2} of dropped {kind} calls on the kernel, {m:.2} on madsim",
                        row.name
                    ));
                }
            }
        }
    }
    assert!(off.is_empty(), "the runtimes disagree:\n{}", off.join("\n"));
}

#[test]
fn the_day_loses_tracks_as_on_the_kernel_and_the_bulkhead_saves_them() {
    let seeds = 1..=5_u64;
    let both = |design: &[&str]| -> (Figure, Figure) {
        let runs: Vec<(Outcome, Outcome)> = seeds
            .clone()
            .into_par_iter()
            .map(|seed| {
                let mut scenario = scenario("october-28.toml", design, &[]);
                scenario.scale(0.25, "25%").unwrap();
                let (from, _) = scenario.excerpt("11:44..11:56").unwrap();
                (kernel(&scenario, seed), madsim(&scenario, seed, from))
            })
            .collect();
        let rate = |o: &Outcome| o.calls["track"].dropped_rate;
        (Figure::of(runs.iter().map(|r| rate(&r.0))), Figure::of(runs.iter().map(|r| rate(&r.1))))
    };
    let (kernel, madsim) = both(&[]);
    println!(
        "the day: kernel {:.3} ± {:.3}, madsim {:.3} ± {:.3}",
        kernel.mean, kernel.deviation, madsim.mean, madsim.deviation
    );
    assert!((kernel.mean - madsim.mean).abs() < 0.05, "{} and {}", kernel.mean, madsim.mean);
    let (kernel, madsim) = both(&["pool-exhaustion", "isolation=bulkhead"]);
    println!("bulkhead: kernel {:.4}, madsim {:.4}", kernel.mean, madsim.mean);
    assert!(madsim.mean < 0.005, "{}", madsim.mean);
}
