//! The fingerprint of everything that decides what an engine computes and draws. The command has the same from the same
//! sources, so a page gets no engine that would tell another story.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders and files below the root of the repository.
const SOURCES: [&str; 15] = [
    "Cargo.lock",
    "Cargo.toml",
    "models/Cargo.toml",
    "models/src",
    "output/Cargo.toml",
    "output/src/text.rs",
    "reports/Cargo.toml",
    "reports/live/Cargo.toml",
    "reports/live/build",
    "reports/live/src",
    "reports/src",
    "scenarios/Cargo.toml",
    "scenarios/src",
    "sim/Cargo.toml",
    "sim/src",
];

fn main() {
    let root = Path::new("../..");
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    for source in SOURCES {
        println!("cargo::rerun-if-changed=../../{source}");
        for file in files(&root.join(source)) {
            hash.add(file.to_string_lossy().replace('\\', "/").as_bytes());
            // Line ends are the checkout's affair.
            let text = fs::read(&file).unwrap_or_default();
            text.split(|byte| *byte == b'\r').for_each(|part| hash.add(part));
        }
    }
    println!("cargo::rustc-env=BROWNOUT_ENGINE={:016x}", hash.0);
}

/// A file, or all below a folder, in the order of their names.
fn files(at: &Path) -> Vec<PathBuf> {
    let Ok(inside) = fs::read_dir(at) else { return vec![at.to_path_buf()] };
    let mut inside: Vec<PathBuf> = inside.flatten().map(|entry| entry.path()).collect();
    inside.sort();
    inside.iter().flat_map(|path| files(path)).collect()
}

/// FNV-1a: nobody is to be kept from making two that are alike, only from forgetting to build.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
