//! `driftless doctor` on a set-up as `init` makes it, and on one after another of the ways to spoil it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::world::{World, stderr};

/// What the doctor says, check by check, and its exit code.
struct Visit {
    code: Option<i32>,
    verdicts: BTreeMap<String, String>,
    said: Value,
}

fn visit(world: &World, flags: &[&str]) -> Visit {
    let output = world.run(&[&["doctor", "config", "--json"], flags].concat());
    let said: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON, and not: {}", stderr(&output)));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let findings = said["findings"].as_array().expect("a list").iter();
    let verdicts = findings.map(|finding| (text(&finding["check"]), text(&finding["verdict"]))).collect();
    Visit { code: output.status.code(), verdicts, said }
}

impl Visit {
    fn has(&self, check: &str, verdict: &str) {
        assert_eq!(self.verdicts.get(check).map(String::as_str), Some(verdict), "{check}: {:#}", self.said);
    }
}

fn chmod(world: &World, file: &str, mode: u32) {
    fs::set_permissions(world.home().join(file), fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Spoils one thing in a set-up that publishes, and finds the one check that tells.
fn tells(spoil: impl FnOnce(&World), check: &str, verdict: &str) {
    let world = World::new();
    let once = world.run(&["publisher", "config", "--once"]);
    crate::world::assert_ok(&once, "driftless publisher --once");
    let before = visit(&world, &[]);
    assert_ne!(before.verdicts.get(check).map(String::as_str), Some(verdict), "not before it is spoilt");
    spoil(&world);
    let after = visit(&world, &[]);
    after.has(check, verdict);
    assert_eq!(after.code, Some(if verdict == "broken" { 3 } else { 0 }));
    let mend = after.said["findings"].as_array().into_iter().flatten().find(|finding| finding["check"] == check);
    assert!(mend.is_some_and(|finding| finding["mend"].is_string()), "it says how to mend it");
}

#[test]
fn a_first_try_is_weak_and_not_broken() {
    let world = World::new();
    let first = visit(&world, &[]);
    first.has("store", "weak"); // nothing is published yet
    assert_eq!(first.code, Some(0));
    let up = world.up();
    up.published(&world.tip());
    let visited = visit(&world, &["--url", &up.url]);
    for weak in ["root.threshold", "release.threshold", "keys.apart", "keys.root"] {
        visited.has(weak, "weak");
    }
    for ok in [
        "root.file",
        "root.expiry",
        "roles.apart",
        "keys.roles",
        "keys.files",
        "store",
        "pointers",
        "signers",
        "clock",
        "git",
        "state",
        "listen",
    ] {
        visited.has(ok, "ok");
    }
    assert_eq!((visited.code, &visited.said["verdict"]), (Some(0), &"weak".into()));
    assert_eq!(visit(&world, &["--strict"]).code, Some(3));
    let text = world.run(&["doctor", "config"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("docs/guide/keys.md") && text.contains("mend: "), "{text}");
}

#[test]
fn a_key_that_others_can_read() {
    tells(|world| chmod(world, "keys/pointer.key", 0o644), "keys.files", "weak");
}

#[test]
fn a_key_that_is_not_in_the_root() {
    let spoil = |world: &World| {
        let keys = world.home().join("keys").display().to_string();
        crate::world::assert_ok(
            &world.run(&["keys", "new", "other", "--no-password", "--out", &keys]),
            "driftless keys new",
        );
        world.configure("keys/pointer.key", "keys/other.key");
    };
    tells(spoil, "keys.roles", "broken");
}

#[test]
fn a_policy_file_that_is_missing_empty_or_nonsense() {
    let policy = |world: &World| world.home().join("allowed_signers");
    tells(|world| fs::remove_file(policy(world)).expect("init made it"), "signers", "broken");
    tells(|world| fs::write(policy(world), "# nobody\n").expect("a small file"), "signers", "broken");
    tells(|world| fs::write(policy(world), "let me in\n").expect("a small file"), "signers", "broken");
}

#[test]
fn a_root_file_that_is_missing_or_tampered_with() {
    let root = |world: &World| world.home().join("trust/0000000001.root");
    tells(|world| fs::remove_file(root(world)).expect("init made it"), "root.file", "broken");
    let tamper = |world: &World| {
        let text = fs::read_to_string(root(world)).expect("init made it");
        fs::write(root(world), text.replacen("\"release_floor\":0", "\"release_floor\":9", 1)).expect("a small file");
    };
    tells(tamper, "root.file", "broken");
}

#[test]
fn a_stranger_in_the_place_of_the_next_root() {
    let spoil = |world: &World| {
        let next = world.store().join("v1/trust/0000000002.root");
        fs::copy(world.store().join("v1/trust/0000000001.root"), next).expect("a small file");
    };
    tells(spoil, "root.file", "broken");
}

#[test]
fn a_root_that_expires_soon() {
    let spoil = |world: &World| {
        let (home, key) =
            (world.home().display().to_string(), world.home().join("keys/root.key").display().to_string());
        for args in [
            &["keys", "rotate", "--home", &home, "--expires", "20d"][..],
            &["keys", "sign", "0000000002.root.draft", "--key", &key, "--yes"],
        ] {
            crate::world::assert_ok(&world.run(args), "a ceremony");
        }
        let signatures = fs::read_dir(world.path("."))
            .expect("a folder")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let signature = signatures.into_iter().find(|name| name.ends_with(".minisig")).expect("a signature");
        let assembled =
            world.run(&["keys", "assemble", "0000000002.root.draft", &signature, "--publish", "--home", &home]);
        crate::world::assert_ok(&assembled, "a ceremony");
    };
    tells(spoil, "root.expiry", "weak");
}

#[test]
fn a_store_that_is_gone() {
    let spoil = |world: &World| fs::rename(world.store(), world.path("elsewhere")).expect("it was there");
    tells(spoil, "store", "broken");
    let world = World::new();
    visit(&world, &[]).has("store", "weak");
    assert!(!world.store().exists(), "looking makes nothing");
}

#[test]
fn a_pointer_that_nobody_signed() {
    let spoil = |world: &World| {
        let pointer = world.store().join("v1/apps/web/regions/eu-west/pointer");
        let text = fs::read_to_string(&pointer).expect("it was published");
        fs::write(pointer, text.replacen("\"generation\":1", "\"generation\":7", 1)).expect("a small file");
    };
    tells(spoil, "pointers", "broken");
}

#[test]
fn a_listener_without_tls_and_files_for_everybody() {
    tells(|world| world.configure("listen: 127.0.0.1:7878", "listen: 0.0.0.0:7878"), "listen", "weak");
    tells(|world| chmod(world, "state", 0o777), "state", "weak");
    tells(|world| chmod(world, "allowed_signers", 0o664), "signers", "weak");
}
