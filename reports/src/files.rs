//! All documents of a run in one directory.

use crate::{csv, json, svg};
use brownout_sim::outcome::Outcome;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a document could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// The file system refused.
    Io {
        /// What was being done: "create the directory".
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The document could not be made.
    Document {
        /// Where it would have gone.
        path: PathBuf,
        /// Why not.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            WriteError::Document { path, cause } => write!(f, "cannot make {}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WriteError::Io { cause, .. } => Some(cause),
            WriteError::Document { cause, .. } => Some(cause.as_ref()),
        }
    }
}

/// Writes `outcome.json`, `timeline.csv`, `dropped.svg`, `rotation.svg` and `causes.svg` into `dir`, which is
/// created if need be, and returns their paths in this order.
///
/// All documents are made before the first is written, and each is written beside its place and renamed into it:
/// a file in `dir` is an old one or a new one, never half of one.
///
/// # Errors
///
/// [`WriteError`], which names the path. Documents renamed into place before the error stay.
pub fn write_all(outcome: &Outcome, dir: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let documents: [Document; 5] = [
        ("outcome.json".into(), json::to_json(outcome).map_err(Into::into)),
        ("timeline.csv".into(), csv::timeline_csv(outcome).map_err(Into::into)),
        ("dropped.svg".into(), svg::dropped(outcome).map_err(Into::into)),
        ("rotation.svg".into(), svg::rotation(outcome).map_err(Into::into)),
        ("causes.svg".into(), svg::causes(outcome).map_err(Into::into)),
    ];
    write_documents(documents.into(), dir)
}

/// Writes one document beside its place, and renames it into it.
///
/// # Errors
///
/// [`WriteError`], which names the path.
pub fn write_one(path: &Path, document: &[u8]) -> Result<(), WriteError> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir).map_err(io_error("create the directory", dir))?;
    }
    replace(path, document)
}

/// A name in the directory, and what goes there.
pub(crate) type Document = (String, Result<String, Box<dyn std::error::Error + Send + Sync>>);

/// As [`write_all`] promises.
pub(crate) fn write_documents(documents: Vec<Document>, dir: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let documents: Vec<(PathBuf, String)> = documents
        .into_iter()
        .map(|(name, document)| match document {
            Ok(document) => Ok((dir.join(name), document)),
            Err(cause) => Err(WriteError::Document { path: dir.join(name), cause }),
        })
        .collect::<Result<_, _>>()?;
    fs::create_dir_all(dir).map_err(io_error("create the directory", dir))?;
    for (path, document) in &documents {
        replace(path, document.as_bytes())?;
    }
    Ok(documents.into_iter().map(|(path, _)| path).collect())
}

/// Writes beside `path`, then renames over it.
fn replace(path: &Path, document: &[u8]) -> Result<(), WriteError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = fs::write(&temporary, document).map_err(io_error("write", &temporary));
    let done = written.and_then(|()| fs::rename(&temporary, path).map_err(io_error("replace", path)));
    if done.is_err() {
        // What matters is the first error; a leftover that cannot be removed changes nothing about it.
        let _ = fs::remove_file(&temporary);
    }
    done
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |cause| WriteError::Io { doing, path, cause }
}
