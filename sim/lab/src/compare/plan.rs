//! From the command line to cells: which axes are crossed, and every cell loaded.

use super::{Ask, Cell, Comparison, Dimension, Failure, VERSION, index, places};
use crate::values::between;
use brownout_models::metrics;
use brownout_models::setting::closest;
use brownout_scenarios::{Axis, Diagnostics, Request, Scenario, load};
use rayon::prelude::*;
use std::sync::Arc;

/// More cells than anyone waits for.
const CELLS: usize = 20_000;
/// Values of a sweep without a number of them.
const VALUES: usize = 5;

/// Cells that are sound and ready to run.
pub struct Plan {
    pub(super) pool: rayon::ThreadPool,
    pub(super) lose_a_call: bool,
    pub(super) confirm: bool,
    pub(super) scenarios: Vec<Arc<Scenario>>,
    pub(super) subject: String,
    pub(super) result: Comparison,
}

/// What the axes of a file are, and what `--design` fixed of them.
struct File<'a> {
    axes: &'a [Axis],
    designs: &'a [String],
}

impl Plan {
    /// Crosses the axes and loads every cell.
    ///
    /// # Errors
    /// See [`Failure`]: everything that is wrong, at once.
    pub fn new(ask: &Ask<'_>) -> Result<Plan, Failure> {
        let base = load(&Request { path: ask.path, set: ask.set, design: ask.design });
        let base = base.map_err(|mistakes| Failure::Scenario(vec![(String::new(), mistakes)]))?;
        let mut wrong = Vec::new();
        let file = File { axes: &base.axes, designs: &base.designs };
        let mut dimensions = file.cross(ask, &mut wrong);
        let under = file.under(ask, &dimensions, &mut wrong);
        file.baseline(ask, &mut dimensions, under, &mut wrong);
        sweeps(ask, &base, &mut dimensions, &mut wrong);
        let metric = ask.metric.map_or_else(|| headline(&base), str::to_string);
        let subject = check_metric(&metric, &base).unwrap_or_else(|why| {
            wrong.push(why);
            String::new()
        });
        let cells = dimensions.iter().try_fold(1_usize, |n, d| n.checked_mul(d.points.len()));
        if cells.is_none_or(|n| n > CELLS) {
            wrong.push(format!("more than {CELLS} cells; cross fewer points with --axis name=a,b"));
        }
        if !(ask.bad_runs > 0.0 && ask.bad_runs < 1.0) {
            wrong.push("no number of runs shows that none is bad: --bad-runs is above 0% and below 100%".into());
        }
        if !wrong.is_empty() {
            return Err(Failure::Usage(wrong));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(ask.jobs.unwrap_or(0)).build();
        let pool = pool.map_err(|why| Failure::Threads(why.to_string()))?;
        let cells = make_cells(ask, &dimensions);
        let scenarios = pool.install(|| load_all(ask, &cells))?;
        check_everywhere(&metric, &scenarios)?;
        let clock = |at| base.calendar.clock(at);
        let result = Comparison {
            version: VERSION,
            scenario: base.name.clone(),
            title: base.title.clone(),
            window: (clock(base.window.0), clock(base.window.1)),
            metric,
            asked: ask.design.to_vec(),
            set: ask.set.to_vec(),
            seeds: ask.seeds,
            first_seed: ask.first_seed,
            precision: ask.precision,
            max_seeds: ask.max_seeds.max(ask.seeds),
            safe: ask.safe,
            bad_runs: ask.bad_runs,
            dimensions,
            under,
            cells,
            ended: "complete".into(),
            ..Comparison::default()
        };
        Ok(Plan { pool, lose_a_call: ask.lose_a_call, confirm: ask.confirm, scenarios, subject, result })
    }

    /// What is crossed: axes in the order of the file, then sweeps.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.result.dimensions
    }

    /// How many cells there are, and how many runs at least.
    pub fn size(&self) -> (usize, u64) {
        let cells = self.result.cells.len();
        (cells, cells as u64 * self.result.seeds)
    }
}

