//! Patches: made against what regions ran, named only where they were read back, and never in the way.

use std::io::Read as _;

use schema::encoding::{Decoder, Run, patch};
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Patch};
use schema::{Digest, Limits, Manifest, StorePath, TrustRoot, Verified};

use crate::bench::{Bench, Tip, all_of, app, copy};
use crate::duty::Duty;
use crate::keys::Keys;
use crate::publish::Kept;
use crate::publish::patches::PATCHES_MAX;
use crate::publisher::Publisher;
use crate::rebuild::rebuild;

/// A configuration of some length, in which one line says `version`.
pub(super) fn text(version: u32) -> String {
    let line = |at: u32| format!("setting-{at}: {}\n", at.wrapping_mul(2_654_435_761));
    (0..2000).map(|at| if at == 700 { format!("version: {version}\n") } else { line(at) }).collect()
}

async fn read(bench: &Bench, path: &StorePath) -> Option<bytes::Bytes> {
    bench.publisher.store.read(path, 1 << 20).await.expect("a read").map(|object| object.bytes)
}

async fn manifest(bench: &Bench, digest: Digest) -> Option<Verified<Manifest>> {
    let bytes = read(bench, &StorePath::Manifest { app: app(), digest }).await?;
    Some(Verified::open(bytes, &bench.publisher.root().release, &Limits::DEFAULT).expect("ours"))
}

/// The patches that the manifest of the bundle for `us` lists, each of which was seen to make the bundle.
async fn patches(bench: &Bench, tip: &Tip) -> Vec<Patch> {
    let digest = tip.digest("us");
    let manifest = manifest(bench, digest).await.expect("it is there");
    let mut patches = Vec::new();
    for encoding in &manifest.encodings[1..] {
        let Encoding::Patch(patch) = encoding else { panic!("{encoding:?}") };
        let bytes = read(bench, &StorePath::Patch { app: app(), digest, base: patch.from }).await.expect("it is there");
        assert_eq!((bytes.len() as u64, Digest::of(&bytes)), (patch.size, patch.sha256));
        assert!(patch.size * 2 < manifest.whole().size, "{patch:?}");
        let base = bench.archive(patch.from).await;
        let mut made = Vec::new();
        let decoder = Decoder::against(&bytes[..], &base, manifest.size, patch.window_log).expect("a frame");
        { decoder }.read_to_end(&mut made).expect("it decodes");
        assert_eq!(Digest::of(&made), digest);
        patches.push(*patch);
    }
    patches
}

fn from(patches: &[Patch]) -> Vec<Digest> {
    patches.iter().map(|patch| patch.from).collect()
}

/// A bench on which some versions were published, one after the other.
async fn published(versions: std::ops::Range<u32>, publisher: impl Fn(Publisher) -> Publisher) -> (Bench, Vec<Tip>) {
    let mut bench = Bench::new();
    bench.publisher = publisher(bench.publisher.clone());
    let mut tips = Vec::new();
    for version in versions {
        let tip = bench.tip(&text(version), "1");
        assert_eq!(bench.publish(&tip).await.moved.len(), 2);
        tips.push(tip);
    }
    (bench, tips)
}

#[tokio::test]
async fn a_change_of_one_line_travels_as_one_line_from_each_of_the_last_bundles() {
    let (bench, tips) = published(0..7, |publisher| publisher).await;
    let patches = patches(&bench, &tips[6]).await;
    let last: Vec<Digest> = [5, 4, 3, 2].iter().map(|&at: &usize| tips[at].digest("us")).collect();
    assert_eq!(from(&patches), last, "the most recent first");
    for patch in patches {
        assert!(patch.size < 120, "{patch:?}");
    }
    bench.check().await;
}

#[tokio::test]
async fn as_many_patches_as_were_asked_for_and_none_for_none() {
    for many in [0, 1, 3] {
        let (bench, tips) = published(0..5, |publisher| publisher.with_patches(many)).await;
        assert_eq!(patches(&bench, &tips[4]).await.len(), many);
    }
    let (bench, _) = published(0..1, |publisher| publisher.with_patches(99)).await;
    assert_eq!(bench.publisher.patches, PATCHES_MAX);
}

