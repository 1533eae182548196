//! `brownout sweep submit`: gives the shards that have no result to an engine that starts workers.

use super::counted;
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::sweep::{Failure, Plan, engine, merge};
use brownout::output::files;
use brownout::output::text::shell_path;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What starts the workers.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum On {
    /// An array job, and a merge that follows it
    Slurm,
    /// The manifest of an Indexed Job, on stdout
    Kubernetes,
    /// GNU parallel, here or on several hosts
    Parallel,
}

/// Arguments of `sweep submit`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The sweep's folder
    folder: PathBuf,
    /// What starts the workers
    #[arg(long, value_enum, value_name = "ENGINE")]
    on: On,
    /// Workers at a time [default: 100; of GNU parallel, one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    at_once: Option<u64>,
    /// Print what would be submitted, and submit nothing
    #[arg(long)]
    dry_run: bool,
    /// Slurm: where the merge writes [default: runs.parquet in the sweep's folder]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Slurm: a further option of sbatch, as in --option=--partition=long; may be repeated
    #[arg(long, value_name = "OPTION")]
    option: Vec<String>,
    /// GNU parallel: a host, as --sshlogin takes it; may be repeated
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Kubernetes: the container image
    #[arg(long, value_name = "IMAGE", required_if_eq("on", "kubernetes"))]
    image: Option<String>,
    /// Kubernetes: the claim of the volume that holds the sweep
    #[arg(long, value_name = "NAME", required_if_eq("on", "kubernetes"))]
    claim: Option<String>,
    /// Kubernetes: the sweep's folder within the volume
    #[arg(long, value_name = "PATH", default_value = ".")]
    within: String,
    /// Kubernetes: memory of a worker
    #[arg(long, value_name = "SIZE", default_value = "512Mi")]
    memory: String,
}

/// Workers at a time on a cluster whose user said nothing: as many as its others can bear.
const AT_ONCE: u64 = 100;

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let plan = Plan::open(&args.folder)?;
    if args.on == On::Kubernetes {
        return kubernetes(args, &plan, terminal);
    }
    plan.made_by_this()?;
    let status = merge::status(&plan, &args.folder, terminal.stop())?;
    let shards = engine::open_shards(&status);
    if status.interrupted {
        return Ok(Exit::Interrupted);
    }
    if shards.is_empty() {
        let folder = shell_path(&args.folder);
        terminal.say(&format!("every shard has a result\nnext  brownout sweep merge {folder} -o runs.parquet"));
        return Ok(Exit::Fine);
    }
    // As the workers' machines find it, wherever they begin.
    let folder = args.folder.canonicalize().map_err(|why| cannot("find", &args.folder, &why))?;
    let brownout = std::env::current_exe().map_err(|why| cannot("find", Path::new("brownout"), &why))?;
    match args.on {
        On::Slurm => slurm(args, &folder, &brownout, &shards, terminal),
        _ => parallel(args, &folder, &brownout, &shards, terminal),
    }
}

fn cannot(what: &str, path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::File(format!("cannot {what} {}: {why}", path.display()))
}

fn kubernetes(args: &Args, plan: &Plan, terminal: &Terminal) -> Result<Exit, Failure> {
    let cluster = engine::Cluster {
        image: args.image.as_deref().unwrap_or_default(),
        claim: args.claim.as_deref().unwrap_or_default(),
        within: &args.within,
        memory: &args.memory,
    };
    let manifest = engine::kubernetes(plan, args.at_once.unwrap_or(AT_ONCE), &cluster)?;
    Ok(terminal.document("the manifest", serde_json::to_string_pretty(&manifest)).err().unwrap_or(Exit::Fine))
}

fn slurm(args: &Args, folder: &Path, brownout: &Path, shards: &[u64], terminal: &Terminal) -> Result<Exit, Failure> {
    let out = args.out.clone().unwrap_or_else(|| folder.join("runs.parquet"));
    let out = std::path::absolute(&out).map_err(|why| cannot("find", &out, &why))?;
    let at_once = args.at_once.unwrap_or(AT_ONCE);
    let scripts = engine::slurm(folder, brownout, &out, shards, at_once, &args.option)?;
    if args.dry_run {
        terminal.say(&format!(
            "# sbatch, of {}:\n{}\n# sbatch --dependency=afterany:JOB:\n{}",
            counted(shards.len() as u64, "shard"),
            scripts.array,
            scripts.merge
        ));
        return Ok(Exit::Fine);
    }
    // Slurm does not make the folder of its logs.
    files::folder(&folder.join("logs"))?;
    let array = sbatch(&[], &scripts.array)?;
    let merge = sbatch(&[format!("--dependency=afterany:{array}")], &scripts.merge)?;
    terminal.say(&format!(
        "array job {array} of {}, merge {merge} into {}\nnext  squeue; brownout sweep status {}",
        counted(shards.len() as u64, "shard"),
        out.display(),
        shell_path(folder)
    ));
    Ok(Exit::Fine)
}

/// Submits a script and gives back the job's number.
fn sbatch(options: &[String], script: &str) -> Result<String, Failure> {
    let mut command = Command::new("sbatch");
    command.arg("--parsable").args(options);
    let output = fed(&mut command, script)?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
    if !output.status.success() {
        return Err(Failure::File(format!("sbatch refused the job: {said}")));
    }
    // "JOB" or "JOB;CLUSTER".
    let answer = String::from_utf8_lossy(&output.stdout);
    Ok(answer.trim().split(';').next().unwrap_or_default().to_string())
}

/// Runs a program with a text on its standard input.
fn fed(command: &mut Command, text: &str) -> Result<Output, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::NotFound => Failure::Usage(vec![format!(
            "there is no {name} here: run this where it is, or --dry-run to see what it would be given"
        )]),
        _ => Failure::File(format!("cannot run {name}: {why}")),
    };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has ended says why by its status.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait_with_output().map_err(failed)
}

fn parallel(args: &Args, folder: &Path, brownout: &Path, shards: &[u64], terminal: &Terminal) -> Result<Exit, Failure> {
    let words = engine::parallel(folder, brownout, args.at_once, &args.host);
    if args.dry_run {
        terminal.say(&engine::parallel_line(&words, shards));
        return Ok(Exit::Fine);
    }
    let numbers: String = shards.iter().map(|shard| format!("{shard}\n")).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    let output = fed(&mut command, &numbers)?;
    let status = merge::status(&Plan::open(folder)?, folder, terminal.stop())?;
    terminal.say(&super::page(&status, &args.folder));
    if status.is_complete() {
        return Ok(Exit::Fine);
    }
    terminal.complain_at_length(&String::from_utf8_lossy(&output.stderr));
    terminal.complain("error: not every worker has written its result");
    Ok(if terminal.is_stopped() { Exit::Interrupted } else { Exit::Limit })
}
