//! Citations of facts, such as `(protocols.md 9)`, in comments and documents: each names a section of a
//! page in `docs/internals`. And maps of the sources: each file that they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The pages that may be cited, and how many citations there are of each at least.
const PAGES: [(&str, usize); 4] =
    [("pipedrive-api.md", 60), ("protocols.md", 12), ("pdcli.md", 3), ("drippulse.md", 3)];

/// Folders of files that may cite.
const CITING: [&str; 6] = ["src", "tests", "benches", "docs", "fuzz", "integration"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Sources and pages of a folder and below, without what is built.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                found.extend(texts(&path));
            }
        } else if [".rs", ".md", ".py", ".sh"].iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The numbers of a page's sections: of headings, and of table rows that begin with a number.
fn sections(page: &str) -> BTreeSet<String> {
    let numbered = |line: &str| {
        let heading = line.strip_prefix("## ").or_else(|| line.strip_prefix("### "));
        let start = heading.or_else(|| line.strip_prefix("| "))?;
        let number = start.split(' ').next()?.trim_end_matches('.');
        let parts: Vec<_> = number.split('.').collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_number = parts.iter().all(digits);
        (is_number && parts.len() <= 2).then(|| number.to_owned())
    };
    page.lines().filter_map(numbered).collect()
}

/// The numbers that follow a page's name: `2.1, 8.22` in `(pipedrive-api.md 2.1, 8.22)`.
fn cited(after: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    let mut rest = after.strip_prefix(' ').unwrap_or_default();
    loop {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !digits(c)).unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches('.');
        if number.is_empty() {
            return numbers;
        }
        numbers.push(number.to_owned());
        match rest[end..].strip_prefix(", ") {
            Some(next) => rest = next,
            None => return numbers,
        }
    }
}

/// What is wrong with the citations of a page in a text, and how many are right.
fn broken(text: &str, page: &str, sections: &BTreeSet<String>) -> (Vec<String>, usize) {
    let (mut wrong, mut right) = (Vec::new(), 0);
    for (number, line) in text.lines().enumerate() {
        for (place, _) in line.match_indices(page) {
            let (before, after) = (&line[..place], &line[place + page.len()..]);
            // A link to the page, or its path, cites no section.
            if ["/", "`", "\"", "[", "]("].iter().any(|end| before.ends_with(end)) {
                continue;
            }
            let numbers = cited(after);
            if numbers.is_empty() {
                wrong.push(format!(
                    "line {}: {page} without a section on the same line",
                    number + 1
                ));
            }
            for cited in numbers {
                if sections.contains(&cited) {
                    right += 1;
                } else {
                    wrong.push(format!("line {}: {page} has no section {cited}", number + 1));
                }
            }
        }
    }
    (wrong, right)
}

#[test]
fn every_citation_names_a_section_that_exists() {
    for (page, least) in PAGES {
        let path = root().join("docs/internals").join(page);
        let sections = sections(&fs::read_to_string(&path).expect("the page is there"));
        let (mut wrong, mut right) = (Vec::new(), 0);
        for folder in CITING {
            for file in texts(&root().join(folder)) {
                if file.ends_with("tests/it/sources/citations.rs") {
                    continue;
                }
                let text = fs::read_to_string(&file).expect("a source is text");
                let found = broken(&text, page, &sections);
                let place = file.strip_prefix(root()).expect("it is below").display();
                wrong.extend(found.0.iter().map(|what| format!("{place}, {what}")));
                right += found.1;
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(right >= least, "only {right} citations of {page} were found");
    }
}

/// Documents whose paths of sources must exist, and where those paths begin.
const MAPS: [(&str, &str); 2] =
    [("docs/internals/architecture.md", "src"), ("tests/README.md", "tests/it")];

/// Paths of sources in a document: `api/retry.rs`, `model/resources/`.
fn paths(page: &str) -> impl Iterator<Item = &str> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|text| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_/.".contains(&b);
        Path::new(text).extension().is_some_and(|ending| ending == "rs") && text.bytes().all(plain)
    })
}

#[test]
fn every_source_that_a_map_names_exists() {
    for (map, from) in MAPS {
        let page = fs::read_to_string(root().join(map)).expect("the map is there");
        let exists =
            |path: &&str| root().join(path).exists() || root().join(from).join(path).exists();
        let (found, missing): (Vec<_>, Vec<_>) = paths(&page).partition(exists);
        assert!(missing.is_empty(), "{map} names files that are not there: {missing:?}");
        assert!(found.len() >= 50, "{map} names only {} files", found.len());
    }
}

/// Names in a document that look like those of functions and types: `fetch`, `Progress::take`.
fn names(page: &str) -> impl Iterator<Item = &str> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    quoted.filter(move |text| text.contains(char::is_alphabetic) && text.bytes().all(letters))
}

#[test]
fn every_name_in_the_architecture_stands_in_the_sources() {
    let mut words = BTreeSet::new();
    for file in ["src", "tests/it"].iter().flat_map(|folder| texts(&root().join(folder))) {
        let text = fs::read_to_string(&file).expect("a source is text");
        let each = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.extend(each.map(str::to_owned));
    }
    let page = fs::read_to_string(root().join("docs/internals/architecture.md"));
    let page = page.expect("there is a page");
    let known = |name: &&str| name.split("::").all(|part| part.is_empty() || words.contains(part));
    let (found, unknown): (Vec<_>, Vec<_>) = names(&page).partition(known);
    assert!(unknown.is_empty(), "architecture.md names what is in no source: {unknown:?}");
    assert!(found.len() >= 80, "architecture.md has only {} names", found.len());
}

#[test]
fn the_map_of_the_tests_names_every_file() {
    let map = fs::read_to_string(root().join("tests/README.md")).expect("the map is there");
    let named: BTreeSet<_> = paths(&map).collect();
    for file in texts(&root().join("tests/it")) {
        let place = file.strip_prefix(root().join("tests/it")).expect("it is below");
        let place = place.to_string_lossy();
        let known = named.contains(&*place) || place == "main.rs";
        // A folder belongs to the file of its name.
        let inside =
            place.split_once('/').is_some_and(|(of, _)| named.contains(&*format!("{of}/mod.rs")));
        let declares = place.ends_with("/mod.rs");
        assert!(known || inside || declares, "tests/README.md does not name tests/it/{place}");
    }
}

/// Names of documents that are in no checkout of this repository.
const ELSEWHERE: [&str; 5] =
    ["API facts", "protocol facts", "seed document", "design/house", "contract.md"];

#[test]
fn no_comment_refers_to_a_document_that_is_not_here() {
    let mut found = Vec::new();
    for folder in CITING {
        for file in texts(&root().join(folder)) {
            if file.ends_with("tests/it/sources/citations.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a source is text");
            for name in ELSEWHERE.iter().filter(|name| text.contains(**name)) {
                found.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_citation_without_a_section_is_found() {
    let sections = sections("## 2. Lists\n### 2.1 Core\n| 0.9 | times |\n| no. | fact |\n");
    assert_eq!(sections, ["0.9", "2", "2.1"].map(str::to_owned).into());
    let check = |text: &str| broken(text, "protocols.md", &sections);
    assert_eq!(check("(protocols.md 2.1, 0.9). 5"), (Vec::new(), 2));
    assert_eq!(check("Rules (protocols.md 2).").1, 1);
    assert_eq!(check("(protocols.md 2.2)").0, ["line 1: protocols.md has no section 2.2"]);
    assert_eq!(check("\n(protocols.md\n/// 2.1)").0.len(), 1);
    assert!(check("see [facts](protocols.md) or `docs/internals/protocols.md`").0.is_empty());
}
