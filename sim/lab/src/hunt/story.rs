//! What is made of a find: the smallest schedule, how much milder it would have to be, what happens, and a file.

use super::report::{Found, Safe, StoryLine};
use super::saved::File;
use super::search::{Find, Search};
use super::trial::Trial;
use super::{Failure, knob};
use brownout_models::component::collector::Concurrency;
use brownout_models::ledger::Cause;
use brownout_models::metrics::populations;
use brownout_models::units::Ns;
use brownout_output::files;
use brownout_output::text::shell_path;
use brownout_property::knob::length_between;
use brownout_property::schedule::{Fault, Schedule};
use brownout_property::shrink::{Shrunk, shrink};
use brownout_scenarios::Scenario;
use brownout_sim::ledger::Counts;
use brownout_sim::run::{Ended, Orders, Run, Step};
use std::collections::BTreeSet;
use std::path::Path;

/// Further seeds under which a find is run again.
const SEEDS: u64 = 10;
/// Share of dropped or failed calls up to which a step counts as quiet.
const QUIET: f64 = 0.01;
/// The shortest step of a story.
const STEP: Ns = Ns::secs(1);

/// Works up a find.
pub(super) fn work_up(search: &Search<'_>, find: &Find) -> Result<Found, Failure> {
    let vocabulary = search.hunt.vocabulary();
    let fails = |trial: &Trial| trial.violates(Some(find.number));
    let Shrunk { schedule, tried, complete } = make_smaller(search, find.schedule.clone(), find.seed, &fails)?;
    let Some(trial) = search.bench.try_one(&schedule, find.seed)? else {
        return in_haste(search, find, &schedule, tried);
    };
    let verdict = trial.broken.into_iter().find(|b| b.number == find.number).map(|b| b.verdict).unwrap_or_default();
    let seeds: Vec<u64> = (find.seed + 1..=find.seed + SEEDS).collect();
    let others = search.side_by_side(&seeds, |seed| search.bench.try_one(&schedule, *seed));
    let mut again = (0, 0);
    for other in others {
        let Some(other) = other? else { continue };
        again = (again.0 + u64::from(fails(&other)), again.1 + 1);
    }
    let mut found = Found {
        condition: verdict.condition,
        kind: verdict.kind,
        line: verdict.line,
        why: verdict.why,
        violated: find.violated,
        schedule: schedule.faults.iter().map(|fault| vocabulary.words(fault)).collect(),
        toml: schedule.to_toml(&search.hunt.base.scenario().calendar),
        seed: find.seed,
        faults_before: find.schedule.faults.len(),
        shrinking: tried,
        smallest: complete,
        other_seeds: again,
        safe: if complete { safe(search, &schedule, find.seed, &fails)? } else { Vec::new() },
        story: tell(search, &schedule, find.seed)?,
        remedies: if complete && search.hunt.remedies {
            super::remedy::find(search, &schedule, find.seed, &fails)?
        } else {
            Vec::new()
        },
        ..Found::default()
    };
    let written = write(search, &schedule, find.seed, "", title_of(&found), &found.story)?;
    (found.file, found.repeat, found.unsaved) = written;
    Ok(found)
}

/// What the file of a find says first.
fn title_of(found: &Found) -> String {
    format!("Found by brownout hunt: violates `{} {}`.", found.kind, found.condition)
}

/// A find that there was no time to work up, with the smallest schedule so far.
fn in_haste(search: &Search<'_>, find: &Find, schedule: &Schedule, tried: u64) -> Result<Found, Failure> {
    let expects = search.hunt.base.scenario().expect.iter().filter(|e| e.applies).nth(find.number);
    let mut found = Found {
        condition: expects.map_or(String::new(), |e| e.text.clone()),
        kind: expects.map_or(String::new(), |e| e.kind.word().to_string()),
        line: expects.map_or(0, |e| e.line as u64),
        violated: find.violated,
        schedule: schedule.faults.iter().map(|fault| search.hunt.vocabulary().words(fault)).collect(),
        toml: schedule.to_toml(&search.hunt.base.scenario().calendar),
        seed: find.seed,
        faults_before: find.schedule.faults.len(),
        shrinking: tried,
        ..Found::default()
    };
    let written = write(search, schedule, find.seed, "", title_of(&found), &[])?;
    (found.file, found.repeat, found.unsaved) = written;
    Ok(found)
}

