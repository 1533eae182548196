//! `brownout report`: a document for a design review, from a scenario or from what was saved.

use super::living::{engine, living};
use super::loading::Strictness;
use super::prose::counted;
use crate::patience::{bar_of_runs, lose_a_call};
use crate::terminal::{Terminal, line};
use brownout::exit::Exit;
use brownout::lab::compare::{Ask, Comparison, Plan, days, pairs};
use brownout::lab::ranges;
use brownout::output::files::{self, folder, probe, probe_folder, write_within};
use brownout::reports::report::{self, Living, Material};
use brownout::reports::saved::{Files, Saved};
use brownout::scenarios::{Request, load, read_file};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Arguments of `report`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A scenario file to run and compare, or saved documents: those of run, compare, run --ranges and hunt, or folders of them
    #[arg(required = true, value_name = "SCENARIO|SAVED")]
    files: Vec<PathBuf>,
    /// Where the report goes
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Write every picture by itself into this folder, as SVG and as PNG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Put the engine and the scenario into the page, so that a reader can ask it again
    #[arg(long, help_heading = "With a scenario")]
    live: bool,
    /// The engine to put into it [default: the one that reports/live/build made]
    #[arg(long, value_name = "FILE", requires = "live", help_heading = "With a scenario")]
    engine: Option<PathBuf>,
    /// The design to set beside the baseline: bulkhead, health=shallow [default: safe everywhere at the least cost]
    #[arg(long, value_name = "DESIGN")]
    chosen: Vec<String>,
    /// Cross an axis, as compare does; may be repeated [default: all axes]
    #[arg(long, value_name = "AXIS", help_heading = "With a scenario")]
    axis: Vec<String>,
    /// Sweep a number for the baseline and the chosen design, as compare does; may be repeated
    #[arg(long, value_name = "PATH=VALUES", help_heading = "With a scenario")]
    sweep: Vec<String>,
    /// Move every number that has a range through it, and see where this evidence stays met
    #[arg(long, value_name = "EVIDENCE", help_heading = "With a scenario")]
    ranges: Option<String>,
    /// Seeds per cell
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000), help_heading = "With a scenario")]
    seeds: u64,
    /// The first of them, and that of the days shown
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 60), help_heading = "With a scenario")]
    first_seed: u64,
    /// Run what looks safe on as many more seeds as the word "safe" needs, as compare does
    #[arg(long, help_heading = "With a scenario")]
    confirm: bool,
    /// Take a design in every cell; may be repeated
    #[arg(long, value_name = "DESIGN", help_heading = "With a scenario")]
    design: Vec<String>,
    /// Change a value in every cell: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE", help_heading = "With a scenario")]
    set: Vec<String>,
    /// Runs at a time [default: as many as cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "With a scenario")]
    jobs: Option<u16>,
    #[command(flatten, next_help_heading = "With a scenario")]
    strictness: Strictness,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    // Before anything is run, so that no result is computed that cannot be kept.
    let plots = args.plots.as_deref().map_or(Ok(()), probe_folder);
    if let Err(why) = probe(&args.out).and(plots) {
        terminal.complain(&format!("error: {why}"));
        return Exit::Limit;
    }
    let made = match &args.files[..] {
        [scenario] if scenario.extension().is_some_and(|end| end == "toml") => simulate(args, scenario, terminal),
        files => gather(args, files),
    };
    let (material, interrupted) = match made {
        Ok(made) => made,
        Err((exit, why)) => {
            // What has been said already has no words left.
            if !why.is_empty() {
                terminal.complain(&why);
            }
            return exit;
        }
    };
    match write(args, &material, terminal) {
        Exit::Fine if interrupted => Exit::Interrupted,
        exit => exit,
    }
}

/// What is to be reported and whether it was interrupted; or how to end and what to say.
type Made = Result<(Material, bool), (Exit, String)>;

