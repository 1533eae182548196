//! Queues with closed forms, run through the whole world: clients, balancer, server, ledger.
//!
//! Each case runs enough seeds that the standard error is at most 0.5% of the value, and must lie within three
//! standard errors of the closed form. Links take no time here, so that a call's latency is wait plus service.

use brownout::models::component::balancer::Balancer;
use brownout::models::component::clients::Clients;
use brownout::models::component::collector::{CallPlan, Fleet};
use brownout::models::component::network::{Link, Network};
use brownout::models::policy::bulkhead::Limit;
use brownout::models::policy::health::HealthCheck;
use brownout::models::policy::redispatch::Retries;
use brownout::models::random::Distribution;
use brownout::models::setting::{Name, Named, Span};
use brownout::models::spec::{WorldPlan, WorldSpec};
use brownout::models::units::{Ns, Rate};
use brownout::sim::ledger::Counts;
use brownout::sim::run::{Ended, Orders, Run};
use rayon::prelude::*;

const SERVICE: Ns = Ns::millis(10);
const WARM_UP: Ns = Ns::secs(100);

/// One queue: arrivals per mean service time, workers, places to wait, and how long service takes.
struct Queue {
    load: f64,
    workers: u32,
    backlog: u32,
    service: Distribution,
    at_most: Option<u32>,
}

impl Queue {
    fn mmc(load: f64, workers: u32) -> Queue {
        Queue { load, workers, backlog: 900_000, service: Distribution::Exponential(SERVICE), at_most: None }
    }

    fn run(&self, seed: u64, calls: f64) -> Counts {
        let name = |text: &str| Name { text: text.into(), span: Span::default() };
        let instant = Link { latency: Ns::ZERO, jitter: Ns::ZERO };
        let rate = self.load / SERVICE.as_secs();
        let plan =
            CallPlan { work: self.service.clone(), at_most: self.at_most.map(Limit::Count), ..CallPlan::default() };
        let spec = WorldSpec {
            clients: Named(vec![(
                name("c"),
                Clients { sends: name("k"), rate: Rate(rate), timeout: Ns::secs(80_000), ..Clients::default() },
            )]),
            network: Network { clients: instant.clone(), servers: instant.clone(), services: instant },
            balancer: Balancer {
                health: HealthCheck::unchecked(),
                retries: Retries::Count(0),
                idle_timeout: None,
                ..Balancer::default()
            },
            fleets: Named(vec![(
                name("f"),
                Fleet {
                    workers: self.workers,
                    backlog: self.backlog,
                    calls: Named(vec![(name("k"), plan)]),
                    ..Fleet::default()
                },
            )]),
            ..WorldSpec::default()
        };
        assert_eq!(spec.problems(), []);
        let end = WARM_UP.plus(Ns::from_secs_f64(calls / rate));
        let orders = Orders { seed, step: Ns::secs(1000), boundaries: vec![WARM_UP, end], ..Orders::default() };
        let mut run = Run::new(&WorldPlan { spec, traces: vec![None], end }, orders);
        assert_eq!(run.finish(None, &mut |_| {}).unwrap(), Ended::Complete);
        run.ledger().over(0, WARM_UP, end)
    }
}

/// Runs the seeds, and holds the mean of a figure against theory.
fn check(name: &str, queue: &Queue, calls: f64, figure: impl Fn(&Counts) -> f64 + Sync, theory: f64) {
    const SEEDS: u64 = 24;
    let values: Vec<f64> = (1..=SEEDS).into_par_iter().map(|seed| figure(&queue.run(seed, calls))).collect();
    let n = SEEDS as f64;
    let mean = values.iter().sum::<f64>() / n;
    let error = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    println!("{name}: {mean:.6} against {theory:.6}, standard error {error:.6} ({:.2}%)", 100.0 * error / theory);
    assert!(error <= 0.005 * theory, "{name}: the standard error {error} is above 0.5% of {theory}");
    assert!((mean - theory).abs() <= 3.0 * error, "{name}: {mean} is not {theory} within three times {error}");
}

