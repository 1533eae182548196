//! `brownout play`: a page with the scenario first and its report second, to be asked again.

use super::living::{engine, living};
use super::loading::Strictness;
use crate::terminal::{Terminal, line};
use brownout::exit::Exit;
use brownout::output::files::{self, probe};
use brownout::reports::report::{self, Material};
use brownout::reports::shell;
use brownout::scenarios::{Request, read_file};
use brownout::sim;
use std::path::PathBuf;

/// Scenarios that a page offers beside its own: those of the repository that need no file beside them.
pub const SHIPPED: &[(&str, &str)] = &[
    ("scenarios/october-28.toml", include_str!("../../scenarios/october-28.toml")),
    ("scenarios/bad-instance.toml", include_str!("../../scenarios/bad-instance.toml")),
    ("scenarios/template.toml", include_str!("../../scenarios/template.toml")),
    ("scenarios/flap-gap.toml", include_str!("../../scenarios/flap-gap.toml")),
    ("scenarios/reference-mmc.toml", include_str!("../../scenarios/reference-mmc.toml")),
    ("scenarios/degradation/error.toml", include_str!("../../scenarios/degradation/error.toml")),
    ("scenarios/degradation/hang.toml", include_str!("../../scenarios/degradation/hang.toml")),
    ("scenarios/degradation/refuse-writes.toml", include_str!("../../scenarios/degradation/refuse-writes.toml")),
    ("scenarios/degradation/refuse.toml", include_str!("../../scenarios/degradation/refuse.toml")),
    ("scenarios/degradation/sever.toml", include_str!("../../scenarios/degradation/sever.toml")),
    ("scenarios/degradation/slow.toml", include_str!("../../scenarios/degradation/slow.toml")),
    ("scenarios/guidance/layered-retries.toml", include_str!("../../scenarios/guidance/layered-retries.toml")),
    ("scenarios/guidance/retries-at-capacity.toml", include_str!("../../scenarios/guidance/retries-at-capacity.toml")),
    ("scenarios/guidance/retry-budget.toml", include_str!("../../scenarios/guidance/retry-budget.toml")),
];

/// Arguments of `play`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// Where the page goes
    #[arg(short, long, value_name = "FILE", default_value = "play.html")]
    out: PathBuf,
    /// The seed to begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take a design to begin with; may be repeated
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value to begin with: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The engine to put into the page [default: the one that reports/live/build made]
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
    #[command(flatten)]
    strictness: Strictness,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let refuse = |exit: Exit, why: String| {
        terminal.complain(&format!("error: {why}"));
        exit
    };
    if let Err(why) = probe(&args.out) {
        return refuse(Exit::Limit, why.to_string());
    }
    let request = Request { path: &args.file, set: &args.set, design: &args.design };
    let scenario = match args.strictness.load(&request, terminal) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let made = engine(args.engine.as_deref()).and_then(|engine| {
        let text = read_file(&args.file)?;
        living(engine, (&scenario, text), SHIPPED, true)
    });
    let living = match made {
        Ok(living) => living,
        Err(why) => return refuse(Exit::Usage, why),
    };
    let outcome = match sim::simulate(&scenario, args.seed, Some(terminal.stop()), &mut |_| {}) {
        Ok(outcome) if outcome.ended.starts_with("interrupted") => return Exit::Interrupted,
        Ok(outcome) => outcome,
        Err(imbalance) => return refuse(Exit::Broken, imbalance.to_string()),
    };
    let mut command = format!("brownout play {} --seed {}", shell(&args.file.display().to_string()), args.seed);
    args.design.iter().for_each(|design| command.push_str(&format!(" --design {}", shell(design))));
    args.set.iter().for_each(|set| command.push_str(&format!(" --set {}", shell(set))));
    let material = Material { days: vec![outcome], command, living: Some(living), ..Material::default() };
    let page = match report::html(&material) {
        Ok(page) => page,
        Err(why) => return refuse(Exit::Usage, why.to_string()),
    };
    match files::write(&args.out, page.as_bytes()) {
        Ok(()) => {
            terminal.say(&format!("wrote {}", line(&args.out.display())));
            Exit::Fine
        }
        Err(why) => refuse(Exit::Limit, why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::SHIPPED;
    use std::path::Path;

    #[test]
    fn what_ships_is_offered_if_it_needs_no_file_beside_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["scenarios", "scenarios/degradation", "scenarios/guidance"] {
            let inside = std::fs::read_dir(root.join(folder)).expect("a folder").flatten();
            let files = inside.map(|entry| entry.file_name().to_string_lossy().into_owned());
            for file in files.filter(|file| file.ends_with(".toml") && file != "Cargo.toml") {
                let (name, needs) = (format!("{folder}/{file}"), "trace = ");
                let text = std::fs::read_to_string(root.join(&name)).expect("it is there");
                let offered = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
                assert_eq!(offered, !text.contains(needs), "{name}");
            }
        }
    }
}
