//! All documents of a run in one directory.

use crate::{csv, json, svg};
use brownout_output::files::{self, WriteError};
use brownout_sim::outcome::Outcome;
use std::path::{Path, PathBuf};

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

/// A name in the directory, and what goes there.
pub(crate) type Document = (String, Result<String, Box<dyn std::error::Error + Send + Sync>>);

/// As [`write_all`] promises.
pub(crate) fn write_documents(documents: Vec<Document>, dir: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let documents: Vec<(String, String)> = documents
        .into_iter()
        .map(|(name, document)| match document {
            Ok(document) => Ok((name, document)),
            Err(cause) => Err(WriteError::Document { path: dir.join(name), cause }),
        })
        .collect::<Result<_, _>>()?;
    files::folder(dir)?;
    for (name, document) in &documents {
        files::write_within(dir, name, document.as_bytes())?;
    }
    Ok(documents.into_iter().map(|(name, _)| dir.join(name)).collect())
}
