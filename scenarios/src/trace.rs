//! Traces: recorded times of calls in a CSV file beside the scenario.

use brownout_models::units::Ns;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows of one file.
const ROWS: u64 = 50_000_000;
/// Bad rows reported per file; they tend to come in thousands.
const REPORTED: usize = 5;

/// Reads the times at which calls of `kind` are made, ascending; rows after `end` are left out.
///
/// # Errors
/// What is wrong with the file, each with its line.
pub(crate) fn read(path: &Path, shown: &str, kind: &str, end: Ns) -> Result<Arc<[Ns]>, Vec<String>> {
    let file = File::open(path).map_err(|why| vec![format!("cannot read trace {shown}: {why}")])?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
    let header = reader.byte_headers().map_err(|why| vec![format!("cannot read trace {shown}: {why}")])?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|h| h == name.as_bytes());
        found.ok_or_else(|| vec![format!("{shown}:1: there is no column `{name}`")])
    };
    let (t, kinds) = (column("t")?, column("kind")?);
    let (mut times, mut bad) = (Vec::new(), Vec::new());
    let (mut rows, mut of_kind) = (0_u64, 0_u64);
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(why) => {
                bad.push(format!("cannot read trace {shown}: {why}"));
                break;
            }
        }
        rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        if rows > ROWS {
            bad.push(format!("{shown}:{line}: a trace has at most {ROWS} rows"));
            break;
        }
        match read_row(&record, t, kinds, kind) {
            Ok(Some(at)) => {
                of_kind += 1;
                times.extend(within(at, end));
            }
            Ok(None) => {}
            Err(why) => bad.push(format!("{shown}:{line}: {why}")),
        }
        if bad.len() == REPORTED {
            bad.push(format!("{shown}: further rows were not read"));
            break;
        }
    }
    if bad.is_empty() && of_kind == 0 {
        bad.push(format!("{shown}: no row has the kind \"{kind}\""));
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    times.sort_unstable();
    Ok(times.into())
}

/// A row's time in seconds, if it is of the kind.
fn read_row(record: &csv::ByteRecord, t: usize, kinds: usize, kind: &str) -> Result<Option<f64>, String> {
    let found = record.get(kinds).ok_or("the row has no `kind`")?;
    if found != kind.as_bytes() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(record.get(t).ok_or("the row has no `t`")?).into_owned();
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(Some(seconds)),
        _ => Err(format!("`t` is seconds since the start, such as 12.345, not \"{text}\"")),
    }
}

fn within(seconds: f64, end: Ns) -> Option<Ns> {
    let at = Ns::from_secs_f64(seconds);
    (seconds >= 0.0 && at <= end).then_some(at)
}
