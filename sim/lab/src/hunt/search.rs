//! The search itself: batches of draws, what is kept of them, when it ends; then the smallest finds are worked up.

use super::corpus::{Corpus, Folder, Kept};
use super::coverage::Coverage;
use super::report::{KindCount, Report, VERSION};
use super::trial::{Bench, Target, Trial};
use super::{Ask, Base, Failure, Task, story, worst};
use brownout_models::units::Ns;
use brownout_output::files;
use brownout_property::draw::{self, Budget, Rng};
use brownout_property::schedule::Schedule;
use brownout_property::vocabulary::{Filter, Vocabulary};
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Draws of a batch: more than the cores of a large machine, few enough to end soon after something is found.
const BATCH: u64 = 32;

/// How far a hunt is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Schedules tried.
    pub runs: u64,
    /// Of how many.
    pub of: u64,
    /// Runs that violated something.
    pub found: u64,
    /// Places reached.
    pub reached: usize,
    /// Schedules tried to make a find smaller; 0 while still searching.
    pub shrinking: u64,
}

/// What ends a hunt from outside, and what is called with its progress.
pub struct Watch<'a> {
    /// Set: to end as soon as possible, with what there is.
    pub stop: &'a AtomicBool,
    /// Whether the time allowed is over; asked between batches.
    pub out_of_time: &'a (dyn Fn() -> bool + Sync),
    /// Is called with the progress.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// A hunt that is ready to begin.
pub struct Hunt {
    pub(super) base: Base,
    pub(super) vocabulary: Vocabulary,
    budget: Budget,
    worst: Option<Target>,
    worst_text: Option<String>,
    pool: rayon::ThreadPool,
    folder: Option<Folder>,
    pub(super) out: Option<PathBuf>,
    runs: u64,
    patience: Option<u64>,
    keep_going: bool,
    pub(super) remedies: bool,
    pub(super) seed: u64,
    lose_a_call: bool,
}

/// A schedule that violates an expectation.
#[derive(Clone, Debug)]
pub(super) struct Find {
    /// The number of the expectation among those for this design.
    pub(super) number: usize,
    /// In how many runs it was violated.
    pub(super) violated: u64,
    /// The smallest schedule that did.
    pub(super) schedule: Schedule,
    pub(super) seed: u64,
}

/// One run to be made.
struct Job {
    draw: Option<u64>,
    schedule: Schedule,
    seed: u64,
}

impl Hunt {
    /// Reads the scenario and works out what may be drawn.
    ///
    /// # Errors
    /// See [`Failure`]: everything that is wrong, at once.
    pub fn new(ask: &Ask<'_>) -> Result<Hunt, Failure> {
        let base = Base::new(&ask.task)?;
        let mut wrong = Vec::new();
        let vocabulary = Vocabulary::new(&base.scenario, ask.filter).unwrap_or_else(|why| {
            wrong.extend(why);
            Vocabulary::default()
        });
        let target = ask.worst.map(|text| Target::new(text, &base.scenario)).transpose();
        let worst = target.unwrap_or_else(|why| {
            wrong.push(why);
            None
        });
        let applies = base.scenario.expect.iter().filter(|e| e.applies).count();
        if ask.worst.is_none() && applies <= base.given {
            let help = "give one, --expect \"track.dropped_rate < 0.1%\", or a metric to drive to its worst, --worst";
            wrong.push(format!("the scenario expects nothing of this design, so nothing can be violated; {help}"));
        }
        let mut budget = Budget::of(base.scenario.span);
        budget.faults = ask.faults.unwrap_or(budget.faults).max(1);
        budget.severity = ask.severity;
        budget.longest = ask.longest.unwrap_or(budget.longest);
        if !wrong.is_empty() {
            return Err(Failure::Usage(wrong));
        }
        // Before anything is run, so that no result is searched for that cannot be kept.
        ask.out.map_or(Ok(()), files::probe_folder)?;
        Ok(Hunt {
            base,
            vocabulary,
            budget,
            worst,
            worst_text: ask.worst.map(str::to_string),
            pool: pool(ask.jobs)?,
            folder: ask.corpus.map(Folder::open).transpose()?,
            out: ask.out.map(PathBuf::from),
            runs: ask.runs,
            patience: ask.patience,
            keep_going: ask.keep_going || ask.worst.is_some(),
            remedies: ask.remedies,
            seed: ask.seed,
            lose_a_call: ask.lose_a_call,
        })
    }

