//! Every metric: one entry each, with the rule that computes it.

use super::record::{
    Calls, NEARLY_ALL, Part, Period, QUIET, Record, UNAVAILABLE, count, downs_max, downs_mean, dropped_rate,
    failed_rate, first_ejection,
};
use super::{Absent, EdgeOf, Found, Measured, Metric, Rule, Scope, Unit};
use crate::level::Peaks;
use crate::units::Ns;

/// Every metric.
pub const ALL: &[Metric] = {
    use Scope::{Part, Run, Total, Window};
    use Unit::{Count, Duration, Interval, Moment, Share};
    &[
        calls("offered", Total, Count, "Calls that clients wanted to make.", |c| count(c.all.offered)).even_of_no_calls(),
        calls("stored", Total, Count, "Calls whose data was stored (for a kind that only reads: answered).", |c| {
            count(c.all.stored + c.all.late)
        })
        .less_is_worse(),
        calls("late", Total, Count, "Of those, stored late: from a spool, a replay or a client's own queue.", |c| {
            count(c.all.late)
        }),
        calls("dropped", Total, Count, "Calls whose data was lost.", |c| count(c.all.dropped_total())),
        calls("failed", Total, Count, "Calls whose client gave up.", |c| count(c.all.failed_total())),
        calls(
            "lost_after_ok",
            Total,
            Count,
            "Calls whose client was told ok and whose data was lost afterwards.",
            |c| count(c.all.lost_after_ok),
        ),
        calls("duplicates", Total, Count, "Executions of calls that were stored already.", |c| count(c.all.duplicates)),
        calls("zombies", Total, Count, "Executions of calls whose client had left.", |c| count(c.all.zombies)),
        calls("dropped_rate", Part, Share, "dropped / offered.", |c| c.share(c.all.dropped_total())).is_loss(),
        calls("failed_rate", Part, Share, "failed / offered.", |c| c.share(c.all.failed_total())).is_loss(),
        calls("success_rate", Part, Share, "Calls answered ok / offered.", |c| c.share(c.all.ok)).less_is_worse(),
        calls("stored_rate", Part, Share, "Calls whose data was stored, late or not / offered.", |c| {
            c.share(c.all.stored + c.all.late)
        })
        .less_is_worse(),
        calls(
            "amplification",
            Part,
            Count,
            "Attempts that clients sent per call offered; without retries 1.",
            |c| c.per_call(c.all.attempts).map(Measured::Count),
        ),
        calls("latency_mean", Part, Duration, "Mean latency of the calls answered ok.", |c| c.latency_mean()),
        calls("latency_p50", Part, Duration, "Median latency of the calls answered ok; to 1%.", |c| c.latency(0.5)),
        calls("latency_p99", Part, Duration, "99th percentile of the latency of the calls answered ok; to 1%.", |c| {
            c.latency(0.99)
        }),
        calls("latency_max", Part, Duration, "Largest latency of a call answered ok; to 1%.", |c| c.latency(1.0)),
        calls(
            "unavailable",
            Window,
            Interval,
            "The longest stretch of steps in each of which at least 99% of the calls failed; hangs on `step`.",
            |c| {
                let found = c.longest(|step| step.offered > 0 && failed_rate(step) >= UNAVAILABLE);
                found.map(|(a, b)| Measured::Interval(a, b)).ok_or(Absent::NotOnce("it was never unavailable"))
            },
        )
        .per_step(),
        calls(
            "longest_drop",
            Window,
            Duration,
            "The longest stretch of steps in each of which more than 90% of the calls were dropped; hangs on `step`.",
            |c| {
                let found = c.longest(|step| dropped_rate(step) > NEARLY_ALL);
                Ok(Measured::Duration(found.map_or(Ns::ZERO, |(from, to)| to.minus(from))))
            },
        )
        .per_step(),
        calls(
            "recovery",
            Run,
            Duration,
            "From the end of the last outage (of the last fault, if no store left service) until at least 99% of the calls \
             succeed for a minute; to a second, or to 1% of it.",
            |c| c.recovery().map(Measured::Duration),
        )
        .even_of_no_calls(),
        calls(
            "failing_until",
            Window,
            Moment,
            "End of the last step in which more than 1% of the calls failed; hangs on `step`.",
            |c| {
                let last = c.last_step(|step| failed_rate(step) > QUIET);
                last.map(Measured::Moment).ok_or(Absent::NotOnce("no step failed"))
            },
        )
        .per_step(),
        rotation(
            "first_ejection",
            Run,
            Duration,
            "From the beginning of the outage (of the first fault, if no store left service) to the first server that left \
             rotation.",
            |r, _| first_ejection(r),
        )
        .less_is_worse(),
        rotation("downs_mean", Total, Count, "How often a server left rotation, mean over the servers.", |r, over| {
            Ok(Measured::Count(downs_mean(r, over)))
        }),
        rotation(
            "downs_max",
            Total,
            Count,
            "How often the server left rotation that left it most often.",
            |r, over| count(downs_max(r, over)),
        ),
        rotation("flaps_per_hour", Window, Count, "downs_max per hour of the window.", |r, over| {
            let hours = over.1.minus(over.0).as_secs() / 3600.0;
            Ok(Measured::Count(downs_max(r, over) as f64 / hours))
        }),
        rotation("in_rotation_mean", Part, Count, "Servers in rotation, mean over the window.", |r, over| {
            Ok(Measured::Count(r.in_rotation_mean(over)))
        })
        .less_is_worse(),
        rotation(
            "fail_open_share",
            Part,
            Share,
            "Share of the time in which the balancer ignores health, as too few of the servers that operators let in are \
             healthy; 0 for a balancer that never does.",
            |r, over| Ok(Measured::Share(r.fail_open_share(over))),
        ),
        rotation("in_rotation_min", Part, Count, "Fewest servers in rotation at any instant.", |r, over| {
            count(r.in_rotation_bounds(over).0)
        })
        .less_is_worse(),
        rotation("in_rotation_max", Part, Count, "Most servers in rotation at any instant.", |r, over| {
            count(r.in_rotation_bounds(over).1)
        }),
        fleet("crashes", Total, Count, "Processes that died.", |f| count(f.record.crashes(f.at, f.over))),
        fleet("alive_min", Part, Count, "Fewest processes alive at any instant.", |f| {
            count(f.record.alive_min(f.at, f.over))
        })
        .less_is_worse(),
        fleet(
            "accept_queue_max",
            Part,
            Count,
            "Most calls waiting to be accepted at any instant, all servers.",
            |f| f.fleet_most(|fleet| fleet.accept_queue),
        ),
        fleet("pending_max", Part, Count, "Most calls accepted and not answered at any instant, all servers.", |f| {
            f.fleet_most(|fleet| fleet.pending)
        }),
        fleet(
            "spooled_max",
            Part,
            Count,
            "Most calls that one spool of a server held at any instant, those being written included.",
            |f| f.fleet_most(|fleet| fleet.spooled),
        ),
        store(
            "amplification",
            Part,
            Count,
            "Queries and appends sent to it, those of health checks included, per call offered that uses it.",
            |s| s.amplification(),
        ),
        store("queries", Total, Count, "Queries and appends sent to it.", |s| count(s.store_peaks()?.queries)),
        store("hit_ratio", Part, Share, "Of the lookups that it answered as a cache, those that hit.", |s| s.hit_ratio())
            .less_is_worse(),
        store("connects", Total, Count, "Connections that servers tried to open to it.", |s| {
            count(s.store_peaks()?.connects)
        }),
        store("waiting_max", Part, Count, "Most queries waiting to run, or hung, at any instant.", |s| {
            count(s.store_peaks()?.waiting)
        }),
        store(
            "headroom_min",
            Part,
            Count,
            "Least headroom at any instant, where the store has some.",
            |s| s.headroom_min(),
        )
        .less_is_worse(),
        edge("attempts", Total, Count, "Asks that the caller sent, its further attempts included.", |e| {
            count(e.counts.attempts)
        }),
        edge(
            "tries",
            Total,
            Count,
            "As often as a balancer sent these to a server, its own retries included; of asks of stores and of clients' calls 0.",
            |e| count(e.counts.tries),
        ),
        edge("ok", Total, Count, "Of the asks, answered well and in time.", |e| count(e.counts.ok)).less_is_worse(),
        edge("failed", Total, Count, "Of the asks, failed, refused or given up.", |e| count(e.counts.failed)),
        edge("failed_rate", Part, Share, "failed / (ok + failed).", |e| e.failed_rate()),
        edge(
            "amplification",
            Part,
            Count,
            "Tries (of a store: asks) per call offered by clients whose kind may lead there.",
            |e| e.amplification(),
        ),
        edge("latency_p50", Part, Duration, "Median time of the asks answered well; to 1%.", |e| e.latency(0.5)),
        edge("latency_p99", Part, Duration, "99th percentile of the same; to 1%.", |e| e.latency(0.99)),
        balancer("queue_max", Part, Count, "Most calls queued at the balancer at any instant.", |b| count(b.queued)),
        balancer("kept_max", Part, Count, "Most lost calls kept for a replay at any instant.", |b| count(b.kept)),
        ledger(
            "unaccounted",
            Run,
            Count,
            "Calls missing from the books at the end of the run: neither settled nor alive, neither answered nor waiting.",
            |r| count(r.unaccounted()),
        ),
    ]
};

