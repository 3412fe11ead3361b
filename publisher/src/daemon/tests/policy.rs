//! The policy file in a running publisher: what it remembers, what it says, and what two principals may lift.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::SystemTime;

use schema::Timestamp;

use super::*;
use crate::committer::Committer;
use crate::proof::ProofError;
use crate::signers::SignatureRefusal;

/// A site whose policy is a policy file with two principals.
struct Team {
    site: Site,
    bob: Committer,
}

impl Team {
    fn new() -> Team {
        let site = Site::new();
        let yaml = fs::read_to_string(site.path("publisher.yaml")).expect("it was written");
        fs::write(site.path("publisher.yaml"), yaml.replace("signers: signers", "signers: policy.yaml"))
            .expect("writable");
        let team = Team { site, bob: Committer::generate("Bob", "bob@example.com").expect("random numbers") };
        for (name, who) in [("alice", &team.site.repo.alice), ("bob", &team.bob)] {
            let path = team.site.path(name);
            fs::write(&path, who.private_openssh_text().expect("a key")).expect("writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our file");
        }
        team.policy("");
        team
    }

    fn policy(&self, more: &str) {
        let text = format!(
            "principals:\n  - {{ name: alice@example.com, ssh: [{}] }}\n  - {{ name: bob@example.com, ssh: [{}] }}\n{more}",
            self.site.repo.alice.public_line().expect("a key"),
            self.bob.public_line().expect("a key")
        );
        fs::write(self.site.path("policy.yaml"), text).expect("writable");
    }

    fn revoking_alice(&self) -> String {
        let line = self.site.repo.alice.public_line().expect("a key");
        let key = ssh_key::PublicKey::from_openssh(&line).expect("a key").fingerprint(ssh_key::HashAlg::Sha256);
        format!("revoked: [{{ key: \"{key}\", since: 2020-01-01T00:00:00Z }}]\n")
    }

    fn commit_as_bob(&mut self, content: &str) -> CommitId {
        self.site.seconds += 1;
        let tree = self.site.tree(DOCUMENT, content);
        let parents: Vec<&CommitId> = self.site.tip.iter().collect();
        let id = self.site.repo.commit_as(&self.bob, "main", &parents, &tree, self.site.seconds);
        self.site.tip = Some(id.clone());
        id
    }

    /// By the recipe of the guide.
    fn sign_override(&self, publish: &CommitId, over: &CommitId, signers: &[&str]) {
        let folder = self.site.path("overrides");
        fs::create_dir_all(&folder).expect("a temporary folder");
        let expires = Timestamp::from(SystemTime::now()).after(Duration::from_secs(3600));
        let line = format!("driftless override: publish {publish} over {over} in config/main, expires {expires}\n");
        fs::write(folder.join("back.override"), line).expect("writable");
        for who in signers {
            let mut sign = Command::new("ssh-keygen");
            sign.args(["-q", "-Y", "sign", "-n", "driftless-override", "-f"]).arg(self.site.path(who));
            let done = sign.arg("back.override").current_dir(&folder).output().expect("ssh-keygen is installed");
            assert!(done.status.success(), "{done:?}");
            fs::rename(folder.join("back.override.sig"), folder.join(format!("back.override.{who}.sig")))
                .expect("signed");
        }
    }
}

fn refused(looked: Result<Looked, LookError>) -> LookError {
    let error = looked.expect_err("it is not published");
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    error
}