/// "; did you mean" the nearest, or all there are.
fn suggest(name: &str, known: &[&str]) -> String {
    match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "the scenario has none".into(),
        None => format!("there are: {}", known.join(", ")),
    }
}

impl File<'_> {
    fn axis(&self, name: &str) -> Result<usize, String> {
        let names: Vec<_> = self.axes.iter().map(|a| a.name.as_str()).collect();
        let at = names.iter().position(|n| *n == name);
        at.ok_or_else(|| format!("no axis \"{name}\"; {}", suggest(name, &names)))
    }

    /// The axis and point that a text such as "isolation=bulkhead" or "bulkhead" names; none for a named design.
    fn point(&self, text: &str) -> Result<Option<(usize, usize)>, String> {
        if let Some((axis, point)) = text.split_once('=') {
            let at = self.axis(axis)?;
            let points: Vec<_> = self.axes[at].points.iter().map(String::as_str).collect();
            let found = points.iter().position(|p| *p == point);
            let found =
                found.ok_or_else(|| format!("axis `{axis}` has no point \"{point}\"; {}", suggest(point, &points)))?;
            return Ok(Some((at, found)));
        }
        let all = || self.axes.iter().enumerate();
        let found: Vec<_> =
            all().filter_map(|(i, a)| a.points.iter().position(|p| p == text).map(|p| (i, p))).collect();
        match found[..] {
            [only] => Ok(Some(only)),
            [] if self.designs.iter().any(|d| d == text) => Ok(None),
            [] => {
                let points: Vec<_> = all().flat_map(|(_, a)| a.points.iter().map(String::as_str)).collect();
                Err(format!("no point \"{text}\"; {}", suggest(text, &points)))
            }
            _ => Err(format!("\"{text}\" is a point of more than one axis; write axis={text}")),
        }
    }

    /// The axes to cross, in the order of the file.
    fn cross(&self, ask: &Ask<'_>, wrong: &mut Vec<String>) -> Vec<Dimension> {
        let words = ask.design.iter().flat_map(|text| text.split([',', ' '])).filter(|word| !word.is_empty());
        let fixed: Vec<usize> = words.filter_map(|word| self.point(word).ok().flatten()).map(|(at, _)| at).collect();
        let mut chosen: Vec<Option<Vec<String>>> = vec![None; self.axes.len()];
        if ask.axes.is_empty() {
            let free = (0..self.axes.len()).filter(|at| !fixed.contains(at) && !self.axes[*at].points.is_empty());
            free.for_each(|at| chosen[at] = Some(self.axes[at].points.clone()));
        }
        for text in ask.axes {
            match self.read_axis(text) {
                Ok((at, _)) if fixed.contains(&at) => {
                    let name = &self.axes[at].name;
                    wrong.push(format!("axis `{name}` is both fixed by --design and crossed; leave one of them out"));
                }
                Ok((at, _)) if chosen[at].is_some() => {
                    let name = &self.axes[at].name;
                    wrong.push(format!("axis `{name}` is given twice; put its points together: --axis {name}=a,b"));
                }
                Ok((at, points)) => chosen[at] = Some(points),
                Err(why) => wrong.push(why),
            }
        }
        let chosen = self.axes.iter().zip(chosen);
        chosen
            .filter_map(|(axis, points)| {
                Some(Dimension { name: axis.name.clone(), points: points?, ..Dimension::default() })
            })
            .collect()
    }

    fn read_axis(&self, text: &str) -> Result<(usize, Vec<String>), String> {
        let Some((name, list)) = text.split_once('=') else {
            let at = self.axis(text)?;
            return Ok((at, self.axes[at].points.clone()));
        };
        let at = self.axis(name)?;
        let mut points: Vec<String> = Vec::new();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            self.point(&format!("{name}={word}"))?;
            if !points.iter().any(|p| p == word) {
                points.push(word.to_string());
            }
        }
        if points.is_empty() {
            Err(format!("no points in --axis {text}; write --axis {name} for all"))
        } else {
            Ok((at, points))
        }
    }

    /// The dimension that says what goes wrong.
    fn under(&self, ask: &Ask<'_>, dimensions: &[Dimension], wrong: &mut Vec<String>) -> Option<usize> {
        let name = match ask.under {
            Some(name) => match self.axis(name) {
                Ok(_) => name,
                Err(why) => {
                    wrong.push(format!("--under: {why}"));
                    return None;
                }
            },
            None if self.axes.len() >= 3 => &self.axes[0].name,
            None => return None,
        };
        dimensions.iter().position(|d| d.name == name)
    }

    /// The point of the baseline in each dimension. What goes wrong, and what lies beyond the two axes of a matrix, has a
    /// baseline at each of its points, unless one was asked for.
    fn baseline(&self, ask: &Ask<'_>, dimensions: &mut [Dimension], under: Option<usize>, wrong: &mut Vec<String>) {
        let designs = dimensions.len() - usize::from(under.is_some());
        let mut beyond = designs.saturating_sub(2);
        for (i, dimension) in dimensions.iter_mut().enumerate() {
            if Some(i) == under {
                continue;
            }
            if beyond > 0 {
                beyond -= 1;
                continue;
            }
            let axis = self.axes.iter().find(|a| a.name == dimension.name);
            let default = axis.and_then(|a| a.default.as_ref());
            let at = default.and_then(|default| dimension.points.iter().position(|p| p == default));
            dimension.baseline = Some(at.unwrap_or(0));
        }
        let words = ask.baseline.iter().flat_map(|text| text.split([',', ' '])).filter(|word| !word.is_empty());
        for word in words {
            let (axis, point) = match self.point(word) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    wrong.push(format!("--baseline takes points of axes, and \"{word}\" is a named design"));
                    continue;
                }
                Err(why) => {
                    wrong.push(format!("--baseline: {why}"));
                    continue;
                }
            };
            let (name, point) = (&self.axes[axis].name, &self.axes[axis].points[point]);
            let dimension = dimensions.iter_mut().find(|d| d.name == *name);
            let at = dimension.as_ref().and_then(|d| d.points.iter().position(|p| p == point));
            match (dimension, at) {
                (Some(dimension), Some(at)) => dimension.baseline = Some(at),
                _ => wrong
                    .push(format!("--baseline {name}={point} is not compared; add it with --axis {name}=...,{point}")),
            }
        }
    }
}

