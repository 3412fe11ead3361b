//! Who is answered what.

use schema::Digest;
use schema::control::{Done, What};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::bench::Bench;
use crate::control::{Receiver, orders};
use crate::rollout::NoFleet;

/// An API that a viewer, an operator and somebody whose time is over have tokens of.
struct Site {
    api: Api,
    receiver: Receiver,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("control.yaml");
        let [see, act, old] = ["see", "act", "old"].map(|token| Digest::of(token.as_bytes()));
        let text = format!(
            "viewers: {{ ci: {{ token_sha256: {see} }} }}\noperators:\n  alice: {{ token_sha256: {act} }}\n  \
             bob: {{ token_sha256: {old}, expires: 2020-01-01T00:00:00.000Z }}\n"
        );
        std::fs::write(&file, text).expect("a small file");
        let (api, receiver) = api(Some(AccessFile::open(&file).expect("it is fine")));
        Site { api, receiver, _folder: folder }
    }

    /// Asks, and has a command carried out by whoever waits for one.
    async fn ask(&mut self, call: Call) -> Reply {
        let api = self.api.clone();
        tokio::select! {
            reply = api.call(call) => reply,
            () = async {
                loop {
                    let order = self.receiver.next().await;
                    let done = Done { who: order.who.clone(), changed: vec![format!("{:?}", order.command.what)] };
                    order.answer(Ok(done));
                }
            } => unreachable!("it goes on for ever"),
        }
    }

    async fn status(&mut self, method: &str, path: &str, token: &str, body: &str) -> u16 {
        self.ask(call(method, path, token, body)).await.status
    }
}

fn api(access: Option<AccessFile>) -> (Api, Receiver) {
    let (orders, receiver) = orders();
    let (_, status) = watch::channel(PublisherStatus::default());
    (Api::new(access, orders, status, Bench::new().publisher, Arc::new(NoFleet)), receiver)
}

fn call(method: &str, path: &str, token: &str, body: &str) -> Call {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Call {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        token: (!token.is_empty()).then(|| Zeroizing::new(token.to_owned())),
        body: body.to_owned().into(),
    }
}

const FREEZE: &str = r#"{"do":"freeze","region":"eu","why":"fire"}"#;

#[tokio::test]
async fn each_may_do_what_the_role_says_and_nobody_else_anything() {
    let mut site = Site::new();
    for (token, look, command) in
        [("see", 200, 403), ("act", 200, 200), ("", 401, 401), ("old", 401, 401), ("sEe", 401, 401)]
    {
        assert_eq!(site.status("GET", "rollouts", token, "").await, look, "{token} looks");
        assert_eq!(site.status("GET", "quarantine", token, "").await, look, "{token} looks");
        assert_eq!(site.status("POST", "commands", token, FREEZE).await, command, "{token} commands");
    }
}

#[tokio::test]
async fn what_is_done_is_done_in_the_name_of_the_token() {
    let reply = Site::new().ask(call("POST", "commands", "act", FREEZE)).await;
    let what = What::Freeze { app: None, region: Some("eu".parse().expect("a region")) };
    assert_eq!(reply.json, json!({ "who": "alice", "changed": [format!("{what:?}")] }));
}

#[tokio::test]
async fn nothing_but_what_there_is_is_answered() {
    let mut site = Site::new();
    for (method, path, expected) in [
        ("GET", "commands", 405),
        ("POST", "rollouts", 405),
        ("DELETE", "quarantine", 405),
        ("GET", "", 404),
        ("GET", "rollouts/", 404),
        ("GET", "../status", 404),
        ("GET", "rollouts?app=web", 200),
        ("GET", "rollouts?app=Web%20", 400),
        ("GET", "rollouts?app=web&app=api", 400),
        ("GET", "rollouts?region=eu", 400),
    ] {
        assert_eq!(site.status(method, path, "act", "").await, expected, "{method} {path}");
    }
    let unknown = site.ask(call("POST", "commands", "act", r#"{"do":"sudo","why":"x"}"#)).await;
    assert_eq!(unknown.status, 400);
    for name in command::NAMES {
        assert!(unknown.json["hint"].as_str().is_some_and(|hint| hint.contains(name)), "{name} is listed");
    }
    assert_eq!(site.status("POST", "commands", "act", &" ".repeat(100_000)).await, 413);
}

#[tokio::test]
async fn a02_without_a_list_of_tokens_nobody_comes_in_by_any() {
    let (api, _receiver) = api(None);
    for token in ["", "act"] {
        for (method, path, body) in [("GET", "rollouts", ""), ("POST", "commands", FREEZE), ("GET", "nothing", "")] {
            let reply = api.call(call(method, path, token, body)).await;
            assert_eq!(reply.status, 403, "{method} {path}");
            assert!(reply.json["hint"].as_str().is_some_and(|hint| hint.contains("control.yaml")), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn what_could_not_be_done_says_so() {
    let Site { api, mut receiver, _folder } = Site::new();
    let failures = [
        (CommandError::Unknown { what: "app `x`".to_owned() }, 404, "there is no app `x`"),
        (CommandError::refused("it is over"), 409, "the command is refused: it is over"),
        (CommandError::failed("the disk\u{1b}[2J"), 503, "the command could not be carried out: the disk [2J"),
    ];
    for (error, status, words) in failures {
        let answering = async { receiver.next().await.answer(Err(error)) };
        let (reply, ()) = tokio::join!(api.call(call("POST", "commands", "act", FREEZE)), answering);
        assert_eq!((reply.status, &reply.json["error"]), (status, &Value::from(words)));
    }
    drop(receiver);
    assert_eq!(api.call(call("POST", "commands", "act", FREEZE)).await.status, 503);
}

#[test]
fn a_token_is_not_shown() {
    let shown = format!("{:?}", call("POST", "commands", "s3cret", "a private body"));
    assert!(!shown.contains("s3cret") && !shown.contains("private"), "{shown}");
}
