//! What is said of a key's effect holds: a key that is said to have none can be changed or taken out and nothing changes;
//! and for every key there is a world in which it changes the day.
//!
//! Worlds are drawn from one table: each key of the format with values to try. A world is a file with one key on each
//! line, so that the line of a warning is the key.

mod staged;

use brownout_models::setting::NO_EFFECT;
use brownout_scenarios::{Scenario, catalogue, load_text};
use brownout_sim::simulate;
use staged::STAGED;
use std::path::Path;

/// What each world has: three kinds of call, and servers that name every store, though their checks do not ask it.
const BASE: &str = r#"brownout = 1
title = "drawn"
span = "12s"
step = "1s"
clients.a.sends = "get"
clients.b.sends = "put"
clients.c.sends = "log"
fleets.one.calls.one.work = "1ms"
fleets.one.health.asks = "db"
fleets.two.calls.two.work = "1ms"
fleets.two.health.asks = "cache"
fleets.three.calls.three.work = "1ms"
fleets.three.health.asks = "log"
stores.db.like = "none"
stores.cache.like = "none"
stores.log.like = "none"
"#;

/// What goes wrong in them, at different times.
const TIMELINE: &str = r#"
[[timeline]]
at = "1s"
do = "surge"
factor = 4.0
for = "2s"
[[timeline]]
at = "2s"
do = "refuse"
store = "db"
for = "2s"
[[timeline]]
at = "3s"
do = "crash"
fleet = "app"
servers = 1
[[timeline]]
at = "5s"
do = "hang"
store = "db"
for = "2s"
[[timeline]]
at = "7s"
do = "slow"
store = "log"
factor = 40.0
for = "1s"
[[timeline]]
at = "7500ms"
do = "sever"
store = "cache"
for = "1s"
[[timeline]]
at = "8s"
do = "rolling-deploy"
fleet = "app"
drain = "200ms"
pause = "200ms"
[[timeline]]
at = "9s"
do = "error"
store = "cache"
share = "60%"
for = "2s"
"#;

/// More of it, in some worlds.
const REST: &[&str] = &[
    "[[timeline]]\nat = \"4s\"\ndo = \"maintenance\"\nstore = \"db\"\ntakes = \"1s\"\n",
    "[[timeline]]\nat = \"6s\"\ndo = \"replay\"\ncalls = \"put\"\n",
    "[[timeline]]\nat = \"6s\"\ndo = \"pause\"\nfleet = \"app\"\nservers = 1\nfor = \"2s\"\n",
    "[[timeline]]\nat = \"2s\"\ndo = \"loss\"\nbetween = [\"balancer\", \"fleets.app\"]\nfor = \"5s\"\n",
];

/// Which of them replays the balancer's log.
const REPLAY: usize = 1;

