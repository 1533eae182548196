//! The files of finds: each under a name of its own, which no other find has and no file is replaced under.
//!
//! A name is what was found in a few words, and a number worked out from what the file holds. So the same find has the
//! same name wherever and whenever it is made, and two finds have two. Names are lower-case ASCII of a bounded length,
//! which every file system takes and which differ also where case does not count.

use super::Failure;
use brownout_models::random::Stream;
use brownout_output::files;
use brownout_property::base::headed;
use brownout_scenarios::read_file;
use std::path::{Path, PathBuf};

/// The most characters of the words of a name.
const WORDS: usize = 80;
/// Names tried before giving up; a second one is only needed where a file of that name has been changed.
const TRIES: u32 = 1000;

/// The find of a hunt as a file.
pub(super) struct File<'a> {
    /// What was found, in words.
    pub(super) words: &'a [String],
    /// What it is, as the first line of the file.
    pub(super) title: String,
    /// What happens, as a comment; given where the file lies.
    pub(super) story: &'a dyn Fn(&Path) -> Vec<String>,
    /// The scenario.
    pub(super) text: String,
}

impl File<'_> {
    /// Writes the file into a folder, unless it is there. Says where it is.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn save(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let title = headed(std::slice::from_ref(&self.title), "");
        let mark = format!("{:016x}", Stream::new(0, &format!("{title}{}", self.text)).bits());
        let words = words(self.words);
        for number in 1..=TRIES {
            let again = if number > 1 { format!("-{number}") } else { String::new() };
            let name = format!("{words}-{}{again}.toml", &mark[..8]);
            let path = folder.join(&name);
            let head = [vec![self.title.clone()], (self.story)(&path)].concat();
            match files::create_within(folder, &name, headed(&head, &self.text).as_bytes()) {
                Ok(()) => return Ok(path),
                Err(why) if why.is_there_already() => {}
                Err(why) => return Err(why.into()),
            }
            // What it tells may name another folder; what it is and what it holds is the same.
            let is = read_file(&path).unwrap_or_default();
            if is.starts_with(title.trim_end()) && is.ends_with(&self.text) {
                return Ok(path);
            }
        }
        Err(Failure::File(format!("{} is full of changed files of the name {words}-{mark}", folder.display())))
    }
}

/// Words as the first part of a name: what is no letter, digit or hyphen separates.
fn words(all: &[String]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = all.join("-").chars().map(plain).collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    let mut out = parts.join("-");
    out.truncate(WORDS);
    let out = out.trim_end_matches('-');
    if out.is_empty() { "find".into() } else { out.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_short_and_never_empty() {
        let name = |all: &[&str]| words(&all.iter().map(|word| word.to_string()).collect::<Vec<_>>());
        assert_eq!(name(&["October-28", "hang", "identify"]), "october-28-hang-identify");
        assert_eq!(name(&["..", "a/../b", "日本 語"]), "a-b");
        assert_eq!(name(&["日本"]), "find");
        assert_eq!(name(&["x".repeat(300).as_str()]).len(), WORDS);
    }
}
