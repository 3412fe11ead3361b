//! Commits that real git had real gpg sign.

use std::path::Path;
use std::process::Command;

use super::*;

/// Runs a program with a home of its own for gpg, and insists that it succeeds.
fn run(program: &str, home: &Path, folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("GNUPGHOME", home);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let done = command.output().expect("it is installed");
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn what_git_and_gpg_sign_together_is_proven_and_may_stand_beside_ssh() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut bench = Bench::new();
    let (folder, home) = (bench.repo.folder.path().to_owned(), tempfile::tempdir().unwrap());
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| run("gpg", home.path(), &folder, &[&["--batch", "--quiet"], arguments].concat());
    gpg(&["--passphrase", "", "--quick-generate-key", "Carol <carol@example.com>", "ed25519", "sign", "never"]);
    let listed = gpg(&["--list-keys", "--with-colons"]);
    let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap().trim_matches(':');
    fs::write(folder.join("carol.asc"), gpg(&["--armor", "--export"])).unwrap();
    let policy = format!(
        "committer: must_be_signer\nprincipals:\n  - {{ name: alice@example.com, ssh: [{}] }}\n  - name: carol@example.com\n    pgp: \
         [{{ fingerprint: {fingerprint}, file: carol.asc }}]\n",
        bench.repo.alice.public_line().unwrap()
    );

    let one = bench.repo.commit(&[], &bench.tree, 100);
    let git = |arguments: &[&str]| {
        let key = format!("user.signingKey={fingerprint}");
        let who =
            ["-c", "user.name=Carol", "-c", "user.email=carol@example.com", "-c", "commit.gpgSign=true", "-c", &key];
        run("git", home.path(), &folder.join("work"), &[&who, arguments].concat())
    };
    run("git", home.path(), &folder, &["clone", "-q", "-b", "main", "config.git", "work"]);
    git(&["commit", "-q", "--allow-empty", "-m", "by git\n\nwith a body\n\n and blanks "]);
    git(&["commit", "-q", "--allow-empty", "-m", "again"]);
    git(&["push", "-q", "origin", "main"]);
    let tip: CommitId = git(&["rev-parse", "HEAD"]).trim().parse().unwrap();
    assert_eq!(bench.verify_by(&policy, &Base::Beginning, &tip, 200).unwrap().release_seq(), 3);

    // The committer rule holds for these keys as well, and so does what a policy without them says.
    git(&["-c", "user.email=alice@example.com", "commit", "-q", "--allow-empty", "-m", "as somebody else"]);
    git(&["push", "-q", "origin", "main"]);
    let other: CommitId = git(&["rev-parse", "HEAD"]).trim().parse().unwrap();
    let refused = refusal(bench.verify_by(&policy, &Base::Adopted(one.clone()), &other, 201)).1;
    assert!(matches!(refused, SignatureRefusal::OtherCommitter { .. }), "{refused:?}");
    let refused = refusal(bench.verify(&Base::Adopted(one), &tip, 202)).1;
    assert!(matches!(refused, SignatureRefusal::UnknownKey { .. }), "{refused:?}");
    run("gpgconf", home.path(), &folder, &["--kill", "all"]);
}