/// Mean wait in service times. The mean of all latencies less the mean service.
fn wait(counts: &Counts) -> f64 {
    counts.latency_ns as f64 / counts.ok as f64 / SERVICE.0 as f64 - 1.0
}

fn loss(counts: &Counts) -> f64 {
    counts.failed_total() as f64 / counts.offered as f64
}

/// Erlang's B formula: the share of calls lost by `c` servers without a queue.
fn erlang_b(load: f64, c: u32) -> f64 {
    (1..=c).fold(1.0, |b, n| load * b / (f64::from(n) + load * b))
}

/// Erlang's C formula: the share of calls that wait.
fn erlang_c(load: f64, c: u32) -> f64 {
    let (b, rho) = (erlang_b(load, c), load / f64::from(c));
    b / (1.0 - rho * (1.0 - b))
}

#[test]
fn mm1_mean_wait() {
    check("M/M/1", &Queue::mmc(0.5, 1), 120_000.0, wait, 0.5 / (1.0 - 0.5));
}

#[test]
fn mmc_mean_wait_is_erlang_c() {
    let (load, c) = (3.0, 4);
    check("M/M/4", &Queue::mmc(load, c), 400_000.0, wait, erlang_c(load, c) / (f64::from(c) - load));
}

#[test]
fn mmck_loss() {
    // Four workers and a backlog of five hold K = 4 + 6 calls (a Linux backlog holds one more than its number).
    let (load, c, k) = (3.6_f64, 4_u32, 10_u32);
    let weight = |n: u32| {
        let up_to_c: f64 = (1..=n.min(c)).map(|i| load / f64::from(i)).product();
        up_to_c * (load / f64::from(c)).powi(n.saturating_sub(c) as i32)
    };
    let theory = weight(k) / (0..=k).map(weight).sum::<f64>();
    let queue = Queue { backlog: k - c - 1, ..Queue::mmc(load, c) };
    check("M/M/4/10 loss", &queue, 150_000.0, loss, theory);
}

#[test]
fn mgcc_loss_is_erlang_b_whatever_the_distribution() {
    // A bulkhead of five among many workers, without a queue, is Erlang's loss system; insensitive to the service.
    let queue = Queue {
        load: 4.0,
        workers: 1000,
        backlog: 900_000,
        service: Distribution::Lognormal { median: Ns(9_139_312), sigma: 0.424_264 },
        at_most: Some(5),
    };
    assert!((queue.service.mean_s() / SERVICE.as_secs() - 1.0).abs() < 1e-4);
    check("M/G/5/5 loss", &queue, 100_000.0, loss, erlang_b(4.0, 5));
}

#[test]
fn mg1_mean_wait_is_pollaczek_khinchine() {
    let theory = |load: f64, squared_variation: f64| load / (1.0 - load) * (1.0 + squared_variation) / 2.0;
    let constant = Queue { service: Distribution::Constant(SERVICE), ..Queue::mmc(0.5, 1) };
    check("M/D/1", &constant, 100_000.0, wait, theory(0.5, 0.0));
    let uniform = Queue { service: Distribution::Uniform(Ns::ZERO, Ns::millis(20)), ..Queue::mmc(0.5, 1) };
    check("M/U/1", &uniform, 120_000.0, wait, theory(0.5, 1.0 / 3.0));
    // Lognormal of mean 10 ms and squared coefficient of variation 0.8.
    let sigma_squared = 1.8_f64.ln();
    let median = Ns::from_secs_f64(0.010 * (-sigma_squared / 2.0).exp());
    let lognormal = Distribution::Lognormal { median, sigma: sigma_squared.sqrt() };
    check("M/LN/1", &Queue { service: lognormal, ..Queue::mmc(0.5, 1) }, 160_000.0, wait, theory(0.5, 0.8));
}
