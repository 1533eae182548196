//! The scenario format of Brownout: TOML text in, a [`Scenario`] that can be run out, or every mistake at once.
//!
//! The stages, each in its own file: `document` turns text into a tree of values with places, `marks` takes
//! provenance off, `overlay` lays designs and `--set` over it, the world's own declarations decode it
//! (`brownout_models::setting`), `header`, `evidence` and `expect` read what is not the world, `trace` reads recorded calls,
//! `diagnose` shows what is wrong.

#![warn(clippy::unwrap_used)]

pub mod catalogue;
mod clock;
mod designs;
mod diagnose;
mod document;
mod edit;
mod evidence;
mod excerpt;
mod expect;
mod extend;
mod faults_page;
mod header;
mod input;
mod limits;
mod load;
mod marks;
mod overlay;
mod reference;
mod schema;
mod silence;
mod trace;
pub mod values;
mod words;
mod zones;

#[cfg(test)]
mod tests;

pub use clock::Calendar;
pub use designs::{Change, Design};
pub use diagnose::{Diagnostics, Notice};
pub use edit::{Edit, Keys, comment, in_force, moment, to_toml, unquoted};
pub use evidence::EvidenceSpec;
pub use expect::{Compare, Condition, Expect, ExpectKind, Happening, Stretch};
pub use extend::with_entries;
pub use faults_page::faults_page;
pub use header::{FORMAT, Limits};
pub use input::{read_file, read_text};
pub use load::{load, load_designs, load_text};
pub use marks::Provenance;
pub use overlay::Axis;
pub use reference::reference;
pub use schema::schema;
pub use words::{Meaning, ProductWord, product_words, words_table};
#[cfg(target_family = "wasm")]
pub use zones::give_zone;
#[cfg(not(target_family = "wasm"))]
pub use zones::zone_rules;

use brownout_models::setting::{Field, Settings};
use brownout_models::spec::{WorldPlan, WorldSpec};
use brownout_models::units::Ns;
use std::path::Path;
use std::sync::Arc;

/// What to load, and with which changes.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The scenario file.
    pub path: &'a Path,
    /// Changes by hand, each "path=value"; applied last, in order.
    pub set: &'a [String],
    /// Designs: axis points ("bulkhead", "isolation=bulkhead") or names of `[designs]`, also several with commas.
    pub design: &'a [String],
}

/// A scenario, checked and ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file, as it was named.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// More about it; may be empty.
    pub description: String,
    /// The design in force: "isolation=bulkhead mechanism=crash-loop", or "as written". Taken by `--design`.
    pub design: String,
    /// The designs as asked for.
    pub asked: Vec<String>,
    /// The changes by hand.
    pub set: Vec<String>,
    /// What else of the command line has changed the run: "--scale 25%", "--excerpt 11:30..12:30".
    pub options: Vec<String>,
    /// Where the run lies in time.
    pub calendar: Calendar,
    /// How long it is.
    pub span: Ns,
    /// What rates are stated over, since the start.
    pub window: (Ns, Ns),
    /// Resolution of curves.
    pub step: Ns,
    /// Bounds on what the run may cost.
    pub limits: Limits,
    /// The world.
    pub plan: WorldPlan,
    /// What was observed on the day.
    pub evidence: Vec<EvidenceSpec>,
    /// What must hold.
    pub expect: Vec<Expect>,
    /// Seeds under which it is to be tested; empty: not specified.
    pub seeds: Vec<u64>,
    /// Every number of the world and why it is what it is, in the order of the file.
    pub provenance: Vec<Provenance>,
    /// The axes along which designs differ.
    pub axes: Vec<Axis>,
    /// The names of `[designs]`.
    pub designs: Vec<String>,
    /// What a reader of the file should know although it can be run: keys without effect, and more.
    pub warnings: Arc<Diagnostics>,
}

impl Scenario {
    /// Itself, or its warnings as mistakes.
    ///
    /// # Errors
    /// The warnings, if there are any.
    pub fn strictly(self) -> Result<Scenario, Diagnostics> {
        if self.warnings.warning_count() == 0 { Ok(self) } else { Err(self.warnings.as_mistakes()) }
    }
}

/// Every top-level key of a scenario file, for `explain` and the schema.
pub fn fields() -> Vec<Field> {
    let mut fields = header::Header::fields();
    fields.extend(WorldSpec::fields());
    fields
}
