use schema::enclosed::Contents;

use super::*;
use crate::objects::tests::bucket_with;

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn goods(name: &str, manifest: usize, patches: &[(&str, usize)]) -> Goods {
    let bytes = |length| Bytes::from(vec![b'x'; length]);
    let patches = patches.iter().map(|(base, length)| (digest(base), bytes(*length))).collect();
    Goods { digest: digest(name), manifest: bytes(manifest), patches }
}

fn packs(pointer: usize, goods: Vec<Goods>) -> Packs {
    Packs::from_goods(Bytes::from(vec![b'p'; pointer]), goods, &Room::new(1 << 20))
}

/// What an agent that has `have` is sent beside the pointer.
fn parts(packs: &Packs, have: &str) -> Vec<Part> {
    let Some(Enclosure { header, body }) = packs.of(digest(have)) else { return Vec::new() };
    assert!(body.len() <= ENCLOSURE_MAX_BYTES);
    let contents: Contents = header.to_str().expect("ASCII").parse().expect("a list of parts");
    let split = contents.split(body).expect("what the list says");
    assert_eq!(split.pointer, packs.pointer);
    split.parts.into_iter().map(|(part, _)| part).collect()
}

fn manifest(name: &str) -> Part {
    Part::Manifest(digest(name))
}

fn patch(name: &str, base: &str) -> Part {
    Part::Patch { digest: digest(name), base: digest(base) }
}

#[test]
fn an_agent_is_sent_what_leads_from_what_it_has_to_what_is_named() {
    let packs = packs(
        1000,
        vec![goods("stable", 800, &[("old", 50), ("older", 70)]), goods("candidate", 800, &[("stable", 5)])],
    );
    assert_eq!(parts(&packs, "old"), [manifest("stable"), manifest("candidate"), patch("stable", "old")]);
    assert_eq!(parts(&packs, "stable"), [manifest("candidate"), patch("candidate", "stable")]);
    assert_eq!(parts(&packs, "candidate"), [manifest("stable")]);
    assert_eq!(parts(&packs, "nobody knows"), [manifest("stable"), manifest("candidate")]);
}

#[test]
fn who_has_all_that_is_named_is_sent_the_pointer_alone() {
    let packs = packs(1000, vec![goods("stable", 800, &[("old", 50)])]);
    assert!(packs.of(digest("stable")).is_none());
    assert!(self::packs(1000, Vec::new()).of(digest("old")).is_none());
}

#[test]
fn what_does_not_fit_is_left_out_manifests_last() {
    let most = ENCLOSURE_MAX_BYTES;
    let packs =
        packs(1000, vec![goods("stable", 2000, &[("a", most - 3000), ("b", most - 2999)]), goods("candidate", 1, &[])]);
    assert_eq!(parts(&packs, "a"), [manifest("stable"), manifest("candidate")], "one byte too many");
    assert_eq!(parts(&packs, "b"), [manifest("stable"), manifest("candidate")]);
    let packs = self::packs(1000, vec![goods("stable", 2000, &[("a", most - 3000)])]);
    assert_eq!(parts(&packs, "a"), [manifest("stable"), patch("stable", "a")]);
    let packs = self::packs(most, vec![goods("stable", 1, &[])]);
    assert!(packs.of(digest("a")).is_none());
}

#[test]
fn all_who_have_the_same_share_the_bytes() {
    let packs = packs(10, vec![goods("stable", 800, &[("old", 50)])]);
    let body = |have| packs.of(digest(have)).expect("an enclosure").body.as_ptr();
    assert_eq!(body("old"), body("old"));
    assert_eq!(body("unknown"), body("another"), "whoever makes up what it has costs no memory");
    assert_ne!(body("old"), body("unknown"));
}

#[test]
fn a_pointer_for_which_there_is_no_room_goes_alone() {
    let room = Room::new(64 * 1024);
    let packs = || {
        let goods = vec![goods("stable", 800, &[("old", 10_000), ("older", 8_000)])];
        Packs::from_goods(Bytes::from(vec![b'p'; 1000]), goods, &room)
    };
    let first = packs();
    for have in ["old", "older", "stable", "unknown"] {
        first.of(digest(have));
    }
    let bodies = first.known.values().chain([&first.unknown]).filter_map(|packed| packed.get()?.as_ref());
    let gathered: usize = first.goods.iter().map(|goods| goods.manifest.len() + 10_000 + 8_000).sum();
    let kept = gathered + bodies.map(|enclosure| enclosure.body.len()).sum::<usize>();
    assert!(kept <= most_bytes(1000, &first.goods), "{kept} bytes are kept");
    assert_eq!(parts(&packs(), "old"), [], "one has the room");
    drop(first);
    assert_eq!(parts(&packs(), "old"), [manifest("stable"), patch("stable", "old")]);
}

#[tokio::test]
async fn what_is_gathered_is_apart_from_what_the_cache_keeps() {
    let (objects, bundle) = bucket_with(b"compressed", b"compressed").await;
    let StorePath::Bundle { app, digest } = bundle else { panic!("a bundle") };
    let manifest = objects.in_force(&app, digest).await.expect("a manifest").payload_digest();
    let goods = gather(&objects, &app, Target { digest, manifest }).await.expect("goods");
    let base = self::digest("base");
    let own = [
        (StorePath::Manifest { app: app.clone(), digest }, &goods.manifest),
        (StorePath::Patch { app, digest, base }, &goods.patches[&base]),
    ];
    for (path, own) in own {
        let Ok(Found::Kept(kept)) = objects.find(&path).await else { panic!("{path} is in memory") };
        assert_eq!(kept.bytes, own);
        assert_ne!(kept.bytes.as_ptr(), own.as_ptr(), "{path}: what is shared counts as being sent");
    }
}
