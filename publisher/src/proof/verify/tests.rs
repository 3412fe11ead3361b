use std::fs;

mod head;
mod limits;
#[cfg(feature = "openpgp")]
mod openpgp;
mod paths;
mod seals;

use super::*;
use crate::committer::Committer;
use crate::fixture::{Repo, at, commit_id, git, git_output};

struct Bench {
    repo: Repo,
    seen: FirstSeen,
    tree: TreeId,
}

impl Bench {
    fn new() -> Bench {
        let repo = Repo::new();
        let seen = FirstSeen::open(&repo.folder.path().join("first-seen")).unwrap();
        let tree = repo.tree(&[("driftless.yaml", "regions: {}\n")]);
        Bench { repo, seen, tree }
    }

    fn verify(&mut self, base: &Base, tip: &CommitId, now: i64) -> Result<VerifiedCommit, ProofError> {
        let policy = self.repo.policy();
        self.verify_by(&policy, base, tip, now)
    }

    fn verify_by(&mut self, policy: &str, base: &Base, tip: &CommitId, now: i64) -> Result<VerifiedCommit, ProofError> {
        // A policy file has a list of principals, which no line of the other format can begin with.
        let path = self.repo.folder.path().join(if policy.contains("principals:") { "policy.yaml" } else { "signers" });
        fs::write(&path, policy).unwrap();
        let policy = SignerPolicy::load(&path).unwrap();
        verify_commits(&self.repo.git, &policy, &mut self.seen, base, tip, at(now))
    }
}

fn published(verified: &VerifiedCommit) -> Base {
    Base::Published { commit: verified.id().clone(), release_seq: Some(verified.release_seq()) }
}