/// Makes a schedule as small as it can be made while its runs are still bad.
pub(super) fn make_smaller(
    search: &Search<'_>,
    schedule: Schedule,
    seed: u64,
    bad: &dyn Fn(&Trial) -> bool,
) -> Result<Shrunk, Failure> {
    let mut failure = None;
    let mut tried = 0;
    let shrunk = shrink(schedule, search.hunt.base.scenario().span, &mut |schedule| {
        tried += 1;
        search.shrinking(tried);
        match search.bench.try_one(schedule, seed) {
            Ok(trial) => trial.map(|trial| bad(&trial)),
            Err(why) => {
                failure = Some(why);
                None
            }
        }
    });
    failure.map_or(Ok(shrunk), Err)
}

/// For each number of each fault, by halving: the nearest value at which the run is no longer bad.
fn safe(
    search: &Search<'_>,
    schedule: &Schedule,
    seed: u64,
    bad: &dyn Fn(&Trial) -> bool,
) -> Result<Vec<Safe>, Failure> {
    let mut out = Vec::new();
    let is_bad = |schedule: &Schedule| -> Result<bool, Failure> {
        Ok(search.bench.try_one(schedule, seed)?.is_none_or(|trial| bad(&trial)))
    };
    for (at, fault) in schedule.faults.iter().enumerate() {
        let words = search.hunt.vocabulary().words(fault);
        for (i, severity) in fault.severity.iter().enumerate() {
            let with = |value: f64| {
                let mut milder = schedule.clone();
                milder.faults[at].severity[i].value = value;
                milder
            };
            let knob = &severity.knob;
            let mut edge = None;
            if knob.mild != severity.value && !is_bad(&with(knob.mild))? {
                let (mut good, mut worse) = (knob.mild, severity.value);
                while let Some(middle) = knob.between(good, worse) {
                    if is_bad(&with(middle))? { worse = middle } else { good = middle }
                }
                edge = Some(knob.say(good));
            }
            let fails = knob.say(severity.value);
            out.push(Safe { fault: words.clone(), key: knob.key.clone(), fails, safe: edge });
        }
        if let Some(lasts) = fault.lasts {
            let with = |lasts: Ns| {
                let mut shorter = schedule.clone();
                shorter.faults[at].lasts = Some(lasts);
                shorter
            };
            let (mut good, mut worse, mut edge) = (knob::length(0.1), lasts, None);
            if good < lasts && !is_bad(&with(good))? {
                while let Some(middle) = length_between(good, worse) {
                    if is_bad(&with(middle))? { worse = middle } else { good = middle }
                }
                edge = Some(good.to_string());
            }
            out.push(Safe { fault: words, key: "for".into(), fails: lasts.to_string(), safe: edge });
        }
    }
    Ok(out)
}

/// What became of a find that was to be written: its file and the line that repeats it, or why there is none.
pub(super) type Written = (Option<String>, Option<String>, Option<String>);

/// Writes a schedule into a file of its own, if files are wanted; `title` says what it is in a line. What cannot be written is still there to be printed.
///
/// # Errors
/// What is wrong with the schedule, not with the file.
pub(super) fn write(
    search: &Search<'_>,
    schedule: &Schedule,
    seed: u64,
    suffix: &str,
    title: String,
    story: &[StoryLine],
) -> Result<Written, Failure> {
    match save(search, schedule, seed, suffix, title, story) {
        Ok(saved) => Ok(saved.map_or((None, None, None), |(file, repeat)| (Some(file), Some(repeat), None))),
        Err(Failure::File(why)) => Ok((None, None, Some(why))),
        Err(other) => Err(other),
    }
}

/// As [`write`]: the file's name, and the line that repeats it.
fn save(
    search: &Search<'_>,
    schedule: &Schedule,
    seed: u64,
    suffix: &str,
    title: String,
    story: &[StoryLine],
) -> Result<Option<(String, String)>, Failure> {
    let Some(folder) = &search.hunt.out else { return Ok(None) };
    files::folder(folder)?;
    let base = &search.hunt.base;
    let repeat = |path: &Path| format!("brownout run {} --seed {seed}", shell_path(path));
    let story = |path: &Path| {
        let mut lines = vec![String::new()];
        lines.extend(story.iter().map(|line| format!("  {}  {}", line.at, line.what)));
        lines.push(String::new());
        lines.push(format!("Searched: {}. To repeat: {}", base.scenario().name, repeat(path)));
        lines
    };
    let text = base.file(schedule, seed, folder)?;
    let file = File { words: &words(search, schedule, suffix), title, story: &story, text };
    let path = file.save(folder)?;
    Ok(Some((path.display().to_string(), repeat(&path))))
}