/// Each key of the world, with values to try; the first is near the default.
const KEYS: &[(&str, &[&str])] = &[
    ("clients.a.rate", &["\"60/s\"", "\"90/s\""]),
    ("clients.b.rate", &["\"30/s\"", "\"50/s\""]),
    ("clients.c.rate", &["\"20/s\"", "\"35/s\""]),
    ("clients.a.profile", &["[[\"2s\", 1.0], [\"6s\", 2.0]]", "[[\"1s\", 0.5]]"]),
    ("clients.a.arrivals", &["\"poisson\"", "\"burst\"", "\"constant\""]),
    ("clients.a.burst", &["10", "4"]),
    ("clients.a.calls", &["\"none\"", "300"]),
    ("clients.a.timeout", &["\"1s\"", "\"200ms\"", "\"3s\""]),
    ("clients.b.timeout", &["\"1s\"", "\"300ms\""]),
    ("clients.a.connection", &["\"kept-alive\"", "\"per-call\""]),
    ("clients.a.retry.retries", &["0", "1", "3"]),
    ("clients.a.retry.backoff", &["\"fixed\"", "\"exponential\""]),
    ("clients.a.retry.delay", &["\"500ms\"", "\"100ms\"", "\"0s\""]),
    ("clients.a.retry.max_delay", &["\"30s\"", "\"50ms\""]),
    ("clients.a.retry.jitter", &["\"0%\"", "\"100%\""]),
    ("clients.a.retry.after_timeout", &["true", "false"]),
    ("clients.a.retry.budget.capacity", &["500", "20"]),
    ("clients.a.retry.budget.cost", &["5", "1"]),
    ("clients.a.retry.budget.timeout_cost", &["10", "1"]),
    ("clients.a.retry.budget.refund", &["1", "0"]),
    ("clients.a.retry.budget.per_call", &["0", "0.5"]),
    ("clients.b.offline.share", &["\"100%\"", "\"50%\"", "\"0%\""]),
    ("clients.b.offline.returns_after", &["\"2s\"", "\"500ms\""]),
    ("clients.b.offline.keeps", &["\"24h\"", "\"1s\""]),
    ("clients.b.offline.capacity", &["\"none\"", "3"]),
    ("clients.a.offline.share", &["\"100%\"", "\"50%\""]),
    ("network.clients.latency", &["\"100us\"", "\"5ms\"", "\"0s\""]),
    ("network.clients.jitter", &["\"0s\"", "\"1ms\""]),
    ("network.servers.latency", &["\"100us\"", "\"3ms\"", "\"0s\""]),
    ("network.servers.jitter", &["\"0s\"", "\"1ms\""]),
    ("balancer.algorithm", &["\"round-robin\"", "\"least-requests\"", "\"random\"", "\"two-choices\"", "\"hash\""]),
    ("balancer.ties", &["\"in-turn\"", "\"longest-unchanged\"", "\"smooth\""]),
    ("balancer.distinct_choices", &["true", "false"]),
    ("balancer.hash_keys", &["\"none\"", "2"]),
    ("balancer.connection", &["\"kept-alive\"", "\"per-call\""]),
    ("balancer.connect_timeout", &["\"1s\"", "\"300ms\""]),
    ("balancer.retries", &["3", "0", "1"]),
    ("balancer.redispatch", &["\"haproxy\"", "\"never\"", "\"every\"", "\"untried\"", "\"haproxy-before-2.7\""]),
    ("balancer.redispatch_interval", &["-1", "1"]),
    ("balancer.retry_statuses", &["[]", "[500, 503]"]),
    ("balancer.retry_broken", &["false", "true"]),
    ("balancer.retry_on", &["[\"conn-failure\"]", "[\"5xx\"]", "[]"]),
    ("balancer.retry_pause.base", &["\"25ms\"", "\"100ms\""]),
    ("balancer.retry_pause.most", &["\"250ms\"", "\"10ms\""]),
    ("balancer.retry_within", &["\"none\"", "\"100ms\""]),
    ("balancer.retries_at_once", &["\"none\"", "0", "1"]),
    ("balancer.retry_budget.share", &["\"20%\"", "\"0%\""]),
    ("balancer.retry_budget.at_least", &["3", "0"]),
    ("balancer.fleet_limits.connections", &["1024", "2"]),
    ("balancer.fleet_limits.pending", &["1024", "0"]),
    ("balancer.fleet_limits.requests", &["1024", "2"]),
    ("balancer.on_marked_down", &["\"keep\"", "\"shutdown-sessions\""]),
    ("balancer.redraws", &["0", "2"]),
    ("balancer.call_timeout", &["\"none\"", "\"300ms\""]),
    ("balancer.max_connections", &["\"none\"", "3", "8"]),
    ("balancer.queue.limit", &["\"none\"", "0", "5"]),
    ("balancer.queue.timeout", &["\"none\"", "\"100ms\""]),
    ("balancer.idle_timeout", &["\"60s\"", "\"500ms\"", "\"none\""]),
    ("balancer.abort_on_close", &["false", "true"]),
    ("balancer.close_on_departure", &["false", "true"]),
    ("balancer.unavailable_status", &["503", "502"]),
    ("balancer.refused_status", &["\"none\"", "504"]),
    ("balancer.connect_timeout_status", &["\"none\"", "504"]),
    ("balancer.broken_status", &["502", "504"]),
    ("balancer.timeout_status", &["504", "502"]),
    ("balancer.log.calls", &["[\"put\"]", "[\"log\"]"]),
    ("balancer.log.share", &["\"100%\"", "\"40%\"", "\"0%\""]),
    ("balancer.log.capacity", &["\"none\"", "2"]),
    ("balancer.health.interval", &["\"2s\"", "\"500ms\""]),
    ("balancer.health.fast_interval", &["\"none\"", "\"200ms\""]),
    ("balancer.health.no_traffic_interval", &["\"none\"", "\"4s\""]),
    ("balancer.health.merge_window", &["\"none\"", "\"2s\""]),
    ("balancer.health.down_interval", &["\"none\"", "\"300ms\""]),
    ("balancer.health.jitter", &["\"0%\"", "\"30%\""]),
    ("balancer.health.timeout", &["\"none\"", "\"50ms\""]),
    ("balancer.health.rise", &["2", "1", "4"]),
    ("balancer.health.fall", &["3", "1", "2"]),
    ("balancer.health.initial", &["\"up\"", "\"down\""]),
    ("balancer.health.first_pass", &["false", "true"]),
    ("balancer.health.follows_process", &["false", "true"]),
    ("balancer.health.pace", &["\"from-end\"", "\"from-start\""]),
    ("balancer.health.spread_first", &["true", "false"]),
    ("balancer.health.pass_from", &["200", "201"]),
    ("balancer.health.pass_to", &["399", "599"]),
    ("balancer.health.status_ejects", &["false", "true"]),
    ("balancer.health.enabled", &["true", "false"]),
    ("balancer.health.slow_start", &["\"none\"", "\"3s\""]),
    ("balancer.health.slow_start_rule", &["\"linear\"", "\"haproxy\"", "\"envoy\""]),
    ("balancer.health.fail_open_below", &["\"none\"", "1", "\"70%\""]),
    ("balancer.health.outlier.consecutive_errors", &["5", "2"]),
    ("balancer.health.outlier.interval", &["\"10s\"", "\"500ms\""]),
    ("balancer.health.outlier.base_ejection", &["\"30s\"", "\"1s\""]),
    ("balancer.health.outlier.max_ejection", &["\"5m\"", "\"1500ms\""]),
    ("balancer.health.outlier.max_share", &["\"10%\"", "\"60%\""]),
    ("balancer.health.outlier.counts_before", &["false", "true"]),
    ("balancer.health.outlier.gateway_errors", &["0", "3"]),
    ("balancer.health.outlier.ends_by_check", &["true", "false"]),
    ("balancer.health.outlier.at_least_one", &["true", "false"]),
    ("balancer.health.outlier.success_rate", &["true", "false"]),
    ("balancer.health.outlier.success_rate_hosts", &["5", "2"]),
    ("balancer.health.outlier.success_rate_calls", &["100", "5"]),
    ("balancer.health.outlier.success_rate_factor", &["1.9", "0.5"]),
    ("balancer.health.max_fails.fails", &["1", "0", "4"]),
    ("balancer.health.max_fails.window", &["\"10s\"", "\"1s\""]),
    ("balancer.health.max_fails.reset_all", &["false", "true"]),
    ("balancer.health.observe.layer", &["\"layer7\"", "\"layer4\""]),
    ("balancer.health.observe.errors", &["10", "2"]),
    ("balancer.health.observe.on_error", &["\"fail-check\"", "\"mark-down\"", "\"fastinter\"", "\"sudden-death\""]),
    ("fleets.app.count", &["3", "1", "6"]),
    ("fleets.app.concurrency", &["\"workers\"", "\"event-loop\""]),
    ("fleets.app.workers", &["4", "2"]),
    ("fleets.app.cores", &["1", "2"]),
    ("fleets.app.memory_per_call", &["\"50kB\"", "\"3MB\""]),
    ("fleets.app.heap_limit", &["\"none\"", "\"20MB\"", "\"8MB\""]),
    ("fleets.app.backlog", &["128", "0", "3"]),
    ("fleets.app.accept_queue", &["0", "2"]),
    ("fleets.app.notices_departure", &["false", "true"]),
    ("fleets.app.health.kind", &["\"shared\"", "\"shallow\"", "\"deep\"", "\"cached\""]),
    ("fleets.app.health.work", &["\"0s\"", "\"20ms\""]),
    ("fleets.app.health.asks", &["\"none\"", "\"db\"", "\"cache\""]),
    ("fleets.app.health.timeout", &["\"1s\"", "\"100ms\""]),
    ("fleets.app.health.every", &["\"5s\"", "\"300ms\""]),
    ("fleets.app.limit.algorithm", &["\"gradient\"", "\"aimd\""]),
    ("fleets.app.limit.initial", &["20", "3"]),
    ("fleets.app.limit.least", &["1", "2"]),
    ("fleets.app.limit.most", &["200", "4"]),
    ("fleets.app.limit.backoff", &["0.9", "0.5"]),
    ("fleets.app.limit.timeout", &["\"5s\"", "\"20ms\""]),
    ("fleets.app.limit.smoothing", &["0.2", "1"]),
    ("fleets.app.limit.long_window", &["600", "5"]),
    ("fleets.app.limit.tolerance", &["1.5", "1"]),
    ("fleets.app.limit.queue", &["4", "1"]),
    ("fleets.app.shedding.pending", &["\"none\"", "4"]),
    ("fleets.app.shedding.age", &["\"none\"", "\"50ms\""]),
    ("fleets.app.shedding.checks_first", &["true", "false"]),
    ("fleets.app.calls.get.work", &["\"2ms\"", "\"15ms\"", "{ exponential = \"5ms\" }"]),
    ("fleets.app.calls.get.asks", &["\"none\"", "\"db\"", "\"cache\""]),
    ("fleets.app.calls.get.timeout", &["\"30s\"", "\"150ms\"", "\"800ms\"", "\"none\""]),
    ("fleets.app.calls.get.connect_timeout", &["\"none\"", "\"60ms\""]),
    ("fleets.app.calls.get.query_timeout", &["\"none\"", "\"60ms\""]),
    ("fleets.app.calls.get.on_error", &["\"fail\"", "\"retry\"", "\"crash\""]),
    ("fleets.app.calls.get.on_severed", &["\"fail\"", "\"retry\"", "\"crash\""]),
    ("fleets.app.calls.get.retry_every", &["\"500ms\"", "\"40ms\""]),
    ("fleets.app.calls.get.retry_at_most", &["\"none\"", "1"]),
    ("fleets.app.calls.get.at_most", &["\"none\"", "1", "\"50%\""]),
    ("fleets.app.calls.get.queue", &["0", "2"]),
    ("fleets.app.calls.get.wait", &["\"none\"", "\"30ms\""]),
    ("fleets.app.calls.put.asks", &["\"db\"", "\"cache\""]),
    ("fleets.app.calls.put.writes", &["true", "false"]),
    ("fleets.app.calls.put.work", &["\"1ms\"", "\"6ms\""]),
    ("fleets.app.calls.put.timeout", &["\"30s\"", "\"500ms\""]),
    ("fleets.app.calls.put.breaker.window", &["\"count\"", "\"time\""]),
    ("fleets.app.calls.put.breaker.calls", &["100", "8"]),
    ("fleets.app.calls.put.breaker.lasts", &["\"10s\"", "\"500ms\""]),
    ("fleets.app.calls.put.breaker.minimum", &["5", "2"]),
    ("fleets.app.calls.put.breaker.failure_share", &["\"50%\"", "\"10%\""]),
    ("fleets.app.calls.put.breaker.slow_share", &["\"100%\"", "\"20%\""]),
    ("fleets.app.calls.put.breaker.slow_after", &["\"1m\"", "\"5ms\"", "\"never\""]),
    ("fleets.app.calls.put.breaker.open_for", &["\"1m\"", "\"400ms\""]),
    ("fleets.app.calls.put.breaker.half_open_calls", &["10", "1"]),
    ("fleets.app.calls.put.spool.to", &["\"memory\"", "\"disk\""]),
    ("fleets.app.calls.put.spool.capacity", &["100000", "3"]),
    ("fleets.app.calls.put.spool.replay", &["\"100/s\"", "\"5/s\""]),
    ("fleets.app.calls.put.spool.side_by_side", &["1", "4"]),
    ("fleets.app.calls.put.spool.retry_every", &["\"1s\"", "\"50ms\""]),
    ("fleets.app.calls.put.spool.late_after", &["\"1s\"", "\"1ms\""]),
    ("fleets.app.calls.put.spool.memory_per_call", &["\"2kB\"", "\"2MB\""]),
    ("fleets.app.calls.log.appends", &["\"log\"", "\"db\""]),
    ("fleets.app.calls.log.limit.algorithm", &["\"aimd\"", "\"gradient\""]),
    ("fleets.app.calls.log.limit.initial", &["20", "2"]),
    ("fleets.app.calls.idle.asks", &["\"none\"", "\"db\""]),
    ("fleets.app.pools.db.size", &["10", "1"]),
    ("fleets.app.pools.db.queue", &["\"none\"", "0"]),
    ("fleets.app.pools.cache.size", &["10", "1"]),
    ("fleets.app.bad.servers", &["1", "2"]),
    ("fleets.app.bad.share", &["\"100%\"", "\"30%\"", "\"0%\""]),
    ("fleets.app.bad.status", &["500", "502"]),
    ("fleets.app.bad.takes", &["\"none\"", "\"100us\""]),
    ("fleets.app.bad.checks", &["false", "true"]),
    ("fleets.app.bad.factor", &["1", "5"]),
    ("fleets.app.dies_after", &["\"0s\"", "\"300ms\""]),
    ("fleets.app.restart.delay", &["\"1s\"", "\"100ms\""]),
    ("fleets.app.restart.boot", &["\"0s\"", "\"700ms\""]),
    ("fleets.app.restart.needs", &["\"none\"", "\"db\""]),
    ("stores.db.link.latency", &["\"100us\"", "\"4ms\""]),
    ("stores.db.link.jitter", &["\"0s\"", "\"2ms\""]),
    ("stores.db.service", &["\"2ms\"", "{ exponential = \"20ms\" }"]),
    ("stores.db.concurrency", &["\"none\"", "1"]),
    ("stores.db.connections", &["\"none\"", "2"]),
    ("stores.db.connect", &["\"0s\"", "\"20ms\""]),
    ("stores.db.backlog", &["128", "0"]),
    ("stores.db.accept", &["\"0s\"", "\"5ms\""]),
    ("stores.db.start_up", &["\"0s\"", "\"800ms\""]),
    ("stores.cache.connections", &["\"none\"", "1"]),
    ("stores.cache.connect", &["\"0s\"", "\"9ms\""]),
    ("stores.cache.service", &["\"1ms\"", "\"30ms\""]),
    ("stores.log.service", &["\"0s\"", "\"3ms\""]),
    ("stores.log.connections", &["\"none\"", "2"]),
    ("stores.db.headroom.at_start", &["300", "120"]),
    ("stores.db.headroom.alert", &["0", "200"]),
    ("stores.db.headroom.stop", &["0", "100"]),
    ("stores.db.headroom.at_stop", &["\"refuse\"", "\"hang\""]),
    ("stores.db.headroom.per_write", &["1", "3"]),
    ("stores.db.headroom.background", &["\"0/s\"", "\"20/s\""]),
    ("stores.db.headroom.restored_to", &["2000", "40"]),
    ("stores.db.warm_up.lasts", &["\"0s\"", "\"2s\""]),
    ("stores.db.warm_up.factor", &["1", "20"]),
    ("stores.db.spare.detection", &["\"30s\"", "\"500ms\""]),
    ("stores.db.spare.promotion", &["\"1m\"", "\"500ms\""]),
    ("stores.db.spare.lag", &["\"1s\"", "\"50ms\""]),
    ("stores.db.spare.shares_headroom", &["false", "true"]),
    ("fleets.app.health.service", &["\"2ms\"", "\"150ms\""]),
    ("fleets.app.health.pool", &["\"none\"", "\"side\""]),
    ("balancer.keep_alive.idle", &["\"none\"", "\"30ms\""]),
    ("balancer.keep_alive.calls", &["\"none\"", "1", "3"]),
    ("balancer.keep_alive.life", &["\"none\"", "\"200ms\""]),
    ("balancer.keep_alive.at_most", &["\"none\"", "0", "1"]),
    ("balancer.keep_alive.purge", &["\"none\"", "\"20ms\""]),
    ("balancer.keep_alive.takes", &["\"latest\"", "\"oldest\""]),
    ("balancer.keep_alive.free_retry", &["false", "true"]),
    ("balancer.keep_alive.counts", &["true", "false"]),
    ("fleets.app.keep_alive.idle", &["\"none\"", "\"25ms\""]),
    ("fleets.app.keep_alive.calls", &["\"none\"", "2"]),
    ("fleets.app.calls.get.service", &["\"none\"", "\"2ms\"", "\"70ms\""]),
    ("fleets.app.calls.get.pool", &["\"none\"", "\"side\""]),
    ("fleets.app.calls.log.service", &["\"0s\"", "\"3ms\""]),
    ("fleets.app.pools.db.wait", &["\"none\"", "\"30ms\""]),
    ("fleets.app.pools.db.status", &["500", "503"]),
    ("fleets.app.pools.side.store", &["\"db\""]),
    ("fleets.app.pools.side.size", &["10", "1"]),
    ("fleets.app.pools.side.wait", &["\"none\"", "\"20ms\""]),
    ("stores.db.at_most", &["{ get = 1 }", "{ get = 3 }"]),
];

