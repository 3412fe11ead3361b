use proptest::prelude::*;
use schema::path::EntryPath;
use schema::rollout::Policy;
use schema::{CommitId, Limits};

use super::*;
use crate::compile::{BlobId, Listed};
use crate::proof::Trailer;

/// Files by name, each with its version and size.
fn listing(files: &[(&str, u8, u64)]) -> Listing {
    let file = |&(name, version, size): &(&str, u8, u64)| {
        let path = EntryPath::parse(name.as_bytes(), &Limits::DEFAULT).expect("a path");
        (path, Listed { blob: BlobId([version; 20]), size, executable: false })
    };
    files.iter().map(file).collect()
}

/// Files of the same size each.
fn files(count: usize, size: u64) -> Listing {
    (0..count).flat_map(|at| listing(&[(&format!("{at}.conf"), 1, size)])).collect()
}

fn place(region: &str) -> (App, Region) {
    ("web".parse().expect("an app"), region.parse().expect("a region"))
}

/// An app that is the same in all of these regions.
fn contents(regions: &[&str], listing: &Listing) -> Contents {
    let shared = Arc::new(listing.clone());
    let listings = regions.iter().map(|region| (place(region), Arc::clone(&shared))).collect();
    Contents { listings, policies: BTreeMap::new() }
}

fn with_policy(mut contents: Contents, policy: Option<Policy>) -> Contents {
    contents.policies = policy.into_iter().map(|policy| (place("eu").0, policy)).collect();
    contents
}

fn allowing(value: &str) -> Allowances {
    let commit: CommitId = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().expect("an id");
    Allowances::said(&[Trailer { commit, key: "driftless-allow".to_owned(), value: value.to_owned() }])
}

fn now() -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000)
}

fn ask(before: &Contents, after: &Contents, pasts: &BTreeMap<(App, Region), Past>, allowed: &str) -> Vec<String> {
    let question = Question { before, after, pasts, allowed: &allowing(allowed), now: now() };
    let refusals = guard(&question).err().unwrap_or_default();
    refusals.iter().map(ToString::to_string).collect()
}

/// What is refused of a change of one region that is nothing but that.
fn told(before: &Listing, after: &Listing) -> Vec<String> {
    ask(&contents(&["eu"], before), &contents(&["eu"], after), &BTreeMap::new(), "")
}

fn guards(before: &Listing, after: &Listing) -> Vec<Guard> {
    sizes::changes(before, after).into_iter().map(|(guard, _)| guard).collect()
}

#[test]
fn a_file_that_becomes_empty_is_held_back() {
    let before = listing(&[("limits.yaml", 1, 400), ("empty", 1, 0), ("other", 1, 400)]);
    let after = listing(&[("limits.yaml", 2, 0), ("empty", 1, 0), ("other", 1, 500), ("new", 1, 0)]);
    assert_eq!(
        told(&before, &after),
        [
            "app `web` in eu has nothing left in `limits.yaml`; if that is meant, say `Driftless-Allow: empty` in a signed commit"
        ]
    );
    let emptied: Listing = files(7, 100).into_iter().map(|(path, file)| (path, Listed { size: 0, ..file })).collect();
    assert!(told(&files(7, 100), &emptied)[0].contains("`0.conf`, `1.conf`, `2.conf` and 4 more files"));
}

