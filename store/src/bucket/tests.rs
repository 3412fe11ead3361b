//! What a server says, and what is made of it: the whole way through the client, over loopback.

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::{Created, Failure, Store, StorePath};

const PATH: StorePath = StorePath::Root { version: 1 };

const ABSENT: (u16, &str) = (404, "<Code>NoSuchKey</Code>");
const CONFLICT: (u16, &str) = (409, "<Code>ConditionalRequestConflict</Code>");
const LOST: (u16, &str) = (412, "<Code>PreconditionFailed</Code>");

/// A server that gives each request the next answer of its script, and the last one for ever.
struct Scripted {
    store: Store,
    _server: JoinSet<()>,
}

async fn server(script: &'static [(u16, &'static str)]) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut server = JoinSet::new();
    server.spawn(async move {
        for (status, body) in script.iter().chain(std::iter::repeat(script.last().expect("an answer"))) {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            request(&mut connection).await;
            let answer = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\nlast-modified: Sat, 21 Nov 2026 20:00:00 GMT\r\n\
                 etag: \"etag\"\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(answer.as_bytes()).await.expect("it listens");
        }
    });
    Scripted { store: store(&format!("http://127.0.0.1:{port}")), _server: server }
}

/// Reads one request, head and body.
async fn request(connection: &mut TcpStream) {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.split_once("content-length: ").map_or("0", |(_, rest)| rest.lines().next().unwrap_or("0"));
            if body.len() >= length.parse().expect("a number") {
                return;
            }
        }
        assert_ne!(connection.read_buf(&mut received).await.expect("it talks"), 0, "it says all it has to say");
    }
}

fn store(endpoint: &str) -> Store {
    let url: BucketUrl = format!("bucket/prefix?endpoint={endpoint}").parse().expect("a bucket");
    let credentials = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        _ => None,
    };
    Store::over(open(&url, credentials).expect("a client"), "scripted")
}

async fn read(script: &'static [(u16, &'static str)]) -> Result<Option<Bytes>, Failure> {
    let server = server(script).await;
    server.store.read(&PATH, 99).await.map(|object| object.map(|object| object.bytes)).map_err(|error| error.kind)
}

async fn create(script: &'static [(u16, &'static str)]) -> Result<Created, Failure> {
    let server = server(script).await;
    server.store.create(&PATH, Bytes::from_static(b"ours")).await.map_err(|error| error.kind)
}

#[tokio::test]
async fn only_a_missing_object_is_absent() {
    assert_eq!(read(&[(200, "ours")]).await.expect("an object"), Some(Bytes::from_static(b"ours")));
    assert_eq!(read(&[ABSENT]).await.expect("an answer"), None);
    for script in
        [&[(404, "<Code>NoSuchBucket</Code>")], &[(404, "<html>")], &[(301, "<Code>PermanentRedirect</Code>")]]
    {
        let refused = read(script).await.expect_err("no object was found missing");
        assert!(matches!(refused, Failure::Refused(_)), "{script:?}: {refused:?}");
    }
    let denied = read(&[(403, "<Code>AccessDenied</Code>")]).await.expect_err("it is denied");
    assert!(matches!(denied, Failure::Denied(_)), "{denied:?}");
    let unreachable = read(&[(503, "<Code>SlowDown</Code>")]).await.expect_err("it does not answer");
    assert!(matches!(unreachable, Failure::Unreachable(_)), "{unreachable:?}");
}

#[tokio::test]
async fn a_listing_is_whole_or_an_error() {
    for script in [&[(404, "<Code>NoSuchBucket</Code>")], &[(200, "<html>no listing</html>")], &[(403, "")]] {
        let server = server(script).await;
        assert!(server.store.apps().await.is_err(), "{script:?}");
        assert!(server.store.root_versions().await.is_err(), "{script:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let gone = store(&format!("http://127.0.0.1:{port}")).read(&PATH, 99).await.expect_err("nobody listens");
    assert!(matches!(gone.kind, Failure::Unreachable(_)) && gone.is_retryable(), "{gone:?}");
}

#[tokio::test]
async fn our_own_success_that_comes_back_as_a_refusal_is_a_success() {
    // The client repeats the write by itself after the 500, which came too late to stop the first from taking effect.
    for script in [&[(500, ""), LOST, (200, "ours")][..], &[CONFLICT, (200, "ours")], &[LOST, (200, "ours")]] {
        assert_eq!(create(script).await.expect("an outcome"), Created::Same, "{script:?}");
    }
    for script in [&[LOST, (200, "theirs")][..], &[CONFLICT, (200, "theirs")]] {
        let taken = Created::Taken(Bytes::from_static(b"theirs"));
        assert_eq!(create(script).await.expect("an outcome"), taken, "{script:?}");
    }
    // Another write was in flight, and came to nothing.
    assert_eq!(create(&[CONFLICT, ABSENT, (200, "")]).await.expect("an outcome"), Created::New);
}

#[tokio::test]
async fn a_server_without_conditional_writes_is_refused() {
    let refused = create(&[(501, "<Code>NotImplemented</Code>")]).await.expect_err("it cannot");
    assert!(matches!(refused, Failure::Refused(_)), "{refused:?}");
}

#[test]
fn the_bucket_goes_where_the_url_says() {
    let endpoint = |text: &str| endpoint(&text.parse().expect("a bucket"));
    assert_eq!(endpoint("bucket"), None);
    assert_eq!(endpoint("bucket?endpoint=http://host:9000").as_deref(), Some("http://host:9000"));
    let virtual_host = "bucket?endpoint=https://s3.example.com&virtual_host=true";
    assert_eq!(endpoint(virtual_host).as_deref(), Some("https://bucket.s3.example.com"));
}
