//! The page of `docs/` about faults, written from the list of their kinds.

use crate::catalogue;
use brownout_models::fault::{Class, Course, Kind, kinds};
use std::fmt::Write;

const HEAD: &str = r#"# Faults

What can go wrong in a scenario, each an entry of its timeline. This page is written from the list in `models/src/fault/`
(`BROWNOUT_BLESS=1 cargo test --test reference`); `brownout explain <fault>` shows one with all of its keys, and
[scenario-format.md](scenario-format.md) every key with its range.

```toml
[[timeline]]
id = "slow-db"                             # for `when = "done:slow-db"`, and for expectations
at = "3min"                                # or `when = "stores.<name>.alert"`: a sign of the world
do = "slow"                                # the fault
store = "identify"                         # its target
factor = 20.0                              # how bad
for = "2min"                               # how long; to the end of the run if left out
ramp = "30s"                               # rises evenly to that, in sixteen steps, within `for`
repeat = { every = "10min", times = 3 }    # and comes again
```

- **Targets.** A store by its name; servers by their fleet and `servers`: `"all"`, a count or a share (the first ones), or a list
  of names such as `["collectors-2"]`; a link by the two parts that it joins, `between = ["balancer", "fleets.collectors"]`;
  populations of clients by name, or all. Clients and balancer are linked, balancer and fleets, fleets and stores.
- **Overlaps compose.** Each fault is a layer on what its target does. Factors multiply, shares fail what either would fail, and
  when one ends the target does what the others say. Any number may be in force, the same kind twice too.
- **Ends restore.** What a fault had changed is as before, as far as other faults allow; what happened meanwhile has happened.
- **Effects are counted.** The outcome says under `faults` how many calls, queries, connects, checks or servers each entry
  changed. One with 0 effects never took effect: it missed its target, or met no load. Where several faults would each have
  done the same, it counts for each of them.
- **No fault, no cost.** While none is in force, nothing looks at it: a run without faults is the same to the last bit as
  one whose faults are switched off (`enabled = false`).

## How messages are lost

A lost message is sent again as TCP does. A connect is tried again after 1, 3, 7 ... seconds (Linux' initial retransmission timeout,
doubled) until the connecting side gives up: the balancer's `connect_timeout`, a call's `connect_timeout` or `timeout`. Anything
else is sent again after 0.2, 0.6, 1.4 ... seconds (the least retransmission timeout, doubled, two minutes at most), fifteen times, whether or
not anybody still waits. So what is still tried when a partition ends arrives some time after its end.

A connection that is opened for a call or a check (`per-call`) has four messages: the connect, its answer, the request and the
reply. Each is late for itself; the connect and its answer are lost together. So a `latency` of 100 ms costs such a call 400 ms
on that link, and a connect with a shorter limit than two of them never succeeds; a worker is not held up by it. Not modelled: fast
retransmission, measured round-trip times, lost acknowledgements, bandwidth. A request from the balancer on a connection that is
kept open counts as a connect, and opening a connection to a store takes one round trip.
"#;

/// The page, as Markdown.
pub fn faults_page() -> String {
    let mut page = String::from(HEAD);
    for class in Class::ALL {
        let _ = write!(page, "\n## Faults of {}\n", class.name());
        kinds().iter().filter(|kind| kind.class == *class).for_each(|kind| one(&mut page, kind));
    }
    page
}

fn one(page: &mut String, kind: &Kind) {
    let _ = write!(page, "\n### `{}`\n\n{}\n\nEffects: {}.", kind.word, kind.doc, kind.counts);
    page.push_str(match kind.course {
        Course::Instant => " It strikes once: no `for`, no `ramp`.",
        Course::Job => " It ends by itself: no `for`, no `ramp`, no `repeat`.",
        Course::OnOff => " It is on or off: no `ramp`.",
        Course::Gradual => "",
    });
    let _ = write!(page, "\n\n```toml\n{}```\n", catalogue::fault_example(kind));
}
