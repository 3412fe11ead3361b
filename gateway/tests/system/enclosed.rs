//! One answer for all of it: a pointer, and what leads from the bundle that an agent runs to the one that is named.

use bytes::Bytes;
use schema::enclosed::{Contents, Part, Split};
use schema::pointer::{Candidate, Phase, Slice, Target};
use schema::{Digest, StorePath};

use crate::client::{Client, Reply};
use crate::publication::{Publication, name, pointer_path};
use crate::running::{Running, behind, of_store, until};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

/// The bundle that every bundle here has a patch from.
fn base() -> Digest {
    Digest::of(b"base")
}

fn split(reply: &Reply) -> Split {
    let contents: Contents =
        reply.header("driftless-enclosed").expect("a list of parts").parse().expect("a list of parts");
    contents.split(reply.body.clone()).expect("what the list says")
}

/// Everybody is to get `target` ready.
fn preparing(target: Target) -> Candidate {
    let slice = Slice { share: 10_000, when: Default::default(), not_before: None, confirmed: false };
    let (phase, salt) = (Phase::Prepare, "salt".into());
    Candidate { target, phase, slice, salt, spread_s: 0, confirm_within_s: 0, also: Vec::new() }
}

async fn ask(client: &mut Client, have: &str) -> Reply {
    client.get(POINTER, &[("Driftless-Have", have)]).await
}

/// A gateway that has made ready what goes along with the pointer in force, and what that is.
async fn enclosing(gateway: &Running, have: Digest) -> Split {
    until("parts beside the pointer", async || {
        ask(&mut gateway.client().await, &have.to_string()).await.header("driftless-enclosed").is_some()
    })
    .await;
    split(&ask(&mut gateway.client().await, &have.to_string()).await)
}

#[tokio::test]
async fn an_agent_that_says_what_it_has_is_sent_what_leads_from_there() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let first = Running::of(&publication).await;
    let second = Running::start(behind(first.address, &publication));
    second.until_ready().await;
    let digest = pointer.stable.digest;
    let read = |path: StorePath| Bytes::from(std::fs::read(publication.file(&path)).expect("an object"));
    let app = || name("edge-proxy");
    let manifest = (Part::Manifest(digest), read(StorePath::Manifest { app: app(), digest }));
    let patch = (Part::Patch { digest, base: base() }, read(StorePath::Patch { app: app(), digest, base: base() }));
    for gateway in [&first, &second] {
        until("a pointer", async || gateway.get(POINTER, &[]).await.status == 200).await;
        let sent = enclosing(gateway, base()).await;
        assert_eq!(sent, Split { pointer: pointer.bytes().clone(), parts: vec![manifest.clone(), patch.clone()] });
        // A bundle that nobody knows may be one that was never told of, or a lie: neither is of use to anybody.
        assert_eq!(enclosing(gateway, Digest::of(b"unknown")).await.parts, std::slice::from_ref(&manifest));

        let mut client = gateway.client().await;
        let alone = client.get(POINTER, &[]).await;
        let reply = ask(&mut client, &base().to_string()).await;
        assert_eq!(reply.etag(), alone.etag(), "the tag is the pointer's");
        assert_eq!((reply.header("vary"), reply.header("cache-control")), (Some("driftless-have"), Some("no-store")));
        let same =
            client.get(POINTER, &[("Driftless-Have", &base().to_string()), ("If-None-Match", alone.etag())]).await;
        assert_eq!((same.status, same.header("driftless-enclosed")), (304, None));
    }
}

#[tokio::test]
async fn who_asks_as_ever_is_answered_as_ever() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    enclosing(&gateway, base()).await;
    let mut client = gateway.client().await;
    let digest = pointer.stable.digest.to_string();
    for have in [&digest, "", "nonsense", &base().to_string()[1..], &format!("{digest}, {digest}"), &"f".repeat(8000)] {
        let reply = ask(&mut client, have).await;
        assert_eq!((reply.status, &reply.body), (200, pointer.bytes()), "{have}");
        assert_eq!((reply.header("driftless-enclosed"), reply.header("vary")), (None, None), "{have}");
    }
    let twice = [("Driftless-Have", &*base().to_string()), ("Driftless-Have", &*base().to_string())];
    assert_eq!(client.get(POINTER, &twice).await.body, *pointer.bytes());
    assert_eq!(client.get(POINTER, &[]).await.header("cache-control"), Some("public, max-age=1, no-transform"));
}

