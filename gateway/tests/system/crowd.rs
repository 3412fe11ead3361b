//! Many who fetch at once, and some who hardly read: memory is bounded, and nobody waits for them.

use schema::StorePath;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::publication::{Publication, Published, name};
use crate::running::{Running, of_store, until};

const MIB: usize = 1 << 20;

/// A bundle that does not get smaller on its way, and a gateway that has `cache_bytes` and `streams` for it.
async fn serving(bytes: usize, cache_bytes: usize, streams: usize) -> (Publication, Published, Running) {
    let publication = Publication::new();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u64(..).to_ne_bytes()).take(bytes / 8).flatten().collect();
    let bundle = publication.bundle(&name("edge-proxy"), &noise).await;
    publication.point(&publication.pointer("edge-proxy", "eu-west", 1, bundle.target)).await;
    let mut config = of_store(&publication);
    config.limits.blob_cache_bytes = cache_bytes as u64;
    config.limits.streams = streams;
    let gateway = Running::start(config);
    gateway.until_ready().await;
    (publication, bundle, gateway)
}

fn target(bundle: &Published) -> String {
    format!("/{}", StorePath::Bundle { app: name("edge-proxy"), digest: bundle.target.digest })
}

/// One who asks for `target`, and has read the first bytes of the answer and no more.
async fn who_hardly_reads(gateway: &Running, target: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    // What the kernel holds for a reader is not the gateway's.
    socket.set_recv_buffer_size(8 * 1024).expect("a small buffer");
    let mut stream = socket.connect(gateway.address).await.expect("a connection");
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n").as_bytes()).await.expect("a request");
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    stream
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

#[tokio::test]
async fn a47_hundreds_of_slow_readers_of_one_bundle_share_its_bytes() {
    let (_publication, bundle, gateway) = serving(8 * MIB, 256 * MIB, 1).await;
    let target = target(&bundle);
    assert_eq!(gateway.get(&target, &[]).await.body, bundle.compressed);
    let before = resident();
    let mut slow = Vec::new();
    for _ in 0..300 {
        slow.push(who_hardly_reads(&gateway, &target).await);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 * MIB, "300 readers of {} MiB took {} MiB", bundle.compressed.len() / MIB, grown / MIB);
    // And none of them is in anybody's way.
    assert_eq!(gateway.get(&target, &[]).await.body, bundle.compressed);
    assert_eq!(gateway.get("/readyz", &[]).await.status, 200);
}

#[tokio::test]
async fn a47_large_files_are_sent_to_so_many_at_a_time_and_the_others_are_told_to_come_back() {
    // Nothing fits into the cache, so everything comes from its file.
    let (_publication, bundle, gateway) = serving(8 * MIB, 0, 2).await;
    let target = target(&bundle);
    let slow = [who_hardly_reads(&gateway, &target).await, who_hardly_reads(&gateway, &target).await];
    let metrics = async || String::from_utf8(gateway.get("/metrics", &[]).await.body.to_vec()).expect("text");
    assert!(metrics().await.contains("driftless_gateway_streams 2\n"));
    let late = gateway.get(&target, &[]).await;
    assert_eq!((late.status, late.header("retry-after")), (503, Some("2")));
    // Who only asks about it does not have to wait.
    let mut client = gateway.client().await;
    client.send("HEAD", &target, &[]).await;
    assert_eq!(client.reply_to("HEAD").await.status, 200);
    drop(slow);
    until("the places are free", async || metrics().await.contains("driftless_gateway_streams 0\n")).await;
    assert_eq!(gateway.get(&target, &[]).await.body, bundle.compressed);
}

#[tokio::test]
async fn who_comes_while_all_places_are_taken_is_sent_the_file_when_one_is_free() {
    let (_publication, bundle, gateway) = serving(2 * MIB, 0, 1).await;
    let target = target(&bundle);
    let taken = who_hardly_reads(&gateway, &target).await;
    let mut late = gateway.client().await;
    late.send("GET", &target, &[]).await;
    gateway.status().await;
    drop(taken);
    let late = late.reply_to("GET").await;
    assert_eq!((late.status, late.body), (200, bundle.compressed.clone()));
}
