//! Kept connections on both runtimes: a row measured on nginx, and what other products do in its place.

use crate::support::{kernel, madsim, scenario};
use brownout_models::units::Ns;

/// Shares of gets and of posts that fail, over three seeds, on the kernel and on madsim.
fn failing(set: &[&str]) -> [(&'static str, f64, f64); 2] {
    let scenario = scenario("measured/connections/nginx-server-closes-first.toml", &[], set);
    let mean = |outcomes: &dyn Fn(u64) -> brownout_sim::outcome::Outcome| {
        let of: Vec<_> = (1..=3).map(outcomes).collect();
        let share = |kind: &str| of.iter().map(|o| o.calls[kind].failed_rate).sum::<f64>() / of.len() as f64;
        (share("get"), share("post"))
    };
    let (kernel_get, kernel_post) = mean(&|seed| kernel(&scenario, seed));
    let (madsim_get, madsim_post) = mean(&|seed| madsim(&scenario, seed, Ns::ZERO));
    [("kernel", kernel_get, kernel_post), ("madsim", madsim_get, madsim_post)]
}

#[test]
fn a_server_that_closes_first_loses_posts_behind_nginx_as_measured() {
    for (runtime, get, post) in failing(&[]) {
        println!("{runtime}: get {get:.4} (measured 0), post {post:.4} (measured .026)");
        assert!(get < 0.01 && (post - 0.026).abs() < 0.01, "on {runtime}: get {get:.4}, post {post:.4}");
    }
}

#[test]
fn other_products_and_limits_in_its_place() {
    let race = 0.0294; // 2 d l exp(-l S), with d 40 ms, l 1/s, S 1 s
    let (none, some) = ((0.0, 0.0), (race - 0.01, race + 0.01));
    let twice = (0.0, 0.003); // the retry may meet another one
    let envoy = "balancer={ preset = \"envoy\", algorithm = \"random\", health = \"none\", keep_alive = \"envoy\" }";
    for (set, get, post) in [
        // Envoy without retries, and with its `reset`, whatever the method.
        (vec![envoy], some, some),
        (vec![envoy, "balancer.retries=1", "balancer.retry_on=[\"reset\"]"], twice, twice),
        // The balancer closes first, with room to spare; a process that says when it closes.
        (vec!["balancer.keep_alive.idle=900ms"], none, none),
        (vec!["fleets.app.keep_alive={ idle = \"1h\", calls = 3 }"], none, none),
        // Who may not be tried again is, at somebody's risk.
        (vec!["balancer.retry_on=[\"error\", \"non_idempotent\"]"], none, none),
    ] {
        for (runtime, is_get, is_post) in failing(&set) {
            let within = |is: f64, (least, most): (f64, f64)| (least..=most).contains(&is);
            assert!(
                within(is_get, get) && within(is_post, post),
                "{set:?} on {runtime}: get {is_get:.4}, post {is_post:.4}"
            );
        }
    }
}