/// Keys without which a world is none, or a table stays away: written in every world, at one of their values.
const NEEDED: &[&str] = &[
    "clients.a.rate",
    "clients.b.rate",
    "clients.c.rate",
    "fleets.app.count",
    "fleets.app.calls.get.work",
    "fleets.app.calls.put.asks",
    "fleets.app.calls.put.writes",
    "fleets.app.calls.log.appends",
];

/// A small generator: which worlds are drawn is part of the test.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

/// A world: which keys are written, each with which of its values, and which of the rest of the timeline.
#[derive(Clone)]
struct World {
    keys: Vec<Option<usize>>,
    rest: Vec<usize>,
}

impl World {
    /// Draws a world. Tables that change much when they are there at all are there in one world of four.
    fn draw(seed: u64) -> World {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = draw.next());
        let mut groups: Vec<(&str, bool)> = Vec::new();
        let mut keys = Vec::new();
        for (path, values) in KEYS {
            let group = path.rsplit_once('.').map_or(*path, |(table, _)| table);
            if !groups.iter().any(|(known, _)| *known == group) {
                groups.push((group, draw.one_in(3)));
            }
            let open = groups.iter().any(|(known, open)| *known == group && *open);
            let written = NEEDED.contains(path) || (open && !draw.one_in(3)) || draw.one_in(12);
            keys.push(written.then(|| draw.next() as usize % values.len()));
        }
        let rest = (0..REST.len()).filter(|_| draw.one_in(3)).collect();
        let mut world = World { keys, rest };
        world.complete();
        world
    }

    /// Writes what other keys need to be no mistake.
    fn complete(&mut self) {
        let at = |path: &str| KEYS.iter().position(|(known, _)| *known == path).expect("it is in the table");
        let has = |world: &World, table: &str| {
            KEYS.iter().zip(&world.keys).any(|((path, _), value)| path.starts_with(table) && value.is_some())
        };
        if self.rest.contains(&REPLAY) {
            self.keys[at("balancer.log.calls")] = Some(0);
        }
        for (table, key) in
            [("balancer.log.", "balancer.log.calls"), ("stores.db.headroom.", "stores.db.headroom.at_start")]
        {
            if has(self, table) {
                self.keys[at(key)].get_or_insert(0);
            }
        }
        for key in ["fleets.app.health.pool", "fleets.app.calls.get.pool"] {
            if self.keys[at(key)] == Some(1) {
                self.keys[at("fleets.app.pools.side.store")] = Some(0);
            }
        }
        if has(self, "fleets.app.pools.side.") {
            self.keys[at("fleets.app.pools.side.store")] = Some(0);
        }
        if has(self, "fleets.app.calls.put.spool.") {
            self.keys[at("fleets.app.calls.put.writes")] = Some(0);
        }
    }

    fn text(&self) -> String {
        let mut out = String::from(BASE);
        for ((path, values), value) in KEYS.iter().zip(&self.keys) {
            if let Some(value) = value {
                out.push_str(&format!("{path} = {}\n", values[*value]));
            }
        }
        out.push_str(TIMELINE);
        self.rest.iter().for_each(|at| out.push_str(REST[*at]));
        out
    }

    /// With a key written at this value, or not at all.
    fn with(&self, key: usize, value: Option<usize>) -> World {
        let mut world = self.clone();
        world.keys[key] = value;
        world
    }

    fn load(&self) -> Option<Scenario> {
        load_text("drawn.toml", &self.text(), Path::new("."), &[], &[]).ok()
    }

    /// The keys without effect.
    fn silent(&self, scenario: &Scenario) -> Vec<usize> {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        let silent = scenario.warnings.notices().into_iter().filter(|notice| notice.message == NO_EFFECT);
        let key_at = |line: u64| {
            let (path, _) = lines.get(line as usize - 1)?.split_once(" = ")?;
            KEYS.iter().position(|(known, _)| *known == path)
        };
        silent.filter_map(|notice| key_at(notice.line)).collect()
    }
}