/// What a find is called: the scenario, of each fault its kind and target, the designs.
fn words(search: &Search<'_>, schedule: &Schedule, suffix: &str) -> Vec<String> {
    let scenario = Path::new(&search.hunt.base.scenario().name);
    let mut words = vec![scenario.file_stem().map_or("scenario".into(), |stem| stem.to_string_lossy().into_owned())];
    for fault in schedule.faults.iter().take(3) {
        words.push(fault.what.clone());
        let target = search.hunt.vocabulary().target(fault).map(|target| target.name.clone());
        words.extend(target.filter(|name| !name.is_empty()));
    }
    // The same fault breaks other designs in other ways.
    for design in search.hunt.base.design.iter().flat_map(|text| text.split([',', ' '])) {
        words.push(design.rsplit('=').next().unwrap_or(design).to_string());
    }
    words.extend((!suffix.is_empty()).then(|| suffix.to_string()));
    words
}

/// The run of a schedule, told; nothing if there was no time for it.
pub(super) fn tell(search: &Search<'_>, schedule: &Schedule, seed: u64) -> Result<Vec<StoryLine>, Failure> {
    let base = &search.hunt.base;
    let scenario = base.with(schedule)?;
    let step = scenario.step.min(STEP).max(Ns(scenario.span.0 / 20_000));
    let run = |scenario: &Scenario| {
        let orders = Orders { step, event_limit: search.bench.event_limit, ..brownout_sim::orders(scenario, seed) };
        let mut run = Run::new(&scenario.plan, orders);
        match run.finish(Some(search.watch.stop), &mut |_| {}) {
            Ok(Ended::Interrupted) => Ok(None),
            Ok(_) => Ok(Some(run)),
            Err(imbalance) => Err(Failure::Broken(imbalance.to_string())),
        }
    };
    let (Some(quiet), Some(run)) = (run(base.scenario())?, run(&scenario)?) else { return Ok(Vec::new()) };
    let mut tale = Tale { scenario: &scenario, quiet: &quiet, run: &run, lines: Vec::new() };
    for fault in &schedule.faults {
        tale.fault(fault, &search.hunt.vocabulary().words(fault));
    }
    tale.fleets();
    tale.rotation();
    tale.calls(&schedule.faults);
    // A step may begin before the fault that it shows the effects of; at one instant the fault comes first.
    let first = schedule.faults.iter().filter_map(Fault::at).min().unwrap_or(Ns::ZERO);
    tale.lines.iter_mut().for_each(|(at, _)| *at = (*at).max(first));
    tale.lines.sort_by_key(|(at, _)| *at);
    // To a tenth of a second: nanoseconds help no reader.
    let clock = |at: Ns| scenario.calendar.clock(Ns(at.0 / 100_000_000 * 100_000_000));
    let line = |(at, what): (Ns, String)| StoryLine { at_s: at.as_secs(), at: clock(at), what };
    Ok(tale.lines.into_iter().map(line).collect())
}

/// A story under way: the run, and the same without the faults.
struct Tale<'a> {
    scenario: &'a Scenario,
    quiet: &'a Run,
    run: &'a Run,
    lines: Vec<(Ns, String)>,
}

