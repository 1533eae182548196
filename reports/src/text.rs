//! Words and figures: made safe, measured, shortened and wrapped. Shared by terminal and pictures.

pub use brownout_output::text::shell;
pub(crate) use brownout_output::text::{clean, in_markdown};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that `text` takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    // The larger of two ways to count: terminals disagree on sequences, and a line must never be too long.
    text.width().max(text.chars().map(|c| c.width().unwrap_or(0)).sum())
}

/// `text` cut to `columns`, ending in an ellipsis if anything was cut.
pub(crate) fn fit(text: &str, columns: usize, unicode: bool) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let ellipsis = if unicode { "…" } else { "..." };
    let room = columns.saturating_sub(width(ellipsis));
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        cut.push(c);
    }
    let ellipsis = if width(ellipsis) <= columns { ellipsis } else { "" };
    format!("{}{ellipsis}", cut.trim_end())
}

/// `text` in lines of at most `columns`, broken at spaces; words too long are broken anywhere.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line) + 1 + width(&word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        while width(&word) > columns {
            let at = break_at(&word, columns);
            let rest = word.split_off(at);
            lines.push(std::mem::replace(&mut word, rest));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The byte at which the first `columns` of `word` end; at least one character.
fn break_at(word: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns && at > 0 {
            return at;
        }
    }
    word.len()
}

/// 6434400 as "6,434,400".
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// 6434400 as "6.43M": three figures, for narrow places.
pub(crate) fn short(n: u64) -> String {
    let (unit, name) = match n {
        0..1_000 => return n.to_string(),
        1_000..1_000_000 => (1e3, "k"),
        1_000_000..1_000_000_000 => (1e6, "M"),
        _ => (1e9, "G"),
    };
    let value = n as f64 / unit;
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$}{name}")
}

/// A rate as per cent: "54.2%". "0%" and "100%" are exact; what only comes near them says so ("<0.01%", "99.99%").
pub(crate) fn percent(rate: f64) -> String {
    let value = rate * 100.0;
    if !value.is_finite() {
        "-".to_owned()
    } else if value == 0.0 || value == 100.0 {
        format!("{}%", value.abs())
    } else if value > 0.0 && value < 0.01 {
        "<0.01%".to_owned()
    } else if value < 1.0 {
        format!("{value:.2}%")
    } else if value > 99.9 && value < 100.0 {
        format!("{:.2}%", (value * 100.0).floor() / 100.0)
    } else {
        format!("{value:.1}%")
    }
}

/// A rate as whole per cent where that says enough: "41%", "0.30%".
pub(crate) fn percent_brief(rate: f64) -> String {
    let value = rate * 100.0;
    if (1.0..99.5).contains(&value) { format!("{value:.0}%") } else { percent(rate) }
}

/// A mean with as many decimals as help: "5.3", "61", "16".
pub(crate) fn mean(value: f64) -> String {
    if !value.is_finite() {
        "-".to_owned()
    } else if value.fract() == 0.0 || value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// A length of time in words: "0.25 s", "75 s", "6 min 20 s", "6 h 4 min".
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    let whole = seconds.round() as u64;
    let pair = |high: u64, high_unit, low: u64, low_unit| match low {
        0 => format!("{high} {high_unit}"),
        _ => format!("{high} {high_unit} {low} {low_unit}"),
    };
    if seconds < 10.0 {
        let text = format!("{seconds:.2}");
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else if whole < 120 {
        format!("{whole} s")
    } else if whole < 7200 {
        pair(whole / 60, "min", whole % 60, "s")
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        pair(minutes / 60, "h", minutes % 60, "min")
    }
}

/// A latency in milliseconds, for narrow places: "0.4ms", "12ms", "1.5s", "60s", "12min".
pub(crate) fn latency(ms: f64) -> String {
    let short = |value: f64, unit: &str| match value {
        0.0..9.95 => format!("{:.1}", value).trim_end_matches(".0").to_owned() + unit,
        _ => format!("{value:.0}{unit}"),
    };
    match ms {
        _ if !ms.is_finite() || ms < 0.0 => "-".to_owned(),
        0.0..0.05 => "<0.1ms".to_owned(),
        0.05..999.5 => short(ms, "ms"),
        999.5..119_500.0 => short(ms / 1e3, "s"),
        119_500.0..7_170_000.0 => short(ms / 6e4, "min"),
        _ => short(ms / 3.6e6, "h"),
    }
}

/// The names of causes and modes as words: "no_server" as "no server".
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// "1 server", "2 servers".
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_never_round_to_a_limit_they_did_not_reach() {
        let shown: Vec<String> =
            [0.0, 0.00001, 0.0031, 0.0151, 0.5421, 0.9996, 0.99999, 1.0].map(percent).into_iter().collect();
        assert_eq!(shown, ["0%", "<0.01%", "0.31%", "1.5%", "54.2%", "99.96%", "99.99%", "100%"]);
        assert_eq!([0.409, 0.003, 0.998].map(percent_brief), ["41%", "0.30%", "99.8%"]);
        assert_eq!([999, 6_434_400, 12_345, 999_999].map(short), ["999", "6.43M", "12.3k", "1000k"]);
        assert_eq!([0, 999, 1_000, 6_434_400].map(grouped), ["0", "999", "1,000", "6,434,400"]);
    }

    #[test]
    fn durations_in_words() {
        assert_eq!(
            [0.25, 9.0, 75.2, 380.0, 21_840.0, 7200.0].map(duration),
            ["0.25 s", "9 s", "75 s", "6 min 20 s", "6 h 4 min", "2 h"]
        );
        assert_eq!(duration(f64::NAN), "-");
    }

    #[test]
    fn latencies_for_narrow_places() {
        assert_eq!(
            [0.0, 0.42, 3.0, 12.4, 250.0, 999.7, 1_500.0, 60_100.0, 600_000.0, 7.2e6].map(latency),
            ["<0.1ms", "0.4ms", "3ms", "12ms", "250ms", "1s", "1.5s", "60s", "10min", "2h"]
        );
        assert_eq!(latency(f64::NAN), "-");
    }

    #[test]
    fn what_is_too_long_is_cut_by_columns() {
        assert_eq!(fit("a longer title", 8, true), "a longe…");
        assert_eq!(fit("日本語日本語", 7, true), "日本語…");
        assert_eq!(fit("abc", 2, false), "");
    }

    #[test]
    fn wrapped_lines_fit() {
        for columns in 1..30 {
            for line in wrap("some words and averyveryveryverylongword 日本語日本語", columns) {
                assert!(width(&line) <= columns.max(2), "{line:?} in {columns}");
            }
        }
    }
}
