//! Nothing passes from one part to another, while the way back is open: a bad route, a full conntrack table.

use super::{Class, Course, FaultKind, LinkKnobs, Part, Target, Which};
use crate::setting::{Problem, always};
use crate::settings;
use crate::spec::WorldSpec;

settings! {
    /// A part that cannot reach another.
    pub struct OneWayPartition {
        /// Whose messages do not arrive: `clients`, `clients.<name>`, `balancer`, `fleets.<name>`, `stores.<name>`.
        pub from (required): Part = Part::default() => always;
        /// Who does not get them.
        pub to (required): Part = Part::default() => always;
        /// Which servers of the fleet among them: "all", so many ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
    }
}

impl FaultKind for OneWayPartition {
    const WORD: &'static str = "one-way-partition";
    const DOC: &'static str = "Nothing passes from one part to another, while the way back is open (a bad route, a \
                               full connection table). Connecting needs both ways.";
    const CLASS: Class = Class::Link;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "messages lost, each time that they were sent";
    const EXAMPLE: &'static str = "from = \"fleets.my-fleet\"\nto = \"balancer\"";

    fn target(&self) -> Target<'_> {
        Target::Link { from: &self.from, to: &self.to, which: &self.servers }
    }
    fn problems(&self, _: &WorldSpec, found: &mut Vec<Problem>) {
        if self.from.rank() == 2 && self.to.rank() == 2 {
            let message = "between two fleets a one-way partition is not modelled".into();
            found.push(Problem { span: self.to.span, message, help: Some("do = \"partition\" cuts both ways".into()) });
        }
    }
    fn on_link(&self, knobs: &mut LinkKnobs, _: f64) {
        let outward = self.from.rank() < self.to.rank();
        knobs.lose(1.0, outward, !outward);
    }
}