#[test]
fn losing_more_than_half_is_held_back_and_half_is_not() {
    let table = [
        (files(10, 1_000), files(5, 1_000), vec![]),
        (files(10, 1_000), files(4, 1_000), vec![Guard::Shrink]),
        // As many files, and less in them; as much in them, and fewer files.
        (files(10, 1_000), files(10, 499), vec![Guard::Shrink]),
        (files(10, 1_000), files(4, 2_500), vec![Guard::Shrink]),
        // Small apps may do as they like.
        (files(2, 10), files(1, 4), vec![]),
        (files(4, 256), files(4, 127), vec![Guard::Shrink]),
        (files(4, 255), files(4, 127), vec![]),
        (files(3, 1), files(1, 1), vec![Guard::Shrink]),
    ];
    for (before, after, expected) in table {
        assert_eq!(guards(&before, &after), expected, "{} to {} files", before.len(), after.len());
    }
    assert_eq!(
        told(&files(10, 1_000), &files(4, 1_000)),
        [
            "app `web` in eu shrinks by more than half, from 10 files with 10000 bytes to 4 with 4000; if that is meant, say \
          `Driftless-Allow: shrink` in a signed commit"
        ]
    );
}

#[test]
fn growing_more_than_twofold_is_held_back_and_twofold_is_not() {
    let table = [
        (files(10, 10_000), files(20, 10_000), vec![]),
        (files(10, 10_000), files(10, 20_001), vec![Guard::Growth]),
        (files(10, 10_000), files(21, 100), vec![Guard::Shrink, Guard::Growth]),
        // To a size that is still small.
        (files(1, 10), files(sizes::GROWN_FILES_MIN, 10), vec![]),
        (files(1, 10), files(1, sizes::GROWN_BYTES_MIN), vec![]),
        (files(1, 10), files(1, sizes::GROWN_BYTES_MIN + 1), vec![Guard::Growth]),
        (files(1, 10), files(21, 1), vec![Guard::Growth]),
    ];
    for (before, after, expected) in table {
        assert_eq!(guards(&before, &after), expected, "{} to {} files", before.len(), after.len());
    }
    assert!(told(&files(1, 10_000), &files(1, 60_000))[0].contains("from 1 files with 10000 bytes to 1 with 60000"));
}

#[test]
fn regions_of_which_the_same_is_to_be_said_come_together() {
    let regions = ["ap", "eu", "sa", "us"];
    let refused =
        ask(&contents(&regions, &files(10, 1_000)), &contents(&regions, &files(4, 1_000)), &BTreeMap::new(), "");
    assert!(
        refused.len() == 1 && refused[0].starts_with("app `web` in ap, eu, sa and 1 more regions shrinks"),
        "{refused:?}"
    );
    // A region that is new, or gone, or unchanged.
    let before = contents(&["ap", "eu"], &files(10, 1_000));
    let mut after = contents(&["eu"], &files(10, 1_000));
    after.listings.insert(place("us"), Arc::new(files(1, 1)));
    assert_eq!(ask(&before, &after, &BTreeMap::new(), ""), [""; 0]);
}

#[test]
fn a_trailer_lifts_what_it_names_and_nothing_else() {
    let (before, after) = (contents(&["eu"], &files(10, 10_000)), contents(&["eu"], &files(21, 100)));
    let refused = |allowed: &str| {
        let refused = ask(&before, &after, &BTreeMap::new(), allowed);
        refused.iter().map(|refused| refused.contains("Driftless-Allow: shrink")).collect::<Vec<_>>()
    };
    assert_eq!(refused(""), [true, false]);
    assert_eq!(refused("growth"), [true]);
    assert_eq!(refused("shrink"), [false]);
    assert_eq!(refused("empty, flap rollout"), [true, false]);
    assert_eq!(refused("growth,shrink"), [false; 0]);
    assert_eq!(refused("all"), [true, false]);
    let unknown = allowing("shrnk, growth").unknown().expect("a word that nobody knows");
    assert!(unknown.starts_with("`Driftless-Allow: shrnk` lifts nothing; did you mean `shrink`?"), "{unknown}");
    assert_eq!(allowing("growth").unknown(), None);
}

