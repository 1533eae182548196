//! Text made safe to show, from whatever source: titles and names of scenario files, saved documents, the command line.
//!
//! [`clean`] is for a value on its way into a line: it stays one line. [`for_a_log`] is the last door before a terminal or
//! a log, for whole pages. [`in_json`], [`in_markdown`] and [`shell`] are the same for their languages.

use std::borrow::Cow;
use std::path::Path;

/// Whether a character has no glyph and changes how its neighbours are shown, drives a terminal, or is forbidden in XML:
/// control characters, marks of direction, joiners, tags, noncharacters.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// `text` on one line, without anything that could drive a terminal, reorder a line or break an XML document.
///
/// Tabs and line breaks become spaces; other hidden characters are spelled out (`\u{1b}`). Without `unicode`, what is not
/// ASCII becomes `?`.
pub fn clean(text: &str, unicode: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' => safe.push(' '),
            c if is_hidden(c) => safe.extend(c.escape_unicode()),
            c if !unicode && !c.is_ascii() => safe.push('?'),
            c => safe.push(c),
        }
    }
    safe
}

/// A page as it may go to a terminal or a log: hidden characters spelled out but for line breaks and tabs, and no line
/// that a build server takes for a command (`::add-mask::` of GitHub, `##[group]` of GitHub and Azure).
///
/// With `color`, sequences that set colours stay.
pub fn for_a_log(text: &str, color: bool) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") && !text.chars().any(|c| is_hidden(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let sequence = if color { colour(rest) } else { 0 };
            if sequence > 0 {
                safe.push_str(&rest[..sequence]);
                rest = &rest[sequence..];
                continue;
            }
            let starts_command = rest.starts_with("##[") || (rest.starts_with("::") && begins(line, rest));
            match c {
                '\n' | '\t' => safe.push(c),
                c if starts_command || is_hidden(c) => safe.extend(c.escape_unicode()),
                c => safe.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    Cow::Owned(safe)
}

/// Bytes of a sequence at the beginning of `text` that sets colours; 0 if there is none.
fn colour(text: &str) -> usize {
    let Some(inside) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = inside.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    if inside[digits..].starts_with('m') { 2 + digits + 1 } else { 0 }
}

/// Whether nothing that is seen stands in `line` before `rest`, its end.
fn begins(line: &str, rest: &str) -> bool {
    let mut before = &line[..line.len() - rest.len()];
    while let Some(c) = before.chars().next() {
        let sequence = colour(before);
        if sequence == 0 && !c.is_whitespace() {
            return false;
        }
        before = &before[sequence.max(c.len_utf8())..];
    }
    true
}

