//! `docs/security.md` says for every attack which tests show that it is refused. This keeps it true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How many attacks the threat model lists.
const ATTACKS: u8 = 48;

#[test]
fn every_attack_has_its_row_in_the_security_page_and_every_test_named_there_exists() {
    let tests = named_tests(Path::new(env!("CARGO_MANIFEST_DIR")));
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md")).expect("it is kept here");
    let rows: BTreeMap<u8, &str> =
        page.lines().filter_map(|line| Some((number_of(line.strip_prefix("| A")?)?, line))).collect();
    for number in 1..=ATTACKS {
        let row = rows.get(&number).unwrap_or_else(|| panic!("docs/security.md has no row for A{number:02}"));
        let named: Vec<&str> =
            row.split('`').skip(1).step_by(2).filter(|word| numbers_of(word).next().is_some()).collect();
        assert!(!named.is_empty(), "A{number:02} names no test");
        for name in named {
            assert!(tests.contains(name), "A{number:02} names `{name}`, which is no test");
            assert!(
                numbers_of(name).any(|of| of == number),
                "A{number:02} names `{name}`, which is about another attack"
            );
        }
        let has_test = tests.iter().any(|name| numbers_of(name).any(|of| of == number));
        assert!(has_test, "A{number:02} has no test");
    }
}

/// `07 | …` is 7.
fn number_of(text: &str) -> Option<u8> {
    text.get(..2)?.parse().ok()
}

/// The attacks that a test is named after: `a37_a38_a39_trees` is about three.
fn numbers_of(name: &str) -> impl Iterator<Item = u8> {
    let digits = |part: &str| part.strip_prefix('a').filter(|digits| digits.len() == 2)?.parse().ok();
    name.split('_').map_while(digits)
}

/// Every function of that kind of name in the source tree that carries a `#[test]` of some sort.
fn named_tests(root: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests", "schema", "store", "follower", "publisher", "gateway", "edge-agent", "audit"] {
        collect(&root.join(folder), &mut tests);
    }
    tests
}

fn collect(path: &Path, tests: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of ours").flatten() {
            collect(&entry.path(), tests);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).expect("source is text");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            let attributes =
                lines[..number].iter().rev().take_while(|line| line.starts_with('#') || line.starts_with("//"));
            let is_test = attributes.clone().any(|line| line.contains("test]") || line.contains("test("));
            let in_proptest = text.contains("proptest!") && numbers_of(name).next().is_some();
            if is_test || in_proptest {
                tests.insert(name.to_owned());
            }
        }
    }
}
