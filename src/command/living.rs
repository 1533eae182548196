//! What a living page needs: the engine, found and checked, and the scenario with its time zone.

use brownout::live::{FINGERPRINT, TEXT, fingerprint};
use brownout::models::component::clients::Clients;
use brownout::reports::report::{File, Living};
use brownout::scenarios::{Scenario, zone_rules};
use std::path::{Path, PathBuf};

/// The file that `reports/live/build` writes.
const ENGINE: &str = "brownout-engine.wasm";
/// Larger than any engine; a page may have 3 MB.
const LARGEST: u64 = 8 << 20;
const HOW: &str = "reports/live/build makes it (docs/reports.md, \"The engine\"), or --engine names it";

/// Where an engine may be: beside the command, or where the repository builds it.
fn places() -> Vec<PathBuf> {
    let Ok(own) = std::env::current_exe() else { return Vec::new() };
    let folders = own.ancestors().skip(1).take(4);
    folders.flat_map(|folder| [folder.join(ENGINE), folder.join("live").join(ENGINE)]).collect()
}

/// The engine of the same sources as this command.
///
/// # Errors
/// There is none, or it is of other sources; with the next step.
pub fn engine(named: Option<&Path>) -> Result<Vec<u8>, String> {
    let found = match named {
        Some(named) => Some(named.to_path_buf()),
        None => places().into_iter().find(|place| place.is_file()),
    };
    let Some(file) = found else {
        return Err(format!("a living page needs the engine, and it is not built here; {HOW}"));
    };
    let shown = file.display();
    let size = std::fs::metadata(&file).map_err(|why| format!("cannot read the engine {shown}: {why}"))?;
    if !size.is_file() || size.len() > LARGEST {
        return Err(format!("{shown} is no engine; {HOW}"));
    }
    let bytes = std::fs::read(&file).map_err(|why| format!("cannot read the engine {shown}: {why}"))?;
    match fingerprint(&bytes) {
        Some(is) if is == FINGERPRINT => Ok(bytes),
        Some(is) => Err(format!(
            "the engine {shown} was made of other sources ({is}) than this command ({FINGERPRINT}), and might tell another \
             story; reports/live/build makes it anew"
        )),
        None => Err(format!("{shown} is no engine; {HOW}")),
    }
}

/// A page's scenarios: that of the days, then others.
///
/// # Errors
/// The scenario cannot go into a page.
pub fn living(
    engine: Vec<u8>,
    (scenario, text): (&Scenario, String),
    others: &[(&str, &str)],
    play: bool,
) -> Result<Living, String> {
    let recorded = |clients: &Clients| clients.trace.is_some();
    if scenario.plan.spec.clients.iter().any(|(_, clients)| recorded(clients)) {
        let why = "replays recorded calls from a file beside it, and a page has no files";
        return Err(format!("{} {why}: leave --live out", scenario.name));
    }
    if text.len() > TEXT {
        return Err(format!("{} is larger than the {} KiB that a page takes", scenario.name, TEXT >> 10));
    }
    let mut zones: Vec<String> =
        [scenario.calendar.zone().to_owned()].into_iter().filter(|zone| !zone.is_empty()).collect();
    let own = File { name: scenario.name.clone(), title: scenario.title.clone(), text };
    let mut scenarios = vec![own];
    for (name, text) in others.iter().filter(|(name, _)| *name != scenario.name) {
        let read = brownout::scenarios::load_text(name, text, Path::new(""), &[], &[]);
        // They ship with this command, and a test reads them.
        let Ok(read) = read else { continue };
        let zone = read.calendar.zone().to_owned();
        if !zone.is_empty() && !zones.contains(&zone) {
            zones.push(zone);
        }
        scenarios.push(File { name: (*name).to_owned(), title: read.title, text: (*text).to_owned() });
    }
    let zones = zones.into_iter().filter_map(|name| zone_rules(&name).map(|rules| (name, rules.to_vec()))).collect();
    Ok(Living { engine, zones, scenarios, play })
}
