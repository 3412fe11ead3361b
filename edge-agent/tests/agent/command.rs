//! The program, as people call it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use schema::keys::SecretKey;
use schema::{Epoch, TrustRoot, Verified};
use serde_json::Value;
use tokio::process::Command;

use crate::world::{World, app, role};

const FILES: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];

impl World {
    async fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftless-agent"));
        command.args(arguments).arg("--config").arg(self.write_config());
        command.stdin(Stdio::null()).output().await.expect("the program was built for the test")
    }

    async fn applied_once(&mut self) {
        self.publish(FILES);
        let mut agent = self.start();
        agent.applied(1).await;
        self.server.until("the ack", |served| !served.acks.is_empty()).await;
        agent.stop().await;
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

#[tokio::test]
async fn identity_shows_the_key_that_acks_are_signed_with() {
    let mut world = World::new().await;
    let before = json(&world.call(&["identity", "--json"]).await);
    world.applied_once().await;
    let (key, _) = &world.server.served().signed[0];
    assert_eq!(before["public_key"], key.to_string());
    assert_eq!(before["agent"], "web-0173");
    let after = world.call(&["identity"]).await;
    assert_eq!((code(&after), String::from_utf8_lossy(&after.stdout)), (Some(0), format!("web-0173 {key}\n").into()));
}

#[tokio::test]
async fn verify_proves_every_app_and_says_what_differs() {
    let mut world = World::new().await;
    let other: schema::App = "feature-flags".parse().expect("a name");
    world.config.apps.insert(other.clone(), Default::default());
    let target = world.release(&other, &[("flags.yaml", "dark: true\n")]);
    world.point(&other, |pointer| pointer.stable = target);
    world.publish(FILES);
    let mut agent = world.start();
    for _ in 0..2 {
        agent.applied(1).await;
    }
    agent.stop().await;
    let proven = world.call(&["verify", "--json"]).await;
    let apps = json(&proven);
    assert_eq!((code(&proven), apps.as_array().map(Vec::len)), (Some(0), Some(2)));
    assert!(apps.as_array().expect("a list").iter().all(|app| app["finding"] == "proven"), "{apps}");
    let file = world.app_folder().current().join("limits.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("our own file");
    fs::write(&file, "rps: 99\n").expect("our own file");
    let changed = world.call(&["verify", "--json"]).await;
    let apps = json(&changed);
    let expected = world.pointers[&app()].stable.digest.to_string();
    assert_eq!(
        (code(&changed), &apps[0]["finding"], &apps[1]["finding"]),
        (Some(3), &"changed".into(), &"proven".into())
    );
    assert_eq!(apps[0]["expected"], expected);
    assert!(apps[0]["found"].as_str().is_some_and(|found| found.len() == 64 && found != expected), "{apps}");
    let text = said(&world.call(&["verify"]).await);
    assert!(text.contains("edge-proxy: CHANGED: found ") && text.contains(&format!("expected {expected}")), "{text}");
}

#[tokio::test]
async fn a_trust_root_is_replaced_by_hand_with_a_fingerprint_that_was_typed() {
    let mut world = World::new().await;
    world.applied_once().await;
    // All root keys are lost; another chain begins, with the epoch after the one that was seen.
    world.keys.root = SecretKey::generate();
    world.keys.pointer = SecretKey::generate();
    let (root, pointer) = (role(&world.keys.root), role(&world.keys.pointer));
    world.root = TrustRoot { version: 1, epoch: Epoch::new(2), root, pointer, ..world.root.clone() };
    let sealed = Verified::seal(world.root.clone(), &[&world.keys.root]);
    let file = world.folder.path().join("new.root");
    fs::write(&file, sealed.bytes()).expect("a small file");
    let file = file.to_str().expect("plain");
    let fingerprint = sealed.payload_digest().to_string();
    let pinned = fs::read(&world.config.root).expect("pinned");

    let shown = world.call(&["trust", "replace-root", file]).await;
    assert!(code(&shown) == Some(3) && said(&shown).contains(&fingerprint), "{}", said(&shown));
    for wrong in [&fingerprint[..15], &"0".repeat(64), &format!("{fingerprint}0"), ""] {
        let refused = world.call(&["trust", "replace-root", file, "--fingerprint", wrong]).await;
        assert_eq!(code(&refused), Some(3), "{wrong}: {}", said(&refused));
    }
    let running = world.start();
    world.settled().await;
    let refused = world.call(&["trust", "replace-root", file, "--fingerprint", &fingerprint]).await;
    assert!(code(&refused) == Some(3) && said(&refused).contains("another agent runs"), "{}", said(&refused));
    running.stop().await;
    assert_eq!(fs::read(&world.config.root).expect("pinned"), pinned, "nothing of this changed anything");

    let typed = format!("{} {}", fingerprint[..8].to_uppercase(), &fingerprint[8..16]);
    let replaced = world.call(&["trust", "replace-root", file, "--fingerprint", &typed]).await;
    assert_eq!(code(&replaced), Some(0), "{}", said(&replaced));
    for path in [&world.config.root, &world.config.state.join("root")] {
        assert_eq!(&fs::read(path).expect("replaced"), sealed.bytes());
    }
    world.pointers.clear();
    let mut agent = world.start();
    let new = world.publish(&[("limits.yaml", "rps: 20\n")]);
    assert_eq!(agent.applied(1).await.epoch, Epoch::new(2));
    world.assert_runs(new);
    agent.stop().await;
}

#[tokio::test]
async fn a_root_of_an_epoch_that_was_left_behind_is_not_put_in_force() {
    let mut world = World::with_root(|root| root.epoch = Epoch::new(2)).await;
    world.applied_once().await;
    let before = TrustRoot { epoch: Epoch::FIRST, ..world.root.clone() };
    let sealed = Verified::seal(before, &[&world.keys.root]);
    let file = world.folder.path().join("new.root");
    fs::write(&file, sealed.bytes()).expect("a small file");
    let fingerprint = sealed.payload_digest().to_string();
    let file: &Path = &file;
    let refused =
        world.call(&["trust", "replace-root", file.to_str().expect("plain"), "--fingerprint", &fingerprint]).await;
    assert!(code(&refused) == Some(3) && said(&refused).contains("has seen epoch 2"), "{}", said(&refused));
}
