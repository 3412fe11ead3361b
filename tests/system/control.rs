//! Commands to a running publisher: who may give them, what they do, and what is left of them.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::world::{Agent, Up, World, assert_ok, curl, eventually, stderr};

/// An HTTP status and the JSON that came with it.
type Answer = (String, Value);

/// Asks the control API with the stock curl.
fn ask(up: &Up, path: &str, token: Option<&str>, body: Option<&str>) -> Answer {
    let url = format!("{}/v1/control/{path}", up.url);
    let bearer = token.map(|token| format!("Authorization: Bearer {token}"));
    let mut args = vec!["-s", "-w", "\n%{http_code}", url.as_str()];
    if let Some(bearer) = &bearer {
        args.extend(["-H", bearer]);
    }
    if let Some(body) = body {
        args.extend(["-H", "Content-Type: application/json", "--data-binary", body]);
    }
    let answer = String::from_utf8(curl(&args).stdout).expect("JSON is text");
    let (json, status) = answer.rsplit_once('\n').expect("curl was asked for the status");
    (status.to_owned(), serde_json::from_str(json).unwrap_or(Value::Null))
}

/// A world that runs, and whose control.yaml knows a viewer besides the operator of `init`, and somebody whose time is over.
fn site() -> (World, Up, String) {
    let world = World::new();
    let file = world.home().join("control.yaml");
    let [see, old] = ["see", "old"].map(|token| schema::Digest::of(token.as_bytes()));
    let more = format!(
        "  late: {{ token_sha256: {old}, expires: 2020-01-01T00:00:00.000Z }}\nviewers:\n  ci: {{ token_sha256: {see} }}\n"
    );
    let text = fs::read_to_string(&file).expect("init wrote it");
    fs::write(&file, text + &more).expect("a small file");
    let token = fs::read_to_string(world.home().join("operator.token")).expect("init wrote it").trim().to_owned();
    let up = world.up();
    up.published(&world.tip());
    (world, up, token)
}

/// Runs a command of the operator's, in the config repository.
fn command(world: &World, up: &Up, args: &[&str]) -> Output {
    let mut command = world.driftless(args);
    command.args(["--url", &up.url]).current_dir(world.path("config")).output().expect("driftless starts")
}

