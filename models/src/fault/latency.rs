//! Messages take longer on their way.

use super::{Between, Class, Course, FaultKind, LinkKnobs, Range, Severity, Target, Which};
use crate::setting::always;
use crate::settings;
use crate::units::Ns;

settings! {
    /// A link that is slow.
    pub struct Latency {
        /// The two parts, in any order: `clients`, `clients.<name>`, `balancer`, `fleets.<name>`, `stores.<name>`.
        pub between (required): Between = Between::default() => always;
        /// Which servers of the fleet among them: "all", so many ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// How much longer each message takes, one way. (time)
        pub add: Ns = Ns::millis(100), "1us" ..= "1h" => always;
        /// Each takes up to this much longer still, uniformly at random. (time)
        pub jitter: Ns = Ns::ZERO, "0s" ..= "1h" => always;
    }
}

impl FaultKind for Latency {
    const WORD: &'static str = "latency";
    const DOC: &'static str = "Each message on a link takes longer, both ways; with jitter, one connection may \
                               overtake another.";
    const CLASS: Class = Class::Link;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "messages delayed";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "add", range: Range::Time(Ns::millis(5), Ns::secs(10)) }];
    const EXAMPLE: &'static str = "between = [\"balancer\", \"fleets.my-fleet\"]\nadd = \"200ms\"";

    fn target(&self) -> Target<'_> {
        Target::Link { from: &self.between.0, to: &self.between.1, which: &self.servers }
    }
    fn on_link(&self, knobs: &mut LinkKnobs, level: f64) {
        knobs.add = knobs.add.plus(self.add.scaled(level));
        knobs.jitter = knobs.jitter.plus(self.jitter.scaled(level));
    }
}