/// Writes the page and the pictures.
fn write(args: &Args, material: &Material, terminal: &Terminal) -> Exit {
    let page = match report::html(material) {
        Ok(page) => page,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    let written = files::write(&args.out, page.as_bytes()).map_err(|why| why.to_string());
    let mut said = match written {
        Ok(()) => format!("wrote {}", line(&args.out.display())),
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Limit;
        }
    };
    if let Some(dir) = &args.plots {
        match plots(material, dir) {
            Ok(n) => said.push_str(&format!(" and {} in {}", counted(n as u64, "picture"), line(&dir.display()))),
            Err(why) => {
                terminal.complain(&format!("error: {why}"));
                return Exit::Limit;
            }
        }
    }
    terminal.say(&said);
    Exit::Fine
}

/// Writes every picture as SVG and, where this Brownout was built with it, as PNG.
fn plots(material: &Material, dir: &Path) -> Result<usize, String> {
    let pictures = report::pictures(material).map_err(|why| why.to_string())?;
    #[cfg(feature = "png")]
    let painter = brownout::reports::png::Painter::default();
    folder(dir).map_err(|why| why.to_string())?;
    for picture in &pictures {
        let svg = format!("{}.svg", picture.name);
        write_within(dir, &svg, picture.svg.as_bytes()).map_err(|why| why.to_string())?;
        #[cfg(feature = "png")]
        {
            let png = painter.png(&picture.svg).map_err(|why| format!("{}: {why}", picture.name))?;
            write_within(dir, &format!("{}.png", picture.name), &png).map_err(|why| why.to_string())?;
        }
    }
    Ok(pictures.len())
}

/// Reads saved documents; a folder stands for the JSON files in it, by name.
fn gather(args: &Args, files: &[PathBuf]) -> Made {
    if let Some(scenario) = files.iter().find(|file| file.extension().is_some_and(|end| end == "toml")) {
        let why = format!("error: {} is a scenario: give it alone, or saved documents", scenario.display());
        return Err((Exit::Usage, why));
    }
    if !(args.axis.is_empty() && args.sweep.is_empty() && args.design.is_empty() && args.set.is_empty())
        || args.ranges.is_some()
        || args.confirm
        || args.live
        || args.strictness.strict
    {
        let why = "error: saved documents are shown as they are; --axis, --sweep, --ranges, --design, --set, --confirm, --live and --strict need a scenario file";
        return Err((Exit::Usage, why.to_owned()));
    }
    let mut material = Material { command: said(args), ..Material::default() };
    let mut documents = Files::default();
    for file in expand(files)? {
        match documents.read(&file) {
            Ok(Saved::Run(outcome)) => material.days.push(*outcome),
            Ok(Saved::Comparison(comparison)) => material.comparisons.push(*comparison),
            Ok(Saved::Walk(walk)) => material.walks.push(*walk),
            Ok(Saved::Hunt(hunt)) => material.hunts.push(*hunt),
            Err(why) => return Err((Exit::Usage, format!("error: {why}"))),
        }
    }
    keep_chosen(args, &mut material)?;
    Ok((material, false))
}

fn expand(files: &[PathBuf]) -> Result<Vec<PathBuf>, (Exit, String)> {
    let mut out = Vec::new();
    for file in files {
        if !file.is_dir() {
            out.push(file.clone());
            continue;
        }
        let inside = std::fs::read_dir(file)
            .map_err(|why| (Exit::Usage, format!("error: cannot read the folder {}: {why}", file.display())))?;
        let mut inside: Vec<PathBuf> = inside
            .flatten()
            .map(|entry| entry.path())
            .filter(|p| p.extension().is_some_and(|end| end == "json"))
            .collect();
        if inside.is_empty() {
            let why = format!("error: there is no JSON in {}: brownout compare --out writes some", file.display());
            return Err((Exit::Usage, why));
        }
        inside.sort();
        out.extend(inside);
    }
    Ok(out)
}

