//! Clients that send again at once and without a limit worth the name: a release with a bad retry loop.

use super::{Class, ClientKnobs, Course, FaultKind, Range, Severity, Target};
use crate::setting::{Name, always};
use crate::settings;
use crate::units::Ns;

settings! {
    /// Clients that retry too much.
    pub struct RetryStorm {
        /// The population; none: all of them.
        pub clients: Option<Name> = None => always;
        /// Further attempts after the first, whatever the population's own policy and budget say.
        pub retries: u32 = 10, 1 ..= 1000 => always;
        /// Pause before each. (time)
        pub pause: Ns = Ns::millis(10), "0s" ..= "1h" => always;
    }
}

impl FaultKind for RetryStorm {
    const WORD: &'static str = "retry-storm";
    const DOC: &'static str = "Clients send a failed call again and again after a fixed pause, whatever their \
                               policy and budget say, if that would be fewer times (a release with a bad retry \
                               loop).";
    const CLASS: Class = Class::Clients;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "attempts sent again that way";
    const SEVERITIES: &'static [Severity] = &[
        Severity { key: "retries", range: Range::Count(2, 100) },
        Severity { key: "pause", range: Range::Time(Ns::secs(1), Ns::millis(1)) },
    ];
    const EXAMPLE: &'static str = "clients = \"my-clients\"\nretries = 10\npause = \"10ms\"";

    fn target(&self) -> Target<'_> {
        Target::Clients(self.clients.as_ref())
    }
    fn on_clients(&self, knobs: &mut ClientKnobs, _: f64) {
        let (retries, pause) = knobs.storm.unwrap_or((self.retries, self.pause));
        knobs.storm = Some((retries.max(self.retries), pause.min(self.pause)));
    }
}
