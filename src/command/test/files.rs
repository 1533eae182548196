//! Which scenario files are meant: names, folders, patterns.

use brownout::lab::suite::Source;
use brownout::scenarios::read_file;
use std::path::{Path, PathBuf};

/// Folders within folders.
const DEPTH: usize = 32;
/// Most files.
const FILES: usize = 100_000;

/// The files that some words mean, each once, in the order of the words; those of a folder or a pattern by name.
///
/// # Errors
/// A word that means no file.
pub fn find(words: &[String]) -> Result<Vec<Source>, String> {
    let mut out: Vec<Source> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for word in words {
        for source in meant(word)? {
            if known.insert(source.path.clone()) {
                out.push(source);
            }
        }
        if out.len() > FILES {
            return Err(format!("more than {FILES} files"));
        }
    }
    Ok(out)
}

fn meant(word: &str) -> Result<Vec<Source>, String> {
    let path = Path::new(word);
    if path.is_dir() {
        let mut found = Vec::new();
        walk(path, 0, &mut found).map_err(|why| format!("cannot read the folder {word}: {why}"))?;
        // "." is where one is, and not part of a name.
        found = found.into_iter().map(|path| path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path)).collect();
        found.sort();
        if found.is_empty() {
            return Err(format!(
                "no scenario in the folder {word}: a scenario is a .toml file with the key `brownout`"
            ));
        }
        return Ok(found.into_iter().map(|path| Source { path, found: true }).collect());
    }
    // A file may have any name, also one with stars in it. One that cannot be looked at is reported when it is read.
    if path.try_exists().unwrap_or(true) {
        return Ok(vec![Source { path: path.into(), found: false }]);
    }
    if !word.contains(['*', '?', '[']) {
        return Err(format!("there is no file and no folder {word}; nothing was run"));
    }
    let paths = glob::glob(word).map_err(|why| format!("{word} is no pattern: {why}"))?;
    let mut found: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|path| path.is_file()).take(FILES + 1).collect();
    found.retain(|path| is_scenario(path));
    if found.is_empty() {
        return Err(format!("no scenario is meant by {word}"));
    }
    Ok(found.into_iter().map(|path| Source { path, found: true }).collect())
}

/// The scenarios in a folder and those within it; links to folders are not followed, hidden ones not entered.
fn walk(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden && depth < DEPTH {
            walk(&path, depth + 1, out)?;
        } else if !kind.is_dir() && out.len() <= FILES && is_scenario(&path) {
            out.push(path);
        }
    }
    Ok(())
}

/// Whether a file says that it is a scenario: it has the key `brownout` before its first table. One that cannot be read
/// is taken for one, so that it is reported and not passed over.
fn is_scenario(path: &Path) -> bool {
    if path.extension().is_none_or(|end| end != "toml") {
        return false;
    }
    let Ok(text) = read_file(path) else { return true };
    let top =
        text.trim_start_matches('\u{feff}').lines().map(str::trim_start).take_while(|line| !line.starts_with('['));
    let key = |line: &str| line.strip_prefix("brownout").is_some_and(|rest| rest.trim_start().starts_with('='));
    top.into_iter().any(key)
}
