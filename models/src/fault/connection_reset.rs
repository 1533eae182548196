//! Connections are reset while an answer is awaited: a firewall that forgets them, a proxy that restarts.

use super::{Between, Class, Course, FaultKind, LinkKnobs, Range, Severity, Target, Which};
use crate::setting::always;
use crate::settings;
use crate::units::Share;

settings! {
    /// A link that breaks connections.
    pub struct ConnectionReset {
        /// The two parts, in any order: `clients`, `clients.<name>`, `balancer`, `fleets.<name>`, `stores.<name>`.
        pub between (required): Between = Between::default() => always;
        /// Which servers of the fleet among them: "all", so many ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// Share of answers in whose place a reset arrives.
        pub share: Share = Share(0.2) => always;
    }
}

impl FaultKind for ConnectionReset {
    const WORD: &'static str = "connection-reset";
    const DOC: &'static str = "In the place of some answers a reset arrives: what was asked for has been done, and \
                               the caller cannot know (a firewall that forgets connections, a proxy that \
                               restarts). Between clients and balancer, balancer and fleet, or fleet and store.";
    const CLASS: Class = Class::Link;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "connections reset";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "share", range: Range::Share(0.01, 1.0) }];
    const EXAMPLE: &'static str = "between = [\"balancer\", \"fleets.my-fleet\"]\nshare = \"10%\"";

    fn target(&self) -> Target<'_> {
        Target::Link { from: &self.between.0, to: &self.between.1, which: &self.servers }
    }
    fn on_link(&self, knobs: &mut LinkKnobs, level: f64) {
        knobs.resets = 1.0 - (1.0 - knobs.resets) * (1.0 - self.share.0 * level);
    }
}
