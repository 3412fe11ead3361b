//! Roles in separate processes over one store: each with its own keys, killed at any time, and none of it enough alone.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::SystemTime;

use schema::keys::{RoleKeys, SecretKey};
use schema::{Limits, Timestamp, TrustRoot, Verified};

use crate::world::{Process, Up, World, assert_ok, eventually, stderr};

/// Gives the process that reads `name.yaml` only what `change` leaves of `publisher.yaml`, and a state folder of its own.
fn configure(world: &World, name: &str, change: impl FnOnce(String) -> String) -> String {
    let yaml = fs::read_to_string(world.home().join("publisher.yaml")).expect("init wrote it");
    let yaml = change(yaml.replace("state: state", &format!("state: state-{name}\npointer_refresh_every: 2s")));
    let file = world.home().join(format!("{name}.yaml"));
    fs::write(&file, yaml).expect("a small file");
    file.display().to_string()
}

fn without(key: &str) -> impl FnOnce(String) -> String {
    let key = format!("  {key}: keys/{key}.key\n");
    move |yaml| {
        assert!(yaml.contains(&key), "{key:?} is in {yaml}");
        yaml.replace(&key, "")
    }
}

fn serving(world: &World, args: &[&str]) -> Up {
    Up::start(world.driftless(&[args, &["--listen", "127.0.0.1:0"]].concat()))
}

fn notes(up: &Up) -> String {
    up.status()["publisher"]["notes"].to_string()
}

/// Makes the release role need a second key, which is put into `keys/second.key`.
fn second_release_key(world: &World) {
    let read = |name: &str| {
        let text = fs::read_to_string(world.home().join("keys").join(name)).expect("init wrote it");
        SecretKey::from_file_text(&text).expect("our own key")
    };
    let (root, release, second) = (read("root.key"), read("release.key"), SecretKey::generate());
    fs::write(world.home().join("keys/second.key"), second.to_file_text().as_bytes()).expect("a small file");
    let file = world.home().join("trust/0000000001.root");
    let bytes = fs::read(&file).expect("init wrote it");
    let first = Verified::<TrustRoot>::pin(bytes.into(), &Limits::DEFAULT).expect("it carries its own signature");
    let both = vec![release.public().clone(), second.public().clone()];
    let next = TrustRoot {
        issued: Timestamp::from(SystemTime::now()),
        release: RoleKeys::new(2, both).expect("two of two"),
        ..TrustRoot::clone(&first)
    };
    // Nothing was published yet, so this is the first root anybody sees.
    fs::write(file, Verified::seal(next, &[&root]).bytes()).expect("a small file");
}

#[test]
fn a_release_process_and_a_pointer_process_converge_whoever_is_killed() {
    let world = World::new();
    let release = configure(&world, "release", without("pointer"));
    let pointer = configure(&world, "pointer", without("release"));
    let as_release = ["publisher", "--config", &release, "--role", "release"];
    let as_pointer = ["publisher", "--config", &pointer, "--role", "pointer"];
    let mover = serving(&world, &as_pointer);
    eventually("the pointer process waits for a signature", || {
        notes(&mover).contains("waits for 1 more release signature")
    });
    assert_eq!(mover.pointer("web", "eu-west"), serde_json::Value::Null);

    // The one that signs dies after each of its writes; the next start goes on.
    for point in ["publish-bundle-stored", "publish-manifest-stored"] {
        let mut killed = world.driftless(&as_release);
        let killed = killed.args(["--once"]).env("DRIFTLESS_KILL_AT", point).output().expect("driftless starts");
        assert_eq!(killed.status.code(), None, "{point}: {}", stderr(&killed));
    }
    let mut signer = serving(&world, &as_release);
    mover.published(&world.tip());
    signer.published(&world.tip());

    // The one that moves pointers dies after each of its writes.
    drop(mover);
    for (number, point) in ["publish-history-recorded", "publish-pointer-moved"].into_iter().enumerate() {
        let tip = world.commit("apps/web/settings.yaml", &format!("greeting: {number}\n"));
        signer.published(&tip);
        let mut killed = world.driftless(&as_pointer);
        let killed = killed.args(["--once"]).env("DRIFTLESS_KILL_AT", point).output().expect("driftless starts");
        assert_eq!(killed.status.code(), None, "{point}: {}", stderr(&killed));
    }
    let mover = serving(&world, &as_pointer);
    mover.published(&world.tip());
    let agent = world.agent("web-1", "eu-west", &mover.url);
    agent.comes_to_read("web", "settings.yaml", "greeting: 1\n");
    assert_eq!(mover.pointer("web", "eu-west")["generation"], 3);

    // Signed afresh by the one, with the other gone.
    signer.process.kill();
    let serial = || mover.pointer("web", "us-east")["serial"].as_u64().unwrap_or_default();
    let before = serial();
    eventually("the pointer is signed afresh", || serial() > before);
}