/// What a run came to: its digest, and that it came to its end.
fn digest(scenario: &Scenario) -> String {
    let outcome = simulate(scenario, 1, None, &mut |_| {}).expect("the ledger balances");
    format!("{} {}", outcome.digest, outcome.ended)
}

#[test]
fn a_key_said_to_have_no_effect_can_be_changed_or_taken_out() {
    let (mut tried, mut worlds) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..40 {
        let world = World::draw(seed);
        let Some(scenario) = world.load() else { continue };
        worlds += 1;
        let as_it_is = digest(&scenario);
        for key in world.silent(&scenario) {
            let other = (0..KEYS[key].1.len()).map(Some).find(|value| *value != world.keys[key]);
            // Without its last key a table is gone, and with it what the table is there for.
            let table = KEYS[key].0.rsplit_once('.').map_or("", |(table, _)| table);
            let written = KEYS.iter().zip(&world.keys).filter(|(_, value)| value.is_some());
            let goes = written.filter(|((path, _), _)| path.starts_with(table)).count() > 1;
            for value in other.into_iter().chain(goes.then_some(None)) {
                let Some(changed) = world.with(key, value).load() else { continue };
                let shown = value.map_or("taken out".into(), |at| KEYS[key].1[at].to_string());
                assert_eq!(
                    digest(&changed),
                    as_it_is,
                    "world {seed}: `{}` {shown} has an effect:\n{}",
                    KEYS[key].0,
                    world.text()
                );
                tried.insert(KEYS[key].0);
            }
        }
    }
    assert!(worlds >= 25, "only {worlds} of the worlds load");
    assert!(tried.len() >= 60, "only {} keys were ever silent: {tried:?}", tried.len());
}

