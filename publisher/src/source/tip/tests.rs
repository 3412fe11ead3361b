use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use schema::time::Length;

use super::*;
use crate::fixture::{RawEntry, Repo, git};

const HOUR: Length = Length(Duration::from_secs(3600));

fn config(repository: &str, mirror_dir: &Path) -> SourceConfig {
    SourceConfig {
        repository: repository.parse().unwrap(),
        branch: "main".parse().unwrap(),
        poll: HOUR,
        mirror_dir: mirror_dir.to_owned(),
        fetch_deadline: HOUR,
    }
}

/// A source that fetches from `repo` as if over ssh: the real git at both ends, and only the connection is not real.
async fn remote(repo: &Repo, script: &str) -> Source {
    let ssh = repo.folder.path().join("ssh");
    fs::write(&ssh, format!("#!/bin/sh\nfor last; do :; done\n{script}\n")).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("ssh://git@git.example.com{}", repo.path().display());
    Source::open_with(Git::with_ssh(&ssh), config(&url, &repo.folder.path().join("state/mirror"))).await.unwrap()
}

const SERVE: &str = "exec sh -c \"$last\"";

async fn local(repo: &Repo) -> Source {
    Source::open(config(repo.path().to_str().unwrap(), &repo.folder.path().join("unused"))).await.unwrap()
}

/// Makes the mirror's files writable again, as git writes its objects read-only.
fn overwrite(path: &Path, content: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, content).unwrap();
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()))
        } else {
            files.push(entry.path())
        }
    }
    files
}

#[tokio::test]
async fn a_local_branch_is_read_in_place() {
    let repo = Repo::new();
    let tree = repo.tree(&[("a", "1")]);
    let mut source = local(&repo).await;
    let one = repo.commit(&[], &tree, 100);
    assert_eq!(source.tip().await.unwrap(), one);
    let two = repo.commit(&[&one], &tree, 101);
    assert_eq!(source.tip().await.unwrap(), two);
    git(&repo.path(), &["pack-refs", "--all"]);
    git(&repo.path(), &["gc", "-q"]);
    assert_eq!(source.tip().await.unwrap(), two);
    assert!(source.open_objects().unwrap().find_commit(crate::fixture::oid(two.as_str())).is_ok());
    assert!(!repo.folder.path().join("unused").exists());
}

#[tokio::test]
async fn f35_an_absent_branch_is_an_error_that_says_what_is_there() {
    let repo = Repo::new();
    let mut source = local(&repo).await;
    assert!(matches!(source.tip().await, Err(SourceError::Empty { .. })));
    let tip = repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    repo.force("trunk", &tip);
    repo.git.find_reference("refs/heads/main").unwrap().delete().unwrap();
    let error = source.tip().await.expect_err("no such branch");
    assert!(matches!(error, SourceError::NoBranch { .. }) && error.to_string().contains("only `trunk`"), "{error}");
    let missing = Source::open(config("/nonexistent/config.git", Path::new("/nonexistent"))).await;
    assert!(matches!(missing, Err(SourceError::Open { .. })));
}

#[tokio::test]
async fn a_repository_of_another_user_is_refused() {
    let repo = Repo::new();
    if std::os::unix::fs::chown(repo.path(), Some(12345), None).is_err() {
        return; // Only root can give a folder away.
    }
    let refused = Source::open(config(repo.path().to_str().unwrap(), Path::new("/nonexistent"))).await;
    assert!(matches!(refused, Err(SourceError::ForeignOwner { .. })));
}

#[tokio::test]
async fn a_push_to_a_local_repository_is_heard() {
    let repo = Repo::new();
    let tree = repo.tree(&[("a", "1")]);
    let one = repo.commit(&[], &tree, 100);
    let mut source = local(&repo).await;
    // With an hour between polls, only a hint can end these waits.
    repo.commit(&[&one], &tree, 101);
    source.changed().await;
    git(&repo.path(), &["pack-refs", "--all"]);
    source.changed().await;
}

#[tokio::test]
async fn without_hints_polling_goes_on() {
    let repo = Repo::new();
    let mut source = remote(&repo, SERVE).await;
    source.config.poll = Length(Duration::from_millis(20));
    source.changed().await;
    source.changed().await;
}

