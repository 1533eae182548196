//! Keys whose effect needs much to come together: a world for each, and two values between which the day differs.

/// Keys whose effect needs more to come together than draws bring about: a world of one kind of call, and two values.
pub const STAGED: &[(&str, &str, [&str; 2])] = &[
    ("balancer.queue.limit", "balancer.max_connections = 1\nstores.db.service = \"1s\"", ["\"none\"", "0"]),
    ("balancer.queue.timeout", "balancer.max_connections = 1\nstores.db.service = \"1s\"", ["\"none\"", "\"100ms\""]),
    (
        "balancer.redispatch_interval",
        "balancer.redispatch = \"haproxy-before-2.7\"\nbalancer.algorithm = \"least-requests\"\nbalancer.health.enabled = false\n\
         fleets.f.count = 3\nfleets.f.restart.delay = \"5s\"\nstores.db.service = \"2ms\"\n\
         [[timeline]]\nat = \"2s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = 1\n",
        ["-1", "1"],
    ),
    (
        "balancer.health.outlier.counts_before",
        "balancer.health.outlier.consecutive_errors = 2\nbalancer.health.outlier.max_share = \"50%\"\nfleets.f.count = 3\n\
         stores.db.service = \"2ms\"\n[[timeline]]\nat = \"2s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"3s\"\n",
        ["false", "true"],
    ),
    (
        "balancer.health.outlier.gateway_errors",
        "balancer.health.outlier.consecutive_errors = 0\nbalancer.health.outlier.max_share = \"50%\"\nfleets.f.count = 3\n\
         balancer.idle_timeout = \"200ms\"\nstores.db.service = \"2ms\"\n\
         [[timeline]]\nat = \"2s\"\ndo = \"pause\"\nfleet = \"f\"\nservers = 1\n",
        ["0", "2"],
    ),
    (
        "balancer.health.outlier.success_rate_hosts",
        "balancer.health.outlier.consecutive_errors = 0\nbalancer.health.outlier.interval = \"500ms\"\nfleets.f.count = 4\n\
         balancer.health.outlier.max_share = \"50%\"\nbalancer.health.outlier.success_rate_calls = 1\n\
         balancer.health.outlier.success_rate_factor = 0.5\nbalancer.idle_timeout = \"200ms\"\n\
         stores.db.service = \"2ms\"\n[[timeline]]\nat = \"2s\"\ndo = \"pause\"\nfleet = \"f\"\nservers = 1\n",
        ["9", "2"],
    ),
    (
        "balancer.health.outlier.success_rate_calls",
        "balancer.health.outlier.consecutive_errors = 0\nbalancer.health.outlier.interval = \"500ms\"\nfleets.f.count = 4\n\
         balancer.health.outlier.max_share = \"50%\"\nbalancer.health.outlier.success_rate_hosts = 2\n\
         balancer.health.outlier.success_rate_factor = 0.5\nbalancer.idle_timeout = \"200ms\"\n\
         stores.db.service = \"2ms\"\n[[timeline]]\nat = \"2s\"\ndo = \"pause\"\nfleet = \"f\"\nservers = 1\n",
        ["100000", "1"],
    ),
    (
        "balancer.retry_budget.share",
        "balancer.retries = 3\nbalancer.redispatch = \"afresh\"\nbalancer.retry_on = [\"5xx\"]\nbalancer.retry_pause = {}\n\
         balancer.retry_budget.at_least = 0\nfleets.f.count = 3\nstores.db.service = \"100ms\"\n\
         [[timeline]]\nat = \"2s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"3s\"\n",
        ["\"20%\"", "\"100%\""],
    ),
    (
        "balancer.retry_budget.at_least",
        "balancer.retries = 3\nbalancer.redispatch = \"afresh\"\nbalancer.retry_on = [\"5xx\"]\nbalancer.retry_pause = {}\n\
         fleets.f.count = 3\nstores.db.service = \"10ms\"\n\
         [[timeline]]\nat = \"2s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"3s\"\n",
        ["3", "0"],
    ),
    ("balancer.fleet_limits.connections", "fleets.f.count = 3\nstores.db.service = \"100ms\"\n", ["1024", "2"]),
    (
        "balancer.fleet_limits.pending",
        "balancer.connection = \"per-call\"\nbalancer.fleet_limits.connections = 2\nstores.db.service = \"100ms\"\n",
        ["1024", "0"],
    ),
    ("balancer.fleet_limits.requests", "fleets.f.count = 3\nstores.db.service = \"100ms\"\n", ["1024", "2"]),
    (
        "balancer.on_marked_down",
        "balancer.health.interval = \"500ms\"\nbalancer.health.fall = 1\nfleets.f.count = 3\nfleets.f.health = \"shallow\"\n\
         stores.db.service = \"2ms\"\n[[timeline]]\nat = \"2s\"\ndo = \"pause\"\nfleet = \"f\"\nservers = 1\n",
        ["\"keep\"", "\"shutdown-sessions\""],
    ),
    (
        "balancer.health.merge_window",
        "balancer.health.outlier.consecutive_errors = 1\nbalancer.health.outlier.max_share = \"100%\"\nfleets.f.count = 4\n\
         stores.db.service = \"2ms\"\n[[timeline]]\nat = \"2s\"\ndo = \"bad-answers\"\nfleet = \"f\"\nservers = 2\n",
        ["\"none\"", "\"2s\""],
    ),
    (
        "balancer.health.no_traffic_interval",
        "clients.c.profile = [[\"0s\", 0.0], [\"7s\", 0.0], [\"8s\", 1.0]]\nfleets.f.count = 3\nstores.db.service = \"2ms\"\n\
         balancer.retries = 0\nfleets.f.restart.delay = \"1h\"\n\
         [[timeline]]\nat = \"1s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = 1\n",
        ["\"none\"", "\"1h\""],
    ),
    (
        "balancer.health.outlier.ends_by_check",
        "balancer.health.outlier.consecutive_errors = 2\nbalancer.health.outlier.max_share = \"50%\"\nfleets.f.count = 4\n\
         fleets.f.health = \"shallow\"\nstores.db.service = \"2ms\"\nfleets.f.bad = {}\n",
        ["true", "false"],
    ),
    (
        "balancer.health.observe.layer",
        "balancer.health.observe.errors = 2\nfleets.f.count = 4\nfleets.f.health = \"shallow\"\nstores.db.service = \"2ms\"\n\
         balancer.health.observe.on_error = \"mark-down\"\nfleets.f.bad = {}\n",
        ["\"layer7\"", "\"layer4\""],
    ),
    (
        "fleets.f.memory_per_call",
        "fleets.f.concurrency = \"event-loop\"\nfleets.f.heap_limit = \"8MB\"\nstores.db.service = \"100ms\"",
        ["\"50kB\"", "\"3MB\""],
    ),
    (
        "fleets.f.health.timeout",
        "fleets.f.health.kind = \"deep\"\nbalancer.health.interval = \"3s\"\nbalancer.health.timeout = \"2s\"\n\
         stores.db.service = \"300ms\"\nfleets.f.pools.db.size = 1000\nfleets.f.workers = 1000",
        ["\"1s\"", "\"100ms\""],
    ),
    (
        "fleets.f.limit.backoff",
        "fleets.f.limit.algorithm = \"aimd\"\nfleets.f.limit.initial = 8\nfleets.f.limit.least = 1\n\
         fleets.f.calls.get.timeout = \"150ms\"\nstores.db.service = { exponential = \"150ms\" }",
        ["0.9", "0.5"],
    ),
    (
        "fleets.f.limit.long_window",
        "fleets.f.limit.initial = 4\nfleets.f.limit.least = 1\nfleets.f.limit.most = 30\nfleets.f.limit.queue = 1\n\
         fleets.f.workers = 100\nfleets.f.pools.db.size = 100\nstores.db.service = { exponential = \"600ms\" }",
        ["600", "5"],
    ),
    (
        "fleets.f.limit.tolerance",
        "fleets.f.limit.initial = 4\nfleets.f.limit.least = 1\nfleets.f.limit.most = 30\nfleets.f.limit.queue = 1\n\
         fleets.f.workers = 100\nfleets.f.pools.db.size = 100\nstores.db.service = { exponential = \"600ms\" }",
        ["1.5", "1"],
    ),
    (
        "fleets.f.limit.algorithm",
        "fleets.f.limit.least = 1\nfleets.f.limit.initial = 4\nfleets.f.limit.most = 30\nfleets.f.limit.queue = 1\nfleets.f.workers = 100\n\
         fleets.f.pools.db.size = 100\nstores.db.service = { exponential = \"600ms\" }",
        ["\"gradient\"", "\"aimd\""],
    ),
    (
        "fleets.f.limit.least",
        "fleets.f.limit.initial = 4\nfleets.f.limit.most = 30\nfleets.f.limit.queue = 1\nfleets.f.workers = 100\n\
         fleets.f.pools.db.size = 100\nstores.db.service = { exponential = \"600ms\" }",
        ["1", "6"],
    ),
    (
        "fleets.f.limit.smoothing",
        "fleets.f.limit.least = 1\nfleets.f.limit.initial = 4\nfleets.f.limit.most = 30\nfleets.f.limit.queue = 1\nfleets.f.workers = 100\n\
         fleets.f.pools.db.size = 100\nstores.db.service = { exponential = \"600ms\" }",
        ["0.2", "1"],
    ),
    (
        "fleets.f.limit.timeout",
        "fleets.f.limit.algorithm = \"aimd\"\nfleets.f.limit.initial = 4\nfleets.f.limit.least = 1\nfleets.f.workers = 100\n\
         fleets.f.pools.db.size = 100\nstores.db.service = { exponential = \"300ms\" }",
        ["\"5s\"", "\"200ms\""],
    ),
    (
        "stores.db.warm_up.lasts",
        "stores.db.warm_up.factor = 20\nstores.db.service = \"5ms\"\n\
         [[timeline]]\nat = \"2s\"\ndo = \"refuse\"\nstore = \"db\"\nfor = \"2s\"",
        ["\"0s\"", "\"3s\""],
    ),
    (
        "stores.db.warm_up.factor",
        "stores.db.warm_up.lasts = \"3s\"\nstores.db.service = \"5ms\"\n\
         [[timeline]]\nat = \"2s\"\ndo = \"refuse\"\nstore = \"db\"\nfor = \"2s\"",
        ["1", "20"],
    ),
    (
        "fleets.f.calls.get.wait",
        "fleets.f.calls.get.at_most = 1\nfleets.f.calls.get.queue = 5\nstores.db.service = \"300ms\"",
        ["\"none\"", "\"30ms\""],
    ),
    (
        "fleets.f.calls.get.retry_every",
        "stores.db = {}\nfleets.f.calls.get.on_error = \"retry\"\n[[timeline]]\nat = \"2s\"\ndo = \"refuse\"\nstore = \"db\"\nfor = \"2s\"",
        ["\"500ms\"", "\"40ms\""],
    ),
    (
        "fleets.f.calls.get.retry_at_most",
        "stores.db = {}\nfleets.f.calls.get.on_error = \"retry\"\n[[timeline]]\nat = \"2s\"\ndo = \"refuse\"\nstore = \"db\"\nfor = \"2s\"",
        ["\"none\"", "1"],
    ),
    (
        "balancer.redraws",
        "balancer.redispatch = \"afresh\"\nbalancer.algorithm = \"random\"\nbalancer.health.enabled = false\nfleets.f.count = 3\n\
         stores.db = {}\nfleets.f.restart.delay = \"5s\"\n[[timeline]]\nat = \"2s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = 1\n",
        ["0", "2"],
    ),
    (
        "balancer.keep_alive.takes",
        "network.servers.latency = \"3ms\"\nclients.c.connection = \"kept-alive\"\nbalancer.health.enabled = false\n\
         fleets.f.keep_alive.idle = \"20ms\"\nstores.db.service = \"9ms\"",
        ["\"latest\"", "\"oldest\""],
    ),
    (
        "balancer.keep_alive.free_retry",
        "network.servers.latency = \"3ms\"\nbalancer.retries = 1\nbalancer.retry_on = [\"empty-response\"]\nbalancer.health.enabled = false\n\
         fleets.f.keep_alive.idle = \"12ms\"\nfleets.f.count = 3\nbalancer.algorithm = \"random\"\nbalancer.redispatch = \"every\"\n\
         stores.db.service = \"1ms\"",
        ["false", "true"],
    ),
    (
        "balancer.keep_alive.counts",
        "network.servers.latency = \"3ms\"\nbalancer.retries = 0\nbalancer.health.enabled = false\nbalancer.health.max_fails = { fails = 1 }\n\
         fleets.f.keep_alive.idle = \"12ms\"\nfleets.f.count = 3\nstores.db.service = \"1ms\"",
        ["true", "false"],
    ),
    (
        "fleets.f.calls.get.pool",
        "fleets.f.pools.side = { store = \"db\", size = 1 }\nstores.db.service = \"30ms\"",
        ["\"none\"", "\"side\""],
    ),
    (
        "fleets.f.pools.side.size",
        "fleets.f.pools.side.store = \"db\"\nfleets.f.calls.get.pool = \"side\"\nstores.db.service = \"30ms\"",
        ["10", "1"],
    ),
    (
        "fleets.f.pools.side.wait",
        "fleets.f.pools.side.store = \"db\"\nfleets.f.pools.side.size = 1\nfleets.f.calls.get.pool = \"side\"\nstores.db.service = \"30ms\"",
        ["\"none\"", "\"20ms\""],
    ),
    ("fleets.f.pools.db.wait", "fleets.f.pools.db.size = 1\nstores.db.service = \"30ms\"", ["\"none\"", "\"20ms\""]),
    (
        "fleets.f.pools.db.status",
        "fleets.f.pools.db.size = 1\nfleets.f.pools.db.wait = \"20ms\"\nstores.db.service = \"30ms\"\nbalancer.retry_statuses = [503]",
        ["500", "503"],
    ),
    ("stores.db.at_most", "stores.db.service = \"30ms\"", ["{ get = 9 }", "{ get = 1 }"]),
    (
        "fleets.f.calls.get.breaker.slow_share",
        "fleets.f.calls.get.breaker.slow_after = \"5ms\"\nfleets.f.calls.get.breaker.minimum = 5\n\
         stores.db.service = { exponential = \"6ms\" }",
        ["\"100%\"", "\"20%\""],
    ),
];
