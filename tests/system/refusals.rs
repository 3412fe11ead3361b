//! Bad input: one clear error (what, which object, what to do), the last good generation stays, the daemon goes on, status shows it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::world::{Up, World, curl, eventually, stderr};

/// Publishes one good commit, then lets `spoil` make a bad one, and checks everything that must hold then and after a repair.
fn is_refused(spoil: impl FnOnce(&World), words: &str) {
    let world = World::new();
    let mut up = world.up();
    let agent = world.agent("web-1", "eu-west", &up.url);
    let good = world.commit("apps/web/settings.yaml", "greeting: good\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: good\n");
    up.published(&good);
    let pointer = up.pointer("web", "eu-west");
    spoil(&world);
    let problem = up.has_problem(words);
    assert_eq!(up.pointer("web", "eu-west"), pointer, "the last good generation stays");
    assert!(
        problem["hint"].is_string() || problem["causes"].as_array().is_some_and(|causes| causes.len() > 1),
        "{problem}"
    );
    assert!(up.process.is_running(), "the daemon goes on");
    let status = world.run(&["status", "--url", &up.url]);
    assert_eq!(status.status.code(), Some(3), "status says so with its exit code");
    assert!(
        String::from_utf8_lossy(&status.stdout).contains(words),
        "status tells it: {}",
        String::from_utf8_lossy(&status.stdout)
    );
    assert_eq!(agent.reads("web", "settings.yaml").as_deref(), Some("greeting: good\n"));
    world.git(&["reset", "-q", "--hard", &good]);
    let repaired = world.commit("apps/web/settings.yaml", "greeting: repaired\n");
    up.published(&repaired);
    agent.comes_to_read("web", "settings.yaml", "greeting: repaired\n");
    assert_eq!(up.status()["publisher"]["problem"], serde_json::Value::Null, "the problem is gone");
}

/// Commits whatever is in the work tree, signed.
fn commit_all(world: &World) {
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "Spoil"]);
}

#[test]
fn a28_an_unsigned_commit() {
    is_refused(
        |world| {
            world.write("apps/web/settings.yaml", "greeting: unsigned\n");
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "--no-gpg-sign", "-m", "Trust me"]);
        },
        "not signed",
    );
}

#[test]
fn a28_a_signer_whom_the_policy_does_not_know() {
    is_refused(
        |world| {
            let key = world.path("stranger");
            let key = key.display().to_string();
            let made = crate::world::tool(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-C", "stranger", "-f", &key],
                None,
            );
            crate::world::assert_ok(&made, "ssh-keygen");
            world.write("apps/web/settings.yaml", "greeting: strange\n");
            world.git(&["add", "-A"]);
            world.git(&["-c", &format!("user.signingKey={key}"), "commit", "-q", "-m", "Trust me"]);
        },
        "SHA256:",
    );
}

#[test]
fn a29_a_signed_commit_over_an_unsigned_one() {
    is_refused(
        |world| {
            world.write("apps/web/settings.yaml", "greeting: hidden\n");
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "--no-gpg-sign", "-m", "Below"]);
            world.git(&["commit", "-q", "--allow-empty", "-m", "Above, signed"]);
        },
        "not signed",
    );
}

#[test]
fn f32_a_force_push() {
    is_refused(
        |world| {
            world.git(&["reset", "-q", "--hard", "HEAD~1"]);
            world.write("apps/web/settings.yaml", "greeting: another history\n");
            commit_all(world);
        },
        "does not descend from",
    );
}

#[test]
fn a39_a_symlink() {
    is_refused(
        |world| {
            symlink("/etc/passwd", world.path("config/apps/web/passwd")).expect("a link");
            commit_all(world);
        },
        "apps/web/passwd",
    );
}