#[tokio::test]
async fn a_remote_branch_is_fetched_wherever_it_moves() {
    let repo = Repo::new();
    let tree = repo.tree(&[("a", "1")]);
    let one = repo.commit(&[], &tree, 100);
    let mut source = remote(&repo, SERVE).await;
    assert_eq!(source.tip().await.unwrap(), one);
    let two = repo.commit(&[&one], &tree, 101);
    assert_eq!(source.tip().await.unwrap(), two);
    // Rewound: the source tells what is there, and the proof refuses it.
    repo.force("main", &one);
    assert_eq!(source.tip().await.unwrap(), one);
    assert!(source.open_objects().unwrap().is_bare());
    // Nothing but the one branch came along.
    git(&repo.path(), &["tag", "v1", one.as_str()]);
    source.tip().await.unwrap();
    assert_eq!(git(&source.objects_path(), &["for-each-ref", "--format=%(refname)"]).trim(), "refs/heads/main");
    let mode = fs::metadata(source.objects_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn f35_a_remote_branch_that_is_gone_is_an_error() {
    let repo = Repo::new();
    let mut source = remote(&repo, SERVE).await;
    assert!(matches!(source.tip().await, Err(SourceError::NoBranch { .. })));
    repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    source.tip().await.unwrap();
    repo.git.find_reference("refs/heads/main").unwrap().delete().unwrap();
    assert!(matches!(source.tip().await, Err(SourceError::NoBranch { .. })));
}

#[tokio::test]
async fn a38_hostile_trees_are_not_even_fetched() {
    let repo = Repo::new();
    let entry = RawEntry { mode: "100644", name: b"..", id: repo.blob(b"x") };
    let tree = crate::fixture::tree_id(repo.raw_tree(&[entry]));
    let tip = repo.unsigned(&[], &tree, 100, "hostile");
    repo.force("main", &tip);
    let error = remote(&repo, SERVE).await.tip().await.expect_err("checked on arrival");
    assert!(matches!(error, SourceError::Fetch { .. }) && error.to_string().contains("hasDotdot"), "{error}");
}

#[tokio::test]
async fn f34_a_damaged_mirror_is_fetched_anew() {
    let repo = Repo::new();
    let tip = repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    let mut source = remote(&repo, SERVE).await;
    source.tip().await.unwrap();
    let mirror = source.objects_path();
    let damages: [fn(&Path); 6] = [
        |mirror| fs::remove_dir_all(mirror.join("objects")).unwrap(),
        |mirror| overwrite(&mirror.join("HEAD"), b"nonsense"),
        |mirror| overwrite(&mirror.join("config"), b"[core"),
        |mirror| overwrite(&mirror.join("refs/heads/main"), b"1234\n"),
        |mirror| fs::write(mirror.join("refs/heads/main.lock"), b"").unwrap(),
        |mirror| files_below(&mirror.join("objects")).iter().for_each(|file| overwrite(file, b"")),
    ];
    for (at, damage) in damages.iter().enumerate() {
        damage(&mirror);
        // The lock stops a fetch only when there is something to write.
        let next = repo.commit(&[&source_tip(&repo)], &repo.tree(&[("a", &at.to_string())]), 101 + at as i64);
        assert_eq!(source.tip().await.map_err(|error| format!("{at}: {error}")), Ok(next));
    }
    assert_ne!(source.tip().await.unwrap(), tip);

    // And on request, when it is a blob that turns out damaged later.
    fs::write(mirror.join("old"), b"").unwrap();
    source.discard_mirror().await.unwrap();
    assert_eq!(source.tip().await.unwrap(), source_tip(&repo));
    assert!(!mirror.join("old").exists());
}

fn source_tip(repo: &Repo) -> CommitId {
    crate::fixture::commit_id(repo.git.refname_to_id("refs/heads/main").unwrap())
}

#[tokio::test]
async fn a_folder_that_is_no_mirror_is_left_alone() {
    let repo = Repo::new();
    repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    let mut source = remote(&repo, SERVE).await;
    let mirror = source.objects_path();
    fs::create_dir_all(&mirror).unwrap();
    fs::write(mirror.join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(source.tip().await, Err(SourceError::NotAMirror { .. })));
    source.discard_mirror().await.unwrap();
    assert!(mirror.join("thesis.txt").exists());
}

#[tokio::test]
async fn a_mirror_of_another_repository_is_begun_anew() {
    let repo = Repo::new();
    let tip = repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    let mut source = remote(&repo, SERVE).await;
    fs::create_dir_all(source.objects_path()).unwrap();
    fs::write(source.objects_path().join("driftless-mirror"), "ssh://git@git.example.com/other").unwrap();
    fs::write(source.objects_path().join("packed-refs"), "of the other").unwrap();
    assert_eq!(source.tip().await.unwrap(), tip);
}

#[tokio::test]
async fn f34_a_server_that_fails_or_hangs_is_told_apart() {
    let repo = Repo::new();
    repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    let mut broken =
        remote(&repo, "printf 'no \\033[2J entry\\n' >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").await;
    let error = broken.tip().await.expect_err("the server fails");
    let said = error.to_string();
    assert!(
        matches!(error, SourceError::Fetch { .. }) && said.contains("no \\u{1b}[2J entry") && said.len() < 6000,
        "{said}"
    );

    // The server's process would outlive git by an hour, were it not ended with it.
    let pid = repo.folder.path().join("pid");
    let mut hanging = remote(&repo, &format!("echo $$ > {}; exec sleep 3600", pid.display())).await;
    hanging.config.fetch_deadline = Length(Duration::from_secs(2));
    assert!(matches!(hanging.tip().await, Err(SourceError::TooSlow { .. })));
    let process = format!("/proc/{}/stat", fs::read_to_string(pid).unwrap().trim());
    while fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a35_without_git_a_remote_repository_is_a_clear_error() {
    let repo = Repo::new();
    let mut source = remote(&repo, SERVE).await;
    source.git = Git::missing();
    assert!(matches!(source.tip().await, Err(SourceError::NoGit(_))));
}

#[tokio::test]
async fn other_protocols_are_shut_even_where_git_is_told_to_rewrite() {
    let repo = Repo::new();
    repo.commit(&[], &repo.tree(&[("a", "1")]), 100);
    let mut source = remote(&repo, SERVE).await;
    source.tip().await.unwrap();
    // A mirror whose configuration was tampered with must not reach a local path, let alone run a program.
    let url = format!(
        "[url \"{}\"]\n\tinsteadOf = ssh://git@git.example.com{}\n",
        repo.path().display(),
        repo.path().display()
    );
    let config = source.objects_path().join("config");
    let tampered = fs::read_to_string(&config).unwrap() + &url;
    overwrite(&config, tampered.as_bytes());
    let error = source.tip().await.expect_err("the file protocol is off");
    assert!(error.to_string().contains("transport 'file' not allowed"), "{error}");
}
