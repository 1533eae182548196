//! The report in a real browser: no script fails, nothing is asked of a network, every picture is there, designs can be
//! chosen and the time axis zoomed by pointer and by keyboard, and words can be read in light and dark.
//!
//! Skipped, with a message, where no Chromium is installed (`BROWNOUT_BROWSER` names another). Screenshots, wide and
//! narrow, light and dark, are left in `target/tmp/browser/`; `BROWNOUT_PAGE=report.html` opens a report of one's own too.

#[path = "browser/devtools.rs"]
pub(crate) mod devtools;

use devtools::{Page, browser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A report of a small scenario, made by the command.
fn report() -> PathBuf {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/compare.in/minute.toml");
    let out = folder().join("report.html");
    let made = Command::new(env!("CARGO_BIN_EXE_brownout"))
        .args(["report", scenario, "--seeds", "3", "--sweep", "clients.pages.rate=5/s,20/s", "-o"])
        .arg(&out)
        .output()
        .expect("brownout can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    out
}

#[test]
fn the_report_works_in_a_browser() {
    let Some(browser) = browser() else {
        eprintln!("skipped: no Chromium on the path; apt-get install chromium, or name one in BROWNOUT_BROWSER");
        return;
    };
    let mut page = Page::open(&browser, folder().join(format!("profile-{}", std::process::id())));
    let file = report();
    page.look((1280, 900), false);
    page.go(&file);
    whole(&mut page);
    designs(&mut page);
    by_pointer(&mut page);
    by_keyboard(&mut page);
    values(&mut page);
    colours(&mut page);
    without_scripts(&mut page, &file);
    pictures(&mut page, &file, "report");
    if let Some(own) = std::env::var_os("BROWNOUT_PAGE") {
        pictures(&mut page, &std::fs::canonicalize(own).expect("the page is there"), "own");
    }
    assert_eq!(page.errors, Vec::<String>::new(), "errors");
    let outside: Vec<&String> = page.requests.iter().filter(|url| !url.starts_with("data:,")).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

/// Every picture has a size, a title and words for those who cannot see it; the page is no wider than the window.
fn whole(page: &mut Page) {
    let pictures = page.eval(
        "[...document.querySelectorAll('figure')].filter(f => f.offsetParent).map(f => { const s = f.querySelector('svg'); \
         const b = s.getBoundingClientRect(); return [b.width, b.height, s.querySelector('title').textContent.length, s.getAttribute('aria-label').length, \
         s.querySelectorAll('text').length]; })",
    );
    let pictures = pictures.as_array().expect("pictures");
    assert!(pictures.len() >= 12, "{}", pictures.len());
    for picture in pictures {
        let figures: Vec<f64> = picture.as_array().expect("figures").iter().map(number).collect();
        assert!(figures[0] > 200.0 && figures[1] > 80.0 && figures[2..].iter().all(|n| *n > 0.0), "{figures:?}");
    }
    assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), json!(true));
    assert_eq!(page.eval("document.querySelectorAll('h1').length"), json!(1));
    assert_eq!(
        page.eval("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.getAttribute('href')))"),
        json!(true)
    );
    let names = "[...document.querySelectorAll('button, input')].every(b => (b.ariaLabel || b.closest('label')?.textContent || b.textContent).trim())";
    assert_eq!(page.eval(names), json!(true), "every control has a name");
}

fn shown(page: &mut Page, day: usize) -> f64 {
    number(&page.eval(&format!(
        "[...document.querySelectorAll('figure[data-day=\"{day}\"]')].filter(f => f.offsetParent).length"
    )))
}

/// The first two designs are shown; each can be hidden and shown by pointer and by keyboard.
fn designs(page: &mut Page) {
    let all = shown(page, 1);
    assert!(all >= 6.0 && shown(page, 0) == all, "{all}");
    page.click("input[data-toggle='1']");
    assert_eq!((shown(page, 0), shown(page, 1)), (all, 0.0));
    page.eval("document.querySelector(\"input[data-toggle='1']\").focus()");
    page.key(" ");
    assert_eq!(shown(page, 1), all);
}

/// The part of the run in view, as a share of its length: of all pictures with a time axis, which must agree.
fn view(page: &mut Page) -> (f64, f64) {
    let all = page.eval(
        "[...document.querySelectorAll('svg[data-plot]')].map(s => { const [l, r] = s.dataset.plot.split(' ').map(Number); \
         const [x, , w] = s.querySelector('svg.plot').getAttribute('viewBox').split(' ').map(Number); return [(x - l) / (r - l), w / (r - l)]; })",
    );
    let all = all.as_array().expect("pictures");
    let first = (number(&all[0][0]), number(&all[0][1]));
    for one in all {
        assert!((number(&one[0]) - first.0).abs() < 0.01 && (number(&one[1]) - first.1).abs() < 0.01, "{all:?}");
    }
    first
}

fn by_pointer(page: &mut Page) {
    assert_eq!(view(page), (0.0, 1.0));
    page.click("button[data-zoom='in']");
    let (from, wide) = view(page);
    assert!((from - 0.25).abs() < 0.01 && (wide - 0.5).abs() < 0.01, "{from} {wide}");
    assert_ne!(page.eval("document.querySelector('[data-range]').textContent"), json!("the whole run"));
    page.click("button[data-zoom='all']");
    assert_eq!(view(page), (0.0, 1.0));
    // Dragging over a picture shows what was dragged over; a double click shows all again.
    let (x, y) = page.middle("#f1 svg");
    page.mouse("mouseMoved", (x - 100.0, y));
    page.mouse("mousePressed", (x - 100.0, y));
    page.mouse("mouseMoved", (x + 50.0, y));
    page.mouse("mouseMoved", (x + 100.0, y));
    page.mouse("mouseReleased", (x + 100.0, y));
    let (_, wide) = view(page);
    assert!(wide > 0.05 && wide < 0.8, "{wide}");
    page.click("button[data-zoom='all']");
}

fn by_keyboard(page: &mut Page) {
    page.eval("document.querySelector('#f1 svg').focus()");
    page.key("+");
    assert!((view(page).1 - 0.5).abs() < 0.01);
    let from = view(page).0;
    page.key("ArrowRight");
    assert!(view(page).0 > from + 0.05);
    page.key("ArrowLeft");
    page.key("-");
    assert_eq!(view(page), (0.0, 1.0));
    page.key("+");
    page.key("0");
    assert_eq!(view(page), (0.0, 1.0));
}

/// What stands under the pointer is told, and so is a cell of the matrix that has the focus.
fn values(page: &mut Page) {
    let (x, y) = page.middle("figure[data-day='0'] svg");
    page.mouse("mouseMoved", (x - 30.0, y));
    page.mouse("mouseMoved", (x, y));
    let told = page.eval("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent");
    assert!(told.as_str().is_some_and(|told| told.contains("dropped:")), "{told}");
    page.eval("document.querySelector('#f1 svg').focus()");
    page.key(".");
    let told = page.eval("document.getElementById('live').textContent");
    assert!(told.as_str().is_some_and(|told| told.contains("no server: ")), "{told}");
    page.eval("document.querySelector('table.heat td[tabindex]').focus()");
    let first = page.eval("document.activeElement.dataset.tip");
    page.key("ArrowRight");
    let second = page.eval("document.activeElement.dataset.tip");
    assert!(first.is_string() && second.is_string() && first != second, "{first} {second}");
}

/// Words stand out from their ground by 4.5 to 1 (WCAG AA), in the light and in the dark, also after the button.
fn colours(page: &mut Page) {
    for dark in [false, true] {
        page.look((1280, 900), dark);
        assert_eq!(page.eval(AUDIT), json!([]), "dark: {dark}");
    }
    page.look((1280, 900), false);
    let paper = "getComputedStyle(document.body).backgroundColor";
    let light = page.eval(paper);
    page.click("#theme");
    assert_ne!(page.eval(paper), light);
    assert_eq!(page.eval(AUDIT), json!([]), "by the button");
    page.click("#theme");
    assert_eq!(page.eval(paper), light);
}

/// Words that do not stand out from their ground by 4.5 to 1.
pub(crate) const AUDIT: &str = "(() => {
        const parts = (c) => c.match(/[\\d.]+/g).map(Number);
        const lum = (c) => { const [r, g, b] = parts(c).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; const p = parts(c); if (p.length < 4 || p[3] > 0) return c; } return 'rgb(255,255,255)'; };
        const bad = [];
        const see = (e, ink, what) => { const [a, b] = [lum(ink), lum(ground(e))]; const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); if (ratio < 4.5) bad.push(`${what}: ${ratio.toFixed(2)}`); };
        document.querySelectorAll('h1, h2, h3, p, td, th, li, button, label, legend, a, code, span, caption, figcaption, dt, dd, summary').forEach(e => { if (e.offsetParent && e.textContent.trim()) see(e, getComputedStyle(e).color, `${e.tagName}.${e.className} ${e.textContent.slice(0, 20)}`); });
        document.querySelectorAll('figure svg text').forEach(e => { if (e.closest('figure').offsetParent && e.getAttribute('fill') !== '#FFFFFF') see(e.closest('figure'), getComputedStyle(e).fill, `text ${e.textContent.slice(0, 20)}`); });
        return [...new Set(bad)];
    })()";