#[test]
fn compile_lists_all_that_is_wrong() {
    let world = World::new();
    for name in ["one", "two"] {
        symlink("/etc/passwd", world.path("config/apps/web").join(name)).expect("a link");
    }
    commit_all(&world);
    let run = world.run(&["compile", "config"]);
    assert_eq!(run.status.code(), Some(3));
    assert!(stderr(&run).contains("apps/web/one") && stderr(&run).contains("apps/web/two"), "{}", stderr(&run));
}

#[test]
fn a37_a_submodule() {
    is_refused(
        |world| {
            let commit = world.tip();
            world.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},apps/web/module")]);
            world.git(&["commit", "-q", "-m", "Spoil"]);
        },
        "apps/web/module",
    );
}

#[test]
fn a38_names_that_differ_only_by_case() {
    is_refused(
        |world| {
            world.write("apps/web/Settings.yaml", "greeting: twin\n");
            commit_all(world);
        },
        "ettings.yaml",
    );
}

#[test]
fn a_huge_file() {
    is_refused(
        |world| {
            let huge = fs::File::create(world.path("config/apps/web/huge.bin")).expect("a file");
            huge.set_len(65 << 20).expect("a sparse file");
            commit_all(world);
        },
        "huge.bin",
    );
}

#[test]
fn a_key_that_is_not_supported_yet_is_refused_with_its_place() {
    is_refused(
        |world| {
            let file = world.path("config/driftless.yaml");
            let yaml = fs::read_to_string(&file).expect("init wrote it");
            fs::write(
                file,
                yaml.replace("    path: apps/web\n", "    path: apps/web\n    schemas: { \"*\": s.json }\n"),
            )
            .expect("a small file");
            commit_all(world);
        },
        "driftless.yaml:9:",
    );
}

#[test]
fn a_misspelt_key_is_refused_with_its_place() {
    is_refused(
        |world| {
            let file = world.path("config/driftless.yaml");
            let yaml = fs::read_to_string(&file).expect("init wrote it");
            fs::write(file, yaml.replace("    path: apps/web\n", "    psth: apps/web\n")).expect("a small file");
            commit_all(world);
        },
        "psth",
    );
}

#[test]
fn a_missing_driftless_yaml() {
    is_refused(
        |world| {
            fs::remove_file(world.path("config/driftless.yaml")).expect("init wrote it");
            commit_all(world);
        },
        "driftless.yaml",
    );
}

#[test]
fn a35_a_missing_signer_policy_fails_closed() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let policy = world.home().join("allowed_signers");
    fs::rename(&policy, world.path("allowed_signers.away")).expect("it can be moved away");
    let commit = world.commit("apps/web/settings.yaml", "greeting: unjudged\n");
    up.has_problem("allowed_signers");
    assert_eq!(up.pointer("web", "eu-west")["generation"], 1);
    fs::rename(world.path("allowed_signers.away"), &policy).expect("it can come back");
    up.published(&commit);
}

#[test]
fn f35_a_branch_that_is_deleted_is_never_an_empty_configuration() {
    let world = World::new();
    let up = world.up();
    let tip = world.tip();
    up.published(&tip);
    world.git(&["checkout", "-q", "--detach"]);
    world.git(&["branch", "-q", "-D", "main"]);
    up.has_problem("main");
    assert_eq!(up.pointer("web", "eu-west")["generation"], 1);
    world.git(&["checkout", "-q", "-b", "main"]);
    eventually("the problem is gone", || up.status()["publisher"]["problem"].is_null());
}

#[test]
fn a27_a_broken_pointer_in_the_store_is_not_relayed_and_is_repaired() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let agent = world.agent("web-1", "eu-west", &up.url);
    eventually("the agent runs something", || agent.current("web").is_some());
    let before = agent.current("web");
    let file = world.store().join("v1/apps/web/regions/eu-west/pointer");
    let whole = fs::read(&file).expect("it was published");
    fs::write(&file, &whole[..whole.len() / 2]).expect("it can be broken");
    eventually("the gateway has seen the broken one", || !up.status()["source"]["problem"].is_null());
    assert_eq!(
        curl(&["-fsS", &up.pointer_url("web", "eu-west")]).stdout,
        whole,
        "the gateway keeps the newest that verified"
    );
    fs::remove_file(&file).expect("it can be removed");
    let commit = world.commit("apps/flags/settings.yaml", "on: true\n");
    up.published(&commit);
    eventually("the publisher repaired it from history", || fs::read(&file).is_ok_and(|now| now == whole));
    assert_eq!(agent.current("web"), before);
}

