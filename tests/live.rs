//! The living page in a real browser, from a file and without a network: runs asked there have the digests of the command,
//! whatever a reader does is answered, and no words of a scenario or an address run, hang or fill anything.
//!
//! Skipped, with a message, where there is no Chromium or no engine of these sources (`reports/live/build`). Screenshots,
//! wide and narrow, light and dark, are left in `target/tmp/live/`.

use crate::browser::AUDIT;
use crate::browser::devtools::{Page, browser};
use brownout::scenarios::load_text;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

#[path = "support/engine.rs"]
mod engine;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MINUTE: &str = "tests/cmd/compare.in/minute.toml";

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// What the command prints, run in the repository.
fn brownout(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_brownout")).args(args).current_dir(ROOT).output();
    let output = output.expect("brownout can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A page that the command makes, opened; none where a browser or an engine is missing.
fn opened(name: &str, args: &[&str]) -> Option<(Page, PathBuf)> {
    let what = format!("the living page ({name})");
    let engine = engine::engine(&what)?;
    let Some(browser) = browser() else {
        eprintln!("skipped, no Chromium on the path: {what}");
        return None;
    };
    let file = folder().join(format!("{name}.html"));
    let (engine, out) = (engine.display().to_string(), file.display().to_string());
    let (code, _, said) = brownout(&[args, &["--engine", &engine, "-o", &out]].concat());
    assert_eq!(code, Some(0), "{said}");
    let mut page = Page::open(&browser, folder().join(format!("profile-{name}-{}", std::process::id())));
    page.look((1280, 900), false);
    open(&mut page, &file, "");
    Some((page, file))
}

/// Opens the page at an address, and waits until its engine is there.
fn open(page: &mut Page, file: &Path, place: &str) {
    page.go_to(file, place);
    until(page, "!/^$|made ready/.test(document.getElementById('ask-state').textContent)");
}

/// Waits until something holds in the page.
fn until(page: &mut Page, what: &str) {
    let begun = Instant::now();
    while page.eval(&format!("Boolean({what})")) != json!(true) {
        let state = "document.getElementById('ask-state').textContent";
        assert!(begun.elapsed() < Duration::from_secs(90), "{what}: {}", page.eval(state));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Does something in the page that asks it, and waits for the answer: digest, command, state.
fn asked(page: &mut Page, what: &str) -> [String; 3] {
    page.eval(&format!("window.brownout.last = null; {what}; true"));
    answered(page)
}

fn answered(page: &mut Page) -> [String; 3] {
    until(page, "window.brownout.last");
    let told =
        page.eval("['ask-digest', 'ask-repeat', 'ask-state'].map(id => document.getElementById(id).textContent)");
    [0, 1, 2].map(|i| told[i].as_str().expect("words").to_owned())
}

fn state(page: &mut Page) -> String {
    page.eval("document.getElementById('ask-state').textContent").as_str().expect("words").to_owned()
}

/// The digest that the command gives for what it is told.
fn of_the_command(args: &[&str]) -> String {
    let (_, printed, said) = brownout(&[args, &["--json"]].concat());
    let outcome: Value = serde_json::from_str(&printed).unwrap_or_else(|why| panic!("{why}: {said}"));
    outcome["digest"].as_str().expect("a digest").to_owned()
}

/// Writes into the text box as a reader would.
fn write(text: &str) -> String {
    let text = serde_json::to_string(text).expect("JSON");
    format!(
        "(() => {{ const box = document.getElementById('ask-text'); box.value = {text}; box.dispatchEvent(new Event('input')); \
         document.getElementById('ask-text-run').click(); }})()"
    )
}

fn quiet(page: &Page) {
    assert_eq!(page.errors, Vec::<String>::new(), "errors");
    let outside: Vec<&String> =
        page.requests.iter().filter(|url| !url.starts_with("data:") && !url.starts_with("blob:")).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

#[test]
fn the_page_gives_the_digests_of_the_command() {
    const ASKED: [(&str, [&[&str]; 3]); 5] = [
        (MINUTE, [&[], &["isolation=bulkhead"], &["failure=refuse", "isolation=bulkhead"]]),
        ("scenarios/template.toml", [&[], &["isolation=bulkhead"], &["health=shallow"]]),
        ("scenarios/flap-gap.toml", [&[], &["1"], &["2"]]),
        ("scenarios/guidance/layered-retries.toml", [&[], &["1"], &["2"]]),
        ("scenarios/guidance/retries-at-capacity.toml", [&[], &["1"], &["2"]]),
    ];
    let Some((mut page, _)) = opened("digests", &["play", MINUTE]) else { return };
    for (file, designs) in ASKED {
        // A place stands for the point of that place, of all axes together.
        let text = std::fs::read_to_string(Path::new(ROOT).join(file)).expect("it is there");
        let scenario = load_text(file, &text, Path::new(ROOT), &[], &[]).unwrap_or_else(|m| panic!("{m}"));
        let points =
            scenario.axes.iter().flat_map(|axis| axis.points.iter().map(|point| format!("{}={point}", axis.name)));
        let points: Vec<String> = points.chain(scenario.designs.iter().cloned()).collect();
        for (design, seed) in designs.iter().flat_map(|design| [(design, "3"), (design, "18446744073709551615")]) {
            let named =
                |word: &&str| word.parse::<usize>().map_or(word.to_string(), |at| points[at % points.len()].clone());
            let design: Vec<String> = design.iter().map(named).collect();
            let asks = design.iter().map(|word| {
                let key = if word.contains('=') { "axis" } else { "design" };
                format!("&{key}={}", word.replace('=', "%3D"))
            });
            let hash = format!("#ask?file={file}&seed={seed}{}", asks.collect::<String>());
            let [digest, repeat, _] = asked(&mut page, &format!("location.hash = {hash:?}"));
            let mut args = vec!["run", file, "--seed", seed];
            design.iter().for_each(|word| args.extend(["--design", word]));
            assert_eq!(digest, of_the_command(&args), "{args:?}");
            // And the line that the page shows is one that repeats it.
            let shown: Vec<&str> = repeat.split_whitespace().skip(1).collect();
            assert_eq!(digest, of_the_command(&shown), "{repeat}");
        }
    }
    quiet(&page);
}

#[test]
fn october_28_is_run_again_in_the_page() {
    let Some((mut page, file)) = opened("october", &["play", "scenarios/october-28.toml"]) else { return };
    let size = std::fs::metadata(&file).expect("it is there").len();
    assert!(size <= 3 << 20, "{size} bytes");
    let golden = include_str!("golden/digests.txt");
    let digest_of = |design: &str| {
        let line = golden.lines().find(|line| line.ends_with(&format!(" 1 {design} scenarios/october-28.toml")));
        line.and_then(|line| line.split(' ').next()).expect("it is pinned").to_owned()
    };
    let [digest, ..] = asked(&mut page, "document.getElementById('ask-run').click()");
    assert_eq!(digest, digest_of("-"));
    let took = page.eval("window.brownout.last.took").as_f64().expect("a time");
    let [digest, ..] = asked(
        &mut page,
        "(() => { const choice = document.querySelector('select[data-axis=mechanism]'); choice.value = 'memory-growth'; \
         choice.dispatchEvent(new Event('change')); })()",
    );
    assert_eq!(digest, digest_of("memory-growth"));
    eprintln!("October 28 in the browser: {took:.0} ms, the first time");
    // 3 s where nothing else runs; how busy this machine is nobody knows.
    assert!(took < 60_000.0, "{took} ms");
    quiet(&page);
}

/// Sliders by pointer and by key, the seed, the switch; the address holds it all, and gives it back.
#[test]
fn what_a_reader_changes_is_run_and_stands_in_the_address() {
    let Some((mut page, file)) = opened("reader", &["play", MINUTE, "--seed", "4"]) else { return };
    let slider = "[data-path='clients.pages.rate']";
    until(&mut page, &format!("document.querySelector(\"{slider}\")"));
    let value =
        |page: &mut Page| page.eval(&format!("document.querySelector(\"{slider}\").getAttribute('aria-valuetext')"));
    let at_first = value(&mut page);
    page.eval("window.brownout.last = null; true");
    // By pointer: to the right end.
    page.middle(slider);
    let place = page.eval(&format!("(() => {{ const b = document.querySelector(\"{slider}\").getBoundingClientRect(); return [b.right - 12, b.top + b.height / 2]; }})()"));
    let place = (place[0].as_f64().expect("x"), place[1].as_f64().expect("y"));
    for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
        page.mouse(kind, place);
    }
    let [by_pointer, repeat, _] = answered(&mut page);
    let moved = value(&mut page);
    assert_ne!(moved, at_first);
    assert!(repeat.contains("--set clients.pages.rate="), "{repeat}");
    // By key: one step back.
    page.eval(&format!("window.brownout.last = null; document.querySelector(\"{slider}\").focus(); true"));
    page.key("ArrowLeft");
    let [by_key, repeat, _] = answered(&mut page);
    assert_ne!((by_key.clone(), value(&mut page)), (by_pointer, moved));
    let shown: Vec<&str> = repeat.split_whitespace().skip(1).collect();
    assert_eq!(by_key, of_the_command(&shown), "{repeat}");
    let focus = page.eval("document.activeElement.dataset.path");
    assert_eq!(focus, json!("clients.pages.rate"), "the slider keeps the focus");
    // The answer stands beside what was, drawn alike.
    let pictures = page.eval("['ask-dropped', 'ask-rotation', 'ask-causes'].map(id => document.querySelectorAll(`#${id} > figure svg[data-plot]`).length)");
    assert_eq!(pictures, json!([2, 2, 2]));
    page.eval("window.brownout.last = null; document.getElementById('ask-seed').focus(); document.getElementById('ask-seed').select(); true");
    page.key("9");
    page.eval("document.getElementById('ask-seed').blur(); true");
    let [digest, repeat, _] = answered(&mut page);
    assert!(repeat.ends_with("--seed 9"), "{repeat}");
    // The address, in a page that knows nothing yet.
    let address = page.eval("location.hash");
    let address = address.as_str().expect("an address");
    assert!(address.starts_with("#ask?") && address.contains("seed=9"), "{address}");
    let kept = value(&mut page);
    page.go_to(&file, address);
    assert_eq!(answered(&mut page)[0], digest);
    assert_eq!(value(&mut page), kept);
    // A text of one's own travels, too.
    let text = std::fs::read_to_string(Path::new(ROOT).join(MINUTE)).expect("it is there");
    let own = text.replacen("title = \"", "title = \"My own: ", 1);
    let [digest, ..] = asked(&mut page, &write(&own));
    until(&mut page, "location.hash.includes('text=')");
    let address = page.eval("location.hash");
    page.go_to(&file, address.as_str().expect("an address"));
    assert_eq!(answered(&mut page)[0], digest);
    assert_eq!(page.eval("document.getElementById('ask-text').value"), json!(own));
    // All as it was.
    page.click("#ask-reset");
    until(&mut page, "document.getElementById('ask-state').textContent === 'As it was.'");
    assert_eq!(page.eval("document.getElementById('ask-text').value"), json!(text));
    assert_eq!(value(&mut page), at_first);
    quiet(&page);
}

#[test]
fn mistakes_stand_there_as_the_command_shows_them_and_a_run_can_be_cancelled() {
    let Some((mut page, _)) = opened("mistakes", &["play", MINUTE]) else { return };
    let text = std::fs::read_to_string(Path::new(ROOT).join(MINUTE)).expect("it is there");
    let wrong = text.replacen("count = ", "cuont = ", 1).replacen("sends = ", "sendz = ", 1);
    let shown = load_text(MINUTE, &wrong, Path::new(ROOT), &[], &[]).expect_err("mistakes").render(false);
    let name = page.eval("document.getElementById('ask-file').value");
    page.eval(&write(&wrong));
    until(&mut page, "!document.getElementById('ask-mistakes').hidden");
    let in_page = page.eval("document.getElementById('ask-mistakes').textContent");
    assert!(shown.contains("did you mean `count`?"), "{shown}");
    assert_eq!(in_page, json!(shown), "{name}");
    assert_eq!(page.eval("document.getElementById('ask-text').getAttribute('aria-invalid')"), json!("true"));
    // A seed that is none is a mistake as well.
    page.eval("document.getElementById('ask-text-back').click(); const s = document.getElementById('ask-seed'); s.value = '-1'; s.dispatchEvent(new Event('change')); true");
    until(&mut page, "document.getElementById('ask-mistakes').textContent.includes('the seed is a whole number')");
    page.eval("document.getElementById('ask-seed').value = '1'; document.getElementById('ask-seed').dispatchEvent(new Event('change')); true");
    // A day without an end in sight: the page goes on living, and the newest wish wins.
    let endless =
        text.replacen("rate = \"90/s\"", "rate = \"5000/s\"", 1).replacen("span = \"90s\"", "span = \"600min\"", 1);
    assert_ne!(endless, text);
    let endless = format!("limits.events = 1000000000000\n{endless}");
    page.eval(&write(&endless));
    until(&mut page, "/running|reading/.test(document.getElementById('ask-state').textContent)");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(page.eval("1 + 1"), json!(2), "the page answers meanwhile");
    page.click("#ask-cancel");
    assert_eq!(state(&mut page), "Cancelled.");
    page.eval(&write(&endless));
    until(&mut page, "!document.getElementById('ask-cancel').disabled");
    let [digest, ..] = asked(&mut page, &write(&text.replacen("title = \"", "title = \"Newest: ", 1)));
    assert_eq!(digest, of_the_command(&["run", MINUTE]));
    quiet(&page);
}

/// Nothing that a text or a link says is run, hangs the page, or takes more than it may.
#[test]
fn hostile_texts_and_addresses_are_answered_in_words() {
    let Some((mut page, file)) = opened("hostile", &["play", MINUTE]) else { return };
    let text = std::fs::read_to_string(Path::new(ROOT).join(MINUTE)).expect("it is there");
    const EVIL: &str =
        "</script></textarea><img src=x onerror='hacked=1'><svg onload='hacked=1'><script>hacked=1</script>";
    // In a title and in names, which stand in pictures, tables and sliders.
    let marked = text.replacen("title = \"", &format!("title = \"{EVIL} "), 1);
    let marked = marked.replace("clients.pages", &format!("clients.\"{EVIL}\""));
    asked(&mut page, &write(&marked));
    until(&mut page, "location.hash.includes('text=')");
    let address = page.eval("location.hash");
    page.go_to(&file, address.as_str().expect("an address"));
    answered(&mut page);
    let evil: String = EVIL.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for (place, says) in [
        (
            format!("#ask?set={evil}%3D1&axis={evil}%3D{evil}&design={evil}&seed={evil}&file={evil}&day={evil}"),
            "mistakes",
        ),
        ("#ask?text=not-compressed".to_owned(), "cannot be read"),
        (format!("#ask?text={}", "A".repeat(400_000)), "too long"),
        // 100 MB of zeros in a hundred thousand letters.
        (format!("#ask?text={}", bomb()), "cannot be read"),
    ] {
        page.go_to(&file, &place);
        until(&mut page, &format!("document.getElementById('ask-state').textContent.includes({says:?})"));
    }
    assert_eq!(page.eval("typeof hacked"), json!("undefined"));
    // Handlers that a script of the page would let in are refused by its policy: it is not only escaped.
    page.eval("document.body.insertAdjacentHTML('beforeend', \"<img src='data:,' onerror='hacked=1'>\"); new Promise(done => setTimeout(done, 300))");
    assert_eq!(page.eval("typeof hacked"), json!("undefined"));
    page.errors.clear();
    // Deeper than any stack, and larger than any memory.
    open(&mut page, &file, "");
    for (text, says) in [
        (format!("x = {}", "[".repeat(400_000)), ""),
        (format!("{}\n", "a.".repeat(500_000)), ""),
        (text.replacen("rate = \"90/s\"", "rate = \"2000000/s\"", 1), "memory|Stopped|limit"),
    ] {
        page.eval(&format!("document.getElementById('ask-state').textContent = ''; {}", write(&text)));
        until(&mut page, "/gave up|mistakes|memory|Done/.test(document.getElementById('ask-state').textContent)");
        let state = state(&mut page);
        assert!(says.is_empty() || says.split('|').any(|word| state.contains(word)), "{state}");
    }
    let [digest, ..] = asked(&mut page, &write(&format!("{text}\n")));
    assert_eq!(digest, of_the_command(&["run", MINUTE]), "it goes on after all that");
    quiet(&page);
}

/// Zeros, compressed as a link carries them, without a compressor: stored blocks of a run are too long, so a browser makes it.
fn bomb() -> String {
    // `gzip` of 100 MB of zeros is a header, one block of a repeated code, and sums; made once and kept as what repeats.
    let output = Command::new("sh").args(["-c", "head -c 60000000 /dev/zero | gzip -9 | base64 -w0"]).output();
    let text = String::from_utf8(output.expect("a shell").stdout).expect("letters");
    text.replace('+', "-").replace('/', "_").replace('=', "")
}

/// Labels, order, contrast, live regions, without motion and without scripts; and how it looks.
#[test]
fn the_living_page_can_be_used_by_all() {
    let Some((mut page, file)) = opened("looks", &["report", "scenarios/template.toml", "--seeds", "1", "--live"])
    else {
        return;
    };
    until(&mut page, "document.querySelector('#ask-sliders input')");
    let [_, _, state] = asked(
        &mut page,
        "(() => { const s = document.querySelector('#ask-sliders input'); s.value = 3; s.dispatchEvent(new Event('change')); })()",
    );
    assert!(state.starts_with("Done in "), "{state}");
    // The switches show what holds, also where the day named the default itself.
    assert_eq!(
        page.eval("[...document.querySelectorAll('#ask-axes select')].map(s => s.value)"),
        json!(["shared", "shared"])
    );
    let unnamed = page.eval(
        "[...document.querySelectorAll('#ask button, #ask input, #ask select, #ask textarea, #ask canvas, #ask progress')].filter(b => b.offsetParent && \
         !((b.getAttribute('aria-label') || b.closest('label')?.textContent || (b.id && document.querySelector(`label[for='${b.id}']`)?.textContent) || b.textContent).trim())).map(b => b.outerHTML)",
    );
    assert_eq!(unnamed, json!([]), "every control has a name");
    assert_eq!(
        page.eval("document.querySelectorAll('#ask [tabindex]:not(svg)').length"),
        json!(0),
        "the order is that of the page"
    );
    assert_eq!(page.eval("[document.getElementById('ask-state').getAttribute('aria-live'), document.getElementById('ask-mistakes').getAttribute('role')]"), json!(["polite", "alert"]));
    assert_eq!(page.eval("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size === document.querySelectorAll('[id]').length"), json!(true), "ids are unique");
    for dark in [false, true] {
        page.look((1280, 900), dark);
        assert_eq!(page.eval(AUDIT), json!([]), "dark: {dark}");
    }
    // The strip: by step, by time, and played.
    page.look((1280, 900), false);
    let time = "document.getElementById('strip-time').textContent";
    let first = page.eval(time);
    page.click("#strip-on");
    assert_ne!(page.eval(time), first);
    page.eval("document.getElementById('strip-at').focus()");
    page.key("ArrowRight");
    let before = page.eval("document.getElementById('strip-at').value");
    page.click("#strip-play");
    until(&mut page, &format!("Number(document.getElementById('strip-at').value) > Number({before}) + 2"));
    page.click("#strip-play");
    let here = page.eval(time);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(page.eval(time), here, "it stands still");
    assert!(
        page.eval("document.querySelectorAll('#ask-answer rect.now').length").as_u64() > Some(3),
        "the time stands in the pictures"
    );
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        page.look((width, 900), dark);
        assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), json!(true), "{width}");
        let look = if dark { "dark" } else { "light" };
        page.shot(&folder().join(format!("report-{width}-{look}.png")));
    }
    page.look((1280, 900), false);
    page.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    page.go(&file);
    assert_eq!(page.eval("getComputedStyle(document.getElementById('ask-desk')).display"), json!("none"));
    assert_eq!(
        page.eval("[...document.querySelectorAll('main figure')].every(f => f.getBoundingClientRect().height > 80)"),
        json!(true)
    );
    quiet(&page);
}
