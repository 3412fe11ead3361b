//! `driftless bench fanout`, `floor` and `restart` on few clients: every figure is there and nobody is lost; and a gateway that
//! dies is never told as a success. No figure itself is looked at.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::world::{Process, eventually, isolate};

fn bench(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    isolate(&mut command, &std::env::temp_dir());
    command.arg("bench").args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    bench(args).output().expect("driftless starts")
}

/// The figures of a run that went well.
fn figures(args: &[&str]) -> Value {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn is_number(value: &Value, path: &str) {
    assert!(value.pointer(path).is_some_and(Value::is_number), "{path} is no number in {value:#}");
}

#[test]
fn a_fanout_has_every_figure_and_loses_nobody() {
    let figures = figures(&["fanout", "--agents", "300", "--rounds", "1", "--json"]);
    for path in ["/arrival_p99_over_floor", "/cpu_over_floor", "/kib_per_agent", "/agents", "/cores"] {
        is_number(&figures, path);
    }
    assert_eq!(figures["lost"], 0);
    for (at, name) in ["gateway", "floor"].iter().enumerate() {
        assert_eq!(figures["systems"][at]["name"], *name);
        for field in ["first_ms", "p50_ms", "p99_ms", "last_ms", "cpu_us", "lost"] {
            is_number(&figures, &format!("/systems/{at}/medians/{field}"));
            is_number(&figures, &format!("/systems/{at}/rounds/0/{field}"));
        }
        // Asleep they read when all is over, and that says nothing about the server.
        assert!(figures["systems"][at]["rounds"][0]["read_p99_ms"].is_null());
    }
}

#[test]
fn over_tls_and_awake_nobody_is_lost_either() {
    let args = ["fanout", "--agents", "40", "--rounds", "1", "--no-floor", "--tls", "--readers", "awake", "--json"];
    let figures = figures(&args);
    assert_eq!(figures["lost"], 0);
    is_number(&figures, "/systems/0/rounds/0/read_p99_ms");
    assert!(figures["arrival_p99_over_floor"].is_null(), "there is no floor to compare with");
}

#[test]
fn agents_that_run_something_are_told_more_and_none_is_lost() {
    let figures = figures(&["fanout", "--agents", "200", "--rounds", "2", "--have", "--json"]);
    assert_eq!(figures["lost"], 0);
    for at in ["/systems/0/medians/p99_ms", "/systems/1/medians/p99_ms", "/arrival_p99_over_floor"] {
        is_number(&figures, at);
    }
}

#[test]
fn where_nobody_listens_the_address_is_told_and_the_exit_code_is_that_of_the_unreachable() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").to_string();
    let (gateway, peer) = (format!("http://{nobody}"), format!("nats@{nobody}#1"));
    let elsewhere =
        ["fanout", "--agents", "2", "--gateway", &gateway, "--app", "a", "--region", "r", "--publish", "true"];
    for args in [&elsewhere[..], &["watch", "--agents", "2", "--rounds", "1", "--peer", &peer]] {
        let output = run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{args:?}: {said}");
        assert!(said.contains(&nobody), "{said}");
    }
}

#[test]
fn more_agents_than_a_process_may_have_files_are_a_usage_error() {
    for bench in ["fanout", "floor", "restart"] {
        let mut limited = Command::new("sh");
        isolate(&mut limited, &std::env::temp_dir());
        limited.args(["-c", "ulimit -n 2000 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_driftless"), "bench"]);
        let output = limited.args([bench, "--agents", "1001"]).output().expect("sh is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{bench}: {said}");
        assert!(said.contains("2001 open files") && said.contains("hint: "), "{bench}: {said}");
    }
}

#[test]
fn the_floor_stands_alone() {
    let figures = figures(&["floor", "--agents", "300", "--rounds", "2", "--json"]);
    assert_eq!(figures["lost"], 0);
    assert_eq!(figures["systems"][0]["rounds"].as_array().map(Vec::len), Some(2));
    is_number(&figures, "/systems/0/medians/p99_ms");
}

#[test]
fn after_a_restart_everybody_is_back_and_told() {
    let figures = figures(&["restart", "--agents", "200", "--json"]);
    assert_eq!(figures["lost"], 0);
    assert_eq!(figures["healthz_failed"], 0);
    for field in ["back_s", "returns_per_s", "rss_peak_kib", "rss_settled_kib", "healthz_p99_ms", "notify_p99_ms"] {
        is_number(&figures, &format!("/{field}"));
    }
}

#[test]
fn a_gateway_that_dies_is_no_success() {
    let mut bench = Process::start(bench(&["fanout", "--agents", "100", "--rounds", "1000", "--no-floor", "--json"]));
    bench.told("round 1 gateway");
    let gateway = child_with(bench.id(), "gateway").expect("the bench runs a gateway");
    let killed = Command::new("kill").args(["-KILL", &gateway.to_string()]).status().expect("kill exists");
    assert!(killed.success());
    assert!(matches!(bench.ended(), Some(1 | 5 | 6)), "a dead gateway is an error");
}

