//! Servers that are bad alone: they answer calls with a status of their own in place of doing them, often sooner than good
//! servers answer. Two such shares fail what either would fail; status and time are those of the last one laid on.

use super::{Class, Course, FaultKind, Range, ServerKnobs, Severity, Target, Which};
use crate::setting::{Name, Scope, Silence, always, unless};
use crate::settings;
use crate::units::{Ns, Share};

settings! {
    /// Servers that answer with an error of their own.
    pub struct BadAnswers {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// Share of calls that are answered so; each try draws anew.
        pub share: Share = Share(1.0) => always;
        /// The status.
        pub status: u16 = 500, 400 ..= 599 => always;
        /// How long a worker takes for such an answer; none: as long as computing takes, and no store is asked. (time)
        pub takes: Option<Ns> = None, "0s" ..= "1h" => always;
        /// Whether health checks that pass through the accept queue are answered so too.
        pub checks: bool = false => meets_checks;
    }
}

fn meets_checks(fault: &BadAnswers, at: &Scope<'_>) -> Silence {
    let in_line = at.world.fleets.get(&fault.fleet.text).is_none_or(|fleet| fleet.is_checked_in_line());
    unless(in_line && at.world.balancer.health.enabled, "no health check of this fleet passes through its accept queue")
}

/// What a server answers in place of doing what it is asked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BadAnswer {
    /// Share of calls.
    pub share: f64,
    /// The status.
    pub status: u16,
    /// How long a worker takes for it; none: as long as computing takes.
    pub takes: Option<Ns>,
    /// Whether checks that pass through the accept queue are answered so too.
    pub checks: bool,
}

impl FaultKind for BadAnswers {
    const WORD: &'static str = "bad-answers";
    const DOC: &'static str = "A share of calls is answered with an error status in place of being done, by servers that are \
                               bad alone (a broken build on one host, a full disk, a missing file): often sooner than others \
                               answer, which draws calls to them under least requests.";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "calls and checks answered so";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "share", range: Range::Share(0.02, 1.0) }];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nservers = 1\nstatus = 503\ntakes = \"1ms\"";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn on_server(&self, knobs: &mut ServerKnobs, level: f64) {
        let (before, checks) = knobs.bad.map_or((0.0, false), |bad| (bad.share, bad.checks));
        let share = 1.0 - (1.0 - before) * (1.0 - self.share.0 * level);
        let (status, takes) = (self.status, self.takes);
        knobs.bad = Some(BadAnswer { share, status, takes, checks: checks || self.checks });
    }
}
