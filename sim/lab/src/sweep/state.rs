//! What is known of shards: results that are whole, results that are broken, and shards that were begun in vain.
//!
//! A result lies in `results/` as `SHARD-CHECKSUM.parquet`. `begun/SHARD.json` counts how often a shard was begun without a
//! result; it is written before the work, so that a worker that is killed has counted too. Two workers that write it at
//! once may count one start less, which costs one more try.

use super::document::{Plan, checksum, folders};
use super::table::{self, Rows};
use super::{Failure, usage};
use brownout_output::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Failures after which a shard is only computed when it is asked for by its number.
pub const TRIES: u32 = 3;
/// Starts without a word after which it is too: its workers are killed, as for want of memory. More than failures, since
/// workers that are at it just now have started as well, and engines kill workers for reasons of their own.
const STARTS: u32 = 10;
/// How names of results end.
const SUFFIX: &str = ".parquet";

/// What became of a shard that has no result.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Begun {
    /// How often it was begun.
    pub times: u32,
    /// How often it failed; otherwise a worker was killed, or is at work.
    pub failed: u32,
    /// Why it failed the last time.
    pub why: Option<String>,
}

impl Begun {
    fn is_enough(&self) -> bool {
        self.failed >= TRIES || self.times >= STARTS
    }
}

/// A shard's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shard {
    /// Its result is there, by name; what is in it is checked when it is read.
    Done(PathBuf),
    /// It was not begun, or not finished.
    Open(Begun),
    /// It failed, or was begun, so often that no worker takes it up by itself.
    GivenUp(Begun),
}

/// The state of every shard.
///
/// # Errors
/// The folder cannot be read.
pub fn shards(plan: &Plan, folder: &Path) -> Result<Vec<Shard>, Failure> {
    let [results, begun] = folders(folder);
    let mut found: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for path in names(&results)? {
        if let Some(shard) = shard_of(&path) {
            found.insert(shard, path);
        }
    }
    let mut counts: BTreeMap<u64, Begun> = BTreeMap::new();
    for path in names(&begun)? {
        let shard = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(shard), Some(count)) = (shard, read_begun(&path)) {
            counts.insert(shard, count);
        }
    }
    let state = |shard: u64| match (found.remove(&shard), counts.remove(&shard).unwrap_or_default()) {
        (Some(path), _) => Shard::Done(path),
        (None, begun) if begun.is_enough() => Shard::GivenUp(begun),
        (None, begun) => Shard::Open(begun),
    };
    Ok((0..plan.shards).map(state).collect())
}

fn names(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |why| Failure::File(format!("cannot read the folder {}: {why}", folder.display()));
    let mut all = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    // Of two results of one shard, of which one must be broken, the same is found every time.
    all.sort();
    Ok(all)
}

/// The shard that a file's name says it is the result of; none of a file under way or of somebody else's.
fn shard_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    name.split_once('-')?.0.parse().ok()
}

/// Results of a shard that are there under any checksum.
fn results_of(folder: &Path, shard: u64) -> Result<Vec<PathBuf>, Failure> {
    let [results, _] = folders(folder);
    Ok(names(&results)?.into_iter().filter(|path| shard_of(path) == Some(shard)).collect())
}

/// Reads a result.
///
/// # Errors
/// What is wrong with it: its bytes are not those of its name, or they are not of this plan, this version and this shard.
pub fn read(plan: &Plan, shard: u64, path: &Path) -> Result<Rows, String> {
    let bytes = std::fs::read(path).map_err(|why| why.to_string())?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name != name_of(shard, &bytes) {
        return Err("its bytes are not those that were written".into());
    }
    let (rows, about) = table::read(bytes, &plan.fields()).map_err(|why| why.to_string())?;
    let says = |key: &str| about.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value);
    if says(VERSION_KEY) != plan.brownout.word() {
        return Err(format!(
            "it was computed by brownout {}, the plan is of {}",
            says(VERSION_KEY),
            plan.brownout.word()
        ));
    }
    let (from, to) = plan.shard(shard);
    let numbers = rows.wholes(0).iter().copied();
    if says(PLAN_KEY) != plan.digest() || !numbers.eq((from..to).map(|run| run as i64)) {
        return Err("it is a shard of another plan".into());
    }
    Ok(rows)
}

/// Footer: which sweep.
pub const PLAN_KEY: &str = "brownout.sweep";
/// Footer: which Brownout.
pub const VERSION_KEY: &str = "brownout.version";

fn name_of(shard: u64, bytes: &[u8]) -> String {
    format!("{}-{}{SUFFIX}", Plan::stem(shard), checksum(bytes))
}

/// Whether a result of the shard is there and sound; broken ones are taken away.
///
/// # Errors
/// A broken one cannot be taken away, or the folder cannot be read.
pub fn is_sound(plan: &Plan, folder: &Path, shard: u64) -> Result<bool, Failure> {
    let mut sound = false;
    for path in results_of(folder, shard)? {
        match read(plan, shard, &path) {
            Ok(_) => sound = true,
            Err(_) => remove(&path)?,
        }
    }
    Ok(sound)
}

fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        // Another worker was quicker.
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::File(format!("cannot remove the broken result {}: {why}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Writes a result, whole.
///
/// # Errors
/// It cannot be written; then it is not there.
pub fn keep(plan: &Plan, folder: &Path, shard: u64, rows: Rows) -> Result<(), Failure> {
    let failed = |why| Failure::File(format!("cannot make the result of shard {shard}: {why}"));
    let about = [(PLAN_KEY, plan.digest()), (VERSION_KEY, plan.brownout.word())];
    let mut writer = table::Writer::new(Vec::new(), &plan.fields(), &about).map_err(failed)?;
    writer.append(rows).map_err(failed)?;
    let bytes = writer.finish().map_err(failed)?;
    let [results, _] = folders(folder);
    files::write_within(&results, &name_of(shard, &bytes), &bytes)?;
    forget(folder, shard);
    Ok(())
}

fn begun_path(folder: &Path, shard: u64) -> (PathBuf, String) {
    let [_, begun] = folders(folder);
    (begun, format!("{}.json", Plan::stem(shard)))
}

fn read_begun(path: &Path) -> Option<Begun> {
    // Half a file there cannot be, and one that says nothing counts for nothing.
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// How often a shard was begun.
pub fn begun(folder: &Path, shard: u64) -> Begun {
    let (folder, name) = begun_path(folder, shard);
    read_begun(&folder.join(name)).unwrap_or_default()
}

/// Writes down how often a shard was begun.
///
/// # Errors
/// It cannot be written.
pub fn count(folder: &Path, shard: u64, begun: &Begun) -> Result<(), Failure> {
    if begun.times == 0 {
        forget(folder, shard);
        return Ok(());
    }
    let (folder, name) = begun_path(folder, shard);
    let json = serde_json::to_string(begun).unwrap_or_default();
    files::write_within_soon(&folder, &name, json.as_bytes()).map_err(Failure::from)
}

fn forget(folder: &Path, shard: u64) {
    let (folder, name) = begun_path(folder, shard);
    // What cannot be removed only says what is no longer asked: there is a result.
    let _ = std::fs::remove_file(folder.join(name));
}

/// The number of a shard, in bounds.
///
/// # Errors
/// Says how many there are.
pub fn number(plan: &Plan, shard: u64) -> Result<u64, Failure> {
    if shard < plan.shards {
        return Ok(shard);
    }
    Err(usage(format!("there is no shard {shard}: the sweep has those from 0 to {}", plan.shards - 1)))
}
