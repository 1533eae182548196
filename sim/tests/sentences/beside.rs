//! Sentences that name no effect on a run.

/// The reason, and the sentences.
pub const ROWS: &[(&str, &[&str])] = &[
    (
        "it is about the page, or leads to another",
        &[
            "What can go wrong in a scenario, each an entry of its timeline.",
            "This page is written from the list in `models/src/fault/` (`BROWNOUT_BLESS=1 cargo test --test reference`); `brownout explain <fault>` shows one with all of its keys, and [scenario-format.md](scenario-format.md) every key with its range.",
            "Written from the declarations that decode it; do not edit.",
            "A scenario is a TOML file.",
            "What can go wrong in the timeline is described, with examples, in [faults.md](faults.md).",
            "They are far above what a scenario needs.",
            "Beside them:",
            "See there for what of Kubernetes is not modelled.",
        ],
    ),
    (
        "it is said of a run, and nothing is done with it",
        &[
            "What the scenario shows, in one line.",
            "More about it.",
            "Its name: \"E2\".",
            "What was said, in a sentence.",
            "What it means, in a sentence.",
        ],
    ),
    (
        "it names a table, whose keys have rows of their own",
        &[
            "What was observed on the day.",
            "Axes of designs: `[axes.<axis>.<point>]` overlays, `default`, `wins_over`.",
            "What must hold.",
            "Populations of clients, by name.",
            "The links.",
            "The load balancer.",
            "Fleets of servers, by name.",
            "Databases and logs, by name.",
            "What happens when.",
        ],
    ),
    (
        "it names what is meant, and no more",
        &[
            "The status.",
            "Its start.",
            "Its end.",
            "Its name, for `done:<id>`.",
            "The store.",
            "The kind of call.",
            "The fleet.",
            "The store; it needs a `spare`.",
        ],
    ),
    (
        "it says what of a product is assumed, or must be given",
        &[
            "Its timeouts have no defaults: set connect_timeout and idle_timeout.",
            "Its algorithm for HTTP is least outstanding requests.",
            "That it retries connections is in the guide (metric BackendConnectionErrors); how often, where and after how long is not: three further tries within 1s each are assumed.",
            "PostgreSQL 15 (2022) as it comes, on Linux 5.4 or later: 97 connections (max_connections 100, 3 of them reserved), backlog 244 (twice MaxBackends), 2ms to accept and fork one after another (measured on 15.18, two cores: 1.9ms idle, 2.6ms to 3.6ms beside busy processes; 0.4ms on a large machine), 100ms to start up (measured: 50ms after a clean stop of an empty database, 100ms after an immediate one; recovery of a large one takes minutes).",
            "Queries, service and link are yours to say.",
            "Istio 1.24 (2024) and later, its sidecars: Envoy with least-request balancing (two draws), connect timeout 10s, no route timeout, 2 retries after failed connects, each to a host drawn up to 5 times anew where the call has been (redraws), no bound on retries at once, circuit breakers off; nobody is ejected unless `outlier` is set, and then no panic threshold (minHealthPercent 0).",
        ],
    ),
    ("no outcome tells it", &["their verdicts are their own.", "with jitter, one connection may overtake another."]),
];
