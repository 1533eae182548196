//! What the repository says of itself: links lead somewhere, every page can be found, the command knows the options that
//! pages and workflows give it, the walks of ARCHITECTURE.md are as the code is, licences and duplicates are known, and the action to copy does what its page says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The pages that are written for readers, apart from the change log: its links are those of their time.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)).into();
    for entry in std::fs::read_dir(root().join("docs")).expect("docs/ is there") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_some_and(|e| e == "md") {
            pages.push(path);
        }
    }
    pages
}

/// The lines of a page that are not within a fenced block.
fn prose(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    page.lines().filter(outside).collect()
}

/// The targets of a page's links, with `page#anchor` as written.
fn links(page: &str) -> Vec<&str> {
    let text =
        |line| -> Vec<&str> { str::split(line, "](").skip(1).filter_map(|rest| rest.split(')').next()).collect() };
    prose(page).into_iter().flat_map(text).collect()
}

/// The anchors of a page's headings, as GitHub and other renderers of Markdown make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).into_iter().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut dead = Vec::new();
    for page in pages() {
        let text = read(&page);
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            let holds = match anchor {
                None => target.exists(),
                Some(anchor) => target.is_file() && anchors(&read(&target)).contains(anchor),
            };
            if !holds {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let index = read(&root().join("docs/README.md"));
    let named: BTreeSet<&str> = links(&index).into_iter().filter_map(|link| link.split('#').next()).collect();
    for page in pages().iter().filter(|page| page.parent().is_some_and(|folder| folder.ends_with("docs"))) {
        let name = page.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        assert!(
            name == "README.md" || named.contains(&*name),
            "docs/README.md says of no question that {name} answers it"
        );
    }
}

#[test]
fn the_front_page_is_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= 200, "README.md has {lines} lines; what is not for a first look belongs in docs/");
}