#[test]
fn going_back_to_what_was_good_is_under_no_guard() {
    let (before, after) = (contents(&["eu", "us"], &files(4, 1_000)), contents(&["eu", "us"], &files(30, 1_000)));
    let back = |regions: &[&str]| -> BTreeMap<(App, Region), Past> {
        regions.iter().map(|region| (place(region), Past { goes_back: true, lately: Vec::new() })).collect()
    };
    assert_eq!(ask(&before, &after, &back(&["eu", "us"]), ""), [""; 0]);
    let refused = ask(&before, &after, &back(&["eu"]), "");
    assert!(refused.len() == 1 && refused[0].starts_with("app `web` in us grows"), "{refused:?}");
}

/// What is said when a region ran these versions of a file, each from so many seconds ago on, and is to run the last one.
fn flapping(ran: &[(u8, u64)], then: u8) -> Vec<String> {
    let version = |version: u8, noise: u8| listing(&[("features.bin", version, 100), ("built-at", noise, 10)]);
    let lately = ran.iter().enumerate().map(|(at, &(ran, ago))| Ran {
        since: Timestamp::from_unix_millis(now().unix_millis() - ago as i64 * 1_000),
        // Something else changes every time, so that no two bundles are the same.
        listing: Arc::new(version(ran, 100 + at as u8)),
    });
    let lately: Vec<Ran> = lately.collect();
    let before = lately.last().map(|ran| Listing::clone(&ran.listing)).unwrap_or_default();
    let pasts = BTreeMap::from([(place("eu"), Past { goes_back: false, lately })]);
    ask(&contents(&["eu"], &before), &contents(&["eu"], &version(then, 200)), &pasts, "")
}

#[test]
fn a_file_that_goes_back_and_forth_is_held_back_the_third_time() {
    assert_eq!(flapping(&[(1, 400), (2, 300), (1, 200)], 2), [""; 0]);
    let refused = flapping(&[(1, 400), (2, 300), (1, 200), (2, 100)], 1);
    assert_eq!(
        refused,
        [
            "app `web` in eu goes back and forth: `features.bin` has come back to an earlier version 3 times in 10 minutes; if \
          that is meant, say `Driftless-Allow: flap` in a signed commit"
        ]
    );
    // In between it may have been published with another change, or been something else for long.
    assert_eq!(flapping(&[(1, 400), (2, 300), (2, 250), (1, 200), (1, 150), (2, 100)], 1).len(), 1);
    assert_eq!(flapping(&[(1, 90_000), (2, 80_000), (1, 599), (2, 100)], 1).len(), 1);
}

#[test]
fn what_only_looks_like_going_back_and_forth_is_not() {
    // Slowly, or on and on, or this time to something new, or not this file this time.
    assert_eq!(flapping(&[(1, 4_000), (2, 3_000), (1, 2_000), (2, 1_000)], 1), [""; 0]);
    assert_eq!(flapping(&[(1, 90_000), (2, 80_000), (1, 601), (2, 100)], 1), [""; 0]);
    assert_eq!(flapping(&[(1, 500), (2, 400), (3, 300), (4, 200), (5, 100)], 6), [""; 0]);
    assert_eq!(flapping(&[(1, 500), (2, 400), (1, 300), (2, 200)], 3), [""; 0]);
    assert_eq!(flapping(&[(1, 500), (2, 400), (1, 300), (2, 200), (1, 100)], 1), [""; 0]);
    assert_eq!(flapping(&[], 1), [""; 0]);
}

