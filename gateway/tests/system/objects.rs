//! Immutable objects: whole, in part, or not at all.

use schema::{Digest, StorePath};

use crate::multiplex::with_a_large_bundle;
use crate::publication::{Publication, Published, first_order, name};
use crate::running::Running;

const FOR_EVER: &str = "public, max-age=31536000, immutable, no-transform";

async fn published() -> (Publication, Published, Running) {
    let publication = Publication::new();
    let bundle = publication.bundle(&name("edge-proxy"), &vec![7; 100_000]).await;
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    (publication, bundle, gateway)
}

fn bundle_path(bundle: &Published) -> String {
    format!("/{}", StorePath::Bundle { app: name("edge-proxy"), digest: bundle.target.digest })
}

#[tokio::test]
async fn every_kind_of_object_is_served_for_ever() {
    let (publication, bundle, gateway) = published().await;
    publication.create_root_copy().await;
    let (app, digest) = (name("edge-proxy"), bundle.target.digest);
    let history = StorePath::History { app: name("edge-proxy"), region: name("eu-west"), order: first_order() };
    let table = [
        (StorePath::Bundle { app, digest }, "application/zstd"),
        (StorePath::Patch { app: name("edge-proxy"), digest, base: Digest::of(b"base") }, "application/zstd"),
        (StorePath::Manifest { app: name("edge-proxy"), digest }, "text/plain; charset=utf-8"),
        (StorePath::Root { version: 1 }, "text/plain; charset=utf-8"),
        (history, "text/plain; charset=utf-8"),
    ];
    let mut client = gateway.client().await;
    for (path, content_type) in table {
        let file = std::fs::read(publication.file(&path)).expect("an object");
        let target = format!("/{path}");
        let reply = client.get(&target, &[]).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &file[..]), "{path}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{path}");
        assert_eq!(reply.header("cache-control"), Some(FOR_EVER), "{path}");
        assert_eq!(reply.header("accept-ranges"), Some("bytes"), "{path}");
        let same = client.get(&target, &[("If-None-Match", reply.etag())]).await;
        assert_eq!((same.status, same.header("cache-control")), (304, Some(FOR_EVER)), "{path}");
        client.send("HEAD", &target, &[]).await;
        let head = client.reply_to("HEAD").await;
        let length = file.len().to_string();
        assert_eq!(
            (head.status, head.header("content-length"), head.etag()),
            (200, Some(length.as_str()), reply.etag()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_part_is_served_as_a_part() {
    let (_publication, bundle, gateway) = published().await;
    let (whole, size) = (&bundle.compressed[..], bundle.compressed.len());
    let mut client = gateway.client().await;
    // A bundle comes from its file, a manifest from memory; a client cannot tell.
    for (target, whole, size) in [
        (bundle_path(&bundle), whole, size),
        (bundle_path(&bundle).replace(".tar.zst", ".manifest"), &bundle.manifest[..], bundle.manifest.len()),
    ] {
        let etag = client.get(&target, &[]).await.etag().to_owned();
        let last = size - 1;
        for (range, start, end) in [
            ("bytes=0-0".to_owned(), 0, 1),
            ("bytes=5-9".to_owned(), 5, 10),
            ("bytes=5-".to_owned(), 5, size),
            ("bytes=-5".to_owned(), size - 5, size),
            (format!("bytes={last}-{size}00"), last, size),
        ] {
            let reply = client.get(&target, &[("Range", &range)]).await;
            assert_eq!((reply.status, &reply.body[..]), (206, &whole[start..end]), "{range}");
            let described = format!("bytes {start}-{}/{size}", end - 1);
            assert_eq!(reply.header("content-range"), Some(described.as_str()), "{range}");
            assert_eq!(reply.etag(), etag);
        }
        for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
            let reply = client.get(&target, &[("Range", &range)]).await;
            let described = format!("bytes */{size}");
            assert_eq!((reply.status, reply.header("content-range")), (416, Some(described.as_str())), "{range}");
        }
        for range in ["bytes=1-0", "bytes=0-1,3-4", "lines=1-2", "bytes=x-"] {
            let reply = client.get(&target, &[("Range", range)]).await;
            assert_eq!((reply.status, reply.body.len()), (200, size), "{range}");
        }
        let fresh = client.get(&target, &[("Range", "bytes=0-0"), ("If-Range", &etag)]).await;
        let stale = client.get(&target, &[("Range", "bytes=0-0"), ("If-Range", "\"another\"")]).await;
        assert_eq!((fresh.status, stale.status), (206, 200));
    }
}

#[tokio::test]
async fn an_object_that_is_not_there_is_not_there() {
    let (_publication, bundle, gateway) = published().await;
    let mut client = gateway.client().await;
    let unknown = Digest::of(b"unknown");
    for path in [
        StorePath::Bundle { app: name("edge-proxy"), digest: unknown },
        StorePath::Manifest { app: name("edge-proxy"), digest: unknown },
        StorePath::Bundle { app: name("feature-flags"), digest: bundle.target.digest },
        StorePath::Patch { app: name("edge-proxy"), digest: bundle.target.digest, base: unknown },
        StorePath::Root { version: 99 },
    ] {
        let reply = client.get(&format!("/{path}"), &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["hint"].is_string(), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn a21_a_forged_trust_root_is_neither_relayed_nor_remembered() {
    let (mut publication, mut stranger) = (Publication::new(), Publication::new());
    publication.create_root_copy().await;
    stranger.rotate_pointer_key().await;
    let path = StorePath::Root { version: 2 };
    // A whole chain of its own, so that it carries its own signatures.
    let forged = std::fs::read(stranger.file(&path)).expect("a root");
    publication.overwrite_new(&path, &forged);
    let gateway = Running::of(&publication).await;
    assert_eq!(gateway.get(&format!("/{path}"), &[]).await.status, 502);
    std::fs::remove_file(publication.file(&path)).expect("a file");
    publication.rotate_pointer_key().await;
    let good = std::fs::read(publication.file(&path)).expect("a root");
    let looking = async {
        loop {
            let reply = gateway.get(&format!("/{path}"), &[]).await;
            if reply.status == 200 {
                return reply;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let reply = tokio::time::timeout(crate::client::PATIENCE, looking).await.expect("the next root in time");
    assert_eq!(reply.body, good);
}

#[tokio::test]
async fn a23_a_root_that_takes_a_key_out_is_served_to_whoever_asks_first() {
    let mut publication = Publication::new();
    publication.create_root_copy().await;
    let gateway = Running::of(&publication).await;
    for version in 2..6 {
        let path = StorePath::Root { version };
        assert_eq!(gateway.get(&format!("/{path}"), &[]).await.status, 404, "nobody signed it yet");
        publication.rotate_pointer_key().await;
        let reply = gateway.get(&format!("/{path}"), &[]).await;
        assert_eq!((reply.status, reply.body), (200, std::fs::read(publication.file(&path)).expect("a root").into()));
    }
}

#[tokio::test]
async fn a11_a_tampered_manifest_is_not_relayed() {
    let (publication, bundle, gateway) = published().await;
    let path = StorePath::Manifest { app: name("edge-proxy"), digest: bundle.target.digest };
    let mut tampered = bundle.manifest.to_vec();
    tampered[30] ^= 1;
    publication.overwrite(&path, &tampered);
    assert_eq!(gateway.get(&format!("/{path}"), &[]).await.status, 502);
    publication.overwrite(&path, &bundle.manifest);
    assert_eq!(gateway.get(&format!("/{path}"), &[]).await.status, 200);
    // Under another bundle's name it is as wrong as with other bytes.
    let misplaced = StorePath::Manifest { app: name("edge-proxy"), digest: Digest::of(b"another") };
    publication.overwrite(&misplaced, &bundle.manifest);
    assert_eq!(gateway.get(&format!("/{misplaced}"), &[]).await.status, 502);
}

#[tokio::test]
async fn parts_of_a_large_bundle_are_what_they_are_of_the_whole() {
    let (_publication, gateway, bundle, target) = with_a_large_bundle(|_| {}).await;
    let last = bundle.len() - 1;
    for (from, to) in [(0, 0), (last - 100, last), (70_001, 3_000_000), (0, last)] {
        let part = gateway.get(&target, &[("Range", &format!("bytes={from}-{to}"))]).await;
        assert_eq!(part.status, 206);
        assert!(part.body == bundle[from..=to], "{from} to {to}");
    }
    let mut client = gateway.client().await;
    client.send("HEAD", &target, &[]).await;
    let length = client.reply_to("HEAD").await.header("content-length").map(str::to_owned);
    assert_eq!(length, Some(bundle.len().to_string()));
}
