use super::*;
use crate::compile::problem::CompileError;

pub(super) fn problems(text: &str) -> Vec<String> {
    let mut found = Found::default();
    let document = Document::parse(text, &Limits::DEFAULT, &mut found);
    match found.end() {
        Ok(()) => {
            assert!(document.is_some());
            Vec::new()
        }
        Err(CompileError::Refused(problems)) => problems.listed().iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other:?}"),
    }
}

const GOOD: &str = "\
regions:
  eu-west: { labels: { continent: eu, tier: gold } }
  eu-north: { labels: { continent: eu } }
  us-east:
apps:
  edge-proxy:
    path: apps/edge-proxy/
    overlays:
      - path: overlays/all
        when: {}
      - path: overlays/gold
        when: { continent: eu, tier: gold }
      - path: overlays/eu
        when: { continent: eu }
      - path: overlays/moon
        when: { continent: moon }
  all: { path: . }
";

#[test]
fn selectors_match_when_every_label_does() {
    let mut found = Found::default();
    let document = Document::parse(GOOD, &Limits::DEFAULT, &mut found).expect("a good document");
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(document.regions.iter().map(Region::as_str).collect::<Vec<_>>(), ["eu-west", "eu-north", "us-east"]);
    let apps: Vec<_> = document.apps.iter().collect();
    assert!(apps[0].0.as_str() == "all" && apps[0].1.path.path.is_none() && apps[0].1.overlays.is_empty());
    let overlays: Vec<Vec<&str>> =
        apps[1].1.overlays.iter().map(|overlay| overlay.regions.iter().map(Region::as_str).collect()).collect();
    assert_eq!(
        overlays,
        [vec!["eu-west", "eu-north", "us-east"], vec!["eu-west"], vec!["eu-west", "eu-north"], vec![]]
    );
    assert_eq!(apps[1].1.path.path.as_ref().map(EntryPath::as_str), Some("apps/edge-proxy"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let table = [
        ("regions: {eu: {}}\napps: {a: {path: a}}\nextra: 1\n", "driftless.yaml:3:1: unknown field"),
        ("regions: {eu: {}}\nregions: {us: {}}\napps: {a: {path: a}}\n", "driftless.yaml:2:1: duplicate"),
        ("regions: {eu: {}}\napps:\n  a: {path: a}\n  a: {path: b}\n", "driftless.yaml:4:3: duplicate"),
        ("regions: {eu: {lables: {}}}\napps: {a: {path: a}}\n", "driftless.yaml:1:16: unknown field"),
        ("apps: {a: {path: a}}\n", "missing field"),
        ("regions: {eu: {}}\napps: {a: {}}\n", "missing field"),
        ("regions: {}\napps: {a: {path: a}}\n", "driftless.yaml:1:10: there are no regions"),
        ("regions: {eu: {}}\napps: {}\n", "driftless.yaml:2:7: there are no apps"),
        ("regions: {EU: {}}\napps: {a: {path: a}}\n", "not a valid region name"),
        ("regions:\n  eu: {}\n  eu: {}\napps: {a: {path: a}}\n", "driftless.yaml:3:3: duplicate"),
        ("regions: [eu]\napps: {a: {path: a}}\n", "driftless.yaml:1:10: "),
        (
            "regions: {eu: {}}\napps:\n  a:\n    path: a\n    schemas: { \"*\": b }\n",
            "driftless.yaml:5:14: `schemas` is not supported",
        ),
        ("regions: {eu: {}}\napps: {a: {path: ../b}}\n", "driftless.yaml:2:18: `../b` is not a path in the repository"),
        ("regions: {eu: {}}\napps: {a: {path: /etc}}\n", "driftless.yaml:2:18: `/etc` is not a path"),
        ("regions: {eu: {}}\napps: {a: {path: .git/x}}\n", "`.git` in any spelling"),
        (
            "regions: {eu: {}}\napps: {a: {path: a, overlays: [{path: ., when: {}}]}}\n",
            "driftless.yaml:2:39: `.` is not a path",
        ),
        ("regions: {eu: {}}\napps: {a: {path: a, overlays: [{path: b}]}}\n", "missing field"),
        (
            "regions: {eu: {labels: {continent: eu}}}\napps: {a: {path: a, overlays: [{path: b, when: {contnent: eu}}]}}\n",
            "driftless.yaml:2:48: no region has a label `contnent`",
        ),
    ];
    for (text, wanted) in table {
        let told = problems(text);
        assert!(told.len() == 1 && told[0].contains(wanted), "{text}\n{told:?}\nwanted {wanted}");
    }
    let several = "regions: {eu: {}}\napps: {a: {path: /a, rollout: b}}\nschemas: {}\n";
    assert_eq!(problems(several).len(), 3);
}