fn refusal(judged: Result<VerifiedCommit, ProofError>) -> (CommitId, SignatureRefusal) {
    match judged {
        Err(ProofError::Unproven { commit, refusal, .. }) => (commit, refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signed_history_is_proven_step_by_step_and_its_number_grows() {
    let mut bench = Bench::new();
    let one = bench.repo.commit(&[], &bench.tree, 100);
    let first = bench.verify(&Base::Beginning, &one, 200).unwrap();
    assert_eq!((first.id(), first.tree(), first.release_seq()), (&one, &bench.tree, 1));

    let two = bench.repo.commit(&[&one], &bench.tree, 101);
    let side = bench.repo.commit_as(&bench.repo.alice, "side", &[], &bench.tree, 90);
    let merge = bench.repo.commit(&[&two, &side], &bench.tree, 102);
    let step = bench.verify(&published(&first), &merge, 201).unwrap();
    let whole = bench.verify(&Base::Beginning, &merge, 202).unwrap();
    let counted = bench.verify(&Base::Published { commit: one, release_seq: None }, &merge, 203).unwrap();
    assert_eq!((step.release_seq(), whole.release_seq(), counted.release_seq()), (4, 4, 4));
    assert_eq!(bench.verify(&published(&step), &merge, 204).unwrap(), step);
}

#[test]
fn a29_one_bad_commit_at_any_depth_or_parent_stops_the_tip() {
    let mut bench = Bench::new();
    let start = bench.repo.commit(&[], &bench.tree, 100);
    let base = published(&bench.verify(&Base::Beginning, &start, 200).unwrap());
    for depth in 0..4 {
        let bad = bench.repo.unsigned(&[&start], &bench.tree, 101, "fix\u{1b}[2J it");
        bench.repo.force("main", &bad);
        let mut tip = bad.clone();
        for step in 0..depth {
            tip = bench.repo.commit(&[&tip], &bench.tree, 102 + step);
        }
        let judged = bench.verify(&base, &tip, 300);
        let said = judged.as_ref().expect_err("unsigned").to_string();
        assert!(said.contains(bad.short()) && said.contains("fix\\u{1b}[2J it"), "{said}");
        assert_eq!(refusal(judged), (bad, SignatureRefusal::Unsigned));
    }
    // A33: the same on the second and third parent of a signed merge.
    let bad = bench.repo.unsigned(&[], &bench.tree, 50, "old and unrelated");
    bench.repo.force("main", &start);
    let good = bench.repo.commit(&[&start], &bench.tree, 101);
    let merge = bench.repo.commit(&[&good, &start, &bad], &bench.tree, 102);
    assert_eq!(refusal(bench.verify(&base, &merge, 301)).0, bad);
}

#[test]
fn a28_a_stranger_at_the_tip_is_refused_and_an_adopted_history_is_not_judged() {
    let mut bench = Bench::new();
    let old = bench.repo.unsigned(&[], &bench.tree, 10, "before there were keys");
    bench.repo.force("main", &old);
    let adopted = bench.verify(&Base::Adopted(old.clone()), &old, 200).unwrap();
    assert_eq!(adopted.release_seq(), 1);
    let signed = bench.repo.commit(&[&old], &bench.tree, 11);
    assert_eq!(bench.verify(&Base::Adopted(old), &signed, 201).unwrap().release_seq(), 2);
    assert!(bench.verify(&Base::Beginning, &signed, 202).is_err());

    let mallory = Committer::generate("Alice", "alice@example.com").unwrap();
    let tip = bench.repo.commit_as(&mallory, "main", &[&signed], &bench.tree, 12);
    let (commit, why) = refusal(bench.verify(&published(&adopted), &tip, 203));
    assert!(commit == tip && matches!(why, SignatureRefusal::UnknownKey { .. }), "{why:?}");
}

#[test]
fn a30_a_retired_key_cannot_date_a_commit_back() {
    let mut bench = Bench::new();
    // Valid until the second 1,000; the commit claims the second 500 and arrives at the second 2,000.
    let policy = bench.repo.policy().replace(".com ", ".com valid-before=\"19700101001640Z\" ");
    let dated_back = bench.repo.commit(&[], &bench.tree, 500);
    let late = bench.verify_by(&policy, &Base::Beginning, &dated_back, 2_000);
    assert!(matches!(refusal(late).1, SignatureRefusal::Expired { .. }));

    // What was seen in time stays good, also for a publisher that judges it again much later.
    let seen_in_time = bench.repo.commit(&[&dated_back], &bench.tree, 501);
    let base = Base::Adopted(dated_back);
    bench.verify_by(&policy, &base, &seen_in_time, 900).unwrap();
    bench.seen = FirstSeen::open(&bench.repo.folder.path().join("first-seen")).unwrap();
    assert!(bench.verify_by(&policy, &base, &seen_in_time, 5_000).is_ok());
}

#[test]
fn a31_a_commit_cannot_bring_its_own_signer() {
    let mut bench = Bench::new();
    let mallory = Committer::generate("Mallory", "mallory@example.com").unwrap();
    let line = format!("mallory@example.com {}\n", mallory.public_line().unwrap());
    let tree = bench.repo.tree(&[("driftless.yaml", "regions: {}\n"), ("allowed_signers", &line)]);
    let tip = bench.repo.commit_as(&mallory, "main", &[], &tree, 100);
    assert!(matches!(refusal(bench.verify(&Base::Beginning, &tip, 200)).1, SignatureRefusal::UnknownKey { .. }));
}

#[test]
fn a33_a_signed_tag_on_an_unsigned_commit_changes_nothing() {
    let mut bench = Bench::new();
    let bad = bench.repo.unsigned(&[], &bench.tree, 100, "unsigned");
    let key = bench.repo.folder.path().join("key");
    write_key(&key, &bench.repo.alice);
    git(
        &bench.repo.path(),
        &["-c", &format!("user.signingkey={}", key.display()), "tag", "-s", "-m", "v1", "v1", bad.as_str()],
    );
    assert_eq!(refusal(bench.verify(&Base::Beginning, &bad, 200)).1, SignatureRefusal::Unsigned);
}

#[test]
fn f32_a_rewound_branch_is_a_force_push_that_names_both_commits() {
    let mut bench = Bench::new();
    let one = bench.repo.commit(&[], &bench.tree, 100);
    let two = bench.repo.commit(&[&one], &bench.tree, 101);
    let base = published(&bench.verify(&Base::Beginning, &two, 200).unwrap());
    let forced = bench.verify(&base, &one, 201).expect_err("rewound");
    assert_eq!(forced.force_push(), Some(&two));
    let said = forced.to_string();
    assert!(said.contains(one.short()) && said.contains(two.short()), "{said}");
}

#[test]
fn grafts_and_replacements_do_not_hide_a_parent() {
    let mut bench = Bench::new();
    let bad = bench.repo.unsigned(&[], &bench.tree, 100, "unsigned");
    bench.repo.force("main", &bad);
    let tip = bench.repo.commit(&[&bad], &bench.tree, 101);
    let folder = bench.repo.path();
    fs::create_dir_all(folder.join("info")).unwrap();
    fs::write(folder.join("info/grafts"), format!("{tip}\n")).unwrap();
    fs::write(folder.join("shallow"), format!("{tip}\n")).unwrap();
    bench.repo.git = git2::Repository::open(&folder).unwrap();
    assert_eq!(refusal(bench.verify(&Base::Beginning, &tip, 200)).0, bad);
}

#[test]
fn a_message_changed_after_signing_is_noticed() {
    let mut bench = Bench::new();
    let good = bench.repo.commit(&[], &bench.tree, 100);
    let raw = bench.repo.git.odb().unwrap().read(crate::fixture::oid(good.as_str())).unwrap().data().to_vec();
    let forged = String::from_utf8(raw).unwrap().replace("change it", "change IT");
    let forged = commit_id(bench.repo.git.odb().unwrap().write(git2::ObjectType::Commit, forged.as_bytes()).unwrap());
    assert!(matches!(refusal(bench.verify(&Base::Beginning, &forged, 200)).1, SignatureRefusal::Forged { .. }));
}

#[test]
fn our_commits_satisfy_git_and_gits_commits_satisfy_us() {
    let mut bench = Bench::new();
    let (folder, work) = (bench.repo.folder.path().to_owned(), bench.repo.folder.path().join("work"));
    let policy = folder.join("allowed_signers");
    fs::write(&policy, bench.repo.policy()).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", policy.display());

    let ours = bench.repo.commit(&[], &bench.tree, 100);
    git(&bench.repo.path(), &["-c", &allowed, "verify-commit", ours.as_str()]);
    git(&bench.repo.path(), &["fsck", "--strict"]);

    let key = folder.join("key");
    write_key(&key, &bench.repo.alice);
    git(&folder, &["clone", "-q", "-b", "main", bench.repo.path().to_str().unwrap(), "work"]);
    fs::write(work.join("new"), "content\n").unwrap();
    git(&work, &["add", "new"]);
    let signing = format!("user.signingkey={}", key.display());
    git(&work, &["-c", &signing, "commit", "-q", "-S", "-m", "by git\n\nwith a body\n\n and blanks "]);
    git(&work, &["-c", &signing, "commit", "-q", "-S", "--allow-empty", "-m", "again"]);
    git(&work, &["push", "-q", "origin", "main"]);
    let tip: CommitId = git(&work, &["rev-parse", "HEAD"]).trim().parse().unwrap();
    assert_eq!(bench.verify(&Base::Beginning, &tip, 200).unwrap().release_seq(), 3);

    // And both say no to the same stranger.
    let stranger = Committer::generate("Alice", "alice@example.com").unwrap();
    let tip = bench.repo.commit_as(&stranger, "main", &[&tip], &bench.tree, 300);
    assert!(!git_output(&bench.repo.path(), &["-c", &allowed, "verify-commit", tip.as_str()]).status.success());
    assert!(bench.verify(&Base::Beginning, &tip, 201).is_err());
}

fn write_key(path: &std::path::Path, whose: &Committer) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, whose.private_openssh_text().unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_survives_being_written_and_read() {
    let bench = Bench::new();
    let text = bench.repo.alice.private_openssh_text().unwrap();
    let again = Committer::from_openssh_text("Alice", "alice@example.com", &text).unwrap();
    assert_eq!(again.public_line().unwrap(), bench.repo.alice.public_line().unwrap());
    assert!(Committer::from_openssh_text("Alice", "alice@example.com", "nonsense").is_err());
}
