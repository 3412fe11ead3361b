//! The whole story on a bucket: what changes is one line of configuration.
//!
//! The server is whichever `DRIFTLESS_TEST_S3` names, with a bucket that exists; `tests/run` starts one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::world::{Up, World, assert_ok};

#[test]
fn the_whole_story_on_s3_is_one_line_of_configuration() {
    let world = World::new();
    world.configure("store: store\n", &format!("store: \"{}\"\n", fresh_url()));
    let up = up(&world);
    let agent = world.agent("web-1", "eu-west", &up.url);
    world.commit("apps/web/settings.yaml", "greeting: from a bucket\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: from a bucket\n");
    let before = agent.current("web");
    world.commit("apps/web/settings.yaml", "greeting: changed\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: changed\n");
    let reverted = world.revert();
    agent.comes_to_read("web", "settings.yaml", "greeting: from a bucket\n");
    assert_eq!(agent.current("web"), before);
    up.published(&reverted);
    let generation = up.pointer("web", "eu-west")["generation"].clone();
    assert!(!world.store().exists(), "nothing was written to a directory");
    drop(up);
    std::fs::remove_dir_all(world.home().join("state")).expect("what the publisher remembers can be lost");
    let up = self::up(&world);
    up.published(&reverted);
    assert_eq!(up.pointer("web", "eu-west")["generation"], generation, "a publisher that starts anew changes nothing");
    world.write("apps/web/settings.yaml", "greeting: unsigned\n");
    world.git(&["commit", "-q", "-a", "--no-gpg-sign", "-m", "Trust me"]);
    up.has_problem("not signed");
    let mut history = world.driftless(&["history", "config", "--app", "web", "--region", "eu-west", "--json"]);
    credentials(&mut history);
    let history = history.output().expect("driftless starts");
    assert_ok(&history, "driftless history");
    let records: serde_json::Value = serde_json::from_slice(&history.stdout).expect("JSON");
    assert_eq!(records.as_array().map(Vec::len), generation.as_u64().map(|changes| changes as usize));
}

fn up(world: &World) -> Up {
    let mut command = world.driftless(&["up", "config", "--listen", "127.0.0.1:0"]);
    credentials(&mut command);
    Up::start(command)
}

/// What the test servers accept; real credentials come from the same variables.
pub(crate) fn credentials(command: &mut Command) {
    command.env("AWS_ACCESS_KEY_ID", "driftless").env("AWS_SECRET_ACCESS_KEY", "driftless");
}

/// A store of its own in the bucket that the environment names.
fn fresh_url() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (bucket, endpoint) = server();
    format!("{bucket}/test-{}-{}?endpoint={endpoint}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `s3://bucket` and the server's URL.
fn server() -> (String, String) {
    let url =
        std::env::var("DRIFTLESS_TEST_S3").expect("DRIFTLESS_TEST_S3 names a bucket; run the tests with tests/run");
    let (bucket, query) =
        url.split_once("?endpoint=").expect("it is of the form s3://bucket?endpoint=http://host:port");
    (bucket.to_owned(), query.to_owned())
}

/// The S3 server behind a door that answers 500 until it is told to open.
pub(crate) struct FaultyS3 {
    port: u16,
    open: Arc<AtomicBool>,
}

impl FaultyS3 {
    pub(crate) fn start() -> FaultyS3 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let open = Arc::new(AtomicBool::new(false));
        let (_, endpoint) = server();
        let behind = endpoint.trim_start_matches("http://").to_owned();
        let door = Arc::clone(&open);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (behind, door) = (behind.clone(), Arc::clone(&door));
                std::thread::spawn(move || serve(client, &behind, &door));
            }
        });
        FaultyS3 { port, open }
    }

    pub(crate) fn url(&self, prefix: &str) -> String {
        let (bucket, _) = server();
        format!("{bucket}/{prefix}-{}?endpoint=http://127.0.0.1:{}", std::process::id(), self.port)
    }

    pub(crate) fn recover(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// One connection: refused with 500, or passed through until either side ends it. The client may not keep it across a recovery.
fn serve(mut client: TcpStream, behind: &str, door: &AtomicBool) {
    if !door.load(Ordering::SeqCst) {
        let mut request = [0; 4096];
        let _whatever_it_asks = client.read(&mut request);
        let _gone = client.write_all(b"HTTP/1.1 500 Trouble\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    let Ok(mut server) = TcpStream::connect(behind) else { return };
    let (Ok(mut from_client), Ok(mut to_client)) = (client.try_clone(), server.try_clone()) else { return };
    let upwards = std::thread::spawn(move || {
        let _ended = std::io::copy(&mut from_client, &mut server);
        let _gone = server.shutdown(Shutdown::Write);
    });
    let _ended = std::io::copy(&mut to_client, &mut client);
    let _gone = client.shutdown(Shutdown::Both);
    let _done = upwards.join();
}