#[test]
fn a_publisher_and_a_rebuilder_sign_together_and_a_stolen_one_is_stopped() {
    let world = World::new();
    second_release_key(&world);
    let publisher = configure(&world, "one", |yaml| yaml);
    let rebuilder = configure(&world, "two", |yaml| without("pointer")(yaml).replace("release.key", "second.key"));
    let publish = ["publisher", "--config", &publisher, "--once"];
    let rebuild = ["rebuild", "--config", &rebuilder, "--once"];

    // Never the first; then the first waits, and says so.
    let early = world.run(&rebuild);
    assert_ok(&early, "rebuild");
    assert!(stderr(&early).contains("nobody has offered"), "{}", stderr(&early));
    let alone = world.run(&publish);
    assert_eq!(alone.status.code(), Some(3), "{}", stderr(&alone));
    assert!(stderr(&alone).contains("wait for others to sign"), "{}", stderr(&alone));
    for point in ["publish-piece-stored", "publish-manifest-stored"] {
        let killed = world.driftless(&rebuild).env("DRIFTLESS_KILL_AT", point).output().expect("driftless starts");
        assert_eq!(killed.status.code(), None, "{point}: {}", stderr(&killed));
    }
    assert_ok(&world.run(&rebuild), "rebuild");
    assert_ok(&world.run(&publish), "publish");
    let up = serving(&world, &["publisher", "--config", &publisher]);
    let agent = world.agent("web-1", "eu-west", &up.url);
    eventually("the agent runs it", || agent.current("web").is_some());

    // Both as daemons.
    let co_signer = serving(&world, &["rebuild", "--config", &rebuilder]);
    let tip = world.commit("apps/web/settings.yaml", "greeting: together\n");
    up.published(&tip);
    co_signer.published(&tip);
    agent.comes_to_read("web", "settings.yaml", "greeting: together\n");

    // A thief with all of the publisher's keys, and a signer policy of his own: nobody co-signs what he makes.
    drop((up, co_signer));
    let honest = agent.current("web");
    fs::write(world.path("config/apps/web/settings.yaml"), "greeting: stolen\n").expect("a small file");
    world.git(&["-c", "commit.gpgsign=false", "commit", "-q", "-a", "-m", "No signature at all"]);
    let thief = configure(&world, "thief", |yaml| {
        yaml.replacen("  branch: main\n", &format!("  branch: main\n  adopt: {}\n", world.tip()), 1)
    });
    let stolen = world.run(&["publisher", "--config", &thief, "--once"]);
    assert_eq!(stolen.status.code(), Some(3), "{}", stderr(&stolen));
    let refused = world.run(&rebuild);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    let still = world.run(&["publisher", "--config", &thief, "--once"]);
    assert_eq!(still.status.code(), Some(3), "{}", stderr(&still));
    assert_eq!(agent.current("web"), honest);
    let audit = world.run(&["audit", "verify", "config"]);
    assert!(String::from_utf8_lossy(&audit.stdout).contains("\nsound: "), "{audit:?}");
}

/// A soft limit of a process, from `/proc`.
fn limit(process: &Process, name: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).expect("it runs");
    let line = limits.lines().find(|line| line.starts_with(name)).expect("the kernel lists it");
    line[name.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_process_with_secret_keys_leaves_no_core_dump() {
    let world = World::new();
    // As an operator who wants core dumps would start it.
    let up = world.driftless(&["up", "config", "--listen", "127.0.0.1:0"]);
    let script = format!("ulimit -c unlimited; exec {:?} up config --listen 127.0.0.1:0", up.get_program());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(world.path(""));
    for (name, value) in up.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let up = Up::start(shell);
    up.published(&world.tip());
    assert_eq!(limit(&up.process, "Max core file size"), "0 0 bytes");
    let id = up.process.id().to_string();
    let mut process = up.process;
    assert_ok(&Command::new("kill").args(["-ABRT", &id]).output().expect("kill exists"), "kill -ABRT");
    let status = process.ended_as();
    assert!(status.signal().is_some() && !status.core_dumped(), "{status:?}");
}

#[test]
fn keys_are_read_from_programs_and_the_environment_and_never_told() {
    let world = World::new();
    let key = |role: &str| world.home().join("keys").join(format!("{role}.key"));
    let secret = fs::read_to_string(key("pointer")).expect("init wrote it");
    let pointer = key("pointer").display().to_string();
    let config = configure(&world, "apart", |yaml| {
        let yaml = yaml.replace("release: keys/release.key", "release: { env: RELEASE_KEY }");
        yaml.replace("pointer: keys/pointer.key", &format!("pointer: {{ command: [cat, {pointer:?}] }}"))
    });
    let missing = world.run(&["publisher", "--config", &config, "--once"]);
    assert!(!missing.status.success() && stderr(&missing).contains("RELEASE_KEY"), "{}", stderr(&missing));
    let release = fs::read_to_string(key("release")).expect("init wrote it");
    for (file, moves) in [("keys/release.key", true), ("keys/pointer.key", false)] {
        let mut run = world.driftless(&["--log", "trace", "publisher", "--config", &config, "--once"]);
        let wrong = if moves { release.clone() } else { format!("{release}nonsense").replacen('\n', "\n!", 1) };
        let run = run.env("RELEASE_KEY", wrong).output().expect("driftless starts");
        assert_eq!(run.status.success(), moves, "{file}: {}", stderr(&run));
        for secret in [&secret, &release] {
            let line = secret.lines().nth(1).expect("two lines");
            assert!(!stderr(&run).contains(&line[40..]), "the log has a key");
        }
    }
}