/// Paths in backticks that begin at the root of the repository; `{a,b}` stands for two.
#[test]
fn every_path_that_the_architecture_names_is_there() {
    let folders =
        ["models/", "scenarios/", "sim/", "reports/", "output/", "src/", "tests/", "benches/", "docs/", "fuzz/"];
    let mut missing = Vec::new();
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(&root().join(page));
        let quoted = text.split('`').skip(1).step_by(2).filter(|quoted| !quoted.contains(char::is_whitespace));
        for quoted in quoted.filter(|quoted| folders.iter().any(|folder| quoted.starts_with(folder))) {
            let (before, rest) = quoted.split_once('{').unwrap_or((quoted, "}"));
            let (each, after) = rest.split_once('}').unwrap_or((rest, ""));
            for one in each.split(',') {
                let path = format!("{before}{one}{after}");
                if !path.contains(['*', '<']) && !root().join(&path).exists() {
                    missing.push(format!("{page}: {path}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a readable entry").path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

/// A property test that draws other cases each time fails once and cannot be repeated.
#[test]
fn property_tests_have_fixed_seeds() {
    let folders = ["models", "scenarios", "sim", "reports", "output", "src", "tests"];
    let begins = |text: &str| text.lines().any(|line| line.trim_start().starts_with("proptest! {"));
    let files = folders.iter().flat_map(|folder| sources(&root().join(folder)));
    let texts: Vec<_> = files.map(|path| (read(&path), path)).filter(|(text, _)| begins(text)).collect();
    assert!(texts.len() > 10, "{}", texts.len());
    let free: Vec<_> =
        texts.iter().filter(|(text, _)| !text.contains("RngSeed::Fixed")).map(|(_, path)| path).collect();
    assert!(free.is_empty(), "without RngSeed::Fixed: {free:?}");
}

/// The rows of the two walks: function, file, and what it goes on with.
fn walks() -> Vec<Vec<[String; 3]>> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let section = text.split("\n## Two walks\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the walks");
    let quoted = |cell: &str| cell.split('`').nth(1).unwrap_or_default().to_string();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        (cells.len() == 6).then(|| [quoted(cells[1]), quoted(cells[2]), quoted(cells[4])])
    };
    let table = |table: &str| table.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect();
    section.split("\n**").skip(1).map(table).collect()
}

/// A walk is for a stranger: short, and true. Each function is in its file, which also names what it goes on with.
#[test]
fn the_walks_are_short_and_lead_from_function_to_function() {
    let walks = walks();
    assert_eq!(walks.len(), 2);
    for (walk, (hops_max, files_max)) in walks.iter().zip([(8, 6), (6, 6)]) {
        let files: BTreeSet<&str> = walk.iter().map(|[_, file, _]| file.as_str()).collect();
        assert!((4..=hops_max).contains(&(walk.len() - 1)) && files.len() <= files_max, "{walk:?}");
        for [function, file, next] in walk {
            let code = read(&root().join(file));
            let here =
                [format!("fn {function}("), format!("fn {function}<")].iter().any(|begins| code.contains(begins));
            assert!(here, "{file} has no `fn {function}`");
            assert!(
                code.contains(next.as_str()),
                "{file} does not name `{next}`, which {function} is said to go on with"
            );
        }
    }
}

/// The lines of shell that begin with the command, continued ones joined, from pages and from the action to copy.
fn command_lines() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for page in pages() {
        let text = read(&page);
        let shell = text.split("\n```sh\n").skip(1).filter_map(|block| block.split("\n```").next());
        texts.push((page.display().to_string(), shell.collect::<Vec<_>>().join("\n")));
    }
    for file in ["action.yml", "compare"] {
        let path = root().join(".github/actions/brownout-test").join(file);
        texts.push((
            path.display().to_string(),
            read(&path).replace("\"$BROWNOUT\"", "brownout").replace("\"$brownout\"", "brownout"),
        ));
    }
    let commands = |(file, text): (String, String)| -> Vec<(String, String)> {
        let text = text.replace("\\\n", " ");
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("brownout "));
        lines.map(|line| (file.clone(), line.split(" #").next().unwrap_or(line).to_string())).collect()
    };
    texts.into_iter().flat_map(commands).collect()
}

#[test]
fn the_command_knows_every_option_that_pages_and_the_action_give_it() {
    let mut helps = BTreeMap::<String, String>::new();
    let (lines, mut unknown) = (command_lines(), Vec::new());
    assert!(lines.len() > 20, "{} lines", lines.len());
    for (file, line) in &lines {
        let mut words = line.split_whitespace().skip(1);
        let mut path = vec![words.next().unwrap_or_default()];
        // It has commands of its own.
        path.extend(words.next().filter(|_| path == ["sweep"]));
        let help = helps.entry(path.join(" ")).or_insert_with(|| {
            let output = Command::new(env!("CARGO_BIN_EXE_brownout")).args(&path).arg("--help").output();
            String::from_utf8_lossy(&output.expect("brownout starts").stdout).into_owned()
        });
        // `${SEEDS:+--seeds "$SEEDS"}` gives an option, too.
        let words = words.map(|word| word.trim_start_matches(|c: char| c != '-').trim_matches(['"', '}', ']']));
        let options = words.filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word));
        let known = |option: &str| help.split([' ', ',', '\n']).any(|word| word == option);
        for option in options.filter(|option| !known(option)) {
            unknown.push(format!("{file}: {line}: {option}"));
        }
    }
    assert!(unknown.is_empty(), "not options of their command:\n{}", unknown.join("\n"));
}

