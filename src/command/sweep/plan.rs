//! `brownout sweep plan`.

use super::counted;
use crate::command::loading::Strictness;
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::sweep::plan::{Ask, make};
use brownout::lab::sweep::{Failure, Plan};
use brownout::models::units::{Ns, parse_duration};
use brownout::output::text::shell_path;
use brownout::scenarios::Request;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `sweep plan`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// Cross an axis: isolation for all its points, or isolation=shared,bulkhead; may be repeated [default: all axes]
    #[arg(long, value_name = "AXIS")]
    axis: Vec<String>,
    /// Sweep a number: path=4..128:5 or path=4,16,64; twice for two
    #[arg(long, value_name = "PATH=VALUES")]
    sweep: Vec<String>,
    /// Draw so many samples of the numbers that have a range, for each combination of the above
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    samples: u64,
    /// Sample this number, and not all that have a range: PATH, or PATH=LOW..HIGH; may be repeated
    #[arg(long, value_name = "PATH[=LOW..HIGH]")]
    range: Vec<String>,
    /// Other samples, as evenly spread
    #[arg(long, value_name = "SEED", default_value_t = 0, hide_default_value = true)]
    sample_seed: u32,
    /// Seeds of each combination
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 60))]
    first_seed: u64,
    /// Measure this too: fleets.collectors.busy_peak; may be repeated
    #[arg(long, value_name = "METRIC")]
    metric: Vec<String>,
    /// Shards to cut the runs into [default: as many as take --shard-time each, at most 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    shards: Option<u64>,
    /// How long a shard should take on one core
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = duration)]
    shard_time: Ns,
    /// Take a design in every run: a point of an axis, or a named design; may be repeated
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value in every run: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The folder to write
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Print what was planned as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    strictness: Strictness,
}

fn duration(text: &str) -> Result<Ns, String> {
    parse_duration(text)
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let request = Request { path: &args.file, set: &args.set, design: &args.design };
    if let Err(exit) = args.strictness.allows(&request, terminal) {
        return Ok(exit);
    }
    let ask = Ask {
        path: &args.file,
        set: &args.set,
        design: &args.design,
        axes: &args.axis,
        sweeps: &args.sweep,
        seeds: args.seeds,
        first_seed: args.first_seed,
        samples: args.samples,
        sample_seed: args.sample_seed,
        ranges: &args.range,
        metrics: &args.metric,
        shards: args.shards,
        shard_time: args.shard_time,
        jobs: None,
    };
    let Some(planned) = make(&ask, &args.out, terminal.stop())? else {
        terminal.complain("interrupted: nothing was written");
        return Ok(Exit::Interrupted);
    };
    let (plan, seconds) = (&planned.plan, planned.run_s * planned.plan.runs as f64);
    if args.json {
        let document = json!({
            "version": 1,
            "folder": args.out.display().to_string(),
            "runs": plan.runs,
            "shards": plan.shards,
            "core_seconds": seconds,
        });
        return Ok(terminal.document("the plan", serde_json::to_string_pretty(&document)).err().unwrap_or(Exit::Fine));
    }
    terminal.say(&page(plan, seconds, &shell_path(&args.out)));
    Ok(Exit::Fine)
}

fn page(plan: &Plan, seconds: f64, folder: &str) -> String {
    let (runs, shards) = (counted(plan.runs, "run"), counted(plan.shards, "shard"));
    let (each, all) = (about(seconds / plan.shards as f64), about(seconds));
    let mut page = format!("{runs} in {shards} of {each} each, {all} on one core in all");
    if !plan.samples.ranges.is_empty() {
        let numbers = plan.samples.ranges.len() as u64;
        page += &format!("\n{} of {}", counted(plan.samples.count, "sample"), counted(numbers, "number"));
    }
    page + &format!(
        "\nnext  brownout sweep work {folder}\n  or  brownout sweep submit {folder} --on slurm, kubernetes or parallel"
    )
}

/// A length of time in one unit: it was measured on one run.
fn about(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "under 1 s".into(),
        s if s < 120.0 => format!("about {s:.0} s"),
        s if s < 7200.0 => format!("about {:.0} min", s / 60.0),
        s => format!("about {:.0} h", s / 3600.0),
    }
}