/// Keys of the table that change no world of it: what they stand in is never used there, or they are those of another
/// row, or name what the timeline replays and could name nothing else.
const NEVER: &[&str] = &[
    "clients.a.offline.share",
    "balancer.log.calls",
    "fleets.app.calls.put.breaker.slow_share",
    "fleets.app.calls.log.limit.algorithm",
    "fleets.app.calls.log.limit.initial",
    "fleets.app.calls.idle.asks",
    "fleets.app.pools.side.store",
    "stores.log.connections",
];

#[test]
fn every_key_has_an_effect_in_some_world() {
    let mut idle = Vec::new();
    for (key, (path, values)) in KEYS.iter().enumerate() {
        let staged = STAGED.iter().any(|(staged, ..)| staged.replace("fleets.f.", "fleets.app.") == *path);
        if staged || NEVER.contains(path) {
            continue;
        }
        let changes = |world: &World| {
            let here = |value: Option<usize>| world.with(key, value).load();
            let mut loaded = (0..values.len()).map(Some).chain([None]).filter_map(here);
            let Some(first) = loaded.next().map(|scenario| digest(&scenario)) else { return false };
            loaded.any(|scenario| digest(&scenario) != first)
        };
        // A table that is not there gives its keys nothing to change.
        let table = path.rsplit_once('.').map_or(*path, |(table, _)| table);
        let has_table =
            |world: &World| KEYS.iter().zip(&world.keys).any(|((path, _), v)| v.is_some() && path.starts_with(table));
        let found = (0..120).map(World::draw).filter(has_table).any(|world| changes(&world));
        if !found {
            idle.push(*path);
        }
    }
    assert!(idle.is_empty(), "these keys changed no world: {idle:#?}");
}

