//! An auditor with nothing but a trust root finds everything that somebody with write access to the store can do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::world::{World, assert_ok, stderr};

/// A store in which a good deal was published, and nothing runs any more.
fn published() -> World {
    let world = World::new();
    let mut up = world.up();
    for round in ["one", "two", "three"] {
        up.published(&world.commit("apps/web/settings.yaml", &format!("greeting: {round}\n")));
    }
    up.published(&world.revert());
    assert_eq!(up.process.interrupt(), Some(0));
    world
}

/// What an auditor does who has a store and a root, and no configuration.
fn audit(world: &World) -> (Output, Value) {
    let (store, root) = (world.store(), world.home().join("trust/0000000001.root"));
    let (store, root) = (store.display().to_string(), root.display().to_string());
    let output = world.run(&["audit", "verify", "--store", &store, "--root", &root, "--json"]);
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, answer)
}

/// Breaks the store, sees that the audit says so about `object` with code 3, and mends it again.
fn finds(world: &World, what: &str, object: &Path, flaw: &str, change: impl FnOnce(&Path)) {
    let kept = world.path("kept");
    let _nothing_kept_yet = fs::remove_dir_all(&kept);
    copy(&world.store(), &kept);
    change(object);
    let (output, answer) = audit(world);
    assert_eq!(output.status.code(), Some(3), "{what}: {}", stderr(&output));
    let name = object.strip_prefix(world.store()).expect("it is in the store").display().to_string();
    let findings = answer["findings"].as_array().expect("findings");
    let told = findings.iter().any(|finding| finding["object"] == *name && finding["flaw"] == flaw);
    assert!(told, "{what}: {flaw} of {name} in {answer:#}");
    fs::remove_dir_all(world.store()).expect("the broken store can go");
    copy(&kept, &world.store());
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).output().expect("cp exists");
    assert_ok(&copied, "cp -a");
}

fn objects(world: &World, pattern: &str) -> Vec<PathBuf> {
    let listed = std::process::Command::new("find").arg(world.store()).args(["-type", "f", "-path", pattern]).output();
    let listed = listed.expect("find exists");
    let mut objects: Vec<PathBuf> = String::from_utf8_lossy(&listed.stdout).lines().map(PathBuf::from).collect();
    objects.sort_unstable();
    objects
}

#[test]
fn an_honest_store_is_sound_and_the_answer_says_what_was_looked_at() {
    let world = published();
    let (output, answer) = audit(&world);
    assert_ok(&output, "driftless audit verify");
    assert_eq!((answer["verdict"].as_str(), answer["root"].as_u64()), (Some("sound"), Some(1)), "{answer:#}");
    assert_eq!(answer["findings"].as_array().map(Vec::len), Some(0), "{answer:#}");
    assert_eq!(answer["standing"].as_array().map(Vec::len), Some(4), "two apps in two regions");
    assert_eq!(answer["counts"]["objects"].as_u64(), Some(objects(&world, "*/v1/*").len() as u64));
    let by_home = world.run(&["audit", "verify", "config"]);
    assert_ok(&by_home, "driftless audit verify, by the publisher's configuration");
    assert!(String::from_utf8_lossy(&by_home.stdout).contains("sound: "), "people get a sentence");
}

#[test]
fn a27_everything_that_a_writer_of_the_store_can_do_is_found() {
    let world = published();
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).expect("an object");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        fs::write(path, bytes).expect("the store is writable");
    };
    let remove = |path: &Path| fs::remove_file(path).expect("the store is writable");
    let records = objects(&world, "*/web/regions/eu-west/history/*");
    let bundles = objects(&world, "*/web/bundles/*.tar.zst");
    let manifests = objects(&world, "*/web/bundles/*.manifest");
    let pointer = world.store().join("v1/apps/web/regions/eu-west/pointer");
    let root = world.store().join("v1/trust/0000000001.root");
    finds(&world, "a flipped byte", &bundles[0], "other-bytes", flip);
    finds(&world, "a flipped byte", &manifests[1], "seal", flip);
    finds(&world, "a flipped byte", &records[1], "seal", flip);
    finds(&world, "a flipped byte", &pointer, "no-record", flip);
    finds(&world, "a flipped byte", &root, "other-root", flip);
    // What is missing is told at the record after it.
    finds(&world, "a missing record", &records[2], "gap", |_| remove(&records[1]));
    finds(&world, "a missing first record", &records[1], "no-beginning", |_| remove(&records[0]));
    finds(&world, "a missing last record", &pointer, "no-record", |_| remove(records.last().expect("records")));
    finds(&world, "two records for one generation", &records[2], "other-record", |path| {
        fs::copy(&records[1], path).map(|_| ()).expect("the store is writable");
    });
    finds(&world, "a swapped manifest", &manifests[0], "not-vouched", |path| {
        fs::copy(&manifests[1], path).map(|_| ()).expect("the store is writable");
    });
    finds(&world, "a removed manifest", &manifests[0], "missing", remove);
    finds(&world, "a removed bundle", &bundles[0], "missing", remove);
    finds(&world, "a removed pointer", &pointer, "missing", remove);
    finds(&world, "a removed root", &root, "missing", remove);
    assert_ok(&audit(&world).0, "mended, it is sound again");
}

#[test]
fn a_store_that_is_not_there_is_unreachable_and_not_sound() {
    let world = World::new();
    let root = world.home().join("trust/0000000001.root").display().to_string();
    let output = world.run(&["audit", "verify", "--store", "/nowhere/at/all", "--root", &root]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
}

#[test]
fn a48_a_name_with_control_characters_reaches_no_terminal() {
    let world = published();
    fs::write(world.store().join("v1/apps/web/a\u{1b}[2Jb"), "not ours").expect("the store is writable");
    let (output, _) = audit(&world);
    assert_eq!(output.status.code(), Some(5), "no verdict: {}", stderr(&output));
    assert!(!stderr(&output).contains('\u{1b}') && stderr(&output).contains("a\\u{1b}[2Jb"), "{}", stderr(&output));
}