#[test]
fn taking_the_brakes_off_is_a_change_of_its_own() {
    let policy = |json: serde_json::Value| -> Policy {
        let mut policy = serde_json::json!({
            "name": "slow", "prepare": "yes", "on_failure": "rollback", "spread": "0s",
            "waves": [{ "regions": "all", "share": 500, "soak": "2m" }, { "regions": "all", "share": 10_000, "soak": "0s" }],
            "gate": { "applied": 9_900, "failed_at_most": { "percent": 100, "number": 1 }, "within": "10m" },
            "quarantine": { "after": 3, "at_most": { "percent": 500, "number": 1 } },
            "reverts": "at_once", "newer": "supersede", "live_within": "90s",
        });
        let changes = json.as_object().cloned().expect("an object");
        policy.as_object_mut().expect("an object").extend(changes);
        serde_json::from_value(policy).expect("a policy")
    };
    let slow = || policy(serde_json::json!({}));
    let table = [
        (Some(slow()), None),
        (Some(policy(serde_json::json!({ "on_failure": "pause" }))), None),
        (
            Some(policy(
                serde_json::json!({ "waves": [{ "regions": { "named": ["eu"] }, "share": 10_000, "soak": "0s" }] }),
            )),
            None,
        ),
        (None, Some("loses its rollout `slow`: what comes next would reach everyone at once")),
        (Some(policy(serde_json::json!({ "gate": null }))), Some("has no gate any more in its rollout `slow`")),
        (
            Some(policy(serde_json::json!({ "waves": [{ "regions": "all", "share": 10_000, "soak": "0s" }] }))),
            Some("has everyone in the first wave of its rollout `slow`"),
        ),
    ];
    let same = contents(&["eu"], &files(1, 1));
    let before = with_policy(same.clone(), Some(slow()));
    for (after, expected) in table {
        let refused = ask(&before, &with_policy(same.clone(), after.clone()), &BTreeMap::new(), "");
        assert_eq!(refused.len(), usize::from(expected.is_some()), "{refused:?}");
        assert!(refused.iter().zip(expected).all(|(refused, expected)| refused.contains(expected)), "{refused:?}");
        assert_eq!(ask(&before, &with_policy(same.clone(), after), &BTreeMap::new(), "rollout"), [""; 0]);
    }
    // Putting brakes on, and an app that goes altogether.
    assert_eq!(ask(&same, &before, &BTreeMap::new(), ""), [""; 0]);
    assert_eq!(ask(&before, &Contents::default(), &BTreeMap::new(), ""), [""; 0]);
    // A revert of the commit that brought both the policy and something bad.
    let reverted = contents(&["eu"], &files(2, 1));
    let pasts = BTreeMap::from([(place("eu"), Past { goes_back: true, lately: Vec::new() })]);
    assert_eq!(ask(&before, &reverted, &pasts, ""), [""; 0]);
    assert_eq!(ask(&before, &same, &pasts, "").len(), 1, "but not one that goes back nowhere");
}

proptest! {
    #[test]
    fn what_is_refused_can_be_lifted_and_says_how(
        (before, after) in (prop::collection::vec((0..30u8, 0..3u8, 0..40_000u64), 0..30), prop::collection::vec((0..30u8, 0..3u8, 0..40_000u64), 0..30)),
        ran in prop::collection::vec((0..3u8, 0..900i64), 0..8),
    ) {
        let of = |files: &[(u8, u8, u64)]| -> Listing {
            files.iter().flat_map(|&(name, version, size)| listing(&[(&format!("f{name}"), version, size)])).collect()
        };
        let lately = ran.iter().map(|&(version, ago)| Ran {
            since: Timestamp::from_unix_millis(now().unix_millis() - ago * 1_000),
            listing: Arc::new(of(&[(0, version, 100)])),
        });
        let pasts = BTreeMap::from([(place("eu"), Past { goes_back: false, lately: lately.collect() })]);
        let (before, after) = (contents(&["eu"], &of(&before)), contents(&["eu"], &of(&after)));
        let question = |allowed| Question { before: &before, after: &after, pasts: &pasts, allowed, now: now() };
        if let Err(refusals) = guard(&question(&Allowances::default())) {
            prop_assert!(!refusals.is_empty());
            let words: Vec<&str> = refusals.iter().map(|refusal| refusal.guard.word()).collect();
            prop_assert_eq!(guard(&question(&allowing(&words.join(", ")))), Ok(()));
            for refusal in &refusals {
                let trailer = format!("`Driftless-Allow: {}`", refusal.guard);
                prop_assert!(refusal.to_string().contains(&trailer));
            }
        }
    }
}
