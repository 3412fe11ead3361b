//! A33 and A41: merges of any shape, and everything that is too large.

use super::*;
use crate::proof::MalformedCommit;

#[test]
fn a33_one_unsigned_commit_on_any_parent_of_an_octopus_is_found() {
    let mut bench = Bench::new();
    let start = bench.repo.commit(&[], &bench.tree, 100);
    let base = published(&bench.verify(&Base::Beginning, &start, 200).unwrap());
    for bad_parent in 0..5 {
        let mut parents = Vec::new();
        let mut bad = None;
        for parent in 0..5 {
            let branch = format!("round{bad_parent}-{parent}");
            bench.repo.force(&branch, &start);
            let mut tip = bench.repo.commit_as(&bench.repo.alice, &branch, &[&start], &bench.tree, 101 + parent);
            if parent == bad_parent {
                tip = bench.repo.unsigned(&[&tip], &bench.tree, 110, "not signed");
                bad = Some(tip.clone());
                // A signed one on top does not hide it.
                bench.repo.force(&branch, &tip);
                tip = bench.repo.commit_as(&bench.repo.alice, &branch, &[&tip], &bench.tree, 111);
            }
            parents.push(tip);
        }
        bench.repo.force("main", &parents[0]);
        let octopus = bench.repo.commit(&parents.iter().collect::<Vec<_>>(), &bench.tree, 120);
        assert_eq!(Some(refusal(bench.verify(&base, &octopus, 201)).0), bad, "parent {bad_parent}");
    }
}

#[test]
fn a33_a_merge_by_a_forge_is_by_nobody_we_know() {
    let mut bench = Bench::new();
    let start = bench.repo.commit(&[], &bench.tree, 100);
    let base = published(&bench.verify(&Base::Beginning, &start, 200).unwrap());
    bench.repo.force("side", &start);
    let side = bench.repo.commit_as(&bench.repo.alice, "side", &[&start], &bench.tree, 101);
    // Both sides are signed well; the merge is signed by the key that the forge has for everybody.
    let forge = Committer::generate("Forge", "noreply@forge.example").unwrap();
    let merge = bench.repo.commit_as(&forge, "main", &[&start, &side], &bench.tree, 102);
    let (commit, why) = refusal(bench.verify(&base, &merge, 201));
    assert!(commit == merge && matches!(why, SignatureRefusal::UnknownKey { .. }), "{why:?}");
    // Unless the policy lists it, on purpose.
    let listed = format!("{}noreply@forge.example {}\n", bench.repo.policy(), forge.public_line().unwrap());
    assert!(bench.verify_by(&listed, &base, &merge, 202).is_ok());
}

#[test]
fn a29_the_depth_of_a_bad_commit_does_not_matter() {
    let mut bench = Bench::new();
    let start = bench.repo.commit(&[], &bench.tree, 100);
    let base = published(&bench.verify(&Base::Beginning, &start, 200).unwrap());
    const LENGTH: usize = 12;
    for bad_at in 0..LENGTH {
        let mut tip = start.clone();
        let mut bad = None;
        for at in 0..LENGTH {
            bench.repo.force("main", &tip);
            let seconds = 101 + i64::try_from(at).unwrap();
            if at == bad_at {
                tip = bench.repo.unsigned(&[&tip], &bench.tree, seconds, "just this one");
                bad = Some(tip.clone());
            } else {
                tip = bench.repo.commit(&[&tip], &bench.tree, seconds);
            }
        }
        assert_eq!(Some(refusal(bench.verify(&base, &tip, 201)).0), bad, "at {bad_at}");
    }
}

#[test]
fn a41_what_is_too_large_is_refused_and_what_is_deep_is_not() {
    let mut bench = Bench::new();
    // Just within the limit for a commit, signature and all, and just beyond it.
    let alice = bench.repo.alice.private_openssh_text().unwrap();
    let alice = Committer::from_openssh_text("Alice", "alice@example.com", &alice).unwrap();
    for (bytes, good) in [((1 << 20) - 1024, true), (1 << 20, false)] {
        let branch = format!("message-{bytes}");
        let message = "m".repeat(bytes);
        let commit = alice.commit(&bench.repo.git, &branch, &[], &bench.tree, &message, at(100)).unwrap();
        let judged = bench.verify(&Base::Beginning, &commit, 200);
        assert_eq!(judged.is_ok(), good, "{bytes}");
        assert!(good || judged.expect_err("too large").to_string().contains("1048576"), "the limit is named");
    }
    // More parents than anybody has.
    let many: Vec<CommitId> = (0..65).map(|at| bench.repo.unsigned(&[], &bench.tree, at, "one of many")).collect();
    bench.repo.force("main", &many[0]);
    let octopus = bench.repo.commit(&many.iter().collect::<Vec<_>>(), &bench.tree, 100);
    let refused = bench.verify(&Base::Adopted(many[0].clone()), &octopus, 200);
    assert!(
        matches!(refused, Err(ProofError::Walk(WalkError::Malformed { source: MalformedCommit::Parents, .. }))),
        "{refused:?}"
    );
    // A long history: judged from the adopted commit on, counted whole, and nothing of it recursive.
    let mut deep = bench.repo.unsigned(&[], &bench.tree, 1, "the first");
    for at in 0..20_000 {
        deep = bench.repo.unsigned(&[&deep], &bench.tree, 2 + at, "another");
    }
    bench.repo.force("main", &deep);
    let tip = bench.repo.commit(&[&deep], &bench.tree, 30_000);
    let proven = bench.verify(&Base::Adopted(deep.clone()), &tip, 40_000).unwrap();
    assert_eq!(proven.release_seq(), 20_002);
    let unsigned = bench.verify(&Base::Beginning, &tip, 40_000);
    assert!(matches!(unsigned, Err(ProofError::Unproven { .. })), "all of it is judged where nothing is adopted");
}
