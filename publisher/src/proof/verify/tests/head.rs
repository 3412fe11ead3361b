//! Mode `head`: the tip's signer answers for all that is new.

use super::*;

#[test]
fn a29_only_the_tip_has_to_be_signed_where_the_policy_says_so() {
    let mut bench = Bench::new();
    let alice = bench.repo.alice.public_line().unwrap();
    let strict = format!("principals: [{{ name: alice@example.com, ssh: [{alice}] }}]\n");
    let head = format!("mode: head\n{strict}");
    let below = bench.repo.unsigned(&[], &bench.tree, 100, "unsigned");
    bench.repo.force("main", &below);
    let tip = bench.repo.commit(&[&below], &bench.tree, 101);
    assert_eq!(refusal(bench.verify_by(&strict, &Base::Beginning, &tip, 200)).0, below);
    let base = published(&bench.verify_by(&head, &Base::Beginning, &tip, 200).unwrap());

    let unsigned = bench.repo.unsigned(&[&tip], &bench.tree, 102, "and the tip is not");
    let refused = refusal(bench.verify_by(&head, &base, &unsigned, 201));
    assert_eq!(refused, (unsigned.clone(), SignatureRefusal::Unsigned));
    // A force-push is one in any mode.
    assert!(bench.verify_by(&head, &base, &below, 202).expect_err("rewound").force_push().is_some());
    assert_eq!(bench.verify_by(&head, &base, &tip, 203).unwrap().id(), &tip, "nothing new has nobody to answer for");

    // Whoever answers for unsigned commits must be allowed to change what they change.
    let bob = Committer::generate("Bob", "bob@example.com").unwrap();
    let limited = format!(
        "mode: head\nprincipals:\n  - name: bob@example.com\n    ssh: [{}]\n    paths: [web/]\n",
        bob.public_line().unwrap()
    );
    let inside = bench.repo.tree(&[("driftless.yaml", "regions: {}\n"), ("web/a", "1")]);
    let outside = bench.repo.tree(&[("driftless.yaml", "regions: {eu: {}}\n"), ("web/a", "1")]);
    for (tree, allowed) in [(&inside, true), (&outside, false)] {
        let below = bench.repo.unsigned(&[&tip], tree, 103, "below");
        bench.repo.force("main", &below);
        let above = bench.repo.commit_as(&bob, "main", &[&below], tree, 104);
        let judged = bench.verify_by(&limited, &base, &above, 204);
        assert_eq!(judged.is_ok(), allowed, "{judged:?}");
    }
}

#[test]
fn a29_only_commits_that_are_signed_themselves_speak_to_the_publisher() {
    let mut bench = Bench::new();
    let alice = bench.repo.alice.public_line().unwrap();
    let strict = format!("principals: [{{ name: alice@example.com, ssh: [{alice}] }}]\n");
    let head = format!("mode: head\n{strict}");
    let first = bench.repo.commit(&[], &bench.tree, 100);
    let base = published(&bench.verify_by(&strict, &Base::Beginning, &first, 200).unwrap());
    let say = |bench: &Bench, parent: &CommitId, word: &str, seconds: i64| {
        let message = format!("Go on\n\nDriftless-Allow: {word}\n");
        let time = crate::fixture::at(seconds);
        bench
            .repo
            .alice
            .commit(&bench.repo.git, "main", std::slice::from_ref(parent), &bench.tree, &message, time)
            .unwrap()
    };
    let below = say(&bench, &first, "shrink", 101);
    let tip = say(&bench, &below, "growth", 102);
    let mut words = |policy: &str, base: &Base, tip: &CommitId| {
        let verified = bench.verify_by(policy, base, tip, 201).unwrap();
        verified.trailers().iter().map(|trailer| trailer.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(words(&strict, &base, &tip), ["shrink", "growth"]);
    assert_eq!(words(&head, &base, &tip), ["growth"], "nobody looked at the other one's signature");
    let after = Base::Published { commit: tip.clone(), release_seq: None };
    assert_eq!(words(&strict, &after, &tip), [""; 0], "what was published has had its say");
    assert_eq!(words(&head, &after, &tip), [""; 0]);
    assert_eq!(
        words(&strict, &Base::Beginning, &tip),
        [""; 0],
        "where nothing was published there is nothing to allow"
    );
}
