//! From text to a scenario: parse, mark, overlay, decode, cross-check. Every stage adds its mistakes.

use crate::clock::{AnyTime, Calendar};
use crate::designs::{self, Design};
use crate::diagnose::{Diagnostics, Sources};
use crate::document::{self, Assignment};
use crate::evidence::{self, EvidenceSpec};
use crate::expect;
use crate::header::{self, Header};
use crate::input::{SIZE, read_file};
use crate::limits;
use crate::marks::{self, Marks};
use crate::overlay::{self, Choice, Overlays};
use crate::silence::{self, Silence};
use crate::trace;
use crate::{Request, Scenario};
use brownout_models::component::clients::Trace;
use brownout_models::metrics;
use brownout_models::setting::{
    Clock, Data, Key, Problem, Reader, Setting, Settings, Span, Table, Value, unknown_keys,
};
use brownout_models::spec::{WorldPlan, WorldSpec};
use brownout_models::units::Ns;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Most `--set` and `--design` texts.
pub(crate) const TEXTS: usize = 1000;
/// Entries of a timeline; looking for circles among them takes time that grows with the cube of their number.
pub(crate) const ENTRIES: usize = 1000;
/// Stack for reading a file: the TOML parser nests as deep as the text does, before we can count it.
const STACK: usize = 256 << 20;

/// Reads a scenario file and makes sure that it can be run.
///
/// # Errors
/// Everything that is wrong with it, or that the file cannot be read.
pub fn load(request: &Request<'_>) -> Result<Scenario, Diagnostics> {
    let name = request.path.display().to_string();
    let text = read_file(request.path).map_err(|why| Diagnostics::nowhere(format!("cannot read {name}: {why}")))?;
    let base_dir = request.path.parent().unwrap_or(Path::new(""));
    load_text(&name, &text, base_dir, request.set, request.design)
}

/// As [`load`], and with the scenario what each of its designs changes.
///
/// # Errors
/// As [`load`].
pub fn load_designs(request: &Request<'_>) -> Result<(Scenario, Vec<Design>), Diagnostics> {
    let name = request.path.display().to_string();
    let text = read_file(request.path).map_err(|why| Diagnostics::nowhere(format!("cannot read {name}: {why}")))?;
    let base_dir = request.path.parent().unwrap_or(Path::new(""));
    load_all(&name, &text, base_dir, request.set, request.design, true)
}

/// As [`load`], from text: `name` is what messages call it, `base_dir` is where its traces lie.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_text(
    name: &str,
    text: &str,
    base_dir: &Path,
    set: &[String],
    design: &[String],
) -> Result<Scenario, Diagnostics> {
    load_all(name, text, base_dir, set, design, false).map(|(scenario, _)| scenario)
}

/// Reads a text; what designs change is told only if asked for, as it decodes each of them.
fn load_all(
    name: &str,
    text: &str,
    base_dir: &Path,
    set: &[String],
    design: &[String],
    tell: bool,
) -> Result<(Scenario, Vec<Design>), Diagnostics> {
    if text.len() as u64 > SIZE {
        return Err(Diagnostics::nowhere(format!("{name} is larger than {} MiB", SIZE >> 20)));
    }
    if set.len() + design.len() > TEXTS {
        return Err(Diagnostics::nowhere(format!("more than {TEXTS} settings and designs")));
    }
    let work = || Load::run(name, text, base_dir, (set, design), tell);
    // A page has no threads; who runs it there gives it a stack, and bounds the text.
    if cfg!(target_family = "wasm") {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(|t| t.join()) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Diagnostics::nowhere(format!("{name}: reading failed; this is a defect of brownout"))),
            Err(why) => Err(Diagnostics::limit(format!("{name}: no thread to read it with: {why}"))),
        }
    })
}

/// One load under way.
struct Load<'a> {
    sources: Sources,
    problems: Vec<Problem>,
    marks: Marks,
    base_dir: &'a Path,
    /// What the designs change, if that was asked for.
    designs: Option<Vec<Design>>,
    /// Which keys have an effect.
    silence: Silence,
    /// What a reader should know beside that.
    warnings: Vec<Problem>,
}

