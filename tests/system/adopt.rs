//! A repository that was there before: a long history that nobody signed, and files that nobody here made.

use std::fmt::Write as _;
use std::fs;

use crate::world::{World, assert_ok, stderr, tool};

const COMMITS: u32 = 2000;
const FILES: u32 = 300;

#[test]
fn an_existing_repository_is_adopted_as_it_is_and_signed_from_then_on() {
    let world = World::new();
    let legacy = world.path("legacy").display().to_string();
    assert_ok(&tool("git", &["init", "-q", "-b", "trunk", &legacy], None), "git init");
    assert_ok(&tool("git", &["-C", &legacy, "fast-import", "--quiet"], Some(history().as_bytes())), "git fast-import");
    assert_ok(&tool("git", &["-C", &legacy, "checkout", "-q", "trunk"], None), "git checkout");

    let signer = world.home().join("keys/signer.pub").display().to_string();
    let init = world.run(&["init", "legacy", "--signer", &signer, "--listen", "127.0.0.1:0"]);
    assert_ok(&init, "driftless init");
    assert!(stderr(&init).contains("compiles  legacy: "), "init says what would be published: {}", stderr(&init));
    assert_eq!(git(&world, &["status", "--porcelain"]), "?? driftless.yaml", "nothing else was touched");

    git(&world, &["add", "driftless.yaml"]);
    git(&world, &["commit", "-q", "-m", "Publish with Driftless"]);
    let up = crate::world::Up::start(world.driftless(&["up", "legacy", "--listen", "127.0.0.1:0"]));
    up.published(&git(&world, &["rev-parse", "HEAD"]));
    let root = world.path("legacy.driftless/trust/0000000001.root");
    let config = world.agent_yaml("web-1", "local", &[&up.url], "  legacy: {}\n");
    let yaml = fs::read_to_string(&config).expect("it was just written");
    let other_root = world.home().join("trust/0000000001.root").display().to_string();
    fs::write(&config, yaml.replace(&other_root, &root.display().to_string())).expect("a small file");
    let agent = world.agent_with("web-1", &config);
    let before = format!("value: {}\n", COMMITS - 1);
    let file = format!("apps/{}.yaml", (COMMITS - 1) % FILES);
    agent.comes_to_read("legacy", &file, &before);

    fs::write(world.path("legacy").join(&file), "value: edited\n").expect("a small file");
    git(&world, &["commit", "-q", "-a", "-m", "Edit"]);
    agent.comes_to_read("legacy", &file, "value: edited\n");
    git(&world, &["revert", "--no-edit", "HEAD"]);
    agent.comes_to_read("legacy", &file, &before);

    fs::write(world.path("legacy").join(&file), "value: unsigned\n").expect("a small file");
    git(&world, &["commit", "-q", "-a", "--no-gpg-sign", "-m", "As it used to be"]);
    up.has_problem("not signed");
}

/// Many unsigned commits, one file each, in the language of `git fast-import`.
fn history() -> String {
    let mut stream = String::new();
    for commit in 0..COMMITS {
        let (file, content) = (commit % FILES, format!("value: {commit}\n"));
        write!(
            stream,
            "commit refs/heads/trunk\ncommitter Somebody <somebody@example.org> {} +0000\ndata 6\nChange\n\
             M 100644 inline apps/{file}.yaml\ndata {}\n{content}\n",
            1_600_000_000 + u64::from(commit),
            content.len()
        )
        .expect("strings can be written to");
    }
    stream
}

/// Real git in the old repository, with the key of the world's signer.
fn git(world: &World, args: &[&str]) -> String {
    let key = world.home().join("keys/signer").display().to_string();
    let mut git = std::process::Command::new("git");
    git.arg("-C").arg(world.path("legacy"));
    let settings = [
        ("user.name", "Somebody"),
        ("user.email", "somebody@example.org"),
        ("gpg.format", "ssh"),
        ("user.signingKey", &key),
        ("commit.gpgSign", "true"),
    ];
    settings.iter().for_each(|(name, value)| {
        git.arg("-c").arg(format!("{name}={value}"));
    });
    let output = git.args(args).output().expect("git is installed");
    assert_ok(&output, &format!("git {args:?}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
