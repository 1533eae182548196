//! What starts the workers: scripts for Slurm, a manifest for Kubernetes, a command line for GNU parallel.
//!
//! Each engine is given the shards that have no result yet, and a bound on how many run at once. None of them decides what
//! is computed: a worker asks its shard of the plan, and the table is the same whoever started it.

use super::document::Plan;
use super::merge::Status;
use super::state::TRIES;
use super::{Failure, usage};
use brownout_output::text::{shell, shell_path};
use serde_json::{Value, json};
use std::path::Path;

/// Where a container finds the sweep's volume.
const MOUNT: &str = "/sweep";

/// The numbers of the shards without a result.
pub fn open_shards(status: &Status) -> Vec<u64> {
    status.missing.iter().map(|missing| missing.shard).collect()
}

/// Numbers as Slurm writes them: "0-3,7,9-12".
fn ranges(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &n in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => runs.push((n, n)),
        }
    }
    let word = |(from, to): &(u64, u64)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    runs.iter().map(word).collect::<Vec<_>>().join(",")
}

/// The scripts of an array job and of the merge that follows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slurm {
    /// The array: a task for each shard.
    pub array: String,
    /// The merge.
    pub merge: String,
}

/// Writes the scripts. `brownout` is the program as the nodes find it, `out` where the table goes; both, and the folder, on
/// a file system that all nodes share. `options` are further options of `sbatch`, for the array.
///
/// # Errors
/// A path cannot be written into a script.
pub fn slurm(
    folder: &Path,
    brownout: &Path,
    out: &Path,
    shards: &[u64],
    at_once: u64,
    options: &[String],
) -> Result<Slurm, Failure> {
    let log = folder.join("logs");
    let named =
        [folder, brownout, out, &log].map(|path| path.to_str().map(|text| text.contains(['\n', '\r', '%', '"'])));
    if named.iter().any(|bad| *bad != Some(false)) || options.iter().any(|option| option.contains(['\n', '\r'])) {
        return Err(usage(
            "a path or an option with a line break, a quotation mark or % in it: Slurm's scripts cannot name it",
        ));
    }
    let head = "#!/bin/sh\n#SBATCH --job-name=brownout-sweep\n#SBATCH --ntasks=1 --cpus-per-task=1\n";
    let output = |name: &str| format!("#SBATCH --output=\"{}/{name}\"\n", log.display());
    let more: String = options.iter().map(|option| format!("#SBATCH {option}\n")).collect();
    let (program, sweep, table) = (shell_path(brownout), shell_path(folder), shell_path(out));
    Ok(Slurm {
        // Tasks of a node that was lost are put into the queue again.
        array: format!(
            "{head}#SBATCH --array={}%{at_once}\n#SBATCH --requeue --open-mode=append\n{}{more}exec {program} sweep work {sweep} --jobs 1\n",
            ranges(shards),
            output("shard-%a.log")
        ),
        // Whatever became of the array: what is missing is then listed.
        merge: format!("{head}{}exec {program} sweep merge {sweep} -o {table}\n", output("merge.log")),
    })
}

/// What the Job on Kubernetes needs to know of its cluster.
#[derive(Clone, Copy, Debug)]
pub struct Cluster<'a> {
    /// The image with the command as its entry point.
    pub image: &'a str,
    /// The claim of the volume that holds the sweep; shared by all nodes that run workers (ReadWriteMany).
    pub claim: &'a str,
    /// The sweep's folder within the volume.
    pub within: &'a str,
    /// Memory of a worker: "512Mi".
    pub memory: &'a str,
}