/// A JSON document in which hidden characters are written as escapes, and so is what a build server takes for a command
/// (`##[`): the same document.
pub fn in_json(document: &str) -> Cow<'_, str> {
    let is_raw = |c: char| is_hidden(c) && !matches!(c, '\n' | '\r' | '\t');
    if !document.contains("##[") && !document.chars().any(is_raw) {
        return Cow::Borrowed(document);
    }
    let mut safe = String::with_capacity(document.len());
    let mut units = [0; 2];
    for (at, c) in document.char_indices() {
        // Only strings can hold them.
        if is_raw(c) || document[at..].starts_with("##[") {
            c.encode_utf16(&mut units).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Words in Markdown, as GitHub and others read it, that become no markup, link, mention or column of a table; also no
/// link that is made of a bare address (`http://`, `www.`, `name@host`).
pub fn in_markdown(words: &str) -> String {
    let words = clean(words, true);
    let mut safe = String::with_capacity(words.len());
    let mut last = ' ';
    for (at, c) in words.char_indices() {
        let next = words[at + c.len_utf8()..].chars().next();
        let dotted = c == '.' && last.eq_ignore_ascii_case(&'w');
        if "\\`*_{}[]()<>#+!|~@&:".contains(c) || dotted {
            safe.push('\\');
        }
        safe.push(c);
        if c == '@' && next.is_some_and(|next| !next.is_whitespace()) {
            // Addresses of mail are looked for when escapes are gone; a comment ends the text between.
            safe.push_str("<!---->");
        }
        last = c;
    }
    safe
}

/// `word` as one word of a POSIX shell.
///
/// What cannot be shown, or what [`for_a_log`] would alter (control characters, marks that reorder a line or have no width,
/// `##[`), is written by its bytes as `$'\033'`, which POSIX has had since 2024, and bash, zsh and ksh for much longer.
pub fn shell(word: &str) -> String {
    quoted(word.as_bytes())
}

/// A path as one word of a shell that no command takes for an option.
pub fn shell_path(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.starts_with(b"-") { quoted(&[b"./", bytes].concat()) } else { quoted(bytes) }
}

fn quoted(word: &[u8]) -> String {
    let text = std::str::from_utf8(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    match text {
        Ok(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Ok(text) if !text.contains("##[") && !text.chars().any(is_hidden) => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        _ => spelled_out(word),
    }
}

fn spelled_out(word: &[u8]) -> String {
    let mut out = "$'".to_owned();
    // Bytes and not characters: what `\u` stands for depends on the shell's locale. Three digits: no more are taken.
    let octal = |out: &mut String, bytes: &[u8]| bytes.iter().for_each(|byte| out.push_str(&format!("\\{byte:03o}")));
    for chunk in word.utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            let altered = is_hidden(c) || chunk.valid()[at..].starts_with("##[");
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if altered => octal(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        octal(&mut out, chunk.invalid());
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};
    use std::process::Command;

    #[test]
    fn hostile_text_is_spelled_out() {
        assert_eq!(clean("a\x1b[31mb\u{202e}c\nd", true), "a\\u{1b}[31mb\\u{202e}c d");
        assert_eq!(clean("naïve", false), "na?ve");
    }

    #[test]
    fn a_log_hears_no_command_and_a_terminal_no_sequence() {
        let log = |text: &str| for_a_log(text, false).into_owned();
        assert_eq!(log("one\ttwo\nthree: ::four\n"), "one\ttwo\nthree: ::four\n");
        assert_eq!(log("a\n  ::add-mask::b\n"), "a\n  \\u{3a}:add-mask::b\n");
        assert_eq!(log("a ##[group]b"), "a \\u{23}#[group]b");
        assert_eq!(log("a\rb\u{1b}[1mc\u{9b}d"), "a\\u{d}b\\u{1b}[1mc\\u{9b}d");
        let colored = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}";
        assert_eq!(for_a_log(colored, true), "\u{1b}[1;31mred\u{1b}[0m \\u{1b}]0;title\\u{7}");
        assert_eq!(for_a_log("\u{1b}[1m ::x", true), "\u{1b}[1m \\u{3a}:x");
    }

    #[test]
    fn json_stays_the_same_document() {
        assert_eq!(in_json("[\"##[x\", \"::\"]"), "[\"\\u0023#[x\", \"::\"]");
        assert_eq!(in_json("{\n \"a\u{202e}\u{9b}\": \"\u{e0041}\"}"), "{\n \"a\\u202e\\u009b\": \"\\udb40\\udc41\"}");
    }

    #[test]
    fn words_stay_words_in_markdown() {
        assert_eq!(in_markdown("x | [y](http://z) <img> `\n# z"), "x \\| \\[y\\]\\(http\\://z\\) \\<img\\> \\` \\# z");
        assert_eq!(in_markdown("WWW.a.b me@c.d @you 5.1% of w"), "WWW\\.a.b me\\@<!---->c.d \\@<!---->you 5.1% of w");
    }

    #[test]
    fn words_are_readable_where_they_can_be() {
        assert_eq!(shell("scenarios/october-28.toml"), "scenarios/october-28.toml");
        assert_eq!(shell("it's here"), r"'it'\''s here'");
        assert_eq!(shell("a\x1b'"), r"$'a\033\''");
        assert_eq!(shell("a##[b"), r"$'a\043#[b'");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("सेवा"), "'सेवा'");
        assert_eq!(shell_path(Path::new("-x.toml")), "./-x.toml");
    }

    /// What bash makes of some words.
    fn read_back(words: &[String]) -> Option<Vec<u8>> {
        let script = format!("printf '%s\\n' {}", words.join(" "));
        Some(Command::new("bash").env("LC_ALL", "C").args(["-c", &script]).output().ok()?.stdout)
    }

    proptest! {
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, cases: 40, ..Config::default() })]

        #[test]
        fn a_shell_reads_back_every_word(words in proptest::collection::vec("[^\\x00]{0,12}|[ -~]{1,9}|[\\x01-\\x1f'\\\\\"$`!]{1,5}", 1..20)) {
            let quoted: Vec<String> = words.iter().map(|word| shell(word)).collect();
            prop_assert!(quoted.iter().all(|word| !word.chars().any(is_hidden)));
            // Where there is no bash nothing is shown.
            if let Some(read) = read_back(&quoted) {
                prop_assert_eq!(String::from_utf8_lossy(&read), words.iter().map(|w| format!("{w}\n")).collect::<String>());
            }
        }
    }
}