/// Reads `--sweep` texts and adds a dimension for each.
fn sweeps(ask: &Ask<'_>, base: &Scenario, dimensions: &mut Vec<Dimension>, wrong: &mut Vec<String>) {
    if ask.sweeps.len() > 2 {
        wrong.push("more than two --sweep: fix the others with --set, or sweep them one after the other".into());
        return;
    }
    for text in ask.sweeps {
        match read_sweep(text) {
            Ok((path, _)) if dimensions.iter().any(|d| d.sweep && d.name == path) => {
                wrong.push(format!("{path} is swept twice; put its values together: --sweep {path}=a,b,c"));
            }
            Ok((path, points)) => {
                let written = base.provenance.iter().find(|p| p.path == path).map(|p| p.value.clone());
                dimensions.push(Dimension { name: path, points, sweep: true, written, baseline: None });
            }
            Err(why) => wrong.push(why),
        }
    }
}

fn read_sweep(text: &str) -> Result<(String, Vec<String>), String> {
    let looks = "a sweep looks like fleets.collectors.workers=4..128:5 or fleets.collectors.workers=4,16,64";
    let (path, values) = text.split_once('=').ok_or_else(|| format!("--sweep {text}: {looks}"))?;
    if let Some((low, rest)) = values.split_once("..") {
        let (high, n) = match rest.rsplit_once(':') {
            Some((high, n)) => (high, n.parse().ok().filter(|n| (2..=1000).contains(n))),
            None => (rest, Some(VALUES)),
        };
        let n = n.ok_or_else(|| format!("--sweep {text}: after the colon comes how many values, from 2 to 1000"))?;
        let points = between(low.trim(), high.trim(), n);
        let points =
            points.ok_or_else(|| format!("--sweep {text}: \"{low}\" and \"{high}\" are no numbers of one unit"))?;
        return Ok((path.into(), points));
    }
    let mut points: Vec<String> = values.split(',').map(|v| v.trim().to_string()).filter(|v| !v.is_empty()).collect();
    points.dedup();
    if points.len() < 2 {
        Err(format!("--sweep {text}: one value is no sweep; {looks}"))
    } else {
        Ok((path.into(), points))
    }
}

