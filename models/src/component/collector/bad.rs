//! Servers of a fleet that are bad from the beginning to the end of the run: the faults `bad-answers` and `gray-failure` as
//! a property.

use crate::fault::{BadAnswers, Fault, GrayFailure, Layer, Which};
use crate::kernel::Kernel;
use crate::setting::{Name, Scope, Silence, always, first_of, unless};
use crate::settings;
use crate::units::{Ns, Share};
use crate::world::World;

settings! {
    /// Servers of the fleet that are bad alone, for the whole run: as under the faults `bad-answers` and `gray-failure`.
    pub struct Bad {
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::Count(1) => always;
        /// Share of their calls that are answered with an error in place of being done; each try draws anew.
        pub share: Share = Share(1.0) => always;
        /// The status of that.
        pub status: u16 = 500, 400 ..= 599 => errs;
        /// How long a worker takes for such an answer; none: as long as computing takes, and no store is asked. (time)
        pub takes: Option<Ns> = None, "0s" ..= "1h" => errs;
        /// Whether health checks that pass through the accept queue are answered so too.
        pub checks: bool = false => meets_checks;
        /// Factor on the computing times of these servers.
        pub factor: f64 = 1.0, 0.001 ..= 1000000 => always;
    }
}

fn errs(bad: &Bad, _: &Scope<'_>) -> Silence {
    unless(bad.share.0 > 0.0, "`share` is 0%: no call is answered so")
}

fn meets_checks(bad: &Bad, at: &Scope<'_>) -> Silence {
    let in_line = at.fleet().is_none_or(|fleet| fleet.is_checked_in_line());
    let meets = in_line && at.world.balancer.health.enabled;
    first_of([errs(bad, at), unless(meets, "no health check of this fleet passes through its accept queue")])
}

impl Bad {
    fn faults(&self, fleet: &Name) -> Vec<Fault> {
        let &Bad { ref servers, share, status, takes, checks, factor } = self;
        let answers = BadAnswers { fleet: fleet.clone(), servers: servers.clone(), share, status, takes, checks };
        let slow = GrayFailure { fleet: fleet.clone(), servers: servers.clone(), factor };
        let answers = (share.0 > 0.0).then_some(Fault::BadAnswers(answers));
        answers.into_iter().chain((factor != 1.0).then_some(Fault::GrayFailure(slow))).collect()
    }
}

impl World {
    /// Servers that are bad by themselves are so from now on.
    pub(crate) fn open_bad<K: Kernel>(&mut self, k: &mut K) {
        let fleets = self.spec.fleets.0.iter();
        let bad = fleets.flat_map(|(name, fleet)| fleet.bad.iter().flat_map(|bad| bad.faults(name)));
        for fault in bad.collect::<Vec<_>>() {
            let ticket = self.operators.ticket();
            self.lay(k, Layer { ticket, entry: None, fault, level: 1.0 });
        }
    }
}
