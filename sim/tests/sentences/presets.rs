//! Presets: that they have the numbers and the words that their texts say.

use brownout_scenarios::catalogue;

/// Where it stands, its name, and keys with their values.
type Preset = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[rustfmt::skip] // one preset, one line
const PRESETS: &[Preset] = &[
    (
        "balancer",
        "haproxy",
        &[("algorithm", "round-robin"), ("retries", "3"), ("redispatch", "never"), ("abort_on_close", "false")],
    ),
    (
        "balancer",
        "classic-elb-2015",
        &[
            ("algorithm", "least-requests"),
            ("idle_timeout", "1m"),
            ("queue.limit", "1024"),
            ("retries", "3"),
            ("connect_timeout", "1s"),
        ],
    ),
    ("balancer", "alb", &[("connect_timeout", "10s"), ("idle_timeout", "1m"), ("retries", "0")]),
    (
        "balancer",
        "envoy",
        &[("connect_timeout", "5s"), ("call_timeout", "15s"), ("retries", "0"), ("redispatch", "afresh"), ("retries_at_once", "3"), ("retry_pause.base", "25ms"), ("retry_pause.most", "250ms"), ("fleet_limits.connections", "1024"), ("fleet_limits.pending", "1024"), ("fleet_limits.requests", "1024"), ("health.merge_window", "1s")],
    ),
    (
        "balancer",
        "istio",
        &[("algorithm", "two-choices"), ("connect_timeout", "10s"), ("call_timeout", "none"), ("retries", "2"), ("redraws", "5"), ("retries_at_once", "none"), ("fleet_limits", "none"), ("health.fail_open_below", "none"), ("health.enabled", "false")],
    ),
    (
        "balancer",
        "nginx",
        &[
            ("connect_timeout", "1m"),
            ("idle_timeout", "1m"),
            ("retries", "each-server"),
            ("redispatch", "untried"),
            ("close_on_departure", "true"),
        ],
    ),
    (
        "balancer.keep_alive",
        "nginx",
        &[("idle", "1m"), ("calls", "1000"), ("life", "1h"), ("at_most", "32"), ("free_retry", "true")],
    ),
    (
        "balancer.health.outlier",
        "envoy",
        &[
            ("consecutive_errors", "5"),
            ("interval", "10s"),
            ("base_ejection", "30s"),
            ("max_ejection", "5m"),
            ("max_share", "10%"),
            ("success_rate_factor", "1.9"),
            ("success_rate_hosts", "5"),
            ("success_rate_calls", "100"),
        ],
    ),
    ("balancer.health.observe", "haproxy", &[("errors", "10"), ("on_error", "fail-check")]),
    (
        "fleets.<name>.limit",
        "gradient",
        &[
            ("initial", "20"),
            ("least", "20"),
            ("most", "200"),
            ("smoothing", "0.2"),
            ("long_window", "600"),
            ("tolerance", "1.5"),
            ("queue", "4"),
        ],
    ),
    (
        "fleets.<name>.limit",
        "aimd",
        &[("initial", "20"), ("least", "20"), ("most", "200"), ("backoff", "0.9"), ("timeout", "5s")],
    ),
];

#[test]
fn a_preset_has_the_numbers_that_its_text_says() {
    let presets = catalogue::presets();
    for (key, name, says) in PRESETS {
        let preset = presets.iter().find(|preset| preset.key == *key && preset.name == *name);
        let preset = preset.unwrap_or_else(|| panic!("{key} has no preset {name}"));
        for (value, should_be) in *says {
            let is = preset.values.iter().find(|v| v.key == *value).map(|v| v.value.as_str());
            assert_eq!(is, Some(*should_be), "{key} {name}: {value}");
        }
    }
}