/// The share of dropped calls of what the first population sends.
fn headline(base: &Scenario) -> String {
    format!("{}.dropped_rate", base.plan.spec.kinds().first().unwrap_or(&"all"))
}

/// The subject of a metric that can be compared.
fn check_metric(metric: &str, scenario: &Scenario) -> Result<String, String> {
    match metrics::find(metric, &scenario.plan.spec) {
        Ok((subject, found)) if found.is_loss => Ok(subject.to_string()),
        Ok(_) => {
            let known = metrics::ALL.iter().filter(|m| m.is_loss).map(|m| m.name);
            let known = known.collect::<Vec<_>>().join(", ");
            Err(format!("--metric {metric} is no share of calls lost; these are: {known}"))
        }
        Err(why) => Err(format!("--metric: {why}")),
    }
}

/// A design may change what is sent.
fn check_everywhere(metric: &str, scenarios: &[Arc<Scenario>]) -> Result<(), Failure> {
    let bad = scenarios.iter().find_map(|s| check_metric(metric, s).err().map(|why| format!("{}: {why}", s.design)));
    bad.map_or(Ok(()), |why| Err(Failure::Usage(vec![why])))
}

fn make_cells(ask: &Ask<'_>, dimensions: &[Dimension]) -> Vec<Cell> {
    let lengths: Vec<usize> = dimensions.iter().map(|d| d.points.len()).collect();
    let make = |at: Vec<usize>| {
        let mut cell = Cell { design: ask.design.to_vec(), set: ask.set.to_vec(), ..Cell::default() };
        let mut baseline = at.clone();
        for (i, dimension) in dimensions.iter().enumerate() {
            let text = format!("{}={}", dimension.name, dimension.points[at[i]]);
            if dimension.sweep {
                cell.set.push(text)
            } else {
                cell.design.push(text)
            }
            baseline[i] = dimension.baseline.unwrap_or(at[i]);
        }
        cell.baseline = index(dimensions, &baseline);
        cell.at = at;
        cell
    };
    places(&lengths).into_iter().map(make).collect()
}

/// Loads every cell; of mistakes that several cells share, one is reported.
fn load_all(ask: &Ask<'_>, cells: &[Cell]) -> Result<Vec<Arc<Scenario>>, Failure> {
    let loaded: Vec<Result<Arc<Scenario>, Diagnostics>> = cells
        .par_iter()
        .map(|cell| {
            let mut scenario = load(&Request { path: ask.path, set: &cell.set, design: &cell.design })?;
            // Thousands of cells may be planned, and their reasons are never printed.
            scenario.provenance = Vec::new();
            scenario.description = String::new();
            Ok(Arc::new(scenario))
        })
        .collect();
    let mut scenarios = Vec::new();
    let mut mistakes: Vec<(String, Diagnostics, usize)> = Vec::new();
    for (cell, result) in cells.iter().zip(loaded) {
        match result {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => match mistakes.iter_mut().find(|(_, known, _)| known.messages() == found.messages()) {
                Some((_, _, more)) => *more += 1,
                None => {
                    let own = &cell.set[ask.set.len()..];
                    let words = cell.design.iter().chain(own).cloned().collect::<Vec<_>>().join(" ");
                    mistakes.push((words, found, 0));
                }
            },
        }
    }
    if mistakes.is_empty() {
        return Ok(scenarios);
    }
    let name = |(words, found, more): (String, Diagnostics, usize)| match more {
        0 => (words, found),
        1 => (format!("{words} and 1 more cell"), found),
        n => (format!("{words} and {n} more cells"), found),
    };
    Err(Failure::Scenario(mistakes.into_iter().map(name).collect()))
}