/// With `--chosen`, of the days only the baselines and those of that design.
fn keep_chosen(args: &Args, material: &mut Material) -> Result<(), (Exit, String)> {
    if args.chosen.is_empty() {
        return Ok(());
    }
    let Some(c) = material.comparisons.iter().find(|c| c.sweeps().is_empty()) else {
        return Err((Exit::Usage, "error: --chosen needs a comparison to choose from".to_owned()));
    };
    let pairs = pairs(c, &args.chosen).map_err(|why| (Exit::Usage, format!("error: --chosen: {why}")))?;
    let wanted: Vec<_> =
        pairs.iter().flat_map(|p| [Some(p.baseline), p.chosen]).flatten().map(|at| &c.cells[at]).collect();
    let keep = |asked: &[String], set: &[String]| wanted.iter().any(|cell| cell.design == asked && cell.set == set);
    material.days.retain(|day| keep(&day.asked, &day.set));
    if material.days.len() < wanted.len() {
        let missing =
            wanted.iter().find(|cell| !material.days.iter().any(|d| d.asked == cell.design && d.set == cell.set));
        let how = missing.map(|cell| cell.design.iter().map(|d| format!(" --design {d}")).collect::<String>());
        let why = format!(
            "error: --chosen: no saved run of that design; brownout run {}{} --seed {} --json makes it",
            c.scenario,
            how.unwrap_or_default(),
            c.first_seed
        );
        return Err((Exit::Usage, why));
    }
    Ok(())
}

