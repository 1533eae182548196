//! What a long run takes of the memory: after hours of an outage as much as at its beginning, but for the books.
//!
//! A test program of its own, since it counts all that the program has allocated.
#![cfg(madsim)]

use brownout_scenarios::{Request, load};
use brownout_services::{Ask, Listener, on_madsim};
use brownout_sim::{orders, simulate};
use peak_alloc::PeakAlloc;
use std::path::Path;
use std::sync::Mutex;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The day's steps are minutes.
const STEPS_A_HALF_HOUR: usize = 30;

#[test]
fn memory_stays_flat_through_three_hours_of_an_outage() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/october-28.toml");
    let scenario = load(&Request { path: &path, set: &[], design: &[] });
    let mut scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    scenario.scale(0.05, "5%").unwrap();
    let (from, _) = scenario.excerpt("11:40..15:00").unwrap();

    let mut held = Vec::new();
    let outcome = simulate(&scenario, 1, None, &mut |_| held.push(MEMORY.current_usage())).unwrap();
    assert_eq!(outcome.ended, "complete");
    let books = growth("kernel", &held);

    let held = Mutex::new(Vec::new());
    let listener = Listener { stop: None, progress: &|_| held.lock().unwrap().push(MEMORY.current_usage()) };
    let outcome = on_madsim(&scenario, Ask { from, ..Ask::new(orders(&scenario, 1)) }, &listener).unwrap();
    assert_eq!(outcome.ended, "complete");
    let services = growth("madsim", &held.into_inner().unwrap());

    let calls: u64 = outcome.calls.values().map(|totals| totals.offered).sum();
    assert!(calls > 300_000, "{calls} calls");
    // Half a byte kept of each call would be more than this; a task's bookkeeping is some hundreds.
    assert!(services - books < 100e3, "grown by {services} bytes in two hours, of which the books are {books}");
}

/// By how many bytes a run has grown from the first hour of the outage to the third. Each step of a run takes its line in
/// the books, on every runtime.
fn growth(runtime: &str, held: &[usize]) -> f64 {
    let mean = |steps: &[usize]| steps.iter().sum::<usize>() as f64 / steps.len() as f64;
    let halves: Vec<f64> = held.rchunks(STEPS_A_HALF_HOUR).rev().map(mean).collect();
    println!("{runtime}: MB by half hours: {:.2?}", halves.iter().map(|bytes| bytes / 1e6).collect::<Vec<_>>());
    halves[halves.len() - 1] - halves[halves.len() - 5]
}
