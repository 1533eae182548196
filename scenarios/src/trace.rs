//! Traces: recorded times of calls in a CSV file beside the scenario.
//!
//! How a file is to be read stands in [`Recording`]. Every mistake names the file, the line and the next step.

use crate::input::{self, Rows};
use brownout_models::component::clients::Recording;
use brownout_models::setting::closest;
use brownout_models::units::Ns;
use std::path::Path;
use std::sync::Arc;

/// Rows of a file, and rows kept of all files together.
pub(crate) const ROWS: u64 = 50_000_000;
/// Bad rows reported per file; they tend to come in thousands.
const REPORTED: usize = 5;
/// Kinds of call of a file that are named when the one looked for is not there.
const NAMED: usize = 8;

/// What is wrong with a trace, and the next step.
pub(crate) struct Wrong {
    pub message: String,
    pub help: Option<String>,
}

fn wrong(message: String, help: impl Into<Option<String>>) -> Wrong {
    Wrong { message, help: help.into() }
}

/// A trace as it is read.
struct Reading<'a> {
    how: &'a Recording,
    /// The kind of call looked for.
    kind: &'a str,
    end: Ns,
    /// The columns of time and kind.
    time: usize,
    kinds: Option<usize>,
    times: Vec<Ns>,
    /// Rows of the kind, in the run or not, and the time that the first of them shows.
    of_kind: u64,
    first: f64,
    /// Other kinds that it has.
    others: Vec<String>,
}

/// What a trace says of one kind of call.
pub(crate) struct Calls {
    /// When they are made, ascending.
    pub(crate) times: Arc<[Ns]>,
    /// Rows of the kind that do not lie in the run.
    pub(crate) outside: u64,
}

/// Reads the times at which calls of `kind` are made, ascending; rows outside of the run are left out. At most `most` rows
/// are kept.
///
/// # Errors
/// What is wrong with the file, each with its line.
pub(crate) fn read(folder: &Path, how: &Recording, kind: &str, end: Ns, most: u64) -> Result<Calls, Vec<Wrong>> {
    let shown = &how.file;
    if cfg!(target_family = "wasm") {
        let help = "the command `brownout` replays it".to_string();
        return Err(vec![wrong(format!("cannot read trace {shown}: a page has no files"), help)]);
    }
    let unreadable = |why: &dyn std::fmt::Display| wrong(format!("cannot read trace {shown}: {why}"), None);
    let file = input::open(&folder.join(shown)).map_err(|why| {
        let help = "its path is taken from the folder of the scenario".to_string();
        vec![Wrong { help: Some(help), ..unreadable(&why) }]
    })?;
    let file = Rows::of(file);
    let since = file.since.clone();
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
    let header = reader.byte_headers().map_err(|why| vec![unreadable(&why)])?.clone();
    let time = column(how, &header, "time", &how.time)?;
    let kinds = how.kind.as_deref().map(|name| column(how, &header, "kind", name)).transpose()?;
    let (times, others) = (Vec::new(), Vec::new());
    let mut reading = Reading { how, kind, end, time, kinds, times, of_kind: 0, first: 0.0, others };
    let mut bad = Vec::new();
    let mut rows = 0_u64;
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(why) => {
                bad.push(unreadable(&why));
                break;
            }
        }
        since.set(0);
        rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        if rows > ROWS {
            bad.push(wrong(format!("{shown}:{line}: a trace has at most {ROWS} rows"), None));
            break;
        }
        if reading.times.len() as u64 > most {
            bad.push(wrong(format!("{shown}:{line}: all traces together have at most {ROWS} rows of a run"), None));
            break;
        }
        if let Err(why) = reading.row(&record) {
            bad.push(Wrong { message: format!("{shown}:{line}: {}", why.message), ..why });
        }
        if bad.len() == REPORTED {
            bad.push(wrong(format!("{shown}: further rows were not read"), None));
            break;
        }
    }
    if bad.is_empty() {
        bad.extend(reading.replays_nothing());
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    reading.times.sort_unstable();
    Ok(Calls { outside: reading.of_kind - reading.times.len() as u64, times: reading.times.into() })
}

/// The place of a column that `key` of the recording names.
fn column(how: &Recording, header: &csv::ByteRecord, key: &str, name: &str) -> Result<usize, Vec<Wrong>> {
    header.iter().position(|h| h == name.as_bytes()).ok_or_else(|| {
        let there: Vec<_> = header.iter().map(|h| String::from_utf8_lossy(h).into_owned()).collect();
        let help = match (closest(name, there.iter().map(String::as_str)), there.is_empty()) {
            (_, true) => "the first line of a trace names its columns, such as: t,kind".to_string(),
            (Some(near), _) => format!("did you mean `{near}`? trace = {{ file = .., {key} = \"{near}\" }}"),
            (None, _) => format!("it has: {}; trace = {{ file = .., {key} = \"..\" }} names one", there.join(", ")),
        };
        vec![wrong(format!("{}:1: there is no column `{name}`", how.file), help)]
    })
}

impl Reading<'_> {
    /// Takes a row, if it is of the kind.
    fn row(&mut self, record: &csv::ByteRecord) -> Result<(), Wrong> {
        if let Some(kinds) = self.kinds {
            let missing = || wrong(format!("the row has no `{}`", self.how.kind.as_deref().unwrap_or_default()), None);
            let word = String::from_utf8_lossy(record.get(kinds).ok_or_else(missing)?);
            if self.how.kind_of(&word) != self.kind {
                if self.others.len() < NAMED && !self.others.iter().any(|other| *other == word) {
                    self.others.push(word.into_owned());
                }
                return Ok(());
            }
        }
        let name = &self.how.time;
        let text = record.get(self.time).ok_or_else(|| wrong(format!("the row has no `{name}`"), None))?;
        let text = String::from_utf8_lossy(text);
        let at = text.parse::<f64>().ok().filter(|at| at.is_finite()).ok_or_else(|| {
            let unit = self.how.unit.doc().trim().trim_end_matches('.').to_lowercase();
            let says = format!("`{name}` is a number of {unit} such as 12.345, not \"{text}\"");
            wrong(says, "`unit` says in what it counts, `time` in which column it stands".to_string())
        })?;
        if self.of_kind == 0 {
            self.first = at;
        }
        self.of_kind += 1;
        let nanos = (at - self.how.begins) * self.how.unit.nanos() + self.how.shift.0 as f64;
        let at = Ns((nanos + 0.5) as u64);
        // What a seed may move into the run is kept.
        if nanos >= 0.0 && at <= self.end.plus(self.how.jitter) {
            self.times.push(at);
        }
        Ok(())
    }

    /// What is wrong with a trace none of whose rows is a call of the run.
    fn replays_nothing(&self) -> Option<Wrong> {
        let Reading { how, kind, first, .. } = self;
        let shown = &how.file;
        match (self.of_kind, self.times.is_empty()) {
            (0, _) => {
                let help = match self.others.as_slice() {
                    [] => None,
                    all => Some(format!(
                        "its kinds: {}; kinds = {{ \"{}\" = \"{kind}\" }} renames one",
                        all.join(", "),
                        all[0]
                    )),
                };
                Some(wrong(format!("{shown}: no row has the kind \"{kind}\""), help))
            }
            (rows, true) => Some(wrong(
                format!(
                    "{shown}: none of its {rows} rows of the kind \"{kind}\" lies in the run, which lasts {}",
                    self.end
                ),
                format!(
                    "the first shows {first}: `begins` says what the file shows when the run begins, `unit` in what it counts"
                ),
            )),
            _ => None,
        }
    }
}
