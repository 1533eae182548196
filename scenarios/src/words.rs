//! The words of the products that people run, each with the key that it is here, or with the nearest thing.
//!
//! `brownout explain` reads this table, and the guide's is written from it; a test holds every key to the format. A word
//! that several products use (`timeout`, `retries`) stands once for each. What a product does differently from the key
//! that is named is said beside it. Sources: the products' manuals and sources, as cited with the presets.

/// What a word of a product is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// This key.
    Key(&'static str),
    /// Nothing here does what it does; this key is nearest.
    NotModelled(&'static str),
}

/// A word of a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProductWord {
    /// The product.
    pub product: &'static str,
    /// The word, as its configuration spells it.
    pub word: &'static str,
    /// What it is here.
    pub meaning: Meaning,
    /// What it means, and where it differs.
    pub note: &'static str,
}

impl ProductWord {
    /// The key, or the nearest one.
    pub fn key(&self) -> &'static str {
        match self.meaning {
            Meaning::Key(key) | Meaning::NotModelled(key) => key,
        }
    }

    /// Whether a user means this word: case, dashes, underscores and blanks aside, with or without the product's name.
    pub fn is_called(&self, name: &str) -> bool {
        let (name, word) = (plain(name), plain(self.word));
        // Of "server.keepAliveTimeout" people remember the end.
        let end = self.word.rsplit('.').next().filter(|end| end.contains(char::is_uppercase)).map(plain);
        name == word || name == format!("{}{word}", plain(self.product)) || Some(name) == end
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-' | '_' | '.')).flat_map(char::to_lowercase).collect()
}

/// Every word, by product.
pub fn product_words() -> impl Iterator<Item = ProductWord> {
    ALL.iter().flat_map(|(product, words)| {
        words.iter().map(|(word, meaning, note)| ProductWord { product, word, meaning: *meaning, note })
    })
}

/// The guide's table: one row for each word.
pub fn words_table() -> String {
    let mut out = String::from("| product | word | here | |\n|---|---|---|---|\n");
    for word in product_words() {
        let here = match word.meaning {
            Meaning::Key(key) => format!("`{key}`"),
            Meaning::NotModelled(key) => format!("not modelled; nearest: `{key}`"),
        };
        out.push_str(&format!("| {} | `{}` | {here} | {} |\n", word.product, word.word, word.note));
    }
    out
}

use Meaning::{Key as Is, NotModelled as Not};

type Row = (&'static str, Meaning, &'static str);