/// Without scripts everything is shown but the tools that need them.
fn without_scripts(page: &mut Page, file: &Path) {
    page.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    page.go(file);
    let hidden = page.eval("[...document.querySelectorAll('main *')].filter(e => e.hidden || getComputedStyle(e).display === 'none').map(e => e.tagName)");
    let hidden: Vec<&Value> =
        hidden.as_array().expect("a list").iter().filter(|tag| **tag != json!("SCRIPT")).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
    assert_eq!(page.eval("getComputedStyle(document.querySelector('.tools')).display"), json!("none"));
    page.call("Emulation.setScriptExecutionDisabled", json!({ "value": false }));
}

/// Screenshots, and no window narrower than what it shows.
fn pictures(page: &mut Page, file: &Path, name: &str) {
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        page.look((width, 900), dark);
        page.go(file);
        assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), json!(true), "{width}");
        let look = if dark { "dark" } else { "light" };
        page.shot(&folder().join(format!("{name}-{width}-{look}.png")));
    }
    page.look((1280, 900), true);
    page.call("Emulation.setEmulatedMedia", json!({ "media": "print", "features": [] }));
    assert_eq!(
        page.eval("getComputedStyle(document.body).backgroundColor"),
        json!("rgb(255, 255, 255)"),
        "paper is white"
    );
    assert_eq!(page.eval("getComputedStyle(document.querySelector('.tools')).display"), json!("none"));
}