    /// The kinds of fault that may be drawn, and on how many targets.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    pub(super) fn target(&self) -> Option<&Target> {
        self.worst.as_ref()
    }

    /// Hunts.
    ///
    /// # Errors
    /// A broken ledger, or a file that cannot be read or written.
    pub fn run(&self, watch: &Watch<'_>) -> Result<Report, Failure> {
        let (bench, quiet) = Bench::new(&self.base, self.worst.clone(), self.lose_a_call, watch.stop, self.seed)?;
        let mut search = Search::new(self, &bench, watch);
        let Some(quiet) = quiet else { return Ok(search.end("interrupted")) };
        search.coverage.add(&quiet.coverage);
        if let Some(broken) = quiet.broken.first().filter(|_| self.worst.is_none()) {
            let find = Find { number: broken.number, violated: 1, schedule: Schedule::default(), seed: self.seed };
            search.report.runs = 1;
            search.finds.push(find);
            return search.work_up("fails without faults");
        }
        search.report.worst = worst::begin(self, quiet.score);
        search.resume()?;
        let ended = search.search()?;
        search.work_up(ended)
    }
}

fn pool(jobs: Option<usize>) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    pool.map_err(|why| Failure::Threads(why.to_string()))
}

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) hunt: &'a Hunt,
    pub(super) bench: &'a Bench<'a>,
    pub(super) watch: &'a Watch<'a>,
    pub(super) report: Report,
    coverage: Coverage,
    corpus: Corpus,
    pub(super) finds: Vec<Find>,
    /// The schedules with the worst scores, the worst first.
    pub(super) elite: Vec<Kept>,
    draws: u64,
    violated: u64,
}

impl<'a> Search<'a> {
    fn new(hunt: &'a Hunt, bench: &'a Bench<'a>, watch: &'a Watch<'a>) -> Search<'a> {
        let scenario = &hunt.base.scenario;
        let hunted = match &hunt.worst_text {
            Some(metric) => vec![metric.clone()],
            None => {
                let all: Vec<String> = scenario.expect.iter().filter(|e| e.applies).map(|e| e.text.clone()).collect();
                all[..all.len() - hunt.base.given].to_vec()
            }
        };
        let kinds = hunt.vocabulary.kind_words().into_iter();
        let report = Report {
            version: VERSION,
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            design: scenario.design.clone(),
            seed: hunt.seed,
            hunted,
            faults: hunt.budget.faults,
            severity: hunt.budget.severity,
            kinds: kinds.map(|kind| KindCount { kind: kind.into(), ..KindCount::default() }).collect(),
            ..Report::default()
        };
        Search {
            hunt,
            bench,
            watch,
            report,
            coverage: Coverage::default(),
            corpus: Corpus::default(),
            finds: Vec::new(),
            elite: Vec::new(),
            draws: 0,
            violated: 0,
        }
    }

    /// Runs again what the corpus folder holds.
    fn resume(&mut self) -> Result<(), Failure> {
        let Some(folder) = &self.hunt.folder else { return Ok(()) };
        let holds = folder.read(&self.hunt.vocabulary, &self.hunt.base)?;
        self.draws = holds.draws;
        self.report.from_corpus = holds.kept.len() as u64;
        self.report.left_out = holds.later;
        let jobs: Vec<Job> =
            holds.kept.into_iter().map(|k| Job { draw: Some(k.draw), schedule: k.schedule, seed: k.seed }).collect();
        for batch in jobs.chunks(BATCH as usize) {
            if !self.batch(batch, false)? {
                break;
            }
        }
        Ok(())
    }

    /// Batches until something ends it. Says what did.
    fn search(&mut self) -> Result<&'static str, Failure> {
        loop {
            let patience = self.hunt.patience;
            if self.watch.stop.load(Ordering::Relaxed) {
                return Ok("interrupted");
            } else if self.report.corpus_unsaved.is_some() {
                return Ok("not saved");
            } else if !self.hunt.keep_going && !self.finds.is_empty() {
                return Ok("found");
            } else if self.report.runs >= self.hunt.runs {
                return Ok("runs");
            } else if (self.watch.out_of_time)() {
                return Ok("time");
            } else if patience.is_some_and(|patience| self.report.runs - self.report.last_new >= patience) {
                return Ok("nothing new");
            }
            let size = BATCH.min(self.hunt.runs - self.report.runs);
            let jobs: Vec<Job> = (self.draws..self.draws + size).map(|draw| self.job(draw)).collect();
            if self.batch(&jobs, true)? {
                self.draws += size;
                if let Some(folder) = &self.hunt.folder {
                    self.note_unsaved(folder.mark(self.draws))?;
                }
            }
        }
    }