#[tokio::test]
async fn after_a_restart_the_same_patches_are_made_from_the_repository() {
    let (mut bench, _) = published(0..4, |publisher| publisher).await;
    let next = bench.tip(&text(9), "1");
    bench.publish(&next).await;
    let running = patches(&bench, &next).await;

    let (mut bench, tips) = published(0..4, |publisher| publisher).await;
    bench.publisher.kept = Kept::default();
    // What is compiled and signed again after that is nothing: everything is there.
    bench.publish(&tips[3]).await;
    bench.publisher.kept = Kept::default();
    let next = bench.tip(&text(9), "1");
    bench.publish(&next).await;
    let started = patches(&bench, &next).await;
    assert_eq!(started, running);
    assert_eq!(started.len(), 4);
}

#[tokio::test]
async fn f33_an_older_bundle_that_comes_back_keeps_its_manifest_and_uploads_nothing() {
    let (mut bench, tips) = published(0..3, |publisher| publisher).await;
    let before = manifest(&bench, tips[1].digest("us")).await.expect("it is there");
    let revert = bench.tip(&text(1), "1");
    let (faulty, publisher) = bench.faulty();
    assert_eq!(revert.publish(&publisher).await.moved.len(), 2);
    assert_eq!(faulty.writes_seen(), 4, "a record and a pointer for each region");
    let after = manifest(&bench, tips[1].digest("us")).await.expect("it is there");
    assert_eq!(after.bytes(), before.bytes());
    bench.check().await;
}

#[tokio::test]
async fn a_base_that_is_gone_from_the_store_is_in_nobodys_way() {
    for restarted in [false, true] {
        let (mut bench, tips) = published(0..3, |publisher| publisher).await;
        let gone = tips[0].digest("us");
        bench.remove(&StorePath::Bundle { app: app(), digest: gone }).await;
        bench.remove(&StorePath::Manifest { app: app(), digest: gone }).await;
        if restarted {
            bench.publisher.kept = Kept::default();
        }
        let next = bench.tip(&text(9), "1");
        assert_eq!(bench.publish(&next).await.moved.len(), 2);
        let manifest = manifest(&bench, next.digest("us")).await.expect("it is there");
        // What nobody signed for any more is not gone by; what was made here is.
        assert_eq!(manifest.encodings.len(), if restarted { 3 } else { 4 });
    }
}

/// A patch, whatever it is against, to an archive that differs in one byte.
fn another_archive(archive: &[u8]) -> Vec<u8> {
    let mut other = archive.to_vec();
    other[600] ^= 1;
    patch(1, &other, &[Run::Fresh { len: other.len() as u64 }])
}

#[tokio::test]
async fn what_stands_in_a_patchs_place_is_adopted_only_if_it_makes_the_bundle() {
    for good in [true, false] {
        let (mut bench, tips) = published(0..1, |publisher| publisher).await;
        let next = bench.tip(&text(9), "1");
        let (base, digest) = (tips[0].digest("us"), next.digest("us"));
        let archive = &next.compilation.bundles[&(app(), crate::bench::region("us"))].archive;
        // An earlier release of this program may have made another one.
        let other = schema::encoding::patch_by_search(&bench.archive(base).await, archive).expect("there is memory");
        let planted = if good { other } else { another_archive(archive) };
        bench.put(&StorePath::Patch { app: app(), digest, base }, planted.clone()).await;
        let report = bench.publish(&next).await;
        assert_eq!(report.moved.len(), 2, "{:?}", report.failed);
        let listed = patches(&bench, &next).await;
        assert_eq!(listed.len(), usize::from(good));
        if good {
            assert_eq!(listed[0].sha256, Digest::of(&planted));
        }
        bench.check().await;
    }
}

#[tokio::test]
async fn a_store_that_fails_for_patches_alone_costs_patches_alone() {
    let (mut bench, tips) = published(0..1, |publisher| publisher).await;
    let next = bench.tip(&text(9), "1");
    let path = StorePath::Patch { app: app(), digest: next.digest("us"), base: tips[0].digest("us") };
    // Larger than anything of ours may be: no store gives that out.
    bench.put(&path, vec![0; Limits::DEFAULT.bundle_compressed_max_bytes as usize + 1]).await;
    assert_eq!(bench.publish(&next).await.moved.len(), 2);
    assert!(patches(&bench, &next).await.is_empty());
}

