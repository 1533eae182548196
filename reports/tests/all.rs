//! The tests of this crate, in one binary: linking each alone takes longer than running it.

mod fixture;
mod made_up;

#[path = "boxes.rs"]
mod boxes;
#[path = "compare.rs"]
mod compare;
#[path = "report.rs"]
mod report;
#[path = "reports.rs"]
mod reports;
