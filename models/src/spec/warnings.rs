//! What a reader of a file should know although it can be run: a number or a name that does not mean what it seems to.
//!
//! Each warning is one function here and one line in [`ALL`]. It looks at the world and at what the file says of it
//! ([`Scope::written`], [`Scope::place`]), and gives the place, what is wrong, and what to do. Keys without effect are not
//! its business: they are declared beside the keys (see [`crate::setting::Effect`]).

use super::products;
use crate::setting::{Data, Problem, Scope};

/// A warning: nothing, or one problem for each place.
pub(super) type Warning = fn(&Scope<'_>) -> Vec<Problem>;

/// Every warning.
pub(super) const ALL: &[Warning] = &[unanswered_statuses, products::older_names, products::no_kubelet];

/// Statuses that a server of this model answers with.
const ANSWERED: [u16; 4] = [200, 499, 500, 503];

/// `retry_statuses` are those of servers; what the balancer answers by itself is not tried again.
fn unanswered_statuses(at: &Scope<'_>) -> Vec<Problem> {
    const PATH: &str = "balancer.retry_statuses";
    let Some(Data::List(items)) = at.written(PATH).map(|value| &value.data) else { return Vec::new() };
    let statuses = at.world.balancer.retry_statuses.iter().zip(items);
    let never = statuses.filter(|(status, _)| !ANSWERED.contains(status) && (400..=599).contains(*status));
    let warn = |(status, item): (&u16, &crate::setting::Value)| Problem {
        span: item.span,
        message: format!("no server here answers {status}"),
        help: Some("servers answer 500 and 503; what the balancer answers by itself is not tried again".into()),
    };
    never.map(warn).collect()
}