/// A repository of two commits, between which the servers lose half of their workers.
#[cfg(unix)]
#[test]
fn the_action_to_copy_compares_a_pull_request_with_its_base() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("action");
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"];
        let output = Command::new("git").args(identity).args(args).current_dir(&folder).output().expect("git starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    };
    let template = read(&root().join("scenarios/template.toml"));
    let worse = template.replace("workers = { value = 8,", "workers = { value = 4,");
    assert!(template != worse, "the template has 8 workers");
    git(&["init", "--quiet"]);
    std::fs::write(folder.join("service.toml"), template).expect("a file");
    git(&["add", "service.toml"]);
    git(&["commit", "--quiet", "-m", "before"]);
    let base = git(&["rev-parse", "HEAD"]);
    std::fs::write(folder.join("service.toml"), worse).expect("a file");
    let compare = |scenario: &str, fail_on: &str| {
        let summary = folder.join("summary.md");
        let _ = std::fs::remove_file(&summary);
        let output = Command::new(root().join(".github/actions/brownout-test/compare"))
            .current_dir(&folder)
            .env("BROWNOUT", env!("CARGO_BIN_EXE_brownout"))
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env_remove("GH_TOKEN")
            .envs([("SCENARIO", scenario), ("FAIL_ON", fail_on), ("BASE", &base), ("PULL_REQUEST", "7")])
            .output()
            .expect("the script starts");
        (output.status.code(), read(&summary), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, summary, said) = compare("service.toml", "");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        summary.starts_with("### before.json → after.json\n\ncheckout calls dropped: ")
            && summary.contains("fleets.web.workers"),
        "{summary}"
    );
    assert_eq!(compare("service.toml", "any").0, Some(1), "it differs");
    std::fs::copy(folder.join("service.toml"), folder.join("new.toml")).expect("a copy");
    let (code, summary, _) = compare("new.toml", "any");
    assert_eq!((code, summary.contains("new.toml is new")), (Some(0), true), "{summary}");
    assert_eq!(git(&["worktree", "list"]).lines().count(), 1, "the base is taken away again");
}

/// What cargo says of each crate that is built here, tests and build scripts included.
fn crates(format: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["tree", "--locked", "--workspace", "--prefix", "none", "--no-dedupe", "-f", format];
    let output = Command::new(cargo).args(args).current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains('|')).map(String::from).collect()
}

/// Licences that ask for no more than to be named. A crate with another needs a decision, not a line here.
const LICENCES: [&str; 12] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "0BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression (also in the old form `MIT/Apache-2.0`) can be met by the list: one of each alternative.
fn is_free(expression: &str) -> bool {
    let all = expression.split(" AND ").map(|part| part.trim_matches(['(', ')']));
    let one = |part: &str| part.replace('/', " OR ").split(" OR ").any(|name| LICENCES.contains(&name.trim()));
    !expression.is_empty() && all.into_iter().all(one)
}

#[test]
fn every_crate_has_a_licence_of_the_list() {
    let found = crates("{p}|{l}");
    assert!(found.len() > 100, "cargo names {} crates", found.len());
    let other: Vec<_> = found.iter().filter(|line| !line.split('|').nth(1).is_some_and(is_free)).collect();
    assert!(other.is_empty(), "crates with other licences: {other:#?}");
    assert!(is_free("(MIT OR Apache-2.0) AND Unicode-3.0") && is_free("Unlicense/MIT"));
    assert!(!is_free("GPL-3.0-only") && !is_free("MIT AND GPL-3.0-only") && !is_free(""));
}

/// Crates that are there in several versions, and by whom. All others have one.
const DUPLICATES: [(&str, &str); 12] = [
    ("bit-set", "jsonschema (tests only) has the older one"),
    ("bit-vec", "by bit-set"),
    ("getrandom", "madsim's rand, jsonschema (tests only), proptest's rand"),
    ("miniz_oxide", "png asks for 0.8 itself and for 0.9 by flate2"),
    ("num-bigint", "jsonschema (tests only) has the older one"),
    ("rand", "madsim has 0.8"),
    ("rand_core", "by rand"),
    ("strsim", "madsim's macros have 0.10"),
    ("syn", "macros only: madsim's are at 1, askama's at 3"),
    ("toml", "madsim has 0.9"),
    ("toml_datetime", "by toml"),
    ("winnow", "by toml"),
];

#[test]
fn a_crate_comes_in_one_version() {
    let mut versions = BTreeMap::<String, BTreeSet<String>>::new();
    for line in crates("{p}|") {
        let mut words = line.split([' ', '|']);
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        versions.entry(name.into()).or_default().insert(version.into());
    }
    let several: BTreeSet<&str> =
        versions.iter().filter(|(_, of)| of.len() > 1).map(|(name, _)| name.as_str()).collect();
    let known: BTreeSet<&str> = DUPLICATES.iter().map(|(name, _)| *name).collect();
    let new: Vec<_> = several.difference(&known).map(|name| (name, &versions[*name])).collect();
    let gone: Vec<_> = known.difference(&several).collect();
    assert!(new.is_empty(), "in several versions (`cargo tree -d` says why): {new:?}");
    assert!(gone.is_empty(), "in one version now, so no exception any more: {gone:?}");
}