/// The parts of a file, marks taken off.
struct Parts {
    header: Table,
    world: Value,
    overlays: Overlays,
}

impl<'a> Load<'a> {
    fn run(
        name: &str,
        text: &str,
        base_dir: &'a Path,
        (set, design): (&[String], &[String]),
        tell: bool,
    ) -> Result<(Scenario, Vec<Design>), Diagnostics> {
        let designs = tell.then(Vec::new);
        let (sources, marks) = (Sources::default(), Marks::default());
        let (problems, silence, warnings) = (Vec::new(), Silence::default(), Vec::new());
        let mut load = Load { sources, problems, marks, base_dir, designs, silence, warnings };
        let source = load.sources.add(name, text);
        let root = match document::parse(text, source) {
            Ok((root, problems)) => {
                load.problems.extend(problems);
                root
            }
            Err(problems) => return Err(Diagnostics::new(load.sources, problems)),
        };
        let scenario = load.build(name, root, set, design);
        load.problems.append(&mut load.marks.problems);
        match scenario {
            Some(mut scenario) if load.problems.is_empty() => {
                let warnings = [load.warnings, load.silence.finish()].concat();
                scenario.warnings = Arc::new(Diagnostics::new(load.sources, Vec::new()).with_warnings(warnings));
                Ok((scenario, load.designs.unwrap_or_default()))
            }
            _ => {
                let warnings = [load.warnings, load.silence.finish()].concat();
                Err(Diagnostics::new(load.sources, load.problems).with_warnings(warnings))
            }
        }
    }

    fn build(&mut self, name: &str, root: Value, set: &[String], design: &[String]) -> Option<Scenario> {
        let as_run = header::as_run(&root);
        let sets = self.read_sets("as_run.set", &as_run.set).into_iter().chain(self.read_sets("--set", set));
        let (world_sets, header_sets) = sets.collect::<Vec<_>>().into_iter().partition(|a| is_world_key(&a.path));
        let Parts { header: table, mut world, overlays } = self.take_apart(root, header_sets);
        let calendar = header::read_calendar(&table, &mut self.problems);
        let length = calendar.as_ref().map(|c| c.length());
        let any = AnyTime::default();
        let clock: &dyn Clock = calendar.as_ref().map_or(&any, |c| c);
        let header = header::read_header(&table, clock, length, &mut self.problems);
        let asked = self.read_designs("--design", design);
        let written = self.read_designs("as_run.design", &as_run.design);
        let choice = overlays.choose(&asked, &written, &mut self.problems);
        let end = length.unwrap_or(Ns::ZERO);
        self.check_idle(&overlays, &choice, &world, (clock, end));
        let base = world.clone();
        // No page asks for it.
        if let Some(told) = self.designs.as_mut().filter(|_| !cfg!(target_family = "wasm")) {
            *told = designs::tell(&overlays, &world, clock);
        }
        overlays.apply(&choice, &mut world, &mut self.problems);
        if !world_sets.is_empty() {
            // A key of the file is no worse for a change by hand that takes its effect away.
            self.listen_before(world.clone(), (clock, end));
        }
        self.apply_sets(&mut world, world_sets);
        // As written: what a copy has from its model is counted once.
        let provenance = self.provenance(&world);
        overlay::copy_likes(&mut world, &mut self.problems);
        let steps = length.map_or(0, |length| length.0.checked_div(header.step.0).unwrap_or(0));
        let spec = self.decode(&world, clock, (end, steps));
        self.silence.listen_elsewhere(&overlays, &base, clock, end);
        let mut scenario = Scenario {
            name: name.into(),
            title: header.title.clone(),
            description: header.description.clone(),
            design: overlays.describe(&choice),
            asked: design.to_vec(),
            set: set.to_vec(),
            options: Vec::new(),
            span: length.unwrap_or(Ns::ZERO),
            window: header.window.map_or((Ns::ZERO, length.unwrap_or(Ns::ZERO)), |w| (w.from, w.to)),
            step: header.step,
            limits: header.limits.clone(),
            axes: overlays.axes.iter().map(overlay::AxisTable::public).collect(),
            designs: overlays.designs.iter().map(|d| d.name.clone()).collect(),
            provenance,
            calendar: Calendar::bare(Ns::ZERO),
            plan: WorldPlan { spec: WorldSpec::default(), traces: Vec::new(), end: Ns::ZERO },
            evidence: Vec::new(),
            expect: Vec::new(),
            seeds: header.seeds.clone(),
            warnings: Arc::default(),
        };
        self.read_evidence(&header, &world, clock, &mut scenario);
        let in_force = overlays.in_force(&choice, expect::NAMED);
        self.read_expectations(&header, clock, spec.as_ref(), in_force, &mut scenario);
        let spec = spec?;
        self.check_metrics(&header, &scenario.evidence, &spec);
        scenario.plan = WorldPlan { traces: self.traces(&spec, &world, scenario.span), spec, end: scenario.span };
        scenario.calendar = calendar?;
        Some(scenario)
    }

