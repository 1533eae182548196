//! A new configuration makes the balancer forget what it knew of its servers.

use super::{Class, Course, FaultKind, Onset, Target};
use crate::settings;

settings! {
    /// A balancer that starts afresh.
    pub struct ConfigPush {

    }
}

impl FaultKind for ConfigPush {
    const WORD: &'static str = "config-push";
    const DOC: &'static str = "A new configuration is loaded: what the balancer had learnt of each server, by \
                               checks and by calls, is forgotten, and each is as when the run began; none is \
                               eased in by `slow_start`. What operators hold out stays out.";
    const CLASS: Class = Class::Balancer;
    const COURSE: Course = Course::Instant;
    const COUNTS: &'static str = "servers of which something had been learnt";
    const EXAMPLE: &'static str = "";

    fn target(&self) -> Target<'_> {
        Target::Balancer
    }
    fn onset(&self) -> Onset {
        Onset::ForgetHealth
    }
}
