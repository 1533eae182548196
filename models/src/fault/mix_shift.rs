//! Clients call for something else than usual: a campaign, a new page, a cache that is cold.

use super::{Class, ClientKnobs, Course, FaultKind, Range, Severity, Target};
use crate::setting::{Name, Problem, always};
use crate::settings;
use crate::spec::WorldSpec;
use crate::units::Share;

settings! {
    /// Clients that make other calls.
    pub struct MixShift {
        /// The population whose calls change.
        pub clients (required): Name = Name::default() => always;
        /// The population whose kind of call they make instead, as it would.
        pub to (required): Name = Name::default() => always;
        /// Share of calls that change.
        pub share: Share = Share(0.5) => always;
    }
}

impl FaultKind for MixShift {
    const WORD: &'static str = "mix-shift";
    const DOC: &'static str = "A share of a population's calls is made as another population's calls instead: the \
                               same number of calls, another mix.";
    const CLASS: Class = Class::Clients;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "calls made as another kind";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "share", range: Range::Share(0.05, 1.0) }];
    const EXAMPLE: &'static str = "clients = \"my-clients\"\nto = \"my-other-clients\"\nshare = \"50%\"";

    fn target(&self) -> Target<'_> {
        Target::Clients(Some(&self.clients))
    }
    fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        world.known(&self.to, "population of clients", world.clients.names(), found);
        if self.to.text == self.clients.text {
            let message = format!("the calls of `{}` cannot become its own", self.to.text);
            found.push(Problem { span: self.to.span, message, help: Some("name another population".into()) });
        }
    }
    fn on_clients(&self, knobs: &mut ClientKnobs, level: f64) {
        knobs.shifts |= self.share.0 * level > 0.0;
    }
}