#[test]
fn an_interrupted_bench_leaves_nobody_behind() {
    let mut bench = Process::start(bench(&["fanout", "--agents", "50", "--rounds", "1000", "--json"]));
    bench.told("round 1 floor");
    let children = children(bench.id());
    assert!(children.len() >= 4, "a gateway, a floor, and workers for each: {children:?}");
    assert_eq!(bench.interrupt(), Some(1));
    eventually("everything that it started is gone", || children.iter().all(|child| arguments(*child).is_empty()));
}

#[test]
fn a_server_that_forgets_one_client_is_found_out() {
    let (lost, why) = beside(Forgetful::Silent);
    assert_eq!(lost, 2, "one in each round that counts");
    assert!(why.contains("no news came"), "{why}");
}

#[test]
fn a_server_that_tells_one_client_something_old_is_found_out() {
    let (lost, why) = beside(Forgetful::Stale);
    assert_eq!(lost, 2);
    assert!(why.contains("generation 1 in the place of"), "{why}");
}

#[test]
fn a_server_that_cuts_news_short_is_found_out() {
    let (lost, why) = beside(Forgetful::Short);
    assert_eq!(lost, 2);
    assert!(why.contains("no news came"), "{why}");
}

/// What becomes of the news for one client of many.
#[derive(Clone, Copy)]
enum Forgetful {
    Silent,
    Stale,
    Short,
}

/// How many were lost by a server that does not tell its first client everything, and what the bench said.
fn beside(forgetful: Forgetful) -> (u64, String) {
    let address = forgetful.serve();
    // Whose processor time is looked at; this process has more to do than to serve.
    let mut calm = Command::new("sleep");
    calm.arg("600");
    let calm = Process::start(calm);
    let peer = format!("nats@{address}#{}", calm.id());
    let output = run(&["watch", "--agents", "5", "--rounds", "2", "--patience", "2", "--peer", &peer, "--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "what a peer loses is the peer's: {said}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(figures["lost"], 0, "gateway and floor forget nobody");
    assert_eq!(figures["systems"][2]["name"], "nats");
    (figures["systems"][2]["medians"]["lost"].as_u64().expect("a number"), said)
}

/// Who has subscribed, from where.
type Subscribed = Arc<Mutex<Vec<(SocketAddr, TcpStream)>>>;

impl Forgetful {
    /// A server that speaks just enough of NATS. Its threads end with their connections, the last one with the process.
    fn serve(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let subscribed: Subscribed = Arc::default();
        std::thread::spawn(move || {
            while let Ok((client, from)) = listener.accept() {
                let subscribed = Arc::clone(&subscribed);
                std::thread::spawn(move || {
                    let _ended = self.talk(&client, from, &subscribed);
                    subscribed.lock().expect("nobody panicked").retain(|(other, _)| *other != from);
                });
            }
        });
        address
    }

    fn talk(self, mut client: &TcpStream, from: SocketAddr, subscribed: &Subscribed) -> Option<()> {
        let mut lines = BufReader::new(client.try_clone().ok()?);
        client.write_all(b"INFO {}\r\n").ok()?;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["SUB", ..] => subscribed.lock().ok()?.push((from, client.try_clone().ok()?)),
                ["PING"] => client.write_all(b"PONG\r\n").ok()?,
                ["PUB", subject, length] => {
                    let mut news = vec![0; length.parse::<usize>().ok()? + 2];
                    lines.read_exact(&mut news).ok()?;
                    let whole = [format!("MSG {subject} 1 {length}\r\n").as_bytes(), &news].concat();
                    self.tell(&subscribed.lock().ok()?, &whole);
                }
                _ => {}
            }
        }
    }

    fn tell(self, subscribed: &[(SocketAddr, TcpStream)], whole: &[u8]) {
        for (at, (_, client)) in subscribed.iter().enumerate() {
            let mut client = client;
            let news = match self {
                Forgetful::Silent if at == 0 => b"".as_slice(),
                Forgetful::Stale if at == 0 => b"MSG bench 1 16\r\n{\"generation\":1}\r\n",
                Forgetful::Short if at == 0 => &whole[..whole.len() - 1],
                _ => whole,
            };
            client.write_all(news).expect("the bench reads");
        }
    }
}

/// The child of `parent` whose first argument is that.
fn child_with(parent: u32, argument: &str) -> Option<u32> {
    children(parent).into_iter().find(|child| arguments(*child).get(1).is_some_and(|first| first == argument))
}

fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("a proc file system").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Nothing for a process that has ended, reaped or not.
fn arguments(id: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}