    /// What a draw is: something new, or something kept and varied.
    fn job(&self, draw: u64) -> Job {
        let Hunt { vocabulary, budget, seed, .. } = self.hunt;
        let mut rng = Rng::new(*seed, draw);
        let pick = if self.bench.worst.is_some() && !self.elite.is_empty() {
            rng.picks(&self.elite, 2)
        } else {
            rng.picks(&self.corpus.kept, 2)
        };
        let schedule = match pick {
            Some(kept) => draw::vary(&kept.schedule, vocabulary, budget, &mut rng),
            None => draw::schedule(vocabulary, budget, &mut rng),
        };
        Job { draw: Some(draw), schedule, seed: rng.seed() }
    }

    /// Runs jobs and takes their results in, in order. False if it was stopped before the last.
    fn batch(&mut self, jobs: &[Job], new: bool) -> Result<bool, Failure> {
        let bench = self.bench;
        let one = |job: &Job| bench.try_one(&job.schedule, job.seed);
        let results: Vec<Result<Option<Trial>, Failure>> =
            self.hunt.pool.install(|| jobs.par_iter().with_max_len(1).map(one).collect());
        for (job, result) in jobs.iter().zip(results) {
            let Some(trial) = result? else { return Ok(false) };
            self.take(job, &trial, new)?;
        }
        (self.watch.progress)(Progress {
            runs: self.report.runs,
            of: self.hunt.runs,
            found: self.violated,
            reached: self.coverage.counts().0,
            shrinking: 0,
        });
        Ok(true)
    }

    fn take(&mut self, job: &Job, trial: &Trial, new: bool) -> Result<(), Failure> {
        self.report.runs += 1;
        self.report.vacuous += u64::from(trial.vacuous);
        self.report.limited += u64::from(trial.limited);
        self.count_kinds(&job.schedule, trial);
        if self.coverage.add(&trial.coverage) {
            self.report.last_new = self.report.runs;
        }
        self.violated += u64::from(!trial.broken.is_empty());
        let smaller = self.note_finds(job, trial);
        let draw = job.draw.unwrap_or(self.draws);
        let mut keep = self.corpus.offer(draw, &job.schedule, job.seed, trial);
        if smaller && !keep {
            self.corpus.keep(draw, &job.schedule, job.seed, trial);
            keep = true;
        }
        keep |= worst::note(&mut self.elite, draw, &job.schedule, job.seed, trial);
        if let (Some(folder), true, true) = (&self.hunt.folder, keep, new) {
            let kept = Kept { draw, schedule: job.schedule.clone(), seed: job.seed, score: trial.score };
            let written = folder.write(&kept, &self.hunt.vocabulary, &self.hunt.base.scenario);
            self.note_unsaved(written)?;
        }
        Ok(())
    }

    fn count_kinds(&mut self, schedule: &Schedule, trial: &Trial) {
        for kind in &mut self.report.kinds {
            let of = schedule.faults.iter().zip(&trial.effects).filter(|(fault, _)| fault.what == kind.kind);
            let effects: Vec<u64> = of.map(|(_, n)| *n).collect();
            kind.drawn += u64::from(!effects.is_empty());
            kind.took_effect += u64::from(effects.iter().any(|n| *n > 0));
        }
    }

    /// Notes the violations of a run. True if it is the first of an expectation, or the smallest.
    fn note_finds(&mut self, job: &Job, trial: &Trial) -> bool {
        let mut smaller = false;
        if self.bench.worst.is_some() {
            return false;
        }
        for broken in &trial.broken {
            let find = Find { number: broken.number, violated: 1, schedule: job.schedule.clone(), seed: job.seed };
            match self.finds.iter_mut().find(|find| find.number == broken.number) {
                None => self.finds.push(find),
                Some(known) => {
                    known.violated += 1;
                    if size(&find.schedule) >= size(&known.schedule) {
                        continue;
                    }
                    *known = Find { violated: known.violated, ..find };
                }
            }
            smaller = true;
        }
        smaller
    }

