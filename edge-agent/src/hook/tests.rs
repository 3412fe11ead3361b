use std::fs;
use std::path::Path;

use tempfile::TempDir;

use schema::pointer::Phase;

use super::*;

fn hook(words: &[&str], timeout: Duration) -> Hook {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    Hook { run: words.try_into().expect("a program"), timeout: Length(timeout) }
}

fn shell(script: &str) -> Hook {
    hook(&["sh", "-c", script], Duration::from_secs(20))
}

fn setting(dir: &Path) -> Setting {
    Setting {
        phase: Phase::Activate,
        app: "edge-proxy".parse().expect("a name"),
        region: "eu-west".parse().expect("a name"),
        order: Order::FIRST,
        digest: Digest::of(b"new"),
        dir: dir.to_owned(),
        previous_dir: None,
    }
}

fn tree() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Whether a process of that number, as printed by a hook, is there and not a zombie.
fn runs(number: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_hook_is_told_what_it_needs_and_nothing_else() {
    let tree = tree();
    shell("pwd > seen; env | sort >> seen").run(&setting(tree.path())).await.expect("it exits with 0");
    let seen = fs::read_to_string(tree.path().join("seen")).expect("written in the tree");
    let names: Vec<&str> = seen.lines().skip(1).filter_map(|line| line.split('=').next()).collect();
    assert_eq!(seen.lines().next().map(Path::new), Some(tree.path()));
    assert!(seen.contains("DRIFTLESS_GENERATION=1-1\n"), "{seen}");
    assert!(seen.contains(&format!("DRIFTLESS_DIR={}\n", tree.path().display())), "{seen}");
    let known = ["HOME", "LANG", "OLDPWD", "PATH", "PWD", "SHLVL", "_"];
    for name in names {
        assert!(known.contains(&name) || name.starts_with("DRIFTLESS_"), "{name} leaked into {seen}");
    }
}

#[tokio::test]
async fn a44_arguments_are_passed_on_as_they_are_and_no_shell_reads_them() {
    let tree = tree();
    fs::write(tree.path().join("$(touch owned)\n; touch owned"), "").expect("an ugly name");
    let words = ["printf", "%s", "$(touch owned); touch owned\n-x"];
    hook(&words, Duration::from_secs(20)).run(&setting(tree.path())).await.expect("it exits with 0");
    assert!(!tree.path().join("owned").exists());
}

#[tokio::test]
async fn a44_a_file_in_the_tree_is_never_taken_for_the_program() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = tree();
    let program = tree.path().join("reload-it");
    fs::write(&program, "#!/bin/sh\n").expect("a small file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("our own file");
    let failure = hook(&["reload-it"], Duration::from_secs(20)).run(&setting(tree.path())).await;
    assert!(matches!(failure, Err(HookFailure::NotFound { .. })), "{failure:?}");
    assert_eq!(argv::absolute_folders(":.:bin:/usr/bin::/bin".as_ref()), "/usr/bin:/bin");
}

#[tokio::test]
async fn f39_a_failing_hook_gives_its_code_and_its_last_words() {
    let tree = tree();
    let failure = shell("echo out; printf 'bad \\033[2J' >&2; exit 3").run(&setting(tree.path())).await;
    let text = failure.expect_err("it exits with 3").to_string();
    assert_eq!(text, "exit code 3: out\\nbad \\u{1b}[2J");
    let failure = shell("kill -TERM $$").run(&setting(tree.path())).await;
    assert_eq!(failure.expect_err("signalled").to_string(), "ended by signal 15");
}

#[tokio::test]
async fn f39_a_hanging_hook_is_killed_with_all_that_it_started() {
    let tree = tree();
    let words = ["sh", "-c", "sleep 1000 & echo $! > child; echo waiting; wait"];
    let failure = hook(&words, Duration::from_millis(500)).run(&setting(tree.path())).await;
    let text = failure.expect_err("its time was over").to_string();
    assert_eq!(text, "not done after 500ms, killed with all it started: waiting");
    let child = fs::read_to_string(tree.path().join("child")).expect("the hook came that far");
    while runs(&child) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn f39_a_fork_that_keeps_the_output_open_holds_nobody_up() {
    let tree = tree();
    shell("sleep 1000 & echo $! > child").run(&setting(tree.path())).await.expect("the hook itself exits with 0");
    let child = fs::read_to_string(tree.path().join("child")).expect("the hook came that far");
    assert!(runs(&child), "what a hook leaves behind is left alone");
    let pid = Pid::from_raw(child.trim().parse().expect("a number")).expect("not zero");
    rustix::process::kill_process(pid, Signal::KILL).expect("our own child");
}

#[tokio::test]
async fn f39_a_flood_is_read_and_forgotten() {
    let tree = tree();
    let failure =
        shell("head -c 3000000 /dev/zero | tr '\\0' x; echo the end; exit 1").run(&setting(tree.path())).await;
    let Err(HookFailure::Exit { code: 1, said }) = failure else { panic!("{failure:?}") };
    assert!(said.len() <= 2048 && said.ends_with("xx the end") | said.ends_with("xthe end"), "{said}");
    let words = ["sh", "-c", "yes"];
    let failure = hook(&words, Duration::from_millis(300)).run(&setting(tree.path())).await;
    assert!(matches!(failure, Err(HookFailure::Timeout { .. })), "{failure:?}");
}