/// Plain and through TLS is one thing here: whoever waits is told by the same bytes.
#[tokio::test]
async fn who_waits_is_sent_it_as_well() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let first = client.get(POINTER, &[]).await;
    let have = base().to_string();
    let waiting = [("Driftless-Have", &*have), ("If-None-Match", first.etag()), ("Prefer", "wait=60")];
    client.send("GET", POINTER, &waiting).await;
    gateway.until_parked(1).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    let reply = client.reply_to("GET").await;
    let sent = split(&reply);
    assert_eq!(sent.pointer, *second.bytes());
    let digest = second.stable.digest;
    let parts: Vec<Part> = sent.parts.iter().map(|(part, _)| *part).collect();
    assert_eq!(parts, [Part::Manifest(digest), Part::Patch { digest, base: base() }]);
    assert_eq!(reply.header("preference-applied"), Some("wait=60"));
    // The connection goes on.
    assert_eq!(ask(&mut client, &have).await.body, reply.body);
}

#[tokio::test]
async fn the_candidate_of_a_rollout_comes_too() {
    let publication = Publication::new();
    let stable = publication.bundle(&name("edge-proxy"), b"stable").await;
    let candidate = publication.bundle(&name("edge-proxy"), b"candidate").await;
    let pointer = publication.pointer("edge-proxy", "eu-west", 1, stable.target);
    let mut pointer = (*pointer).clone();
    pointer.candidate = Some(preparing(candidate.target));
    publication.point(&publication.sign(pointer)).await;
    let gateway = Running::of(&publication).await;
    let sent = enclosing(&gateway, stable.target.digest).await;
    assert_eq!(sent.parts, [(Part::Manifest(candidate.target.digest), candidate.manifest.clone())]);
    let sent = enclosing(&gateway, base()).await;
    assert_eq!(sent.parts.len(), 4, "two manifests, two patches");
}

#[tokio::test]
async fn a01_a11_what_does_not_verify_does_not_go_along() {
    let publication = Publication::new();
    let app = || name("edge-proxy");
    let bundle = publication.bundle(&app(), b"bundle").await;
    let (digest, base) = (bundle.target.digest, base());
    let patch = StorePath::Patch { app: app(), digest, base };
    let mut wrong = bundle.compressed.to_vec();
    wrong[9] ^= 1;
    publication.overwrite(&patch, &wrong);
    publication.point(&publication.pointer("edge-proxy", "eu-west", 1, bundle.target)).await;
    let gateway = Running::of(&publication).await;
    assert_eq!(enclosing(&gateway, base).await.parts, [(Part::Manifest(digest), bundle.manifest.clone())]);
    assert_eq!(gateway.get(&format!("/{patch}"), &[]).await.status, 502);

    // A manifest under the name of another bundle, and one that was signed and is not the one that the pointer names.
    let swapped = publication.bundle(&app(), b"swapped").await;
    let other = publication.bundle(&app(), b"other").await;
    let path = StorePath::Manifest { app: app(), digest: swapped.target.digest };
    publication.overwrite(&path, &other.manifest);
    let unnamed = Target { manifest: swapped.target.manifest, ..other.target };
    for (region, candidate) in [("us-east", swapped.target), ("us-west", unnamed)] {
        let mut pointer = (*publication.pointer("edge-proxy", region, 1, bundle.target)).clone();
        pointer.candidate = Some(preparing(candidate));
        publication.point(&publication.sign(pointer)).await;
        let gateway = Running::of(&publication).await;
        let target = format!("/{}", pointer_path("edge-proxy", region));
        let have = base.to_string();
        let asking = async || gateway.get(&target, &[("Driftless-Have", &have)]).await;
        until("parts beside the pointer", async || asking().await.header("driftless-enclosed").is_some()).await;
        assert_eq!(split(&asking().await).parts, [(Part::Manifest(digest), bundle.manifest.clone())], "{region}");
    }
}

#[tokio::test]
async fn a05_an_answer_stays_small_whatever_was_signed() {
    let publication = Publication::new();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(70_000).collect();
    let bundle = publication.bundle(&name("edge-proxy"), &noise).await;
    publication.point(&publication.pointer("edge-proxy", "eu-west", 1, bundle.target)).await;
    let mut config = of_store(&publication);
    // Not even what is small enough to be shared counts for more.
    config.limits.blob_cache_bytes = 64 << 20;
    let gateway = Running::start(config);
    gateway.until_ready().await;
    assert_eq!(
        enclosing(&gateway, base()).await.parts,
        [(Part::Manifest(bundle.target.digest), bundle.manifest.clone())]
    );
}