    /// Makes the finds smaller, tells their stories, writes them down.
    fn work_up(mut self, ended: &str) -> Result<Report, Failure> {
        let mut finds = std::mem::take(&mut self.finds);
        finds.sort_by_key(|find| find.number);
        for find in finds {
            let found = story::work_up(&self, &find)?;
            self.report.found.push(found);
        }
        if self.bench.worst.is_some() {
            worst::work_up(&mut self)?;
        }
        Ok(self.end(ended))
    }

    /// Notes that a corpus cannot be kept: what was found so far is still worked up and shown.
    fn note_unsaved(&mut self, written: Result<(), Failure>) -> Result<(), Failure> {
        match written {
            Err(Failure::File(why)) => self.report.corpus_unsaved = Some(why),
            other => other?,
        }
        Ok(())
    }

    fn end(mut self, ended: &str) -> Report {
        // Whatever it was doing: what it was told to break off is not finished.
        let stopped = self.watch.stop.load(Ordering::Relaxed);
        self.report.ended = if stopped { "interrupted" } else { ended }.into();
        self.report.corpus = self.corpus.kept.len();
        self.report.coverage = self.coverage.within(&self.hunt.vocabulary).0.into_iter().collect();
        self.report
    }

    /// Asks whether to stop, and reports the schedules tried to make one smaller.
    pub(super) fn shrinking(&self, tried: u64) {
        (self.watch.progress)(Progress {
            runs: self.report.runs,
            of: self.hunt.runs,
            found: self.violated,
            reached: self.coverage.counts().0,
            shrinking: tried,
        });
    }

    /// Runs something for many values side by side, in order.
    pub(super) fn side_by_side<T: Sync, R: Send>(&self, all: &[T], one: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
        self.hunt.pool.install(|| all.par_iter().with_max_len(1).map(one).collect())
    }
}

/// How large a schedule is, to compare: faults, then their length, then how bad they are.
pub(super) fn size(schedule: &Schedule) -> (usize, Ns, u64) {
    let faults = &schedule.faults;
    let length = faults
        .iter()
        .map(|f| if f.instant { 0 } else { f.lasts.unwrap_or(Ns::secs(1 << 30)).0 })
        .fold(0, u64::saturating_add);
    let badness: f64 = faults.iter().flat_map(|f| &f.severity).map(|s| s.knob.badness(s.value)).sum();
    (faults.len(), Ns(length), (badness.max(0.0) * 1e6) as u64)
}

/// Makes the schedule smaller that a file holds: its faults are taken as drawn, and its other entries stay.
///
/// # Errors
/// See [`Failure`]; also that the file has no fault, or violates nothing.
pub fn shrink_file(
    task: &Task<'_>,
    seed: u64,
    (out, remedies): (Option<&std::path::Path>, bool),
    watch: &Watch<'_>,
) -> Result<Report, Failure> {
    let ask = Ask {
        task: Task { instead: true, ..*task },
        filter: Filter::default(),
        faults: None,
        severity: 1.0,
        longest: None,
        runs: 1,
        patience: None,
        keep_going: true,
        seed,
        jobs: None,
        corpus: None,
        out,
        remedies,
        worst: None,
        lose_a_call: false,
    };
    let hunt = Hunt::new(&ask)?;
    let schedule = Schedule { faults: hunt.base.taken.clone() };
    if schedule.faults.is_empty() {
        let name = task.path.display();
        return Err(Failure::Usage(vec![format!(
            "{name} has no fault on its timeline, so there is nothing to shrink"
        )]));
    }
    let (mut bench, _) = Bench::new(&hunt.base, None, false, watch.stop, seed)?;
    // A schedule that was not drawn here may cost what its own scenario allows.
    bench.event_limit = hunt.base.scenario.limits.events;
    let mut search = Search::new(&hunt, &bench, watch);
    search.report.faults = schedule.faults.len();
    let job = Job { draw: None, schedule, seed };
    if !search.batch(std::slice::from_ref(&job), false)? {
        return Ok(search.end("interrupted"));
    }
    let ended = if search.finds.is_empty() { "holds" } else { "shrunk" };
    search.work_up(ended)
}
