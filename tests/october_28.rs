//! October 28, 2015, end to end: what the day's report says must come out of `scenarios/october-28.toml`, under every
//! seed and each of the three mechanisms; and taking away the cause, or changing the design, must change it as the
//! mechanism says.
//!
//! The first test replays the whole day. Where the morning does not matter the others replay an [`afternoon`].

use crate::afternoon::afternoon;
use crate::support::{outcome, scenario};
use brownout::sim::outcome::{Outcome, Step};
use rayon::prelude::*;

const MECHANISMS: [&str; 3] = ["crash-loop", "pool-exhaustion", "memory-growth"];

/// Seconds from the start of the day's run to a time of the day.
fn at(clock: &str) -> f64 {
    let seconds = |clock: &str| {
        let parts: Vec<f64> = clock.split(':').map(|part| part.parse().unwrap_or(f64::NAN)).collect();
        parts[0] * 3600.0 + parts[1] * 60.0
    };
    seconds(clock) - seconds("09:30")
}

/// The steps of the timeline that lie wholly between two times.
fn steps(outcome: &Outcome, from: f64, to: f64) -> impl Iterator<Item = &Step> {
    let length = outcome.timeline.step_s;
    outcome.timeline.steps.iter().filter(move |step| step.t_s >= from && step.t_s + length <= to)
}

/// Offered, dropped and failed calls of a kind in some steps.
fn sum<'s>(steps: impl Iterator<Item = &'s Step>, kind: &str) -> (u64, u64, u64) {
    steps.map(|step| &step.calls[kind]).fold((0, 0, 0), |(offered, dropped, failed), calls| {
        (offered + calls.offered, dropped + calls.dropped.values().sum::<u64>(), failed + calls.failed)
    })
}

fn share(part: u64, whole: u64) -> f64 {
    assert!(whole > 0, "nothing was offered");
    part as f64 / whole as f64
}

#[test]
fn the_day_comes_out_as_reported_under_every_seed() {
    let day = scenario("october-28.toml", &[], &[]);
    assert!(day.design.contains("mechanism=crash-loop"), "{}", day.design);
    let days: Vec<Outcome> = (1..=10_u64).into_par_iter().map(|seed| outcome(&day, seed)).collect();
    let mut wrong = Vec::new();
    for day in days {
        let mut must = |holds: bool, what: String| {
            if !holds {
                wrong.push(format!("seed {}: {what}", day.seed));
            }
        };
        let (track, identify) = (&day.calls["track"], &day.calls["identify"]);
        let dropped = track.dropped_rate;
        must((0.50..=0.58).contains(&dropped), format!("{dropped:.4} of track dropped, 0.50 to 0.58 expected"));

        let outage = &day.outages[0];
        let closed = (outage.from_s, outage.to_s.unwrap_or(f64::NAN));
        let (offered, _, failed) = sum(steps(&day, closed.0, closed.1), "identify");
        let failed = share(failed, offered);
        must(failed >= 0.99, format!("{failed:.4} of identify failed while the store was closed, 0.99 expected"));
        let failed = identify.failed_rate;
        must(failed >= 0.94, format!("{failed:.4} of identify failed over the window, 0.94 expected"));

        let unavailable = day.evidence.iter().find(|e| e.id == "E3").expect("E3 is in the file");
        let near = ["11:46 to 17:50", "11:46 to 17:51", "11:47 to 17:50", "11:47 to 17:51"];
        must(
            unavailable.verdict == "met" && near.contains(&unavailable.simulated.as_str()),
            format!("the dashboard was unavailable {}: {}", unavailable.simulated, unavailable.verdict),
        );

        for kind in day.calls.keys().filter(|kind| !kind.contains('.')) {
            let (_, before, _) = sum(steps(&day, at("09:44"), at("11:45")), kind);
            must(before == 0, format!("{before} {kind} calls dropped between 09:44 and 11:45"));
            let (_, after, _) = sum(steps(&day, at("18:08"), at("18:40")), kind);
            must(after == 0, format!("{after} {kind} calls dropped after 18:08"));
        }

        let (server, downs) = day.rotation.downs.iter().min_by_key(|(_, downs)| **downs).expect("there are collectors");
        must(*downs >= 10, format!("{server} left rotation only {downs} times"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_other_two_mechanisms_give_the_same_loss() {
    for mechanism in ["pool-exhaustion", "memory-growth"] {
        let day = afternoon("18:08", &[mechanism], &[]);
        let outcomes: Vec<Outcome> = (1..=3_u64).into_par_iter().map(|seed| outcome(&day, seed)).collect();
        for outcome in outcomes {
            assert_eq!(outcome.outages[0].to_s.map(f64::round), Some(380.0 * 60.0), "the store is back at 17:50");
            let dropped = outcome.calls["track"].dropped_rate;
            assert!((0.48..=0.60).contains(&dropped), "{mechanism}, seed {}: {dropped:.4} dropped", outcome.seed);
        }
    }
}

#[test]
fn a_store_that_does_not_stop_drops_nothing_under_any_mechanism() {
    for mechanism in MECHANISMS {
        let stopped = outcome(&afternoon("12:00", &[mechanism], &[]), 1);
        assert!(stopped.calls["track"].dropped > 1000, "{mechanism}: the shortened day has no effect to remove");
        assert_eq!(stopped.outages[0].from_s.round(), 960.0, "{mechanism}: the store stops at 11:46");

        let open = outcome(&afternoon("13:30", &[mechanism], &["stores.identify.headroom.at_stop = none"]), 1);
        assert_eq!(open.outages, [], "{mechanism}");
        for (kind, calls) in &open.calls {
            assert!(calls.offered > 0, "{mechanism}: no {kind} calls");
            assert_eq!((calls.dropped, calls.failed), (0, 0), "{mechanism}: {kind} dropped and failed");
        }
    }
}

#[test]
fn a_bulkhead_saves_the_tracks_when_workers_are_exhausted() {
    let day = afternoon("13:30", &["pool-exhaustion", "isolation=bulkhead"], &[]);
    let dropped = outcome(&day, 1).calls["track"].dropped_rate;
    assert!(dropped < 0.001, "{dropped:.5} of track dropped");
}

#[test]
fn a_bulkhead_does_not_help_against_a_crash_loop() {
    let day = afternoon("13:30", &["crash-loop", "isolation=bulkhead"], &[]);
    let dropped = outcome(&day, 1).calls["track"].dropped_rate;
    assert!(dropped > 0.4, "{dropped:.5} of track dropped");
}

#[test]
fn a_deep_health_check_drops_nearly_everything_under_every_mechanism() {
    let outcomes: Vec<(&str, Outcome)> =
        MECHANISMS.par_iter().map(|m| (*m, outcome(&afternoon("17:51", &[m, "health=deep"], &[]), 1))).collect();
    for (mechanism, outcome) in outcomes {
        let minutes = |n: f64| n * 60.0; // since 11:30
        let (offered, dropped, _) = sum(steps(&outcome, minutes(18.0), minutes(380.0)), "track");
        let dropped = share(dropped, offered);
        assert!(dropped >= 0.98, "{mechanism}: {dropped:.4} of track dropped between 11:48 and 17:50");
    }
}