const fn metric(name: &'static str, scope: Scope, unit: Unit, doc: &'static str, rule: Rule) -> Metric {
    let needs_calls = matches!(rule, Rule::Calls(_));
    let doc = crate::setting::told(doc);
    Metric { name, unit, scope, doc, per_step: false, is_loss: false, less_is_worse: false, needs_calls, rule }
}

type Text = &'static str;

const fn calls(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&Calls<'_>) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Calls(rule))
}

const fn rotation(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&dyn Record, Period) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Rotation(rule))
}

const fn fleet(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&Part<'_>) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Fleet(rule))
}

const fn store(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&Part<'_>) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Store(rule))
}

const fn edge(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&EdgeOf<'_>) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Edge(rule))
}

const fn balancer(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&Peaks) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Balancer(rule))
}

const fn ledger(name: Text, scope: Scope, unit: Unit, doc: Text, rule: fn(&dyn Record) -> Found) -> Metric {
    metric(name, scope, unit, doc, Rule::Ledger(rule))
}

impl Metric {
    const fn per_step(self) -> Metric {
        Metric { per_step: true, ..self }
    }

    const fn is_loss(self) -> Metric {
        Metric { is_loss: true, ..self }
    }

    const fn less_is_worse(self) -> Metric {
        Metric { less_is_worse: true, ..self }
    }

    const fn even_of_no_calls(self) -> Metric {
        Metric { needs_calls: false, ..self }
    }
}
