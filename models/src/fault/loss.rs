//! Packets are lost, and sent again: connects after 1, 3, 7 seconds, everything else after 0.2, 0.6, 1.4 ...

use super::{Between, Class, Course, FaultKind, LinkKnobs, Range, Severity, Target, Which};
use crate::setting::always;
use crate::settings;
use crate::units::Share;

settings! {
    /// A link that loses packets.
    pub struct Loss {
        /// The two parts, in any order: `clients`, `clients.<name>`, `balancer`, `fleets.<name>`, `stores.<name>`.
        pub between (required): Between = Between::default() => always;
        /// Which servers of the fleet among them: "all", so many ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// Share of messages that are lost each time that they are sent.
        pub share: Share = Share(0.1) => always;
    }
}

impl FaultKind for Loss {
    const WORD: &'static str = "loss";
    const DOC: &'static str = "Each message on a link is lost with some probability, both ways, and sent again as \
                               TCP does: a connect after 1, 3, 7 ... seconds until the connecting side gives up, \
                               anything else after 0.2, 0.6, 1.4 ... seconds, fifteen times.";
    const CLASS: Class = Class::Link;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "messages lost, each time that they were sent";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "share", range: Range::Share(0.01, 1.0) }];
    const EXAMPLE: &'static str = "between = [\"balancer\", \"fleets.my-fleet\"]\nshare = \"5%\"";

    fn target(&self) -> Target<'_> {
        Target::Link { from: &self.between.0, to: &self.between.1, which: &self.servers }
    }
    fn on_link(&self, knobs: &mut LinkKnobs, level: f64) {
        knobs.lose(self.share.0 * level, true, true);
    }
}