#[tokio::test]
async fn a32_a_revocation_stays_when_the_policy_loses_it() {
    let mut team = Team::new();
    let first = team.site.commit("1");
    team.site.once().await.expect("alice may sign");
    team.policy(&team.revoking_alice());
    let second = team.commit_as_bob("2");
    let looked = team.site.once().await.expect("what alice signed is published already, and bob may");
    assert_eq!(looked.notes, Vec::<String>::new());

    team.policy("");
    let third = team.commit_as_bob("3");
    let looked = team.site.once().await.expect("bob may");
    assert!(
        looked.notes[0].contains("stays revoked") && looked.notes[0].contains("state/revoked"),
        "{:?}",
        looked.notes
    );
    team.site.commit("4");
    for _ in 0..2 {
        match refused(team.site.once().await) {
            LookError::Proof { source, .. } => match *source {
                ProofError::Unproven { refusal: SignatureRefusal::Revoked { .. }, .. } => {}
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
        // What commits were seen when is no way around it.
        fs::remove_file(team.site.path("state/first-seen")).expect("it was recorded");
    }
    assert_eq!(team.site.standing().await, [(3, third.clone()), (3, third)]);
    // Only a person lifts it.
    fs::remove_file(team.site.path("state/revoked")).expect("it is remembered");
    team.site.once().await.expect("the policy does not revoke her");
    assert!(first != second);
}

#[tokio::test]
async fn a35_whatever_file_of_the_policy_is_missing_or_damaged_nothing_is_published() {
    let mut team = Team::new();
    let good = team.site.commit("1");
    team.site.once().await.expect("published");
    team.site.commit("2");
    for (file, damage) in [
        ("policy.yaml", None),
        ("policy.yaml", Some("")),
        ("policy.yaml", Some("principals: []\n")),
        ("policy.yaml", Some("mode: lax\n")),
        ("policy.yaml", Some("\u{0}\u{1}")),
        ("state/revoked", Some("damaged\n")),
        ("state/lifted", Some("damaged\n")),
        ("state/first-seen", Some("damaged\n")),
    ] {
        let path = team.site.path(file);
        let away = team.site.path("away");
        fs::rename(&path, &away).expect("it is there");
        if let Some(damage) = damage {
            fs::write(&path, damage).expect("writable");
        }
        let error = team.site.once().await.expect_err("fail closed");
        let said = crate::causes(&error).join(": ");
        assert!(said.contains(file), "{file} {damage:?}: {said}");
        assert_eq!(team.site.standing().await, [(1, good.clone()), (1, good.clone())]);
        fs::rename(&away, &path).expect("and back");
    }
    team.site.once().await.expect("all is there again");
}

#[tokio::test]
async fn a29_mode_head_is_said_loudly_as_long_as_it_holds() {
    let mut team = Team::new();
    let below = team.site.repo.unsigned(&[], &team.site.tree(DOCUMENT, "0"), 1_600_000_000, "unsigned");
    team.site.repo.force("main", &below);
    team.site.tip = Some(below);
    team.site.commit("1");
    assert!(matches!(refused(team.site.once().await), LookError::Proof { .. }));
    team.policy("mode: head\n");
    let mut daemon = team.site.start();
    let status = daemon.until(|status| status.published.is_some()).await;
    let status = if status.notes.is_empty() { daemon.until(|status| !status.notes.is_empty()).await } else { status };
    assert!(status.notes[0].contains("mode `head`"), "{:?}", status.notes);
    daemon.stop().await;
}

#[tokio::test]
async fn f32_two_principals_together_lift_a_force_push() {
    let mut team = Team::new();
    let kept = team.site.commit("1");
    let left = team.site.commit("2");
    team.site.once().await.expect("published");
    // A new line from the first commit, without the region `us`.
    team.site.repo.force("main", &kept);
    team.site.tip = Some(kept);
    let fewer = team.site.tree(&DOCUMENT.replace(", us: {}", ""), "3");
    let new = team.site.commit_tree(&fewer);
    let hint = |error: LookError| error.hint().expect("it says what to do");
    assert!(hint(refused(team.site.once().await)).contains("two principals"));

    team.sign_override(&new, &left, &["alice"]);
    let said = hint(refused(team.site.once().await));
    assert!(said.contains("back.override") && said.contains("1 of 2 principals"), "{said}");
    team.sign_override(&new, &new, &["alice", "bob"]);
    refused(team.site.once().await);
    team.sign_override(&new, &left, &["alice", "bob"]);
    team.site.once().await.expect("both said so");
    assert_eq!(team.site.standing().await, [(2, new.clone()), (1, left.clone())]);

    // From then on the branch goes on, also where a region still has what was left behind, and without the override.
    fs::remove_dir_all(team.site.path("overrides")).expect("it was used");
    fs::remove_file(team.site.path("state/published.json")).expect("the checkpoint");
    let next = team.site.commit("4");
    team.site.once().await.expect("what was lifted is remembered");
    assert_eq!(team.site.standing().await, [(3, next.clone()), (2, next.clone())]);
    // It is no licence to go back and forth.
    team.site.repo.force("main", &left);
    refused(team.site.once().await);
    team.sign_override(&left, &new, &["alice", "bob"]);
    refused(team.site.once().await);
}

#[tokio::test]
async fn an_override_lets_no_unsigned_commit_in() {
    let mut team = Team::new();
    let kept = team.site.commit("1");
    let left = team.site.commit("2");
    team.site.once().await.expect("published");
    let unsigned = team.site.repo.unsigned(&[&kept], &team.site.tree(DOCUMENT, "3"), team.site.seconds, "aside");
    team.site.repo.force("main", &unsigned);
    team.site.tip = Some(unsigned.clone());
    let new = team.site.commit("4");
    team.sign_override(&new, &left, &["alice", "bob"]);
    match refused(team.site.once().await) {
        LookError::Proof { source, .. } => {
            assert!(matches!(&*source, ProofError::Unproven { commit, .. } if *commit == unsigned), "{source:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(team.site.standing().await, [(1, left.clone()), (1, left)]);
}

#[tokio::test]
async fn a31_a_policy_that_is_part_of_the_commit_is_no_policy() {
    let team = Team::new();
    let site = &team.site;
    // A repository with a work tree, in which the policy lies: tracked or not.
    let (work, allowed) = (site.path("work"), site.repo.policy());
    git2::Repository::init(&work).expect("a temporary folder");
    fs::write(work.join("allowed_signers"), &allowed).expect("writable");
    let repository = git2::Repository::open(&work).expect("just made");
    let tree = |files: &[(&str, &str)]| {
        let mut builder = git2::build::TreeUpdateBuilder::new();
        for (path, content) in files {
            let blob = repository.blob(content.as_bytes()).expect("an object");
            builder.upsert(*path, blob, git2::FileMode::Blob);
        }
        let empty = repository.treebuilder(None).and_then(|empty| empty.write()).expect("the empty tree");
        let empty = repository.find_tree(empty).expect("just written");
        crate::fixture::tree_id(builder.create_updated(&repository, &empty).expect("a tree"))
    };
    let mut config = site.config();
    config.source.repository = work.display().to_string().parse().expect("a path");
    config.signers = work.join("allowed_signers");
    let files = [("driftless.yaml", DOCUMENT), ("web/a.conf", "1")];
    let alice = &site.repo.alice;
    let commit = |parents: &[CommitId], files: &[(&str, &str)], second| {
        alice
            .commit(&repository, "main", parents, &tree(files), "change it", crate::fixture::at(second))
            .expect("a commit")
    };
    let one = commit(&[], &files, 1_600_000_000);
    once(config.clone(), site.publisher()).await.expect("it lies there and is not part of the commit");
    commit(&[one], &[files[0], files[1], ("allowed_signers", &allowed)], 1_600_000_001);
    let error = refused(once(config, site.publisher()).await);
    assert!(matches!(error, LookError::Policy(PolicyError::InRepository { .. })), "{error:?}");
}

#[tokio::test]
async fn a41_a_repository_with_ids_of_sha256_is_refused_with_a_message() {
    let team = Team::new();
    let folder = team.site.path("");
    crate::fixture::git(&folder, &["init", "-q", "--bare", "--object-format=sha256", "-b", "main", "other.git"]);
    crate::fixture::git(&folder, &["init", "-q", "--object-format=sha256", "-b", "main", "work"]);
    let work = folder.join("work");
    crate::fixture::git(&work, &["commit", "-q", "--allow-empty", "-m", "ids of 64 digits"]);
    crate::fixture::git(&work, &["push", "-q", "../other.git", "main"]);
    let mut config = team.site.config();
    config.source.repository = folder.join("other.git").display().to_string().parse().expect("a path");
    let error = once(config, team.site.publisher()).await.expect_err("ids of 64 digits");
    let said = crate::causes(&error).join(": ");
    assert!(said.contains("SHA-256"), "{said}");
}