fn json_of(output: &Output, what: &str) -> Value {
    assert_ok(output, what);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn freeze(up: &Up, app: &str, region: &str) -> Value {
    up.pointer(app, region)["freeze"].clone()
}

/// Waits until the publisher says that a frozen region does not get what the newest commit asks for.
fn is_held(up: &Up) {
    eventually("web is held back in eu-west", || {
        let held = &up.status()["publisher"]["held"][0];
        held["region"] == "eu-west" && held["is_pending"] == true && held["why"].to_string().contains("unfreeze")
    });
}

/// An agent that runs what is published.
fn agent_of(world: &World, up: &Up) -> Agent {
    let agent = world.agent("web-1", "eu-west", &up.url);
    eventually("the agent's word is heard", || {
        up.status()["regions"].as_array().into_iter().flatten().any(|one| one["agents"]["known"] == 1)
    });
    agent
}

#[test]
fn a02_each_token_opens_what_its_role_says_and_none_opens_nothing() {
    let (_world, up, token) = site();
    let freeze = r#"{"do":"freeze","region":"eu-west","why":"a drill"}"#;
    for (who, token, look, act) in [
        ("nobody", None, "401", "401"),
        ("who guesses", Some("guess"), "401", "401"),
        ("whose time is over", Some("old"), "401", "401"),
        ("the viewer", Some("see"), "200", "403"),
        ("the operator", Some(token.as_str()), "200", "200"),
    ] {
        assert_eq!(ask(&up, "rollouts", token, None).0, look, "{who} looks");
        assert_eq!(ask(&up, "commands", token, Some(freeze)).0, act, "{who} commands");
    }
    assert!(!up.process.log().iter().any(|line| line.contains(&token)), "no token is ever logged");
    assert!(up.process.log().iter().any(|line| line.contains("a drill") && line.contains("operator")), "a command is");
}

#[test]
fn what_is_no_command_is_refused_with_the_list_of_those_that_are() {
    let (world, up, token) = site();
    let (status, said) = ask(&up, "commands", Some(&token), Some(r#"{"do":"sudo","why":"please"}"#));
    assert_eq!(status, "400");
    for name in ["pause", "resume", "promote", "abort", "confirm", "freeze", "unfreeze", "quarantine", "release"] {
        assert!(said["hint"].as_str().is_some_and(|hint| hint.contains(name)), "{name}: {said}");
    }
    // A misspelt scope would be a freeze of the whole world.
    let misspelt = ask(&up, "commands", Some(&token), Some(r#"{"do":"freeze","regoin":"eu-west","why":"x"}"#));
    assert_eq!(misspelt.0, "400", "{misspelt:?}");
    let huge = world.path("huge.json");
    fs::write(&huge, format!("{{\"do\":\"freeze\",\"why\":\"{}\"}}", "x".repeat(1 << 20))).expect("a file");
    let huge = ask(&up, "commands", Some(&token), Some(&format!("@{}", huge.display())));
    assert_eq!(huge.0, "413", "{huge:?}");
    assert_eq!(ask(&up, "nothing", Some(&token), None).0, "404");
    assert_eq!(freeze(&up, "web", "eu-west"), false, "none of it did anything");
    let nowhere = command(&world, &up, &["freeze", "--region", "mars", "--why", "x"]);
    assert_eq!(nowhere.status.code(), Some(3), "{}", stderr(&nowhere));
}

#[test]
fn without_control_nobody_commands_and_the_way_to_change_that_is_told() {
    let world = World::new();
    world.configure("control: control.yaml\n", "");
    let up = world.up();
    let (status, said) = ask(&up, "rollouts", Some("anything"), None);
    assert_eq!(status, "403");
    assert!(said["hint"].as_str().is_some_and(|hint| hint.contains("control.yaml")), "{said}");
    let refused = command(&world, &up, &["freeze", "--why", "x"]);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("control.yaml"), "{}", stderr(&refused));
}

#[test]
fn a_token_that_was_taken_off_the_list_is_worth_nothing_though_nobody_restarts() {
    let (world, up, token) = site();
    assert_eq!(ask(&up, "rollouts", Some(&token), None).0, "200");
    let see = schema::Digest::of(b"see");
    let file = world.home().join("control.yaml");
    fs::write(&file, "operators: [").expect("a small file");
    eventually("the mistake is told", || {
        up.process.log().iter().any(|line| line.contains("still has it")) || {
            ask(&up, "rollouts", Some("see"), None);
            false
        }
    });
    assert_eq!(ask(&up, "rollouts", Some(&token), None).0, "200", "a mistake locks nobody out");
    fs::write(&file, format!("viewers: {{ ci: {{ token_sha256: {see} }} }}\n")).expect("a small file");
    eventually("the operator is out", || ask(&up, "rollouts", Some(&token), None).0 == "401");
    assert_eq!(ask(&up, "rollouts", Some("see"), None).0, "200");
}

#[test]
fn a_freeze_is_in_the_pointer_and_in_the_history_and_outlives_a_restart() {
    let (world, mut up, _) = site();
    let agent = agent_of(&world, &up);
    let why = "agents in eu-west \u{1b}[2Jlose packets";
    assert_ok(
        &command(&world, &up, &["freeze", "--app", "web", "--region", "eu-west", "--why", why]),
        "driftless freeze",
    );
    eventually("the pointer says so", || freeze(&up, "web", "eu-west") == true);
    assert_eq!((freeze(&up, "web", "us-east"), freeze(&up, "flags", "eu-west")), (json!(false), json!(false)));
    let again = command(&world, &up, &["freeze", "--app", "web", "--region", "eu-west", "--why", "again", "--json"]);
    assert_eq!(json_of(&again, "driftless freeze")["changed"], json!([]), "it was so before");

    let frozen = agent.reads("web", "settings.yaml");
    let stable = up.pointer("web", "eu-west")["stable"].clone();
    world.commit("apps/web/settings.yaml", "greeting: too early\n");
    is_held(&up);
    up.process.kill();
    // Where it was before, so that the agent finds it again.
    let address = up.url.trim_start_matches("http://").to_owned();
    let up = Up::start(world.driftless(&["up", "config", "--listen", &address]));
    is_held(&up);
    assert_eq!(freeze(&up, "web", "eu-west"), true);
    assert_eq!(up.pointer("web", "eu-west")["stable"], stable);
    assert_eq!(agent.reads("web", "settings.yaml"), frozen);
    let status = world.run(&["status", "--url", &up.url]);
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(said.contains("web eu-west: frozen") && !said.contains('\u{1b}'), "{said}");

    let unfreeze = command(&world, &up, &["unfreeze", "--why", "they are mended"]);
    assert_ok(&unfreeze, "driftless unfreeze");
    agent.comes_to_read("web", "settings.yaml", "greeting: too early\n");

    let history = world.run(&["history", "config", "--app", "web", "--region", "eu-west"]);
    assert_ok(&history, "driftless history");
    let history = String::from_utf8_lossy(&history.stdout).into_owned();
    let line = |deed: &str, why: &str| {
        history.lines().any(|line| line.contains(deed) && line.contains("operator") && line.contains(why))
    };
    assert!(line("freeze", "agents in eu-west [2Jlose packets") && line("unfreeze", "they are mended"), "{history}");
}

#[test]
fn an_agent_in_quarantine_is_listed_with_who_and_why_until_it_is_released() {
    let (world, up, _) = site();
    let agent = agent_of(&world, &up);
    let whom = ["web-1", "--app", "web", "--region", "eu-west"];
    let add = [&["quarantine", "add"][..], &whom, &["--why", "its disk is slow"]].concat();
    assert_ok(&command(&world, &up, &add), "driftless quarantine add");
    eventually("the pointer names it", || up.pointer("web", "eu-west")["quarantine"] == json!(["web-1"]));
    let listed = json_of(&command(&world, &up, &["quarantine", "list", "--json"]), "driftless quarantine list");
    let one = &listed[0];
    assert_eq!((&one["agent"], &one["who"]), (&json!("web-1"), &json!("operator")));
    assert!(one["why"].as_str().is_some_and(|why| why.contains("its disk is slow")), "{one}");
    let held = agent.reads("web", "settings.yaml");
    world.commit("apps/web/settings.yaml", "greeting: not for everybody\n");
    up.published(&world.tip());
    let newest = up.pointer("web", "eu-west")["generation"].clone();
    eventually("it has heard of the commit", || {
        let status = up.status();
        let mut regions = status["regions"].as_array().into_iter().flatten();
        let web = regions.find(|one| one["app"] == "web" && one["region"] == "eu-west");
        web.is_some_and(|one| one["agents"]["generations"][0]["generation"] == newest)
    });
    let release = [&["quarantine", "release"][..], &whom, &["--why", "a new disk"]].concat();
    assert_eq!(agent.reads("web", "settings.yaml"), held);
    assert_ok(&command(&world, &up, &release), "driftless quarantine release");
    agent.comes_to_read("web", "settings.yaml", "greeting: not for everybody\n");
    let empty = command(&world, &up, &["quarantine", "list", "--app", "web"]);
    assert_ok(&empty, "driftless quarantine list");
    assert!(empty.stdout.is_empty() && stderr(&empty).contains("nobody is in quarantine"));
}

#[test]
fn a_pipeline_hears_yes_no_too_late_and_nobody_there() {
    let (world, up, _) = site();
    let _agent = agent_of(&world, &up);
    let wait = |commit: &str, region: &str, timeout: &str| {
        let what = ["status", "--wait", "--commit", commit, "--app", "web", "--region", region];
        world.run(&[&what[..], &["--percent", "99", "--timeout", timeout, "--url", &up.url]].concat())
    };
    let commit = world.commit("apps/web/settings.yaml", "greeting: for the pipeline\n");
    let yes = wait(&commit, "eu-west", "90s");
    assert_eq!(yes.status.code(), Some(0), "{}", stderr(&yes));
    assert_eq!(wait(&commit[..8], "eu-west", "90s").status.code(), Some(0), "the first digits will do");
    let nobody = wait(&commit, "us-east", "1s");
    assert_eq!(nobody.status.code(), Some(6), "{}", stderr(&nobody));
    assert!(stderr(&nobody).contains("0 of 0 agents"), "{}", stderr(&nobody));
    let never_made = wait("0123456", "eu-west", "1s");
    assert_eq!(never_made.status.code(), Some(6), "{}", stderr(&never_made));
    assert_eq!(wait("main", "eu-west", "1s").status.code(), Some(2));

    // A commit that changes nothing for this app has arrived as soon as it is published.
    let elsewhere = world.commit("apps/flags/flags.yaml", "beta: true\n");
    let yes = wait(&elsewhere, "eu-west", "90s");
    assert_eq!(yes.status.code(), Some(0), "{}", stderr(&yes));

    world.write("apps/web/settings.yaml", "greeting: unsigned\n");
    world.git(&["-c", "commit.gpgsign=false", "commit", "-qam", "Nobody signed this"]);
    let no = wait(&world.tip(), "eu-west", "90s");
    assert_eq!(no.status.code(), Some(3), "{}", stderr(&no));
    assert!(stderr(&no).contains("it is refused"), "{}", stderr(&no));

    let gone = world.run(&["status", "--wait", "--commit", &commit, "--url", "http://127.0.0.1:1"]);
    assert_eq!(gone.status.code(), Some(5), "{}", stderr(&gone));
}

#[test]
fn what_history_prints_is_what_rollback_takes_and_who_did_it_is_kept() {
    let (world, up, _) = site();
    let first = world.tip();
    world.commit("apps/web/settings.yaml", "greeting: regretted\n");
    up.published(&world.tip());
    let history = |more: &[&str]| {
        let told = world.run(&[&["history", "config", "--app", "web", "--region", "eu-west"], more].concat());
        assert_ok(&told, "driftless history");
        String::from_utf8(told.stdout).expect("text")
    };
    let oldest: Vec<String> =
        history(&[]).lines().last().expect("a line").split_whitespace().map(str::to_owned).collect();
    assert!(oldest.contains(&first), "{oldest:?}");
    let bundle = oldest.iter().find(|word| word.len() == 64).expect("a whole digest").clone();
    let back =
        ["rollback", "config", "--app", "web", "--region", "eu-west", "--to", &bundle, "--reason", "it was wrong"];
    assert_ok(&world.run(&[&back[..], &["--as", "alice"]].concat()), "driftless rollback");
    let newest: Value = serde_json::from_str(&history(&["--json"])).expect("JSON");
    assert_eq!(newest[0]["cause"], json!({ "who": "alice", "deed": "rollback", "why": "it was wrong" }));
    assert!(history(&[]).lines().nth(1).is_some_and(|line| line.contains("alice") && line.contains("it was wrong")));
}
