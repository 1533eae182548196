//! Nothing passes between two parts; connections are not closed.

use super::{Between, Class, Course, FaultKind, LinkKnobs, Target, Which};
use crate::setting::always;
use crate::settings;

settings! {
    /// Two parts that cannot reach each other.
    pub struct Partition {
        /// The two parts, in any order: `clients`, `clients.<name>`, `balancer`, `fleets.<name>`, `stores.<name>`.
        pub between (required): Between = Between::default() => always;
        /// Which servers of the fleet among them: "all", so many ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
    }
}

impl FaultKind for Partition {
    const WORD: &'static str = "partition";
    const DOC: &'static str = "Nothing passes between two parts, in either direction, and neither side is told. Messages \
                               are sent again as under `loss`, so that what is still tried when it ends gets \
                               through some time after.";
    const CLASS: Class = Class::Link;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "messages lost, each time that they were sent";
    const EXAMPLE: &'static str = "between = [\"balancer\", \"fleets.my-fleet\"]";

    fn target(&self) -> Target<'_> {
        Target::Link { from: &self.between.0, to: &self.between.1, which: &self.servers }
    }
    fn on_link(&self, knobs: &mut LinkKnobs, _: f64) {
        knobs.lose(1.0, true, true);
    }
}
