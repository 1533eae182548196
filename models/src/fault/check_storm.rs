//! Many more checkers than before: every node of the balancer checks every server, and there are suddenly many nodes.

use super::{BalancerKnobs, Class, Course, FaultKind, Range, Severity, Target};
use crate::setting::{Scope, Silence, unless};
use crate::settings;

settings! {
    /// Far too many health checks.
    pub struct CheckStorm {
        /// How many checkers there are beside the balancer's own; each checks whenever that does.
        pub checkers: u32 = 20, 1 ..= 100000 => in_line;
    }
}

fn in_line(_: &CheckStorm, at: &Scope<'_>) -> Silence {
    unless(
        at.world.is_checked_in_line(),
        "no check here takes anything of a server: each is answered by a thread of its own, or not made",
    )
}

impl FaultKind for CheckStorm {
    const WORD: &'static str = "check-storm";
    const DOC: &'static str = "More checkers check every server, each whenever the balancer does; their verdicts \
                               are their own. Their checks take what the servers' health endpoint takes: of one \
                               that a thread of its own answers, nothing.";
    const CLASS: Class = Class::Balancer;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "checks that a server had to answer beside the balancer's own";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "checkers", range: Range::Count(3, 1000) }];
    const EXAMPLE: &'static str = "checkers = 30";

    fn target(&self) -> Target<'_> {
        Target::Balancer
    }
    fn on_balancer(&self, knobs: &mut BalancerKnobs, level: f64) {
        knobs.more_checkers += (f64::from(self.checkers) * level + 0.5) as u32;
    }
}