/// Compares, sweeps, walks, and runs the days to show.
fn simulate(args: &Args, scenario: &Path, terminal: &Terminal) -> Made {
    let stop = terminal.stop();
    let request = Request { path: scenario, set: &args.set, design: &args.design };
    args.strictness.allows(&request, terminal).map_err(|exit| (exit, String::new()))?;
    let living = match args.live {
        false => None,
        true => Some(live(args, &request, terminal)?),
    };
    let mut material = Material { command: said(args), living, ..Material::default() };
    let matrix = compare(args, scenario, (&args.axis, &args.design, &[]), terminal)?;
    let pairs = pairs(&matrix, &args.chosen).map_err(|why| (Exit::Usage, format!("error: --chosen: {why}")))?;
    let cells: Vec<usize> = pairs.iter().flat_map(|pair| [Some(pair.baseline), pair.chosen]).flatten().collect();
    let bar = bar_of_runs();
    bar.set_length(cells.len() as u64);
    let shown = days(scenario, &matrix, &cells, stop, &|done, _| bar.set_position(done as u64));
    bar.finish_and_clear();
    material.days = shown.map_err(|why| refuse(why, terminal))?.into_iter().flatten().collect();
    let stopped = || stop.load(Ordering::Relaxed);
    for sweep in args.sweep.iter().take_while(|_| !stopped()) {
        let (axes, design) = narrowed(args, &matrix, &cells);
        let sweep = std::slice::from_ref(sweep);
        material.comparisons.push(compare(args, scenario, (&axes, &design, sweep), terminal)?);
    }
    material.comparisons.insert(0, matrix);
    if let Some(evidence) = args.ranges.as_ref().filter(|_| !stopped()) {
        let bar = bar_of_runs();
        let walk = ranges::ranges(&request, evidence, 3, args.first_seed, stop, &|done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        material.walks.push(walk.map_err(|why| refuse(why, terminal))?);
    }
    Ok((material, stopped()))
}

/// What makes the page live. Before anything is run, so that nothing is run in vain.
fn live(args: &Args, request: &Request<'_>, terminal: &Terminal) -> Result<Living, (Exit, String)> {
    let scenario = load(request).map_err(|mistakes| refuse(ranges::Failure::Scenario(mistakes), terminal))?;
    let made = engine(args.engine.as_deref()).and_then(|engine| {
        let text = read_file(request.path)?;
        living(engine, (&scenario, text), &[], false)
    });
    made.map_err(|why| (Exit::Usage, format!("error: {why}")))
}

/// Options of `compare` that a sweep needs, so that it runs only what goes wrong by default, the baseline and the chosen
/// design.
fn narrowed(args: &Args, c: &Comparison, cells: &[usize]) -> (Vec<String>, Vec<String>) {
    let shown: Vec<_> = cells.iter().take(2).map(|at| &c.cells[*at]).collect();
    let (mut axes, mut design) = (Vec::new(), args.design.clone());
    for (d, dimension) in c.dimensions.iter().enumerate() {
        let mut points: Vec<&str> = shown.iter().map(|cell| dimension.points[cell.at[d]].as_str()).collect();
        points.dedup();
        match points[..] {
            [only] => design.push(format!("{}={only}", dimension.name)),
            _ => axes.push(format!("{}={}", dimension.name, points.join(","))),
        }
    }
    (axes, design)
}

fn compare(
    args: &Args,
    scenario: &Path,
    (axes, design, sweeps): (&[String], &[String], &[String]),
    terminal: &Terminal,
) -> Result<Comparison, (Exit, String)> {
    let plan = Plan::new(&Ask {
        path: scenario,
        set: &args.set,
        design,
        axes,
        under: None,
        baseline: &[],
        metric: None,
        sweeps,
        seeds: args.seeds,
        first_seed: args.first_seed,
        precision: None,
        max_seeds: args.seeds,
        safe: 0.001,
        bad_runs: 0.05,
        confirm: args.confirm && sweeps.is_empty(),
        jobs: args.jobs.map(usize::from),
        lose_a_call: lose_a_call(),
    });
    let plan = plan.map_err(|failure| (super::compare::refuse(&failure, terminal), String::new()))?;
    let (cells, runs) = plan.size();
    terminal.complain(&format!(
        "{} x {} = {}",
        counted(cells as u64, "cell"),
        counted(args.seeds, "seed"),
        counted(runs, "run")
    ));
    let bar = bar_of_runs();
    bar.set_length(runs);
    let comparison = plan.run(terminal.stop(), &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    match comparison.troubles.iter().find(|trouble| trouble.broken) {
        Some(broken) => {
            let why = format!(
                "error: {}; this is a bug in Brownout: please report it with the seed {}",
                broken.why, broken.seed
            );
            Err((Exit::Broken, why))
        }
        None => Ok(comparison),
    }
}

fn refuse(failure: ranges::Failure, terminal: &Terminal) -> (Exit, String) {
    match failure {
        ranges::Failure::Scenario(mistakes) => {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            (Exit::from(&mistakes), String::new())
        }
        ranges::Failure::Evidence(known) if known.is_empty() => {
            (Exit::Usage, "error: --ranges: the scenario has no evidence".to_owned())
        }
        ranges::Failure::Evidence(known) => {
            (Exit::Usage, format!("error: --ranges: no such evidence; there are: {}", known.join(", ")))
        }
        ranges::Failure::Broken(why) => (Exit::Broken, format!("error: {why}")),
    }
}

/// The command as it was given, with the options that decide what is in the report.
fn said(args: &Args) -> String {
    let word = |text: &str| brownout::reports::shell(text);
    let mut words = vec!["brownout report".to_owned()];
    words.extend(args.files.iter().map(|file| word(&file.display().to_string())));
    for (option, values) in [
        ("--chosen", &args.chosen),
        ("--axis", &args.axis),
        ("--sweep", &args.sweep),
        ("--design", &args.design),
        ("--set", &args.set),
    ] {
        words.extend(values.iter().map(|value| format!("{option} {}", word(value))));
    }
    words.extend(args.ranges.iter().map(|evidence| format!("--ranges {}", word(evidence))));
    if args.files.iter().any(|file| file.extension().is_some_and(|end| end == "toml")) {
        words.push(format!("--seeds {} --first-seed {}", args.seeds, args.first_seed));
        words.extend(args.confirm.then(|| "--confirm".to_owned()));
        words.extend(args.live.then(|| "--live".to_owned()));
    }
    words.join(" ")
}