#[test]
fn init_refuses_what_the_publisher_would_refuse_and_makes_no_home() {
    let world = World::new();
    world.write("../strange.pub", "ssh-dss AAAAB3NzaC1kc3MAAAAA strange@example.org\n");
    let table: [(&[&str], &str); 3] = [
        (&["--branch", "a b"], "branch"),
        (&["--store", "s3://b"], "bucket"),
        (&["--signer", "strange.pub"], "strange.pub"),
    ];
    for (args, words) in table {
        let run = world.run(&[&["init", "fresh"], args].concat());
        assert_eq!(run.status.code(), Some(2), "{args:?}: {}", stderr(&run));
        assert!(stderr(&run).contains(words), "{args:?}: {}", stderr(&run));
        assert!(!world.path("fresh.driftless").exists(), "{args:?}");
    }
    world.git(&["config", "user.email", "two words"]);
    world.git(&["config", "--unset", "user.signingKey"]);
    let run = world.run(&["init", "config", "--home", "other"]);
    assert!(run.status.code() == Some(2) && stderr(&run).contains("hint:"), "{}", stderr(&run));
    // git also takes the key itself.
    let key = fs::read_to_string(world.home().join("keys/signer.pub")).expect("init made it");
    world.git(&["config", "user.signingKey", &format!("key::{}", key.trim())]);
    world.git(&["config", "user.email", "one@example.com"]);
    crate::world::assert_ok(&world.run(&["init", "config", "--home", "other"]), "driftless init");
    let policy = fs::read_to_string(world.path("other/allowed_signers")).expect("init wrote it");
    let bare = key.split(' ').nth(1).expect("a key");
    assert!(policy.contains(bare), "{policy}");
}

#[test]
fn what_is_wrong_at_the_start_is_told_and_ends_the_command() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = listener.local_addr().map(|address| address.to_string()).expect("it is bound");
    let table: [(&[&str], i32, &str); 6] = [
        (&["up", "config", "--listen", &taken], 2, "hint:"),
        (&["up", "nowhere"], 2, "nowhere"),
        (&["agent", "--config", "missing.yaml"], 2, "missing.yaml"),
        (&["status", "--url", "http://127.0.0.1:9"], 5, "hint:"),
        (&["compile", "config", "--commit", "no-such"], 2, "no-such"),
        (&["rollback", "config", "--app", "web", "--to", "41", "--reason", "x"], 3, "nothing was ever published"),
    ];
    for (args, code, words) in table {
        let run = world.run(args);
        assert_eq!(run.status.code(), Some(code), "{args:?}: {}", stderr(&run));
        assert!(stderr(&run).starts_with("error: ") && stderr(&run).contains(words), "{args:?}: {}", stderr(&run));
    }
    world.configure("state: state", "stats: state");
    let run = world.run(&["up", "config"]);
    assert_eq!(run.status.code(), Some(2));
    assert!(stderr(&run).contains("publisher.yaml:") && stderr(&run).contains("stats"), "{}", stderr(&run));
}

#[test]
fn a_store_that_answers_500_stops_nothing_for_good() {
    let world = World::new();
    let faulty = crate::s3::FaultyS3::start();
    world.configure("store: store\n", &format!("store: \"{}\"\n", faulty.url("trouble")));
    let mut command = world.driftless(&["up", "config", "--listen", "127.0.0.1:0"]);
    crate::s3::credentials(&mut command);
    let mut up = Up::start(command);
    up.has_problem("500");
    assert!(up.process.is_running());
    faulty.recover();
    up.published(&world.tip());
}