    /// Reads the `--set` texts, each a source of its own.
    fn read_sets(&mut self, name: &str, set: &[String]) -> Vec<Assignment> {
        let mut out = Vec::new();
        for text in set {
            let source = self.sources.add(name, text);
            match document::parse_assignment(text, source) {
                Ok((mut assignment, problems)) => {
                    self.problems.extend(problems);
                    self.marks.take_off(&mut assignment.value);
                    out.push(assignment);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        out
    }

    /// Splits the `--design` texts at commas and blanks, so that the words of [`Scenario::design`] can be given back.
    fn read_designs(&mut self, name: &str, design: &[String]) -> Vec<(String, Span)> {
        let mut out = Vec::new();
        for text in design {
            let source = self.sources.add(name, text);
            let mut start = 0;
            for word in text.split([',', ' ']) {
                let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                let span = Span { source, start: place(start), end: place(start + word.len()) };
                if !word.is_empty() {
                    out.push((word.to_string(), span));
                }
                start += word.len() + 1;
            }
        }
        out
    }

    /// Parts header, world and overlays, and reports keys that belong to neither.
    fn take_apart(&mut self, mut root: Value, header_sets: Vec<Assignment>) -> Parts {
        for assignment in &header_sets {
            if let Err(problem) = overlay::assign(&mut root, assignment) {
                self.problems.push(problem);
            }
        }
        let mut world = Value::new(root.span, Data::Table(Table::default()));
        let mut header = Table::default();
        if let (Data::Table(root), Data::Table(world)) = (root.data, &mut world.data) {
            let known: Vec<_> = Header::fields().iter().chain(&WorldSpec::fields()).map(|f| f.name).collect();
            let any = AnyTime::default();
            let mut reader = Reader::new(&any);
            unknown_keys(&root, &known, &[], &mut reader);
            self.problems.extend(reader.finish());
            for (key, value) in root.entries {
                let part = if is_world_key(std::slice::from_ref(&key)) { &mut *world } else { &mut header };
                part.entries.push((key, value));
            }
        }
        for key in ["axes", "designs"] {
            if let Some(value) = header.get_mut(key) {
                self.marks.take_off(value);
            }
        }
        if let Data::Table(world) = &mut world.data {
            // Each by itself: the root is no value that could carry a mark.
            world.entries.iter_mut().for_each(|(_, value)| self.marks.take_off(value));
        }
        self.warnings.extend(header.get("axes").into_iter().flat_map(overlay::empty_axes));
        let overlays = Overlays::read(header.get("axes"), header.get("designs"), &mut self.problems);
        Parts { header, world, overlays }
    }

    fn apply_sets(&mut self, world: &mut Value, sets: Vec<Assignment>) {
        for assignment in &sets {
            if let Err(problem) = overlay::assign(world, assignment) {
                self.problems.push(problem);
            }
        }
    }

    /// Decodes what no choice put in force, each on the bare base, and keeps what is wrong inside it.
    fn check_idle(&mut self, overlays: &Overlays, choice: &Choice, base: &Value, (clock, end): (&dyn Clock, Ns)) {
        for layers in overlays.idle(choice) {
            let mut world = base.clone();
            let mut places = BTreeSet::new();
            for layer in layers {
                overlay::places(layer, &mut places);
                overlay::merge(&mut world, layer, &mut Vec::new());
            }
            overlay::copy_likes(&mut world, &mut Vec::new());
            let mut reader = Reader::new(clock);
            let spec = WorldSpec::read(&world, &mut reader);
            if let (Some(spec), 0) = (spec, reader.count()) {
                self.silence.add_within(spec.heard(&world, end), &places);
            }
            let inside = |p: &Problem| places.contains(&(p.span.source, p.span.start, p.span.end));
            self.problems.extend(reader.finish().into_iter().filter(inside));
        }
    }

    /// Listens to a world before changes by hand are made to it: only what has an effect there is of interest.
    fn listen_before(&mut self, mut world: Value, (clock, end): (&dyn Clock, Ns)) {
        overlay::copy_likes(&mut world, &mut Vec::new());
        if let Some(heard) = silence::listen(&world, clock, end) {
            self.silence.add_within(heard, &BTreeSet::new());
        }
    }

    /// Decodes the world; what its parts say of each other is checked only if each part is sound.
    fn decode(&mut self, world: &Value, clock: &dyn Clock, (end, steps): (Ns, u64)) -> Option<WorldSpec> {
        let too_many = limits::parts(world);
        if !too_many.is_empty() {
            self.problems.extend(too_many);
            return None;
        }
        let mut reader = Reader::new(clock);
        let spec = WorldSpec::read(world, &mut reader);
        // An unknown key was meant to say something: what it leaves out may be what gives the others their effect.
        let complete = !reader.has_strangers();
        let problems = reader.finish();
        let sound = problems.is_empty();
        self.problems.extend(problems);
        if let Some(spec) = spec.as_ref().filter(|_| complete) {
            self.silence.add(spec.heard(world, end));
            self.warnings.extend(spec.warnings(world, end));
        }
        if let Some(spec) = spec.as_ref().filter(|_| !sound) {
            self.problems.extend(spec.unknown_names());
        }
        let spec = spec.filter(|_| sound)?;
        if spec.timeline.len() > ENTRIES {
            let span = at_path(world, &["timeline"]).map_or(Span::default(), |v| v.span);
            let message = format!("{} timeline entries are more than the {ENTRIES} supported", spec.timeline.len());
            self.problems.push(Problem { span, message, help: None });
            return None;
        }
        let mut problems = spec.problems();
        problems.extend(spec.contradictions(world));
        // That there are too many steps, the header has said.
        problems.extend(limits::world(&spec, steps.min(header::STEPS), end));
        let sound = problems.is_empty();
        self.problems.extend(problems);
        Some(spec).filter(|_| sound)
    }

    /// Evidence must speak of metrics that this world has, in their units.
    fn check_metrics(&mut self, header: &Header, evidence: &[EvidenceSpec], spec: &WorldSpec) {
        for entry in &header.evidence {
            let Some(read) = evidence.iter().find(|e| e.id == entry.id.text) else { continue };
            match metrics::find(&read.metric, spec) {
                Err(why) => {
                    let (message, help) = why.split_once("; ").map_or((why.as_str(), None), |(m, h)| (m, Some(h)));
                    let help = help.map(str::to_string);
                    self.problems.push(Problem { span: entry.metric.span, message: message.into(), help });
                }
                Ok((_, metric)) if read.observed.unit() != metric.unit => {
                    let message = format!("`{}` is {}", read.metric, evidence::describe(metric.unit));
                    let help = format!("{} was observed here", evidence::describe(read.observed.unit()));
                    self.problems.push(Problem { span: entry.metric.span, message, help: Some(help) });
                }
                Ok(_) => {}
            }
        }
    }

    /// Evidence, and what the marks say of it.
    fn read_evidence(&mut self, header: &Header, world: &Value, clock: &dyn Clock, scenario: &mut Scenario) {
        let mut fitted = Vec::new();
        marks::fitted(world, &mut fitted);
        let sources = &self.sources;
        let line = |span: Span| sources.line(span);
        scenario.evidence =
            evidence::read(&header.evidence, clock, scenario.window, &fitted, &line, &mut self.problems);
        let ids: Vec<_> = header.evidence.iter().map(|e| e.id.text.as_str()).collect();
        for (id, span) in std::mem::take(&mut self.marks.calibrated) {
            if !ids.contains(&id.as_str()) {
                let message = format!("no evidence \"{id}\"");
                let help = if ids.is_empty() {
                    "there is no [[evidence]]".into()
                } else {
                    format!("there are: {}", ids.join(", "))
                };
                self.problems.push(Problem { span, message, help: Some(help) });
            }
        }
    }

    /// Expectations, as far as the world is known.
    fn read_expectations(
        &mut self,
        header: &Header,
        clock: &dyn Clock,
        spec: Option<&WorldSpec>,
        in_force: Vec<(String, String)>,
        scenario: &mut Scenario,
    ) {
        let sources = &self.sources;
        let source = |span: Span| sources.text(span.source).get(span.start as usize..span.end as usize).unwrap_or("");
        let context = expect::Context {
            clock,
            window: scenario.window,
            run: (Ns::ZERO, scenario.span),
            axes: expect::axes(&scenario.axes, &scenario.designs),
            in_force,
            spec,
            source: &source,
        };
        for entry in &header.expect {
            let line = sources.line(entry.span);
            scenario.expect.extend(expect::read(entry, &context, line, &mut self.problems));
        }
    }

    fn provenance(&self, world: &Value) -> Vec<marks::Provenance> {
        marks::list(world, &|span| (span.source > 0).then(|| self.sources.text(span.source).to_string()))
    }

    /// Reads the traces that populations name.
    fn traces(&mut self, spec: &WorldSpec, world: &Value, end: Ns) -> Vec<Option<Arc<[Ns]>>> {
        let mut out = Vec::new();
        let mut rows = 0;
        for (name, clients) in spec.clients.iter() {
            let Some(Trace(recording)) = &clients.trace else {
                out.push(None);
                continue;
            };
            let read = trace::read(self.base_dir, recording, &clients.sends.text, end, trace::ROWS - rows);
            let span = at_path(world, &["clients", name, "trace"]).map_or(Span::default(), |v| v.span);
            match read {
                Ok(calls) => {
                    rows += calls.times.len() as u64;
                    if calls.outside > 0 {
                        let (n, file, kind) = (calls.outside, &recording.file, &clients.sends.text);
                        let all = n + calls.times.len() as u64;
                        let message = format!(
                            "{file}: {n} of its {all} rows of the kind \"{kind}\" lie outside the run, which lasts {end}"
                        );
                        let help =
                            "they are not replayed; `begins` says what the file shows when the run begins".to_string();
                        self.warnings.push(Problem { span, message, help: Some(help) });
                    }
                    out.push(Some(calls.times));
                }
                Err(bad) => {
                    let placed = bad.into_iter().map(|trace::Wrong { message, help }| Problem { span, message, help });
                    self.problems.extend(placed);
                    out.push(None);
                }
            }
        }
        out
    }
}

fn is_world_key(path: &[Key]) -> bool {
    // The whole table of the format is made to know them: once is enough.
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| WorldSpec::fields().iter().map(|f| f.name).collect());
    path.first().is_some_and(|key| NAMES.contains(&key.name.as_str()))
}

fn at_path<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match &value.data {
        Data::Table(table) => table.get(key),
        _ => None,
    })
}
