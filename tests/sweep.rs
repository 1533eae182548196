//! Sweeps: what is merged depends on the plan alone. Not on how it was cut, who computed it, in which order, how often, or what
//! was killed or broken meanwhile. What cannot be computed is said, and a row says so where a run has come to nothing.
//!
//! `.ci/sweep` shows the same on a real Slurm and with GNU parallel.
#![cfg(unix)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What engines tell a worker: none of it comes from whatever runs these tests.
const ENGINES: [&str; 4] = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PARALLEL_SEQ", "HQ_TASK_ID"];

/// A folder of a test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sweep").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn command(words: &str, here: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(words.split(' ').map(|word| word.replace("{}", &here.display().to_string()))).stdin(Stdio::null());
    for name in ENGINES {
        command.env_remove(name);
    }
    command
}

fn finished(words: &str, here: &Path) -> Output {
    command(words, here).output().expect("brownout starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Runs a command that must end well.
fn well(words: &str, here: &Path) -> String {
    let output = finished(words, here);
    assert_eq!(output.status.code(), Some(0), "{words}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must end with a code, and gives what it said.
fn ends(words: &str, here: &Path, code: i32) -> String {
    let output = finished(words, here);
    assert_eq!(output.status.code(), Some(code), "{words}: {}", said(&output));
    said(&output)
}

/// 72 runs: two failures, three designs, three samples of a rate, four seeds.
fn plan(here: &Path, name: &str, shards: u64) {
    let file = format!("{ROOT}/tests/cmd/compare.in/minute.toml");
    let crossed = "--axis failure --axis isolation --samples 3 --range clients.pages.rate=3/s..30/s --seeds 4";
    well(&format!("sweep plan {file} {crossed} --set span=40s --shards {shards} -o {{}}/{name}"), here);
}

fn merged(here: &Path, name: &str) -> Vec<u8> {
    well(&format!("sweep merge {{}}/{name} -o {{}}/{name}.parquet"), here);
    fs::read(here.join(format!("{name}.parquet"))).expect("a table")
}

/// The table that one worker makes of the plan in one shard.
fn expected(here: &Path) -> Vec<u8> {
    plan(here, "whole", 1);
    well("sweep work {}/whole --jobs 1", here);
    merged(here, "whole")
}

fn results(here: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(here.join(name).join("results")).expect("a folder").flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    all.sort();
    all
}

#[test]
fn the_table_does_not_depend_on_shards_workers_order_or_repetition() {
    let here = folder("cut");
    let whole = expected(&here);
    plan(&here, "cut", 7);
    for shard in [6, 0, 3, 3] {
        well(&format!("sweep work {{}}/cut --shard {shard} --jobs 2"), &here);
    }
    let children: Vec<Child> = (0..3)
        .map(|_| command("sweep work {}/cut --jobs 1", &here).stdout(Stdio::null()).spawn().expect("it starts"))
        .collect();
    assert!(children.into_iter().all(|mut child| child.wait().expect("it ends").success()));
    assert_eq!(results(&here, "cut").len(), 7, "two results of one shard are one file");
    assert_eq!(merged(&here, "cut"), whole);
}

#[test]
fn a_worker_of_kubernetes_takes_the_shard_of_its_index() {
    let here = folder("kubernetes");
    let whole = expected(&here);
    plan(&here, "indexed", 5);
    for index in [4, 1, 0, 2, 3] {
        let mut worker = command("sweep work {}/indexed --jobs 1", &here);
        let output = worker.env("JOB_COMPLETION_INDEX", index.to_string()).output().expect("it starts");
        assert!(output.status.success() && said(&output).contains("JOB_COMPLETION_INDEX"), "{}", said(&output));
        assert!(
            results(&here, "indexed").iter().any(|path| path.display().to_string().contains(&format!("00000{index}-")))
        );
    }
    assert_eq!(merged(&here, "indexed"), whole);
    let mut stranger = command("sweep work {}/indexed", &here);
    let output = stranger.env("JOB_COMPLETION_INDEX", "5").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("there is no shard 5: the sweep has those from 0 to 4"), "{}", said(&output));
}

#[test]
fn the_manifest_is_one_of_kubernetes_schema() {
    let here = folder("manifest");
    plan(&here, "s", 6);
    let submit =
        "sweep submit {}/s --on kubernetes --image registry/brownout:0.1.0 --claim results --within a/b --at-once 4";
    let manifest: Value = serde_json::from_str(&well(submit, &here)).expect("JSON");
    let schema = fs::read_to_string(format!("{ROOT}/tests/kubernetes/job.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> =
        schema.iter_errors(&manifest).map(|why| format!("{}: {why}", why.instance_path())).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let spec = &manifest["spec"];
    assert_eq!(
        (&spec["completionMode"], &spec["completions"], &spec["parallelism"]),
        (&"Indexed".into(), &6.into(), &4.into())
    );
    assert_eq!(spec["template"]["spec"]["containers"][0]["args"][2], "/sweep/a/b");
    // The schema would notice.
    for (path, bad) in [("/spec/completions", Value::from("six")), ("/spec/template/spec/containers", Value::Null)] {
        let mut other = manifest.clone();
        *other.pointer_mut(path).expect("a key") = bad;
        assert!(!schema.is_valid(&other), "{path}");
    }
    let mut other = manifest.clone();
    other["spec"]["completion"] = 6.into();
    assert!(!schema.is_valid(&other), "a key that there is not");
    assert!(ends("sweep submit {}/s --on kubernetes --image i --claim Bad_Name", &here, 2).contains("lower-case"));
    ends("sweep submit {}/s --on kubernetes", &here, 2);
}

#[test]
fn workers_that_are_killed_leave_nothing_that_counts() {
    let here = folder("killed");
    let whole = expected(&here);
    plan(&here, "killed", 4);
    for delay in [20, 60, 120, 200, 300] {
        let mut child =
            command("sweep work {}/killed --jobs 1", &here).stdout(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
    }
    // However often each was begun: asked for by number, every shard is tried.
    for shard in 0..4 {
        well(&format!("sweep work {{}}/killed --shard {shard}"), &here);
    }
    assert_eq!(merged(&here, "killed"), whole);
    let under_way = results(&here, "killed").iter().filter(|path| path.display().to_string().contains(".tmp")).count();
    assert_eq!(under_way, 0);
}

#[test]
fn a_signal_ends_a_worker_and_the_same_command_goes_on() {
    let here = folder("signal");
    let file = format!("{ROOT}/tests/cmd/compare.in/minute.toml");
    well(&format!("sweep plan {file} --set span=20000s --axis failure --seeds 4 --shards 4 -o {{}}/s"), &here);
    let child = command("sweep work {}/s --shard 2", &here).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("it starts");
    std::thread::sleep(Duration::from_millis(300));
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{}", said(&output));
    assert_eq!(results(&here, "s").len(), 0);
    assert_eq!(fs::read_dir(here.join("s/begun")).expect("a folder").count(), 0, "an interruption is no failure");
}

#[test]
fn a_broken_result_is_found_and_computed_again() {
    let here = folder("broken");
    let whole = expected(&here);
    plan(&here, "s", 4);
    well("sweep work {}/s", &here);
    let all = results(&here, "s");
    let mut bytes = fs::read(&all[1]).expect("a result");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&all[1], &bytes).expect("written");
    fs::write(&all[2], &bytes[..middle]).expect("written");
    let status = well("sweep status {}/s", &here);
    assert!(status.starts_with("2 of 4 shards done: 36 of 72 runs"), "{status}");
    assert!(status.contains("its bytes are not those that were written"), "{status}");
    assert!(status.contains("sweep work") && status.contains("--shard 1"), "{status}");
    let said = ends("sweep merge {}/s -o {}/half.parquet", &here, 5);
    assert!(said.contains("is incomplete") && here.join("half.parquet").exists(), "{said}");
    assert_ne!(fs::read(here.join("half.parquet")).expect("a table"), whole);
    let said = well("sweep work {}/s", &here);
    assert!(said.contains("2 shards computed, 2 there already"), "{said}");
    assert_eq!(merged(&here, "s"), whole);
}

#[test]
fn another_version_is_refused_and_named() {
    let here = folder("version");
    plan(&here, "s", 3);
    well("sweep work {}/s --shard 0", &here);
    // A result of the shard that another Brownout has computed: whole, under its own checksum, and of no use.
    plan(&here, "other", 3);
    let path = here.join("other/plan.json");
    let text = fs::read_to_string(&path).expect("a plan");
    let behaviour = serde_json::from_str::<Value>(&text).expect("JSON")["brownout"]["behaviour"].clone();
    let behaviour = behaviour.as_str().expect("a digest").to_string();
    fs::write(&path, text.replace(&behaviour, "0123456789abcdef")).expect("written");
    for words in
        ["sweep work {}/other", "sweep merge {}/other -o {}/t.parquet", "sweep submit {}/other --on slurm --dry-run"]
    {
        let said = ends(words, &here, 2);
        assert!(said.contains("+0123456789abcdef, and this is") && said.contains(&behaviour), "{said}");
    }
    fs::copy(
        &results(&here, "s")[0],
        here.join("other/results").join(results(&here, "s")[0].file_name().expect("a name")),
    )
    .expect("copied");
    let status = well("sweep status {}/other", &here);
    assert!(status.contains("it was computed by brownout") && status.starts_with("0 of 3 shards done"), "{status}");
}

#[test]
fn a_folder_is_one_sweep_and_its_files_are_those_that_were_planned() {
    let here = folder("folder");
    plan(&here, "s", 3);
    plan(&here, "s", 3);
    let file = format!("{ROOT}/tests/cmd/compare.in/minute.toml");
    let said = ends(&format!("sweep plan {file} --seeds 1 -o {{}}/s"), &here, 2);
    assert!(said.contains("holds another sweep already"), "{said}");
    let scenario = here.join("s/scenario.toml");
    let text = fs::read_to_string(&scenario).expect("a scenario");
    fs::write(&scenario, text.replace("workers = 6", "workers = 7")).expect("written");
    let said = ends("sweep work {}/s", &here, 2);
    assert!(said.contains("scenario.toml is not the file that was planned"), "{said}");
    assert!(ends("sweep work {}/none", &here, 2).contains("brownout sweep plan FILE -o"));
}

#[test]
fn the_folder_has_all_that_its_scenario_reads() {
    let here = folder("reads");
    fs::create_dir_all(here.join("a")).expect("a folder");
    fs::create_dir_all(here.join("b")).expect("a folder");
    let rows: String = (0..50).map(|n| format!("{}.5,track\n", n)).collect();
    fs::write(here.join("a/calls.csv"), format!("t,kind\n{rows}")).expect("written");
    let scenario = "brownout = 1\ntitle = \"Recorded\"\nspan = \"1min\"\n[clients.people]\nsends = \"track\"\ntrace = \"../a/calls.csv\"\n\
                    [fleets.web]\ncalls.track = { work = \"1ms\" }\n[balancer]\n";
    fs::write(here.join("b/day.toml"), scenario).expect("written");
    let before = well("run {}/b/day.toml --json", &here);
    well("sweep plan {}/b/day.toml --seeds 2 --shards 1 -o {}/s", &here);
    fs::remove_dir_all(here.join("a")).expect("gone");
    fs::rename(here.join("s"), here.join("moved")).expect("moved");
    well("sweep work {}/moved", &here);
    let again = well("run {}/moved/scenario.toml --json", &here);
    let digest = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["digest"].clone();
    assert_eq!(digest(&before), digest(&again));
}

#[test]
fn any_row_runs_again_alone_with_the_same_digest() {
    let here = folder("again");
    plan(&here, "s", 3);
    well("sweep work {}/s", &here);
    let bytes = merged(&here, "s");
    for run in [0, 17, 71] {
        let line = well(&format!("sweep status {{}}/s --run {run}"), &here);
        let line = line.trim().strip_prefix("brownout ").expect("a command").replace('\'', "");
        let outcome: Value = serde_json::from_str(&well(&format!("{line} --json"), &here)).expect("JSON");
        let digest = outcome["digest"].as_str().expect("a digest").as_bytes();
        assert!(bytes.windows(digest.len()).any(|window| window == digest), "{line}");
    }
    assert!(ends("sweep status {}/s --run 72", &here, 2).contains("from 0 to 71"));
}

#[test]
fn a_run_that_reaches_a_limit_and_a_sample_that_cannot_run_are_rows() {
    let here = folder("rows");
    let file = format!("{ROOT}/tests/cmd/compare.in/minute.toml");
    well(
        &format!("sweep plan {file} --axis failure --seeds 1 --set limits.events=2000 --shards 1 -o {{}}/limit"),
        &here,
    );
    well("sweep work {}/limit", &here);
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let bytes = merged(&here, "limit");
    assert!(has(&bytes, "in the scenario raises it"), "{}", String::from_utf8_lossy(&bytes));
    let ranges = "--samples 8 --range fleets.collectors.workers=0..3";
    well(&format!("sweep plan {file} --axis failure --seeds 1 {ranges} --shards 1 -o {{}}/bad"), &here);
    well("sweep work {}/bad", &here);
    assert!(has(&merged(&here, "bad"), "not run: "));
}

#[test]
fn a_shard_that_fails_three_times_is_listed_and_the_rest_merges() {
    let here = folder("failing");
    plan(&here, "s", 3);
    for _ in 0..3 {
        // A ledger that is broken on purpose: a bug of Brownout, in each run of the shard.
        let output =
            command("sweep work {}/s --shard 1", &here).env("BROWNOUT_LOSE_A_CALL", "1").output().expect("it starts");
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    }
    let told = ends("sweep work {}/s", &here, 5);
    assert!(told.contains("2 shards computed") && told.contains("shard 1 failed too often"), "{told}");
    let status = well("sweep status {}/s", &here);
    assert!(status.contains("shard 1, failed 3 times: run "), "{status}");
    let told = ends("sweep merge {}/s -o {}/t.parquet", &here, 5);
    assert!(told.contains("2 of 3 shards done: 48 of 72 runs") && told.contains("--shard 1"), "{told}");
    assert!(here.join("t.parquet").exists());
    well("sweep work {}/s --shard 1", &here);
    let whole = expected(&here);
    assert_eq!(merged(&here, "s"), whole);
}

#[test]
fn a_full_disk_is_said_and_no_result_is_half_written() {
    let here = folder("full");
    plan(&here, "s", 3);
    let script = "ulimit -f 2; exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_brownout"), "sweep", "work"]).arg(here.join("s"));
    let output = shell.output().expect("sh starts");
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("error: cannot write"), "{}", said(&output));
    assert_eq!(results(&here, "s"), Vec::<PathBuf>::new());
    let nothing = ends("sweep merge {}/s -o {}/t.parquet", &here, 3);
    assert!(nothing.contains("no shard has a result") && !here.join("t.parquet").exists(), "{nothing}");
    well("sweep work {}/s", &here);
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_brownout"), "sweep", "merge"]).arg(here.join("s"));
    let output = shell.arg("-o").arg(here.join("t.parquet")).output().expect("sh starts");
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(!here.join("t.parquet").exists());
}

#[test]
fn what_cannot_be_planned_is_said_with_its_next_step() {
    let here = folder("mistakes");
    let file = format!("{ROOT}/tests/cmd/compare.in/minute.toml");
    let cases = [
        ("--samples 3 --range fleets.collectors.cout", "the file gives it no range"),
        ("--samples 3 --range clients.pages.rate=up..down", "no numbers of one unit"),
        ("--samples 3 --set clients.pages.rate=5/s", "no number of the file has a range"),
        ("--samples 3 --set clients.pages.rate=5/s --range clients.pages.rate", "both sampled and fixed"),
        ("--range clients.pages.rate", "--samples says how often"),
        ("--samples 70000", "at most 65536 samples"),
        ("--metric track.drop_rate", "did you mean \"track.dropped_rate\"?"),
        ("--seeds 1000000000", "more than 1000000000 runs"),
        ("--seeds 1 --shards 13", "at most 12 (one for each run)"),
        ("--seeds 200000 --shards 2", "cut into at least"),
        ("--axis isolaton", "did you mean \"isolation\"?"),
        ("--set clients.pages.trace=calls.csv", "write the trace into the file"),
    ];
    for (words, says) in cases {
        let told = ends(&format!("sweep plan {file} {words} -o {{}}/s"), &here, 2);
        assert!(told.contains(says), "{words}: {told}");
        assert!(!here.join("s").exists(), "{words}");
    }
}

#[test]
fn slurm_and_parallel_are_given_the_shards_without_a_result() {
    let here = folder("submit");
    plan(&here, "s", 6);
    well("sweep work {}/s --shard 1", &here);
    well("sweep work {}/s --shard 4", &here);
    let script = well("sweep submit {}/s --on slurm --at-once 3 --option=--partition=long --dry-run", &here);
    for line in ["#SBATCH --array=0,2-3,5%3", "#SBATCH --partition=long", "--dependency=afterany:JOB"] {
        assert!(script.contains(line), "{line}: {script}");
    }
    let line = well("sweep submit {}/s --on parallel --host a --host b --dry-run", &here);
    assert!(line.starts_with("printf '%s\\n' 0 2 3 5 | parallel --retries 3 --sshlogin a --sshlogin b "), "{line}");
    // Where there is no such engine.
    let output = command("sweep submit {}/s --on slurm", &here).env("PATH", "/none").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("there is no sbatch here"), "{}", said(&output));
    well("sweep work {}/s", &here);
    assert!(well("sweep submit {}/s --on slurm", &here).starts_with("every shard has a result"));
}