#[rustfmt::skip] // one row, one word
const ALL: &[(&str, &[Row])] = &[
    ("HAProxy", &[
        ("timeout server", Is("balancer.idle_timeout"), "The longest wait for a server's answer, then 504; HAProxy's clock starts again with each piece of the answer, here it bounds the whole."),
        ("timeout connect", Is("balancer.connect_timeout"), "The longest wait for a connection; also the longest pause before another connect to the same server, if below 1s."),
        ("timeout queue", Is("balancer.queue.timeout"), "The longest wait for a server with room, then 503; by default as `timeout connect`."),
        ("timeout check", Is("balancer.health.timeout"), "How long a connected check may take; unset, `inter` bounds connecting and answering together."),
        ("timeout client", Not("clients.<name>.timeout"), "HAProxy's patience with a silent client; clients here are never slow to send. The nearest is their own patience."),
        ("timeout http-request", Not("clients.<name>.timeout"), "How long a client may take to send its request; requests here arrive whole."),
        ("timeout http-keep-alive", Is("fleets.<name>.keep_alive.idle"), "How long an idle client connection is kept, of a HAProxy that stands in a server's place; client connections are not modelled."),
        ("timeout tunnel", Not("balancer.idle_timeout"), "Inactivity in both directions of a tunnel; there are no tunnels here."),
        ("inter", Is("balancer.health.interval"), "Time between checks, counted from the end of the last one."),
        ("fastinter", Is("balancer.health.fast_interval"), "Interval while a server is going down or coming up."),
        ("downinter", Is("balancer.health.down_interval"), "Interval while a server is fully down."),
        ("rise", Is("balancer.health.rise"), "Passes in a row that bring a server back."),
        ("fall", Is("balancer.health.fall"), "Failures in a row that take a server out."),
        ("spread-checks", Is("balancer.health.jitter"), "Up to 50% added to or taken from each interval."),
        ("option httpchk", Is("fleets.<name>.health"), "What the check asks for; which statuses pass is balancer.health.pass_from and pass_to (2xx and 3xx)."),
        ("http-check expect", Is("balancer.health.pass_to"), "Which statuses pass, as a range from `pass_from` to `pass_to`; bodies are not looked at."),
        ("check", Is("balancer.health.enabled"), "Whether servers are checked at all; for each server line there, for the whole balancer here."),
        ("agent-check", Not("balancer.health"), "An agent beside the server that sets its weight or state; there are no agents and no weights here. What operators do by it, the timeline does (`take-down`, `bring-back`)."),
        ("maxconn", Is("balancer.max_connections"), "Of a server line: most calls that one server has at once; over it calls queue. HAProxy's global and frontend `maxconn` are not modelled."),
        ("minconn", Not("balancer.max_connections"), "A limit that grows with load up to `maxconn`; here the limit is fixed."),
        ("fullconn", Not("balancer.max_connections"), "The load at which `minconn` has grown to `maxconn`."),
        ("maxqueue", Is("balancer.queue.limit"), "Most calls that wait; HAProxy counts them for each server, here it is for the whole fleet."),
        ("retries", Is("balancer.retries"), "Further tries after a failed connect, and after what `retry-on` names; one count for both."),
        ("option redispatch", Is("balancer.redispatch"), "Off unless set, then \"haproxy\" (before 2.7 \"haproxy-before-2.7\"), and its number as redispatch_interval."),
        ("retry-on", Is("balancer.retry_on"), "The words `conn-failure`, `empty-response`, `response-timeout`, `all-retryable-errors`; statuses go into balancer.retry_statuses. `junk-response` and `0rtt-rejected` are not modelled."),
        ("empty-response", Is("balancer.retry_on"), "Of `retry-on`: the connection closed before the answer."),
        ("response-timeout", Is("balancer.retry_on"), "Of `retry-on`: no answer within `timeout server`."),
        ("all-retryable-errors", Is("balancer.retry_on"), "Of `retry-on`: failed connects, closes, timeouts, and 500, 502, 503 and 504."),
        ("observe", Is("balancer.health.observe"), "Errors of calls count as failed checks: `layer7`, or with balancer.health.observe.layer `layer4`, failed connects only."),
        ("error-limit", Is("balancer.health.observe.errors"), "Errors in a row."),
        ("on-error", Is("balancer.health.observe.on_error"), "What so many errors do."),
        ("on-marked-down", Is("balancer.on_marked_down"), "`shutdown-sessions` cuts the calls that a server has when its checks take it out; by default they go on."),
        ("on-marked-up", Not("balancer.health.rise"), "What happens to backup sessions when a server is back; there are no backup servers here."),
        ("slowstart", Is("balancer.health.slow_start"), "A server that is back gets its share only after so long; HAProxy raises the weight in sixteenths: slow_start_rule = \"haproxy\", as its preset has it."),
        ("balance roundrobin", Is("balancer.algorithm"), "\"round-robin\"; weights are not modelled."),
        ("balance leastconn", Is("balancer.algorithm"), "\"least-requests\", with ties = \"longest-unchanged\" as its preset has it."),
        ("balance random", Is("balancer.algorithm"), "\"two-choices\": HAProxy draws two servers and takes the less loaded."),
        ("balance source", Is("balancer.algorithm"), "\"hash\"; how many addresses there are: balancer.hash_keys. When servers change, keys move as under `hash-type consistent`."),
        ("balance uri", Is("balancer.algorithm"), "\"hash\"; how many different requests there are: balancer.hash_keys."),
        ("abortonclose", Is("balancer.abort_on_close"), "Whether a call whose client has left is dropped while it queues or connects; on by default for HTTP since 3.3."),
        ("http-reuse", Is("balancer.connection"), "`never` is \"per-call\"; the other modes are \"kept-alive\", whichever call of a client it is: with balancer.keep_alive a reuse can meet a close."),
        ("pool-max-conn", Is("balancer.keep_alive.at_most"), "Most idle connections: to one server there, to all of a fleet here."),
        ("pool-purge-delay", Is("balancer.keep_alive.purge"), "How often half of the idle connections are closed (5s); those that HAProxy believes to need soon are not spared here."),
        ("backup", Not("balancer.health.fail_open_below"), "A server for when no other is up; there are no backup servers here."),
        ("weight", Not("balancer.algorithm"), "Servers of one fleet are equal here."),
        ("cookie", Not("balancer.algorithm"), "Stickiness; nothing here sticks."),
        ("init-state", Is("balancer.health.initial"), "Whether a server is up before its first check."),
    ]),
    ("nginx", &[
        ("proxy_read_timeout", Is("balancer.idle_timeout"), "nginx bounds the time between two reads, here it is the wait for the whole answer; then the next server for calls that read (balancer.retry_on), in the end 504."),
        ("proxy_send_timeout", Not("balancer.idle_timeout"), "Time between two writes of the request; requests here are sent whole."),
        ("proxy_connect_timeout", Is("balancer.connect_timeout"), "The longest wait for a connection, then the next server."),
        ("proxy_next_upstream", Is("balancer.retry_on"), "The words `error`, `timeout` and `non_idempotent`; statuses such as `http_503` go into balancer.retry_statuses. Each try goes to a server not tried yet: redispatch = \"untried\"."),
        ("non_idempotent", Is("balancer.retry_on"), "Of `proxy_next_upstream`: calls that write go on too after they were sent."),
        ("proxy_next_upstream_tries", Is("balancer.retries"), "One less: nginx counts the first try too. 0 there is \"each-server\" here: each server once."),
        ("proxy_next_upstream_timeout", Is("balancer.retry_within"), "The time in which a call may go on to the next server."),
        ("max_fails", Is("balancer.health.max_fails.fails"), "Failures that take a server out; 0: none does."),
        ("fail_timeout", Is("balancer.health.max_fails.window"), "How long a server stays out, and the pause after which a success clears its failures."),
        ("max_conns", Is("balancer.max_connections"), "Most connections to one server; open source nginx has no queue, and neither has its preset: a call that finds no room gets 502."),
        ("slow_start", Is("balancer.health.slow_start"), "NGINX Plus: the weight grows linearly."),
        ("queue", Is("balancer.queue.limit"), "NGINX Plus: most calls that wait for a server. With `max_fails` or \"untried\", as in its preset, no call waits here."),
        ("keepalive", Is("balancer.keep_alive.at_most"), "Most idle connections to all servers of an upstream, for each worker there (32 from 1.29.7 on, none before)."),
        ("keepalive_timeout", Is("balancer.keep_alive.idle"), "How long an idle connection is kept (60s). Of an nginx that is the server: fleets.<name>.keep_alive.idle (75s)."),
        ("keepalive_requests", Is("balancer.keep_alive.calls"), "Calls after which a connection is closed (1,000)."),
        ("keepalive_time", Is("balancer.keep_alive.life"), "Age at which a connection is closed (1h)."),
        ("backup", Not("balancer.health.fail_open_below"), "A server for when all others are out."),
        ("weight", Not("balancer.algorithm"), "Servers of one fleet are equal here."),
        ("least_conn", Is("balancer.algorithm"), "\"least-requests\", with ties = \"smooth\" as its preset has it."),
        ("random two", Is("balancer.algorithm"), "\"two-choices\"."),
        ("ip_hash", Is("balancer.algorithm"), "\"hash\"; how many addresses there are: balancer.hash_keys."),
        ("hash", Is("balancer.algorithm"), "\"hash\"; how many keys there are: balancer.hash_keys. When servers change, keys move as with `consistent`."),
        ("proxy_ignore_client_abort", Is("balancer.close_on_departure"), "`off`, the default, is true here: the connection to the server is closed when the client leaves. Set abort_on_close too."),
        ("health_check", Is("balancer.health.enabled"), "NGINX Plus: active checks; `interval` 5s, `fails` 1, `passes` 1 there."),
        ("worker_connections", Not("fleets.<name>.backlog"), "nginx's own limit on connections; the balancer's own capacity is not modelled."),
        ("limit_req", Not("fleets.<name>.shedding"), "A bound on the rate of calls; here calls are bounded by number (shedding, limit, at_most) or turned away by the timeline (`shed`)."),
        ("limit_conn", Not("fleets.<name>.shedding.pending"), "A bound on connections at the proxy; here at each server."),
    ]),
    ("Envoy", &[
        ("no_traffic_interval", Is("balancer.health.no_traffic_interval"), "Interval of checks before a cluster has had its first call (60s by default); here calls are taken to have come before the run unless it is set."),
        ("update_merge_window", Is("balancer.health.merge_window"), "How long after a change of the host set a further one waits, so that changes are merged (1s)."),
        ("successful_active_health_check_uneject_host", Is("balancer.health.outlier.ends_by_check"), "Whether a passed check ends an ejection (1.26 and later)."),
        ("interval", Is("balancer.health.interval"), "Of `health_checks`: time between checks. Of `outlier_detection` it is balancer.health.outlier.interval."),
        ("unhealthy_interval", Is("balancer.health.down_interval"), "Interval while a host is marked unhealthy."),
        ("unhealthy_edge_interval", Not("balancer.health.fast_interval"), "The first interval after a host became unhealthy; `fast_interval` holds as long as a server is on its way up or down."),
        ("healthy_edge_interval", Not("balancer.health.fast_interval"), "The first interval after a host became healthy."),
        ("interval_jitter_percent", Is("balancer.health.jitter"), "Envoy only lengthens the interval, here it is lengthened or shortened."),
        ("timeout", Is("balancer.call_timeout"), "Of a route: from the whole request to the whole answer, over all tries and pauses, then 504 (15s). Of `health_checks` it is balancer.health.timeout."),
        ("healthy_threshold", Is("balancer.health.rise"), "Passes that bring a host back; the first pass ever is enough (first_pass)."),
        ("unhealthy_threshold", Is("balancer.health.fall"), "Missing answers that take a host out; an unexpected status does so at once (status_ejects)."),
        ("healthy_panic_threshold", Is("balancer.health.fail_open_below"), "As a share: with fewer healthy hosts all get calls; 50% by default, 0% never."),
        ("outlier_detection", Is("balancer.health.outlier"), "Passive ejection; off unless configured."),
        ("consecutive_5xx", Is("balancer.health.outlier.consecutive_errors"), "Errors in a row that eject a host at once; failed connects and timeouts count too."),
        ("consecutive_gateway_failure", Is("balancer.health.outlier.gateway_errors"), "502, 503 and 504, failed connects and timeouts in a row; off unless `enforcing_consecutive_gateway_failure` is set."),
        ("consecutive_local_origin_failure", Not("balancer.health.outlier.consecutive_errors"), "Failed connects and timeouts alone; here one counter stands for all errors."),
        ("base_ejection_time", Is("balancer.health.outlier.base_ejection"), "How long a first ejection lasts; later ones are multiples."),
        ("max_ejection_time", Is("balancer.health.outlier.max_ejection"), "The longest ejection."),
        ("max_ejection_percent", Is("balancer.health.outlier.max_share"), "The largest share of hosts that may be out; 10% lets none of nine hosts go, unless always_eject_one_host."),
        ("always_eject_one_host", Is("balancer.health.outlier.at_least_one"), "Whether one host may be out whatever the share."),
        ("success_rate_minimum_hosts", Is("balancer.health.outlier.success_rate_hosts"), "Fewest hosts with enough calls for rates to be compared."),
        ("success_rate_request_volume", Is("balancer.health.outlier.success_rate_calls"), "Calls in an interval that make a host's rate count."),
        ("success_rate_stdev_factor", Is("balancer.health.outlier.success_rate_factor"), "In thousandths there: 1900 is 1.9 here."),
        ("enforcing_success_rate", Is("balancer.health.outlier.success_rate"), "0 or 100 percent: false or true."),
        ("enforcing_consecutive_5xx", Not("balancer.health.outlier.consecutive_errors"), "A chance that an ejection is carried out; here it always is, or never (0 errors)."),
        ("failure_percentage_threshold", Not("balancer.health.outlier.success_rate"), "Ejection by a fixed share of failures."),
        ("circuit_breakers", Is("balancer.fleet_limits"), "Limits of the whole cluster; a call over one gets 503 at once. `max_retries` is balancer.retries_at_once."),
        ("max_connections", Is("balancer.fleet_limits.connections"), "Of the whole cluster (1,024); connections that are in use. Of `per_host_thresholds` it is balancer.max_connections."),
        ("max_pending_requests", Is("balancer.fleet_limits.pending"), "Calls of the whole cluster that wait for a connection, one that is being opened included (1,024)."),
        ("max_requests", Is("balancer.fleet_limits.requests"), "Calls of the whole cluster that have a connection (1,024)."),
        ("per_host_thresholds", Is("balancer.max_connections"), "Connections to one host; over it a call waits for one of that host's, if `fleet_limits` are there too."),
        ("common_http_protocol_options.idle_timeout", Is("balancer.keep_alive.idle"), "How long an idle connection to a host is kept (1h)."),
        ("max_requests_per_connection", Is("balancer.keep_alive.calls"), "Calls after which a connection is closed; none by default."),
        ("max_retries", Is("balancer.retries_at_once"), "Retries at once of the whole cluster (3), back-off included; one more failure is passed on."),
        ("retry_budget", Is("balancer.retry_budget"), "`budget_percent` (20%) is share, `min_retry_concurrency` (3) is at_least; it takes the place of `max_retries`."),
        ("budget_percent", Is("balancer.retry_budget.share"), "Of the calls that are under way or pending, 20%."),
        ("min_retry_concurrency", Is("balancer.retry_budget.at_least"), "Retries at once that are always allowed, 3."),
        ("num_retries", Is("balancer.retries"), "Further tries; 1 if `retry_on` is set, none without it."),
        ("retry_on", Is("balancer.retry_on"), "The same words: `5xx`, `gateway-error`, `reset`, `connect-failure`, `retriable-4xx`; `retriable-status-codes` is balancer.retry_statuses. `refused-stream` is of HTTP/2 and not modelled."),
        ("per_try_timeout", Is("balancer.idle_timeout"), "The wait for an answer in one try; then the next, if `retry_on` names it (`5xx`, `gateway-error`, `reset`)."),
        ("per_try_idle_timeout", Not("balancer.idle_timeout"), "A bound on silence within one try."),
        ("retry_back_off", Is("balancer.retry_pause"), "`base_interval` is base (25ms), `max_interval` is most (250ms); full jitter."),
        ("previous_hosts", Is("balancer.redraws"), "A host that was tried is drawn anew so often (`host_selection_retry_max_attempts`), then taken all the same; redispatch = \"afresh\"."),
        ("connect_timeout", Is("balancer.connect_timeout"), "The longest wait for a connection (5s by default)."),
        ("slow_start_window", Is("balancer.health.slow_start"), "A host that is new or back gets its share only after so long; `aggression` is not modelled: linear."),
        ("lb_policy", Is("balancer.algorithm"), "ROUND_ROBIN, LEAST_REQUEST (\"two-choices\" with choice_count 2), RANDOM, RING_HASH and MAGLEV (\"hash\")."),
        ("hash_policy", Is("balancer.hash_keys"), "What of a call is its key, for RING_HASH and MAGLEV: here how many different ones there are."),
        ("choice_count", Is("balancer.algorithm"), "2: \"two-choices\"."),
        ("adaptive_concurrency", Not("fleets.<name>.limit"), "A limit learnt from latency at the proxy; here at the process, by Netflix's algorithms."),
    ]),
    ("Istio", &[
        ("consecutive5xxErrors", Is("balancer.health.outlier.consecutive_errors"), "Errors in a row that eject a host (5)."),
        ("consecutiveGatewayErrors", Is("balancer.health.outlier.gateway_errors"), "502, 503 and 504, failed connects and timeouts in a row; off by default. To eject by them alone, consecutive_errors = 0."),
        ("interval", Is("balancer.health.outlier.interval"), "Of `outlierDetection`: time between sweeps (10s)."),
        ("baseEjectionTime", Is("balancer.health.outlier.base_ejection"), "How long a first ejection lasts (30s)."),
        ("maxEjectionPercent", Is("balancer.health.outlier.max_share"), "The largest share of hosts that may be out (10%)."),
        ("minHealthPercent", Is("balancer.health.fail_open_below"), "Envoy's panic threshold; 0 by default: never."),
        ("maxConnections", Is("balancer.fleet_limits.connections"), "Of the whole cluster; no limit by default."),
        ("http1MaxPendingRequests", Is("balancer.fleet_limits.pending"), "Calls of the whole cluster that wait for a connection; no limit by default."),
        ("http2MaxRequests", Is("balancer.fleet_limits.requests"), "Calls at once of the whole cluster, for HTTP/1.1 too; no limit by default."),
        ("maxRetries", Is("balancer.retries_at_once"), "Retries at once of the whole cluster; Istio sets no bound (\"none\" here)."),
        ("maxRequestsPerConnection", Not("balancer.connection"), "Calls after which a connection is closed."),
        ("idleTimeout", Not("balancer.connection"), "How long an idle connection is kept (1h)."),
        ("attempts", Is("balancer.retries"), "Of a VirtualService: further tries (2 by default)."),
        ("perTryTimeout", Is("balancer.idle_timeout"), "The wait for an answer in one try, then the next."),
        ("retryOn", Is("balancer.retry_on"), "By default failed connects, refused streams and gRPC statuses: \"connect-failure\" here; 503 up to 1.23 (balancer.retry_statuses)."),
        ("connectTimeout", Is("balancer.connect_timeout"), "The longest wait for a connection (10s)."),
        ("timeout", Is("balancer.call_timeout"), "Of a route: off by default (\"none\" here)."),
        ("simple", Is("balancer.algorithm"), "Of `loadBalancer`: LEAST_REQUEST by default, which is \"two-choices\"."),
    ]),
    ("Kubernetes", &[
        ("failureThreshold", Is("balancer.health.fall"), "Of a readiness probe: failures in a row (3). A kubelet probes from the pod's own node; here the balancer checks. Liveness and startup probes are not modelled."),
        ("successThreshold", Is("balancer.health.rise"), "Passes in a row (1)."),
        ("periodSeconds", Is("balancer.health.interval"), "Time between probes (10s)."),
        ("timeoutSeconds", Is("balancer.health.timeout"), "How long a probe may take (1s)."),
        ("initialDelaySeconds", Not("fleets.<name>.restart.boot"), "A pause before the first probe of a container; here checks go on, and a process that boots fails them."),
        ("readinessProbe", Is("balancer.health"), "Preset `kubernetes-numbers` has its numbers; that a kubelet probes beside the pod, that endpoints lag and that a dead node's pods stay is not modelled."),
        ("livenessProbe", Not("fleets.<name>.restart"), "Restarting a container that fails its probe; here only processes that die are started again."),
        ("startupProbe", Not("fleets.<name>.restart.boot"), "Holds the other probes back until a container has started."),
        ("terminationGracePeriodSeconds", Not("timeline.<n>.drain"), "From SIGTERM to SIGKILL; in a `rolling-deploy` `drain` is the time from leaving rotation to the stop."),
        ("preStop", Is("timeline.<n>.drain"), "Of a `rolling-deploy`: time to leave rotation before the process stops. Here leaving comes first for certain; there both race."),
        ("maxUnavailable", Is("timeline.<n>.batch"), "Of a `rolling-deploy`: servers replaced at the same time."),
        ("maxSurge", Not("timeline.<n>.batch"), "Pods beyond the wished number during a rollout; here a fleet never has more servers than `count`."),
        ("minReadySeconds", Is("timeline.<n>.pause"), "Of a `rolling-deploy`: from letting a batch back to the next."),
        ("restartPolicy", Not("fleets.<name>.restart.delay"), "Here a process that dies is always started again."),
        ("CrashLoopBackOff", Not("fleets.<name>.restart.delay"), "A pause that doubles from 10s to 300s; here it is always the same."),
        ("replicas", Is("fleets.<name>.count"), "How many servers."),
        ("PodDisruptionBudget", Not("timeline.<n>.batch"), "Binds evictions by API only; here the timeline says what is taken down."),
        ("HorizontalPodAutoscaler", Not("fleets.<name>.count"), "Fleets do not grow or shrink here."),
        ("memory limit", Is("fleets.<name>.heap_limit"), "The process dies when it holds more: an event loop's pending calls, spools in memory and a `memory-leak` count, other memory is not modelled."),
        ("cpu limit", Not("fleets.<name>.workers"), "Throttling is not modelled; a `gray-failure` makes computing slower."),
    ]),
    ("AWS ALB", &[
        ("HealthyThresholdCount", Is("balancer.health.rise"), "Passes in a row that bring a target back (5); the first pass after registration is enough."),
        ("UnhealthyThresholdCount", Is("balancer.health.fall"), "Failures in a row that take a target out (2)."),
        ("HealthCheckIntervalSeconds", Is("balancer.health.interval"), "Time between checks (30s), from start to start; every node of the balancer checks for itself, which `check-storm` stands for."),
        ("HealthCheckTimeoutSeconds", Is("balancer.health.timeout"), "How long a check may take (5s)."),
        ("Matcher", Is("balancer.health.pass_to"), "Which statuses pass: a range from `pass_from` to `pass_to` (200)."),
        ("deregistration_delay", Is("timeline.<n>.drain"), "Of a `rolling-deploy`: how long a target that leaves may finish what it has (300s)."),
        ("slow_start.duration_seconds", Is("balancer.health.slow_start"), "A target that is new or back gets its share only after so long."),
        ("idle_timeout.timeout_seconds", Is("balancer.idle_timeout"), "The wait for an answer, then 504 (60s); for so long it keeps an idle connection, too: balancer.keep_alive.idle."),
        ("load_balancing.algorithm.type", Is("balancer.algorithm"), "`round_robin` or `least_outstanding_requests`; anomaly mitigation is not modelled."),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", Is("balancer.health.fail_open_below"), "With fewer healthy targets all get calls (1); zones are not modelled."),
        ("stickiness.enabled", Not("balancer.algorithm"), "Nothing here sticks."),
        ("cross_zone.enabled", Not("balancer.algorithm"), "There are no zones here."),
    ]),
    ("AWS Classic ELB", &[
        ("HealthyThreshold", Is("balancer.health.rise"), "Passes in a row that bring an instance back (10)."),
        ("UnhealthyThreshold", Is("balancer.health.fall"), "Failures in a row that take an instance out (2)."),
        ("Interval", Is("balancer.health.interval"), "Time between checks (30s)."),
        ("Timeout", Is("balancer.health.timeout"), "How long a check may take (5s)."),
        ("IdleTimeout", Is("balancer.idle_timeout"), "The wait for an answer, then 504 (60s)."),
        ("ConnectionDraining", Is("timeline.<n>.drain"), "Of a `rolling-deploy`: how long an instance that leaves may finish what it has."),
        ("SurgeQueueLength", Is("balancer.queue.limit"), "Calls that wait for an instance; one more than 1,024 is SpilloverCount, a 503."),
    ]),
    ("gunicorn", &[
        ("workers", Is("fleets.<name>.workers"), "Times `threads`: how many calls one server works on at once."),
        ("threads", Is("fleets.<name>.workers"), "Times `workers`."),
        ("worker_connections", Not("fleets.<name>.limit"), "Calls at once of an asynchronous worker; `concurrency` = \"event-loop\" has no such bound of its own."),
        ("timeout", Not("fleets.<name>.restart"), "A worker that is silent for so long is killed and started anew (30s); workers are not watched here."),
        ("graceful_timeout", Not("timeline.<n>.drain"), "How long workers may finish after a stop; in a `rolling-deploy` what is not done by the end of `drain` is lost."),
        ("backlog", Is("fleets.<name>.backlog"), "Listen backlog (2048), cut down to net.core.somaxconn."),
        ("keepalive", Is("fleets.<name>.keep_alive.idle"), "How long an idle connection is kept (2s); the `sync` worker always closes: balancer.connection = \"per-call\"."),
        ("max_requests", Not("fleets.<name>.restart"), "Calls after which a worker is started anew."),
        ("worker_class", Is("fleets.<name>.concurrency"), "`sync` and `gthread` are \"workers\", the asynchronous ones \"event-loop\"."),
    ]),
    ("Linux", &[
        ("net.core.somaxconn", Is("fleets.<name>.backlog"), "The most that a listen backlog may be (4096 since 5.4, 128 before)."),
        ("tcp_syn_retries", Not("balancer.connect_timeout"), "How often a connect that is not answered is sent again (6); here it is, after 1, 3, 7 ... seconds, until the side that connects gives up."),
    ]),
    ("Node.js", &[
        ("server.maxConnections", Not("fleets.<name>.shedding.pending"), "Beyond it connections are dropped; `pending` answers 503 at once."),
        ("server.keepAliveTimeout", Is("fleets.<name>.keep_alive.idle"), "How long an idle connection is kept: 5s and, since the middle of 2025, a second more."),
        ("server.headersTimeout", Not("clients.<name>.timeout"), "How long a client may take to send its headers; requests here arrive whole."),
        ("server.requestTimeout", Not("clients.<name>.timeout"), "How long a client may take to send its request; requests here arrive whole."),
        ("max-old-space-size", Is("fleets.<name>.heap_limit"), "Memory at which the process dies; garbage-collection pauses are not modelled."),
        ("cluster", Is("fleets.<name>.cores"), "One core for each process of an event loop."),
        ("uncaughtException", Is("fleets.<name>.calls.<name>.on_error"), "An error that is not handled ends the process: \"crash\"."),
    ]),
    ("PgBouncer", &[
        ("default_pool_size", Is("fleets.<name>.pools.<name>.size"), "Most connections to the database (20 for each user and database there, for each server here). A pooler of its own is not modelled."),
        ("max_client_conn", Not("fleets.<name>.pools.<name>.queue"), "Most clients of the pooler (100); here the number that may wait for a connection is bounded."),
        ("query_wait_timeout", Is("fleets.<name>.pools.<name>.wait"), "The longest wait for a connection (120s)."),
        ("query_timeout", Is("fleets.<name>.calls.<name>.query_timeout"), "A bound on the query alone."),
        ("server_connect_timeout", Is("fleets.<name>.calls.<name>.connect_timeout"), "A bound on connecting (15s)."),
        ("server_login_retry", Not("fleets.<name>.calls.<name>.retry_every"), "After a failed login no connect for 15s; here the next call connects at once."),
        ("reserve_pool_size", Not("fleets.<name>.pools.<name>.size"), "Connections on top for those who have waited long."),
        ("server_idle_timeout", Not("fleets.<name>.pools.<name>.size"), "Idle connections are closed after 600s; pools here keep what they have opened."),
        ("server_lifetime", Not("fleets.<name>.pools.<name>.size"), "Age at which a connection is closed (3600s)."),
        ("pool_mode", Not("fleets.<name>.pools.<name>.size"), "`session` or `transaction`; here a connection is held for one query."),
    ]),
    ("HikariCP", &[
        ("maximumPoolSize", Is("fleets.<name>.pools.<name>.size"), "Most connections (10)."),
        ("minimumIdle", Not("fleets.<name>.pools.<name>.size"), "Connections kept open; pools here open one when it is needed."),
        ("connectionTimeout", Is("fleets.<name>.pools.<name>.wait"), "The longest wait for a connection (30s), then an exception; there it bounds connecting as well, here that has its `connect_timeout`."),
        ("validationTimeout", Not("fleets.<name>.calls.<name>.connect_timeout"), "How long a test of an idle connection may take (5s); connections here are not tested."),
        ("idleTimeout", Not("fleets.<name>.pools.<name>.size"), "Idle connections are closed after 10min."),
        ("maxLifetime", Not("fleets.<name>.pools.<name>.size"), "Age at which a connection is closed (30min)."),
        ("leakDetectionThreshold", Not("timeline.<n>.every"), "A remark about connections held too long; a `worker-leak` is the fault."),
    ]),
    ("node-postgres", &[
        ("max", Is("fleets.<name>.pools.<name>.size"), "Most connections of a pool (10)."),
        ("connectionTimeoutMillis", Is("fleets.<name>.pools.<name>.wait"), "The longest wait for a connection; 0, as it comes: none. There it bounds connecting as well."),
        ("idleTimeoutMillis", Not("fleets.<name>.pools.<name>.size"), "Idle connections are closed after 10s; pools here keep what they have opened."),
        ("query_timeout", Is("fleets.<name>.calls.<name>.query_timeout"), "A bound on the query alone; none by default."),
    ]),
    ("Go database/sql", &[
        ("SetMaxOpenConns", Is("fleets.<name>.pools.<name>.size"), "Most connections of a pool; without it there is no bound, and here a pool has one: write a large one."),
        ("SetMaxIdleConns", Not("fleets.<name>.pools.<name>.size"), "Idle connections beyond these (2) are closed; pools here keep what they have opened."),
        ("SetConnMaxLifetime", Not("fleets.<name>.pools.<name>.size"), "Age at which a connection is closed; none by default."),
        ("SetConnMaxIdleTime", Not("fleets.<name>.pools.<name>.size"), "How long a connection may lie idle; no limit by default."),
    ]),
    ("PostgreSQL", &[
        ("max_connections", Is("stores.<name>.connections"), "One more is refused (100)."),
        ("statement_timeout", Is("fleets.<name>.calls.<name>.query_timeout"), "A bound on the query; there the database ends it, here the client gives it up and the store goes on with it."),
        ("connect_timeout", Is("fleets.<name>.calls.<name>.connect_timeout"), "libpq: a bound on connecting; none by default."),
        ("lock_timeout", Not("fleets.<name>.calls.<name>.query_timeout"), "Locks are not modelled."),
        ("idle_in_transaction_session_timeout", Not("fleets.<name>.pools.<name>.size"), "Transactions are not modelled: a connection is held for one query."),
        ("autovacuum_freeze_max_age", Is("stores.<name>.headroom.alert"), "The age of transaction ids at which something must be done; a headroom stands for what is left of them."),
        ("synchronous_commit", Not("stores.<name>.spare.lag"), "A write here counts once the spare has it, one lag later."),
    ]),
    ("resilience4j", &[
        ("slidingWindowType", Is("fleets.<name>.calls.<name>.breaker.window"), "COUNT_BASED or TIME_BASED."),
        ("slidingWindowSize", Is("fleets.<name>.calls.<name>.breaker.calls"), "Results in the window (100); of a time-based window, breaker.lasts."),
        ("minimumNumberOfCalls", Is("fleets.<name>.calls.<name>.breaker.minimum"), "Fewest results for a verdict (100)."),
        ("failureRateThreshold", Is("fleets.<name>.calls.<name>.breaker.failure_share"), "Share of failed calls that opens it (50%)."),
        ("slowCallRateThreshold", Is("fleets.<name>.calls.<name>.breaker.slow_share"), "Share of slow calls that opens it (100%)."),
        ("slowCallDurationThreshold", Is("fleets.<name>.calls.<name>.breaker.slow_after"), "A call that takes longer is slow (60s)."),
        ("waitDurationInOpenState", Is("fleets.<name>.calls.<name>.breaker.open_for"), "How long it stays open (60s)."),
        ("permittedNumberOfCallsInHalfOpenState", Is("fleets.<name>.calls.<name>.breaker.half_open_calls"), "Trials while it is half-open (10)."),
        ("automaticTransitionFromOpenToHalfOpenEnabled", Not("fleets.<name>.calls.<name>.breaker.open_for"), "Here the next call after `open_for` makes it half-open."),
        ("maxConcurrentCalls", Is("fleets.<name>.calls.<name>.at_most"), "Of a bulkhead: calls at once (25)."),
        ("maxWaitDuration", Is("fleets.<name>.calls.<name>.wait"), "Of a bulkhead: the longest wait (0); give `queue` too."),
        ("maxAttempts", Is("fleets.<name>.calls.<name>.retry_at_most"), "Of a retry: one less, as it counts the first try too (3)."),
        ("waitDuration", Is("fleets.<name>.calls.<name>.retry_every"), "Of a retry: the pause (500ms)."),
        ("limitForPeriod", Not("fleets.<name>.limit"), "A rate limiter: calls in a period; here calls are limited by number."),
    ]),
    ("Hystrix", &[
        ("circuitBreaker.requestVolumeThreshold", Is("fleets.<name>.calls.<name>.breaker.minimum"), "Fewest calls for a verdict (20)."),
        ("circuitBreaker.errorThresholdPercentage", Is("fleets.<name>.calls.<name>.breaker.failure_share"), "Share of failed calls that opens it (50%)."),
        ("circuitBreaker.sleepWindowInMilliseconds", Is("fleets.<name>.calls.<name>.breaker.open_for"), "How long it stays open (5s)."),
        ("metrics.rollingStats.timeInMilliseconds", Is("fleets.<name>.calls.<name>.breaker.lasts"), "Length of the window (10s)."),
        ("execution.isolation.thread.timeoutInMilliseconds", Is("fleets.<name>.calls.<name>.timeout"), "The deadline of a command (1s)."),
        ("execution.isolation.semaphore.maxConcurrentRequests", Is("fleets.<name>.calls.<name>.at_most"), "Calls at once (10)."),
        ("coreSize", Is("fleets.<name>.calls.<name>.at_most"), "Threads of a command's pool (10): its bulkhead."),
        ("maxQueueSize", Is("fleets.<name>.calls.<name>.queue"), "Calls that wait for a thread (-1: none)."),
    ]),
    ("AWS SDK", &[
        ("max_attempts", Is("clients.<name>.retry.retries"), "One less, as it counts the first attempt too (3 in `standard` mode)."),
        ("retry_mode", Is("clients.<name>.retry.budget"), "`standard` has the bucket of 500 tokens; `adaptive` adds a send rate, which is not modelled."),
        ("initial_retry_tokens", Is("clients.<name>.retry.budget.capacity"), "500."),
        ("retry_cost", Is("clients.<name>.retry.budget.cost"), "5."),
        ("timeout_cost", Is("clients.<name>.retry.budget.timeout_cost"), "10."),
        ("max_backoff", Is("clients.<name>.retry.max_delay"), "20s; the pause is random up to the whole: jitter = \"100%\"."),
        ("read_timeout", Is("clients.<name>.timeout"), "60s between two reads; here the patience with one attempt as a whole."),
        ("max_pool_connections", Not("clients.<name>.connection"), "Connections of a client (10); clients here are never short of one."),
    ]),
    ("gRPC", &[
        ("maxAttempts", Is("clients.<name>.retry.retries"), "One less, as it counts the first attempt too; at most 5."),
        ("initialBackoff", Is("clients.<name>.retry.delay"), "The first pause; gRPC varies it by 20%."),
        ("maxBackoff", Is("clients.<name>.retry.max_delay"), "The longest pause."),
        ("backoffMultiplier", Is("clients.<name>.retry.backoff"), "2 is \"exponential\", 1 \"fixed\"."),
        ("retryThrottling", Is("clients.<name>.retry.budget"), "There each failure takes a token, here each retry; a success gives back a part. gRPC stops at half of the tokens: capacity = maxTokens / 2."),
        ("maxTokens", Is("clients.<name>.retry.budget.capacity"), "Half of it: gRPC stops retrying at half of the tokens."),
        ("tokenRatio", Is("clients.<name>.retry.budget.refund"), "What a success gives back, with a cost of 1."),
        ("deadline", Not("clients.<name>.timeout"), "Over all attempts; here the patience is with one attempt."),
        ("hedgingPolicy", Not("clients.<name>.retry"), "Hedged calls are not modelled."),
        ("waitForReady", Not("balancer.queue"), "Calls that wait until there is a connection."),
        ("pick_first", Not("balancer.algorithm"), "Balancing for each connection; here for each call."),
    ]),
    ("systemd", &[
        ("RestartSec", Is("fleets.<name>.restart.delay"), "Pause before a process is started again (100ms)."),
        ("StartLimitBurst", Not("fleets.<name>.restart.delay"), "Starts after which the supervisor gives up; here it never does."),
    ]),
    ("memcached", &[
        ("exptime", Is("stores.<name>.cache.ttl"), "How long an entry lives from when it was set; a hit does not prolong it."),
        ("flush_all", Not("stores.<name>.cache"), "It is the fault `flush` of the timeline."),
        ("memory-limit", Is("stores.<name>.cache.capacity"), "There in megabytes, here in entries; the least recently used goes first, slabs are not modelled."),
    ]),
    ("Redis", &[
        ("maxmemory", Is("stores.<name>.cache.capacity"), "There in bytes, here in entries; the policy is allkeys-lru, exact where Redis samples."),
        ("EXPIRE", Is("stores.<name>.cache.ttl"), "Set with the entry; here from the fill."),
    ]),
    ("Go", &[
        ("singleflight.Group", Is("stores.<name>.cache.single_flight"), "One query of a process for all calls that miss the same key; here around query and set."),
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_word_leads_to_a_key_of_the_format_and_says_something() {
        let keys = catalogue::keys();
        for word in product_words() {
            assert!(
                keys.iter().any(|key| key.path == word.key()),
                "{} `{}`: no key {}",
                word.product,
                word.word,
                word.key()
            );
            assert!(!word.note.is_empty() && word.note.ends_with('.'), "{} `{}` says nothing", word.product, word.word);
        }
        assert!(product_words().count() >= 120, "{} words", product_words().count());
    }

    #[test]
    fn no_product_has_a_word_twice() {
        let all: Vec<_> = product_words().collect();
        for (at, word) in all.iter().enumerate() {
            let twice = all[..at].iter().any(|w| w.product == word.product && plain(w.word) == plain(word.word));
            assert!(!twice, "{} `{}` stands twice", word.product, word.word);
        }
    }

    #[test]
    fn a_word_is_found_however_it_is_spelt_and_once_for_each_product_that_has_it() {
        let of = |name: &str| product_words().filter(|w| w.is_called(name)).map(|w| w.product).collect::<Vec<_>>();
        assert_eq!(of("timeout server"), ["HAProxy"]);
        assert_eq!(of("Timeout-Server"), ["HAProxy"]);
        assert_eq!(of("haproxy timeout server"), ["HAProxy"]);
        assert_eq!(of("failure_threshold"), ["Kubernetes"]);
        assert!(of("timeout").len() >= 4, "{:?}", of("timeout"));
        assert_eq!(of("server.keepAliveTimeout"), ["Node.js"]);
        assert_eq!(of("keepAliveTimeout"), ["nginx", "Node.js"]);
        assert!(of("timeout serve").is_empty());
    }
}