impl Tale<'_> {
    fn say(&mut self, at: Ns, what: String) {
        self.lines.push((at, what));
    }

    fn fault(&mut self, fault: &Fault, words: &str) {
        let Some(at) = fault.at() else { return };
        self.say(at, words.to_string());
        if let Some(end) = fault.ends().filter(|end| *end < self.run.at() && *end > at) {
            self.say(end, format!("the end of {}", fault.what));
        }
    }

    /// The first step with more of something than any step of the quiet run has.
    fn first_more(&self, of: &dyn Fn(&Step) -> u64) -> Option<(Ns, u64)> {
        let most = self.quiet.steps.iter().map(of).max().unwrap_or(0);
        self.run.steps.iter().map(|s| (s.to, of(s))).find(|(_, n)| *n > most.saturating_mul(2).saturating_add(2))
    }

    fn fleets(&mut self) {
        for (at, (name, fleet)) in self.scenario.plan.spec.fleets.iter().enumerate() {
            let all = u64::from(fleet.count) * u64::from(fleet.workers);
            let busy = |run: &Run| run.steps.iter().find(|s| s.fleets[at].busy >= all).map(|s| s.to);
            if fleet.concurrency == Concurrency::Workers
                && let (Some(when), None) = (busy(self.run), busy(self.quiet))
            {
                self.say(when, format!("all {all} workers of {name} are busy"));
            }
            let dead = self.run.steps.iter().find(|s| s.fleets[at].alive < u64::from(fleet.count)).map(|s| s.to);
            if let Some(when) =
                dead.filter(|_| !self.quiet.steps.iter().any(|s| s.fleets[at].alive < u64::from(fleet.count)))
            {
                let first: usize = self.scenario.plan.spec.fleets.iter().take(at).map(|(_, f)| f.count as usize).sum();
                let crashes: u64 = self.run.ledger().crashes[first..first + fleet.count as usize].iter().sum();
                self.say(when, format!("processes of {name} die, {crashes} in all"));
            }
            if let Some((when, n)) = self.first_more(&|s| s.fleets[at].pool_waiting) {
                self.say(when, format!("{n} calls at {name} wait for a connection to a store"));
            }
            if let Some((when, n)) = self.first_more(&|s| s.fleets[at].accept_queue) {
                self.say(when, format!("{n} calls wait to be accepted by {name}"));
            }
            if let Some((when, n)) = self.first_more(&|s| s.fleets[at].spooled) {
                self.say(when, format!("spools of {name} fill: {n} calls"));
            }
        }
        if let Some((when, n)) = self.first_more(&|s| s.balancer_queue) {
            self.say(when, format!("{n} calls wait at the balancer"));
        }
    }

    fn rotation(&mut self) {
        let names = self.run.world().server_names();
        let mut turns: Vec<(Ns, bool, usize)> = Vec::new();
        for (server, changes) in self.run.ledger().changes.iter().enumerate() {
            let calm: BTreeSet<&(Ns, bool)> = self.quiet.ledger().changes[server].iter().collect();
            turns.extend(changes.iter().filter(|turn| !calm.contains(turn)).map(|(at, up)| (*at, *up, server)));
        }
        turns.sort_unstable();
        let downs = turns.iter().filter(|(_, up, _)| !up).count();
        let Some((first, _, server)) = turns.iter().find(|(_, up, _)| !up) else { return };
        let more = if downs > 1 { format!("; servers leave {downs} times in all") } else { String::new() };
        self.say(*first, format!("{} leaves rotation{more}", names[*server]));
        let fleet = self.scenario.plan.spec.fleets.0.first().map_or(0, |(_, f)| f.count as usize);
        let mut out: BTreeSet<usize> = BTreeSet::new();
        for (at, up, server) in turns.iter().filter(|(_, _, server)| *server < fleet) {
            if *up {
                out.remove(server);
            } else {
                out.insert(*server);
            }
            if out.len() == fleet {
                self.say(*at, "no server is in rotation".into());
                break;
            }
        }
    }

    fn counts(&self, run: &Run, kind: &str, from: Ns, to: Ns) -> Counts {
        let mut sum = Counts::default();
        let all = populations(kind, &self.scenario.plan.spec);
        all.iter().for_each(|p| sum.add(&run.ledger().over(*p, from, to)));
        sum
    }

    /// What calls of each kind suffer that they do not without the faults, and when that is over.
    fn calls(&mut self, faults: &[Fault]) {
        let mut last = Ns::ZERO;
        let kinds: Vec<String> = self.scenario.plan.spec.kinds().into_iter().map(str::to_string).collect();
        for kind in kinds {
            let bad = |c: &Counts| c.dropped_total().max(c.failed_total()) as f64 > QUIET * c.offered as f64;
            let steps: Vec<(Ns, Ns)> = self.run.steps.iter().map(|s| (s.from, s.to)).collect();
            let hit = steps.iter().filter(|(from, to)| {
                bad(&self.counts(self.run, &kind, *from, *to)) && !bad(&self.counts(self.quiet, &kind, *from, *to))
            });
            let hit: Vec<(Ns, Ns)> = hit.copied().collect();
            let (Some((from, _)), Some((_, to))) = (hit.first(), hit.last()) else { continue };
            let all = self.counts(self.run, &kind, *from, *to);
            let until = self.scenario.calendar.clock(*to);
            let fate = if all.dropped_total() > 0 {
                let worst = Cause::ALL.iter().zip(all.dropped).max_by_key(|(_, n)| *n);
                let cause = worst.map_or(String::new(), |(cause, _)| format!(", most of them: {}", cause.word()));
                format!("{} {kind} calls are dropped until {until}{cause}", all.dropped_total())
            } else {
                format!("{} {kind} calls fail until {until}, none is dropped", all.failed_total())
            };
            self.say(*from, fate);
            last = last.max(*to);
        }
        let ends = faults.iter().filter_map(Fault::ends).max();
        let text = match ends {
            _ if last == Ns::ZERO => return,
            _ if last >= self.run.at() => "not recovered by the end of the run".into(),
            Some(end) if last > end => {
                let seconds = libm::ceil(last.minus(end).as_secs());
                format!("as without the faults, {} after the end of the last", Ns::from_secs_f64(seconds))
            }
            _ => "as without the faults".into(),
        };
        self.say(last, text);
    }
}
