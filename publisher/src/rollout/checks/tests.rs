//! Checks that ask a real server and run real programs.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use schema::Limits;

use super::*;

fn checks(text: &str) -> Checks {
    let defined: BTreeMap<Box<str>, Check> = schema::yaml::from_str("checks", text, &Limits::DEFAULT).expect("checks");
    Checks::new(defined)
}

fn about(app: &str) -> About {
    About {
        app: app.parse().expect("an app"),
        regions: vec!["eu".parse().expect("a region"), "us".parse().expect("a region")],
        rollout: RolloutId::FIRST,
        commit: "a".repeat(40).parse().expect("a commit id"),
        wave: Some(2),
    }
}

async fn verdict(text: &str) -> CheckVerdict {
    let (mut checks, about) = (checks(text), about("web"));
    let names: BTreeSet<Box<str>> = ["it".into()].into();
    checks.ask(&names, &about);
    if checks.verdicts(&about.app).is_empty() {
        timeout(Duration::from_secs(60), checks.answered()).await.expect("it is answered");
    }
    checks.verdicts(&about.app).remove("it").expect("just answered")
}

#[tokio::test]
async fn a_program_that_ends_with_0_is_a_yes_and_knows_what_it_is_about() {
    let script =
        r#"test "$DRIFTLESS_APP $DRIFTLESS_REGIONS $DRIFTLESS_WAVE" = "web eu,us 2" && test ${#DRIFTLESS_COMMIT} = 40"#;
    let yes = verdict(&format!("it: {{ command: [sh, -c, '{script}'] }}")).await;
    assert_eq!(yes, CheckVerdict::Yes);
    let no = verdict("it: { command: [sh, -c, 'echo too many errors >&2; exit 3'] }").await;
    assert_eq!(no, CheckVerdict::No { why: "too many errors".to_owned() });
    let quiet = verdict("it: { command: ['false'] }").await;
    assert!(matches!(&quiet, CheckVerdict::No { why } if why.contains("exit status: 1")), "{quiet:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_or_is_slow_is_no_yes() {
    let missing = verdict("it: { command: [/nonexistent/program] }").await;
    assert!(matches!(missing, CheckVerdict::Unknown { .. }), "{missing:?}");
    let unknown = verdict("other: { command: ['true'] }").await;
    assert!(matches!(&unknown, CheckVerdict::Unknown { why } if why.contains("defines no check `it`")), "{unknown:?}");
    // Whatever it started ends with it: the file is written after the deadline, or never.
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let script = format!("(sleep 2; echo > {}) & sleep 60", trace.display());
    let slow = verdict(&format!("it: {{ command: [sh, -c, '{script}'], timeout: 200ms }}")).await;
    assert!(matches!(slow, CheckVerdict::Unknown { .. }), "{slow:?}");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!trace.exists(), "the group was ended");
    let refused = verdict("it: { prometheus: 'http://127.0.0.1:9', query: up, timeout: 5s }").await;
    assert!(matches!(refused, CheckVerdict::Unknown { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_query_is_asked_of_a_real_server() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a client");
        let mut request = [0; 2048];
        let length = stream.read(&mut request).expect("a request");
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}"#;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).expect("a reader");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let yes = verdict(&format!("it: {{ prometheus: 'http://127.0.0.1:{port}/prom', query: 'a < bool 5' }}")).await;
    assert_eq!(yes, CheckVerdict::Yes);
    let request = serving.join().expect("it served");
    assert!(request.starts_with("GET /prom/api/v1/query?query=a%20%3C%20bool%205 HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn it_is_not_asked_all_the_time_and_what_was_forgotten_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let mut checks = checks(&format!("it: {{ command: [sh, -c, 'echo >> {}'] }}", trace.display()));
    let (names, about): (BTreeSet<Box<str>>, About) = (["it".into()].into(), about("web"));
    for _ in 0..5 {
        checks.ask(&names, &about);
    }
    checks.answered().await;
    checks.ask(&names, &about);
    assert_eq!(checks.verdicts(&about.app).len(), 1);
    assert_eq!(std::fs::read_to_string(&trace).expect("it ran").len(), 1, "once in a few seconds");
    checks.forget(&about.app);
    assert!(checks.verdicts(&about.app).is_empty());
    // An answer to a question that was forgotten is not the answer to the next one.
    checks.ask(&names, &about);
    checks.forget(&about.app);
    assert!(timeout(Duration::from_millis(500), checks.answered()).await.is_err());
    assert!(checks.verdicts(&about.app).is_empty());
}

#[test]
fn a_definition_is_one_thing_or_the_other() {
    let parse = |text: &str| schema::yaml::from_str::<Check>("check", text, &Limits::DEFAULT);
    for bad in [
        "{}",
        "{ prometheus: 'http://p' }",
        "{ query: up }",
        "{ command: [] }",
        "{ command: [''] }",
        "{ command: ['true'], query: up }",
        "{ command: ['true'], timeout: 0s }",
        "{ command: ['true'], retries: 3 }",
        "{ prometheus: 'ftp://p', query: up }",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let mut check = parse("{ command: [./smoke, ./as-it-is] }").expect("a command");
    check.resolve(std::path::Path::new("/etc/driftless"));
    let Kind::Command { command } = &check.kind else { panic!("a command") };
    assert_eq!(command, &["/etc/driftless/./smoke", "./as-it-is"]);
    let mut named = parse("{ command: [smoke] }").expect("a command");
    named.resolve(std::path::Path::new("/etc/driftless"));
    assert!(
        matches!(&named.kind, Kind::Command { command } if command == &["smoke"]),
        "looked for where the system looks"
    );
}
