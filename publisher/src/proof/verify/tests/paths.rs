//! Principals who may change some files only.

use super::*;

fn policy(bench: &Bench, bob: &Committer) -> String {
    format!(
        "principals:\n  - name: alice@example.com\n    ssh: [{}]\n  - name: bob@example.com\n    ssh: [{}]\n    paths: [web/]\n",
        bench.repo.alice.public_line().unwrap(),
        bob.public_line().unwrap()
    )
}

#[test]
fn a_commit_outside_its_signers_paths_is_refused_and_named() {
    let mut bench = Bench::new();
    let bob = Committer::generate("Bob", "bob@example.com").unwrap();
    let policy = policy(&bench, &bob);
    let tree = |web: &str, other: &str| bench.repo.tree(&[("web/a", web), ("other/b", other)]);
    let (start, inside, outside) = (tree("1", "1"), tree("2", "1"), tree("2", "2"));
    let back_and_other = tree("1", "2");
    let one = bench.repo.commit(&[], &start, 100);
    let base = published(&bench.verify_by(&policy, &Base::Beginning, &one, 200).unwrap());
    let two = bench.repo.commit_as(&bob, "main", &[&one], &inside, 101);
    bench.verify_by(&policy, &base, &two, 201).unwrap();

    let three = bench.repo.commit_as(&bob, "main", &[&two], &outside, 102);
    let refused = bench.verify_by(&policy, &base, &three, 202).expect_err("not his");
    let ProofError::OutsidePaths { commit, principal, path, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!((commit, principal.as_str(), path.as_str()), (&three, "bob@example.com", "other/b"));
    // It is not made good by a commit of somebody who may: that one takes responsibility for its own changes alone.
    let four = bench.repo.commit(&[&three], &outside, 103);
    let refused = bench.verify_by(&policy, &base, &four, 203);
    assert!(matches!(refused, Err(ProofError::OutsidePaths { commit, .. }) if commit == three));

    // A revert of the change by the same person is outside, too.
    bench.repo.force("main", &one);
    let other = bench.repo.commit(&[&one], &back_and_other, 104);
    let base = published(&bench.verify_by(&policy, &base, &other, 204).unwrap());
    let back = bench.repo.commit_as(&bob, "main", &[&other], &start, 105);
    assert!(matches!(bench.verify_by(&policy, &base, &back, 205), Err(ProofError::OutsidePaths { .. })));
}