/// Two who must both sign, with what is to be signed by the second: `lie` is what the first says of the patches.
async fn co_signed(lie: impl Fn(&mut Patch)) -> bool {
    co_signed_over(lie, |_| None).await
}

/// As [`co_signed`], where something else may be `planted` in a patch's place, made from the archive.
async fn co_signed_over(lie: impl Fn(&mut Patch), planted: impl Fn(&[u8]) -> Option<Vec<u8>>) -> bool {
    let (mut bench, tips) = published(0..2, |publisher| publisher).await;
    let (one, two) = (copy(&bench.publisher.keys.release[0]), SecretKey::generate());
    let root = TrustRoot { release: all_of(&[&one, &two]), ..TrustRoot::clone(bench.publisher.root()) };
    let next = bench.tip(&text(9), "1");
    let (base, digest) = (tips[1].digest("us"), next.digest("us"));
    bench.publish(&next).await;
    let signed = manifest(&bench, digest).await.expect("it is there");
    // From now on both sign; what was signed before was sealed again for both.
    let alone = |key: &SecretKey| Keys { release: vec![copy(key)], ..Keys::default() };
    for digest in tips.iter().chain([&next]).flat_map(|tip| [tip.digest("eu"), tip.digest("us")]) {
        let manifest = manifest(&bench, digest).await.expect("it is there");
        let sealed = Verified::seal(Manifest::clone(&manifest), &[&one, &two]);
        bench.put(&StorePath::Manifest { app: app(), digest }, sealed.bytes().clone()).await;
    }
    bench.remove(&StorePath::Manifest { app: app(), digest }).await;
    bench.under(root);
    if let Some(planted) = planted(&next.compilation.bundles[&(app(), crate::bench::region("us"))].archive) {
        bench.put(&StorePath::Patch { app: app(), digest, base }, planted).await;
    }
    let mut offered = Manifest::clone(&signed);
    for encoding in &mut offered.encodings {
        if let Encoding::Patch(patch) = encoding
            && patch.from == base
        {
            lie(patch);
        }
    }
    let piece = schema::seal::Payload::of(offered).seal(&[&one]);
    bench.put(&StorePath::Piece { app: app(), digest, key: one.public().fingerprint() }, piece.bytes().clone()).await;
    let rebuilder = bench.beside(alone(&two), Duty::Rebuild);
    let rebuilt = rebuild(&rebuilder, &next.commit, &next.compilation, &next.ancestry).await.expect("the same bundle");
    let sealed = manifest(&bench, digest).await.is_some();
    assert_eq!(sealed, rebuilt.waiting.iter().all(|waiting| waiting.digest != digest), "{rebuilt:?}");
    sealed
}

#[tokio::test]
async fn another_signer_signs_for_patches_that_are_what_they_say_and_for_no_others() {
    assert!(co_signed(|_| {}).await, "all is as it says");
    assert!(!co_signed(|patch| patch.size += 1).await);
    assert!(!co_signed(|patch| patch.sha256 = Digest::of(b"something else")).await);
    assert!(!co_signed(|patch| patch.window_log = 9).await, "an agent would refuse it");
    assert!(!co_signed(|patch| patch.window_log = 31).await, "an agent would refuse it");
    assert!(!co_signed(|patch| patch.from = Digest::of(b"something else")).await);
}

#[tokio::test]
async fn another_signer_signs_for_no_patch_to_something_else() {
    let mut bench = Bench::new();
    let next = bench.tip(&text(9), "1");
    let other = another_archive(&next.compilation.bundles[&(app(), crate::bench::region("us"))].archive);
    let as_it_is = |patch: &mut Patch| {
        (patch.size, patch.sha256) = (other.len() as u64, Digest::of(&other));
    };
    assert!(!co_signed_over(as_it_is, |archive| Some(another_archive(archive))).await);
}