#[test]
fn keys_that_need_much_to_come_together_have_an_effect() {
    let base = "brownout = 1\ntitle = \"staged\"\nspan = \"12s\"\nstep = \"1s\"\nclients.c.sends = \"get\"\n\
                clients.c.rate = \"60/s\"\nfleets.f.calls.get.asks = \"db\"\n";
    for (path, lines, values) in STAGED {
        let run = |value: &str| {
            let text = format!("{base}{path} = {value}\n{lines}");
            let loaded = load_text("staged.toml", &text, Path::new("."), &[], &[]);
            let scenario = loaded.unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"));
            assert!(
                scenario.warnings.notices().iter().all(|n| n.line != 8),
                "{}",
                scenario.warnings.render_warnings(false)
            );
            digest(&scenario)
        };
        assert_ne!(run(values[0]), run(values[1]), "`{path}` has no effect");
    }
}

/// Keys whose effect is not on the calls of a day: what is said, how it is counted and shown, which designs there are.
const BESIDE: &[&str] = &[
    "brownout",
    "title",
    "description",
    "zone",
    "span",
    "window",
    "step",
    "limits",
    "evidence",
    "axes",
    "designs",
    "seeds",
    "as_run",
    "expect",
    "timeline",
];

#[test]
fn the_table_has_every_key_of_the_world() {
    // The limit of a kind of call is the same table as that of the fleet; a distribution is one value.
    let anywhere = |path: &str| {
        let path = path.replace("calls.<name>.limit.", "limit.");
        KEYS.iter().any(|(known, _)| catalogue::names(&path, known))
    };
    const PARTS: &[&str] = &["exponential", "lognormal", "sigma", "pareto", "shape", "uniform"];
    let all = catalogue::keys();
    let is_table = |path: &str| all.iter().any(|key| key.path.starts_with(&format!("{path}.")));
    let missing: Vec<_> = all
        .iter()
        .filter(|key| !BESIDE.contains(&key.path.split('.').next().unwrap_or("")))
        .filter(|key| !PARTS.iter().any(|part| key.path.ends_with(&format!(".{part}"))))
        .filter(|key| key.path.ends_with(".work") || key.path.ends_with(".service") || !is_table(&key.path))
        // What they name or copy is the rest of the table.
        .filter(|key| !["like", "trace", "sends", "serves"].iter().any(|end| key.path.ends_with(&format!(".{end}"))))
        .filter(|key| !key.path.contains(".trace."))
        .map(|key| key.path.as_str())
        // A fleet's own balancer is the same table as that of the clients; steps, caches and ways: `estate.rs`.
        .filter(|path| !path.starts_with("fleets.<name>.balancer.") && !path.ends_with(".then"))
        .filter(|path| {
            ![".then.<n>.", ".cache.", "network.services.", "balancer.place"].iter().any(|part| path.contains(part))
        })
        .filter(|path| !anywhere(path))
        .collect();
    assert!(missing.is_empty(), "give these keys a line in the table, with values to try: {missing:#?}");
}
