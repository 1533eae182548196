//! Driving a metric to its worst: the schedules with the worst scores are varied, and the worst is made smaller.

use super::corpus::Kept;
use super::report::Worst;
use super::search::{Hunt, Search, size};
use super::trial::Trial;
use super::{Failure, story};
use brownout_property::schedule::Schedule;
use std::cell::Cell;
use std::cmp::Ordering;

/// Schedules that are varied.
const ELITE: usize = 8;
/// How much of the harm a smaller schedule must still do.
const KEEPS: f64 = 0.95;

/// The report before anything was drawn; none if no metric is to be driven up.
pub(super) fn begin(hunt: &Hunt, quiet: Option<f64>) -> Option<Worst> {
    let target = hunt.target()?;
    Some(Worst {
        metric: format!("{}.{}", target.subject, target.metric.name),
        without: quiet.map(|score| target.show(score, hunt.base.scenario())),
        quiet,
        ..Worst::default()
    })
}

/// Takes a run in if it is among the worst. True if it is the worst of all.
pub(super) fn note(elite: &mut Vec<Kept>, draw: u64, schedule: &Schedule, seed: u64, trial: &Trial) -> bool {
    let Some(score) = trial.score else { return false };
    let kept = Kept { draw, schedule: schedule.clone(), seed, score: Some(score) };
    let order = |a: &Kept, b: &Kept| {
        let worse = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        worse.then_with(|| size(&a.schedule).cmp(&size(&b.schedule)))
    };
    let at = elite.partition_point(|other| order(other, &kept) != Ordering::Greater);
    elite.insert(at, kept);
    elite.truncate(ELITE);
    at == 0
}

/// Makes the worst schedule smaller, as long as it does nearly as much harm, and tells its story.
pub(super) fn work_up(search: &mut Search<'_>) -> Result<(), Failure> {
    let hunt = search.hunt;
    let (Some(target), Some(worst), Some(mut report)) =
        (hunt.target(), search.elite.first().cloned(), search.report.worst.take())
    else {
        return Ok(());
    };
    let score = worst.score.unwrap_or_default();
    let quiet = report.quiet.unwrap_or(0.0);
    let show = |score: f64| target.show(score, hunt.base.scenario());
    if score <= quiet {
        (report.worst, report.value) = (Some(show(score)), show(score));
        search.report.worst = Some(report);
        return Ok(());
    }
    let enough = quiet + (score - quiet) * KEEPS;
    let kept = Cell::new(score);
    let shrunk = story::make_smaller(search, worst.schedule, worst.seed, &|trial| {
        let still = trial.score.filter(|score| *score >= enough);
        still.into_iter().for_each(|score| kept.set(score));
        still.is_some()
    })?;
    let trial = search.bench.try_one(&shrunk.schedule, worst.seed)?;
    let left = trial.and_then(|trial| trial.score).unwrap_or(kept.get());
    report.worst = Some(show(score));
    report.value = show(left);
    report.schedule = shrunk.schedule.faults.iter().map(|fault| hunt.vocabulary().words(fault)).collect();
    report.toml = shrunk.schedule.to_toml(&hunt.base.scenario().calendar);
    report.seed = worst.seed;
    report.story = story::tell(search, &shrunk.schedule, worst.seed)?;
    let title = format!("Found by brownout hunt: {} comes to {}.", report.metric, report.value);
    let written = story::write(search, &shrunk.schedule, worst.seed, "worst", title, &report.story)?;
    (report.file, report.repeat, report.unsaved) = written;
    search.report.worst = Some(report);
    Ok(())
}
