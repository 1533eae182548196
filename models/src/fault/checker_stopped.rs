//! The checks are not made: servers in rotation stay in, those out of it stay out.

use super::{BalancerKnobs, Class, Course, FaultKind, Target};
use crate::settings;

settings! {
    /// Health checks that are not made.
    pub struct CheckerStopped {

    }
}

impl FaultKind for CheckerStopped {
    const WORD: &'static str = "checker-stopped";
    const DOC: &'static str = "The balancer makes no checks; what it believes of each server stays as it is, so \
                               the dead stay in rotation and the recovered out of it. When it ends, checks go \
                               on at their pace.";
    const CLASS: Class = Class::Balancer;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "checks not made";
    const EXAMPLE: &'static str = "";

    fn target(&self) -> Target<'_> {
        Target::Balancer
    }
    fn on_balancer(&self, knobs: &mut BalancerKnobs, _: f64) {
        knobs.checks_stopped = true;
    }
}