/// The manifest of an Indexed Job: a pod for each shard of the plan; one whose result is there ends at once. A shard is
/// tried three times; that a node goes away counts as none of them.
///
/// # Errors
/// A name that Kubernetes does not take.
pub fn kubernetes(plan: &Plan, at_once: u64, cluster: &Cluster<'_>) -> Result<Value, Failure> {
    // Kubernetes takes more, up to 2^31, only where few run at once.
    const INDEXES: u64 = 100_000;
    if plan.shards > INDEXES {
        return Err(usage(format!("an Indexed Job has at most {INDEXES} shards: plan with --shards")));
    }
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
    };
    if !plain(cluster.claim) {
        return Err(usage(format!(
            "--claim {}: names of Kubernetes are lower-case letters, digits, - and .",
            cluster.claim
        )));
    }
    if cluster.image.is_empty() || cluster.image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(usage("--image is the reference of a container image, as in registry/brownout:0.1.0"));
    }
    let memory = cluster.memory.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if memory.is_empty() || !memory.bytes().all(|b| b.is_ascii_digit()) {
        return Err(usage(format!("--memory {}: a number with a unit of Kubernetes, as in 512Mi", cluster.memory)));
    }
    let inside = cluster.within.trim_matches('/');
    if inside.split('/').any(|part| part == "..") {
        return Err(usage("--within is a folder of the volume, without .."));
    }
    let folder = if inside.is_empty() || inside == "." { MOUNT.to_string() } else { format!("{MOUNT}/{inside}") };
    let resources = json!({ "cpu": "1", "memory": cluster.memory });
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": format!("brownout-sweep-{}", plan.digest()),
            "labels": { "app.kubernetes.io/name": "brownout" },
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": plan.shards,
            "parallelism": at_once.min(plan.shards),
            "backoffLimitPerIndex": TRIES - 1,
            "maxFailedIndexes": plan.shards,
            "podFailurePolicy": { "rules": [
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
            ] },
            "template": {
                "metadata": { "labels": { "app.kubernetes.io/name": "brownout" } },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "worker",
                        "image": cluster.image,
                        "args": ["sweep", "work", folder, "--jobs", "1"],
                        "resources": { "requests": resources, "limits": { "memory": cluster.memory } },
                        "volumeMounts": [{ "name": "sweep", "mountPath": MOUNT }],
                    }],
                    "volumes": [{ "name": "sweep", "persistentVolumeClaim": { "claimName": cluster.claim } }],
                },
            },
        },
    }))
}

/// The words of GNU parallel's command line: a job for each shard, here or on hosts over ssh that share the folder. It is
/// given the numbers of the shards on its standard input, one a line.
pub fn parallel(folder: &Path, brownout: &Path, at_once: Option<u64>, hosts: &[String]) -> Vec<String> {
    let mut words: Vec<String> = ["parallel", "--retries"].map(String::from).into();
    words.push(TRIES.to_string());
    for (option, value) in at_once
        .map(|n| ("--jobs", n.to_string()))
        .into_iter()
        .chain(hosts.iter().map(|host| ("--sshlogin", host.clone())))
    {
        words.extend([option.to_string(), value]);
    }
    // One word: GNU parallel gives it to a shell.
    words.push(format!("{} sweep work {} --jobs 1 --shard {{}}", shell_path(brownout), shell_path(folder)));
    words
}

/// The same as a line for a shell.
pub fn parallel_line(words: &[String], shards: &[u64]) -> String {
    let command: Vec<String> = words.iter().map(|word| shell(word)).collect();
    let numbers: Vec<String> = shards.iter().map(u64::to_string).collect();
    format!("printf '%s\\n' {} | {}", numbers.join(" "), command.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_names_the_shards_that_are_open_and_no_others() {
        assert_eq!(ranges(&[0, 1, 2, 3]), "0-3");
        assert_eq!(ranges(&[0, 2, 3, 9]), "0,2-3,9");
        let scripts =
            slurm(Path::new("/d/my sweep"), Path::new("/b"), Path::new("/d/t"), &[0, 2, 3], 5, &["--mem=2G".into()]);
        let scripts = scripts.unwrap_or_else(|why| panic!("{why:?}"));
        assert!(scripts.array.contains("#SBATCH --array=0,2-3%5\n"), "{}", scripts.array);
        assert!(scripts.array.contains("#SBATCH --mem=2G\n"));
        assert!(scripts.array.ends_with("exec /b sweep work '/d/my sweep' --jobs 1\n"), "{}", scripts.array);
        assert!(scripts.merge.ends_with("exec /b sweep merge '/d/my sweep' -o /d/t\n"));
    }

    #[test]
    fn what_would_end_a_line_of_a_script_is_refused() {
        let of = |folder: &str, option: &str| {
            slurm(Path::new(folder), Path::new("/b"), Path::new("/t"), &[0], 1, &[option.to_string()]).is_err()
        };
        assert!(of("/d\n#SBATCH --uid=0", "--mem=1G") && of("/d", "--mem=1G\nrm") && of("/d%j", "--mem=1G"));
        assert!(!of("/d", "--mem=1G"));
    }

    #[test]
    fn parallel_is_given_a_line_for_each_shard() {
        let words = parallel(Path::new("s w"), Path::new("/b"), Some(4), &["a".into(), "2/b".into()]);
        let line = parallel_line(&words, &[0, 7]);
        assert_eq!(
            line,
            "printf '%s\\n' 0 7 | parallel --retries 3 --jobs 4 --sshlogin a --sshlogin 2/b \
             '/b sweep work '\\''s w'\\'' --jobs 1 --shard {}'"
        );
    }
}
