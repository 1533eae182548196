//! Speed of the parts, each by itself: `cargo bench -p brownout-sim --bench components`.
//!
//! Prints CPU ns per operation, the median of five rounds. These say where time may have gone when the reference workload
//! has become slower; they promise nothing by themselves.

mod queues;

use brownout_models::kernel::{Account, Fact};
use brownout_models::policy::balance::{Algorithm, Choice, Rotation};
use brownout_models::policy::health::{CheckResult, Health, HealthCheck};
use brownout_models::random::{Distribution, Purpose, Stream, draw};
use brownout_models::slab::Slab;
use brownout_models::units::Ns;
use brownout_sim::ledger::Ledger;
use cpu_time::ProcessTime;
use std::hint::black_box;

const TIMES: u64 = 2_000_000;
const ROUNDS: usize = 5;

/// A part by its name, and what measures it once: CPU nanoseconds per operation.
type Part = (&'static str, fn() -> f64);

fn main() {
    let parts: [Part; 8] = [
        ("call in the ledger: four facts", ledger),
        ("slab of 128, in and out", slab),
        ("draw from a stream", stream),
        ("draw of a call", call_draw),
        ("exponential time", exponential),
        ("pick of 16, round robin", || pick(Algorithm::RoundRobin)),
        ("pick of 16, least requests", || pick(Algorithm::LeastRequests)),
        ("health check result", health),
    ];
    println!("CPU ns per operation, median of {ROUNDS}\n");
    for (name, part) in parts {
        println!("{name:>32}: {:.1}", median((0..ROUNDS).map(|_| part()).collect()));
    }
    println!("\nThe queue, ns per event taken out and raised again\n");
    let rounds: Vec<_> = (0..ROUNDS).map(|_| queues::all()).collect();
    for (i, (name, _)) in rounds[0].iter().enumerate() {
        println!("{name:>32}: {:.1}", median(rounds.iter().map(|round| round[i].1).collect()));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU time of some work per operation, of which it says how many there were. [ns]
pub fn timed(work: impl FnOnce() -> u64) -> f64 {
    let begun = ProcessTime::now();
    let operations = work();
    begun.elapsed().as_nanos() as f64 / operations as f64
}

fn ledger() -> f64 {
    let mut ledger = Ledger::new(1, Vec::new(), Vec::new());
    timed(|| {
        for n in 0..TIMES {
            let (at, salt) = (Ns(n * 100_000), n);
            let account = Account { cohort: ledger.offer(0, at, salt), population: 0, salt };
            ledger.record(at, Fact::Attempt(account));
            ledger.record(at.plus(Ns::millis(10)), Fact::Stored(account, false));
            ledger.record(at.plus(Ns::millis(11)), Fact::Ok(account, Ns::millis(11)));
        }
        black_box(ledger.digest());
        TIMES
    })
}

fn slab() -> f64 {
    let mut slab = Slab::default();
    let mut refs: Vec<_> = (0..128_u64).map(|n| slab.insert(n)).collect();
    timed(|| {
        for n in 0..TIMES {
            let at = (n * 37 % 128) as usize;
            slab.remove(refs[at]);
            refs[at] = slab.insert(n);
        }
        black_box(slab.len());
        TIMES
    })
}

fn stream() -> f64 {
    let mut stream = Stream::new(1, "bench");
    timed(|| {
        black_box((0..TIMES).fold(0, |sum: u64, _| sum.wrapping_add(stream.bits())));
        TIMES
    })
}

fn call_draw() -> f64 {
    timed(|| {
        black_box((0..TIMES).fold(0, |sum: u64, salt| sum.wrapping_add(draw(salt, Purpose::Route, 1))));
        TIMES
    })
}

fn exponential() -> f64 {
    let distribution = Distribution::Exponential(Ns::millis(4));
    timed(|| {
        black_box(
            (0..TIMES)
                .fold(0, |sum: u64, salt| sum.wrapping_add(black_box(&distribution).sample(salt, Purpose::Work, 1).0)),
        );
        TIMES
    })
}

fn pick(algorithm: Algorithm) -> f64 {
    let mut rotation = Rotation::new((0..16).collect());
    let mut load = [0_u32; 16];
    timed(|| {
        for salt in 0..TIMES {
            let chosen = rotation.choose(
                Choice { algorithm, salt, number: 1, avoid: None, distinct: true, keys: None, redraw: 0 },
                |s| load[s as usize] < 1000,
                |s| load[s as usize],
            );
            // As many leave as come.
            load[chosen.unwrap_or(0) as usize] += 1;
            let gone = &mut load[(draw(salt, Purpose::Route, 2) % 16) as usize];
            *gone = gone.saturating_sub(1);
        }
        black_box(load);
        TIMES
    })
}

fn health() -> f64 {
    let check = HealthCheck::default();
    let mut health = Health::new(&check);
    timed(|| {
        for n in 0..TIMES {
            let result = if n / 8 % 2 == 0 { CheckResult::Passed } else { CheckResult::Refuted };
            health.on_result(&check, black_box(result));
        }
        black_box(health.is_up(&check));
        TIMES
    })
}
