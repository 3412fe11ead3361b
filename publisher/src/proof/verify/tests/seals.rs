//! Seal commits: who may take an old history as it is, and when.

use super::*;

struct Old {
    bench: Bench,
    bob: Committer,
    /// The last commit of the old, unsigned history.
    last: CommitId,
}

impl Old {
    fn new() -> Old {
        let bench = Bench::new();
        let first = bench.repo.unsigned(&[], &bench.tree, 10, "long ago");
        let last = bench.repo.unsigned(&[&first], &bench.tree, 11, "before there were keys");
        bench.repo.force("main", &last);
        Old { bench, bob: Committer::generate("Bob", "bob@example.com").unwrap(), last }
    }

    fn policy(&self, seal: &str) -> String {
        format!(
            "{seal}\nprincipals:\n  - name: alice@example.com\n    ssh: [{}]\n  - name: bob@example.com\n    ssh: [{}]\n    \
             paths: [web/]\n",
            self.bench.repo.alice.public_line().unwrap(),
            self.bob.public_line().unwrap()
        )
    }

    fn commit(&self, who: &Committer, parents: &[&CommitId], message: &str) -> CommitId {
        self.bench.repo.force("main", parents[0]);
        let parents: Vec<CommitId> = parents.iter().map(|&parent| parent.clone()).collect();
        who.commit(&self.bench.repo.git, "main", &parents, &self.bench.tree, message, at(20)).unwrap()
    }

    fn seal(&self, who: &Committer, parents: &[&CommitId], named: &str) -> CommitId {
        self.commit(who, parents, &format!("Begin\n\nDriftless-Seal: {named}\n"))
    }

    fn judge(&mut self, seal: &str, tip: &CommitId) -> Result<VerifiedCommit, ProofError> {
        let policy = self.policy(seal);
        self.bench.verify_by(&policy, &Base::Beginning, tip, 200)
    }

    fn refusal(&mut self, seal: &str, tip: &CommitId) -> SealRefusal {
        match self.judge(seal, tip) {
            Err(ProofError::Seal { refusal, .. }) => refusal,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_seal_takes_the_history_before_it_and_nothing_after() {
    let mut old = Old::new();
    let alice = old.bench.repo.alice.private_openssh_text().unwrap();
    let alice = Committer::from_openssh_text("Alice", "alice@example.com", &alice).unwrap();
    let seal = old.seal(&alice, &[&old.last], old.last.as_str());
    let next = old.commit(&alice, &[&seal], "the first of the new ones");
    for rule in ["seal: allowed", "seal: [alice@example.com]"] {
        let proven = old.judge(rule, &next).unwrap();
        assert_eq!(proven.release_seq(), 4, "the old ones count as commits all the same");
    }
    // What comes after it is judged, on every parent; so is an unsigned line that leads around the seal.
    let unsigned = old.bench.repo.unsigned(&[&next], &old.bench.tree, 30, "after");
    assert_eq!(refusal(old.judge("seal: allowed", &unsigned)).0, unsigned);
    let aside = old.bench.repo.unsigned(&[&old.last], &old.bench.tree, 5, "aside");
    let merge = old.commit(&alice, &[&next, &aside], "merge it");
    let refused = old.judge("seal: allowed", &merge);
    assert_eq!(refusal(refused).0, aside, "its parent is sealed, itself is not");

    // Once something is published, a seal lets nothing more in.
    let base = published(&old.judge("seal: allowed", &next).unwrap());
    let again = old.seal(&alice, &[&unsigned], unsigned.as_str());
    let policy = old.policy("seal: allowed");
    assert_eq!(refusal(old.bench.verify_by(&policy, &base, &again, 201)).0, unsigned);
}

#[test]
fn a_seal_that_does_not_hold_says_why() {
    let mut old = Old::new();
    let alice = old.bench.repo.alice.private_openssh_text().unwrap();
    let alice = Committer::from_openssh_text("Alice", "alice@example.com", &alice).unwrap();
    let bob = Committer::from_openssh_text("Bob", "bob@example.com", &old.bob.private_openssh_text().unwrap()).unwrap();
    let mallory = Committer::generate("Alice", "alice@example.com").unwrap();
    let last = old.last.clone();

    let good = old.seal(&alice, &[&last], last.as_str());
    assert_eq!(old.refusal("seal: refused", &good), SealRefusal::NotAllowed);
    assert_eq!(old.refusal("", &good), SealRefusal::NotAllowed, "the default");

    for named in [last.short(), &"a".repeat(40), "HEAD~1", ""] {
        let wrong = old.seal(&alice, &[&last], named);
        assert_eq!(old.refusal("seal: allowed", &wrong), SealRefusal::NotItsParent, "{named}");
    }
    let twice = old.commit(&alice, &[&last], &format!("x\n\nDriftless-Seal: {last}\nDriftless-Seal: {last}\n"));
    assert_eq!(old.refusal("seal: allowed", &twice), SealRefusal::NotItsParent);
    let other = old.bench.repo.unsigned(&[], &old.bench.tree, 12, "another beginning");
    let merge = old.seal(&alice, &[&last, &other], last.as_str());
    assert_eq!(old.refusal("seal: allowed", &merge), SealRefusal::NotItsParent, "a merge seals neither side");

    let by_bob = old.seal(&bob, &[&last], last.as_str());
    let not_by = SealRefusal::NotBy { principal: "bob@example.com".to_owned() };
    assert_eq!(old.refusal("seal: allowed", &by_bob), not_by, "who may not change everything cannot vouch for it");
    assert_eq!(old.refusal("seal: [alice@example.com]", &by_bob), not_by);
    let forged = old.seal(&mallory, &[&last], last.as_str());
    assert!(matches!(
        old.refusal("seal: allowed", &forged),
        SealRefusal::Signature(SignatureRefusal::UnknownKey { .. })
    ));
    // A seal in the old history itself has no say, and is no obstacle to a good one above it.
    let above = old.seal(&alice, &[&forged], forged.as_str());
    assert!(old.judge("seal: allowed", &above).is_ok());
}
