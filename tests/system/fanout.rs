//! Many plain HTTP clients parked on one gateway: all answered after one publication, none lost.
//!
//! The clients are one thread over non-blocking sockets in this process, the gateway is another process, so that each stays
//! below the limit on open files. `DRIFTLESS_TEST_PARKED` says how many (default 2,000; 18,000 fits under 20,000 files).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::world::{PATIENCE, World, eventually};

#[test]
fn f29_every_parked_poll_is_answered_after_one_publication() {
    let parked: usize = std::env::var("DRIFTLESS_TEST_PARKED").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    raise_open_files();
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let address: SocketAddr = up.url.trim_start_matches("http://").parse().expect("an address");
    let etag = etag(&up);
    let before = resident_kib(up.process.id());
    let begun = Instant::now();
    let mut clients: Vec<TcpStream> = (0..parked).map(|_| park(address, &etag)).collect();
    eventually("all are parked", || up.status()["parked"].as_u64() >= Some(parked as u64));
    let parking = begun.elapsed();
    let memory = resident_kib(up.process.id());
    let each = memory.saturating_sub(before) as f64 / parked as f64;
    // Generous: a connection that stayed in hyper would have 18 KiB.
    assert!(each <= KIB_PER_AGENT_MAX, "{each:.1} KiB for each of {parked} parked agents");
    for client in &clients {
        client.set_nonblocking(true).expect("a socket can be made non-blocking");
    }
    let begun = Instant::now();
    world.commit("apps/web/settings.yaml", "greeting: everyone\n");
    let (mut first, mut last) = (None, None);
    let mut answered = 0;
    let mut buffer = [0; 4096];
    while answered < parked {
        assert!(begun.elapsed() < PATIENCE, "{answered} of {parked} answered");
        clients.retain_mut(|client| match client.read(&mut buffer) {
            Ok(read) => {
                let answer = String::from_utf8_lossy(&buffer[..read]);
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                first.get_or_insert(begun.elapsed());
                last = Some(begun.elapsed());
                answered += 1;
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "a parked client was lost");
                true
            }
        });
    }
    eprintln!(
        "{parked} parked in {parking:?} ({memory} KiB resident in the gateway, {each:.2} for each); commit to first answer {:?}, to last {:?}; lost 0",
        first.unwrap_or_default(),
        last.unwrap_or_default()
    );
}

/// One client that has asked and waits. The request is written whole; nothing is read yet.
fn park(address: SocketAddr, etag: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("the gateway accepts");
    let request = format!(
        "GET /v1/apps/web/regions/eu-west/pointer HTTP/1.1\r\nHost: gateway\r\nIf-None-Match: {etag}\r\nPrefer: wait=100\r\n\r\n"
    );
    client.write_all(request.as_bytes()).expect("the gateway reads");
    client
}

fn etag(up: &crate::world::Up) -> String {
    let head = crate::world::curl(&["-fsS", "-D", "-", "-o", "/dev/null", &up.pointer_url("web", "eu-west")]);
    let head = String::from_utf8_lossy(&head.stdout).into_owned();
    let line = head.lines().find(|line| line.to_lowercase().starts_with("etag:")).expect("a tag");
    line.split_once(':').expect("a header").1.trim().to_owned()
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// As many open files as the machine allows: for this process, and for the gateway that it starts.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised to the hard one");
}

const KIB_PER_AGENT_MAX: f64 = 4.0;
