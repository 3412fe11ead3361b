//! Several release keys in several processes: roles apart, thresholds, and a rebuilder.

use schema::keys::SecretKey;
use schema::seal::Payload;
use schema::{Limits, Manifest, RoleKeys, StorePath, TrustRoot, Verified};

use super::patches::text;
use crate::bench::{Bench, Tip, all_of, app, copy};
use crate::duty::Duty;
use crate::keys::Keys;
use crate::publish::Report;
use crate::publisher::Publisher;
use crate::rebuild::rebuild;

/// Two release keys that both must sign, each in a process of its own, and the pointer key in a third.
struct House {
    bench: Bench,
    one: Publisher,
    two: Publisher,
    mover: Publisher,
    rebuilder: Publisher,
}

impl House {
    fn new() -> House {
        let mut bench = Bench::new();
        let (one, two) = (SecretKey::generate(), SecretKey::generate());
        let root = TrustRoot { release: all_of(&[&one, &two]), ..TrustRoot::clone(bench.publisher.root()) };
        bench.under(root);
        let pointer = vec![copy(&bench.publisher.keys.pointer[0])];
        let alone = |key: &SecretKey| Keys { release: vec![copy(key)], ..Keys::default() };
        House {
            one: bench.beside(alone(&one), Duty::Release),
            rebuilder: bench.beside(alone(&two), Duty::Rebuild),
            two: bench.beside(alone(&two), Duty::Release),
            mover: bench.beside(Keys { pointer, ..Keys::default() }, Duty::Pointer),
            bench,
        }
    }

    fn role(&self) -> &RoleKeys {
        &self.one.root().release
    }

    /// Where the signature of the key at `number` of the role belongs.
    fn place(&self, tip: &Tip, number: usize) -> StorePath {
        let key = self.role().keys()[number].fingerprint();
        StorePath::Piece { app: app(), digest: tip.digest("eu"), key }
    }

    async fn manifest(&self, tip: &Tip) -> Option<Verified<Manifest>> {
        let path = StorePath::Manifest { app: app(), digest: tip.digest("eu") };
        let object = self.one.store.read(&path, 1 << 20).await.expect("a read")?;
        Some(Verified::open(object.bytes, self.role(), &Limits::DEFAULT).expect("signed by both"))
    }
}

fn signed(report: &Report) -> Vec<(usize, usize)> {
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    report.waiting.iter().map(|waiting| (waiting.signed, waiting.threshold)).collect()
}

#[tokio::test]
async fn each_signs_what_the_other_put_up_and_the_pointer_waits_for_both() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    let waits = tip.publish(&house.mover).await;
    assert_eq!(signed(&waits), [(0, 2), (0, 2)]);
    assert!(waits.waiting[0].to_string().ends_with("waits for 2 more release signatures (0 of 2)"));
    assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
    // Again and again: nothing is added by who has signed.
    assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
    let waits = tip.publish(&house.mover).await;
    assert_eq!(signed(&waits), [(1, 2), (1, 2)]);
    assert!(waits.moved.is_empty() && house.bench.publisher.store.regions(&app()).await.expect("a listing").is_empty());
    assert_eq!(signed(&tip.publish(&house.two).await), []);
    assert_eq!(tip.publish(&house.mover).await.moved.len(), 2);
    let manifest = house.manifest(&tip).await.expect("it is sealed");
    assert_eq!(house.bench.pointer("eu").await.stable.manifest, manifest.payload_digest());
    house.bench.check().await;
}

#[tokio::test]
async fn waiting_for_a_signer_who_is_away_writes_nothing_and_reads_little() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    tip.publish(&house.one).await;
    let faulty = store::faulty::Faulty::over(house.bench.objects.clone());
    let waiting = Publisher { store: store::Store::over(faulty.clone(), "faulty"), ..house.one.clone() };
    assert_eq!(signed(&tip.publish(&waiting).await), [(1, 2), (1, 2)]);
    assert_eq!(faulty.writes_seen(), 0);
    // For each region its pointer and its history, for each bundle its manifest, two signatures, and whether the bundle is there.
    assert_eq!(faulty.reads_seen(), 2 * (2 + 4));

    // A bundle that is lost meanwhile is stored again, or the other could never sign it.
    house.bench.remove(&StorePath::Bundle { app: app(), digest: tip.digest("eu") }).await;
    assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
    rebuild(&house.rebuilder, &tip.commit, &tip.compilation, &tip.ancestry).await.expect("it is the same");
    assert_eq!(tip.publish(&house.mover).await.moved.len(), 2);
    house.bench.check().await;
}

#[tokio::test]
async fn patches_and_bases_that_are_lost_keep_no_signer_waiting() {
    let mut house = House::new();
    let [first, second, third] = [1, 2, 3].map(|version| house.bench.tip(&text(version), "1"));
    let both = async |tip: &Tip| {
        rebuild(&house.rebuilder, &tip.commit, &tip.compilation, &tip.ancestry).await.expect("it is the same");
        assert_eq!(tip.publish(&house.mover).await.moved.len(), 2);
    };
    tip_signed(&house, &first).await;
    both(&first).await;
    tip_signed(&house, &second).await;
    let (app, from) = (app(), first.digest("us"));
    let patch = StorePath::Patch { app: app.clone(), digest: second.digest("us"), base: from };
    let has = async |path: &StorePath| house.one.store.stream(path, None).await.expect("an answer").is_some();
    assert!(has(&patch).await);
    house.bench.remove(&patch).await;
    tip_signed(&house, &second).await;
    assert!(has(&patch).await, "the other would wait for it for ever");
    both(&second).await;

    house.bench.remove(&StorePath::Bundle { app: app.clone(), digest: from }).await;
    tip_signed(&house, &third).await;
    let to_third = |base| StorePath::Patch { app: app.clone(), digest: third.digest("us"), base };
    assert!(has(&to_third(second.digest("us"))).await && !has(&to_third(from)).await);
    both(&third).await;
}

/// Has the first signer put `tip` up, and sign it.
async fn tip_signed(house: &House, tip: &Tip) {
    assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
}

#[tokio::test]
async fn whoever_sees_enough_signatures_makes_the_manifest() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    tip.publish(&house.one).await;
    tip.publish(&house.two).await;
    // As if the second had died before it put them together.
    for name in ["eu", "us"] {
        house.bench.remove(&StorePath::Manifest { app: app(), digest: tip.digest(name) }).await;
    }
    assert_eq!(tip.publish(&house.mover).await.moved.len(), 2, "one that has no release key at all");
    house.bench.check().await;
}

#[tokio::test]
async fn a19_one_release_key_is_one_signature_however_often_it_signs() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    tip.publish(&house.one).await;
    // The thief of one key puts its signature into the other's place, alone and twice over.
    let piece = house.one.store.read(&house.place(&tip, 0), 1 << 20).await.expect("a read").expect("it signed").bytes;
    let line = piece.split(|byte| *byte == b'\n').next().expect("a line").len() + 1;
    let twice = [&piece[..], &piece[line..]].concat();
    for forged in [piece.to_vec(), twice.clone()] {
        house.bench.put(&house.place(&tip, 1), forged).await;
        assert_eq!(signed(&tip.publish(&house.mover).await), [(1, 2), (1, 2)]);
        assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
    }
    // As a manifest it is refused.
    let path = StorePath::Manifest { app: app(), digest: tip.digest("eu") };
    house.bench.put(&path, twice).await;
    let refused = tip.publish(&house.mover).await;
    assert!(refused.moved.is_empty() && !refused.failed.is_empty(), "{refused:?}");
}

#[tokio::test]
async fn what_others_leave_in_a_signers_place_is_not_believed_and_not_in_the_way() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    let huge = vec![b'x'; 70_000];
    for garbage in [b"garbage".to_vec(), b"{}\n".to_vec(), huge] {
        for number in [0, 1] {
            house.bench.put(&house.place(&tip, number), garbage.clone()).await;
        }
        assert!(signed(&tip.publish(&house.mover).await).contains(&(0, 2)));
    }
    // Each replaces its own, whatever is in the other's.
    assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
    house.bench.put(&house.place(&tip, 0), "garbage").await;
    assert_eq!(signed(&tip.publish(&house.one).await), [(1, 2), (1, 2)]);
    assert_eq!(signed(&tip.publish(&house.two).await), []);
    assert_eq!(tip.publish(&house.mover).await.moved.len(), 2);
    house.bench.check().await;
}

#[tokio::test]
async fn a_standing_payload_is_signed_only_if_every_field_holds() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    tip.publish(&house.one).await;
    let piece = house.one.store.read(&house.place(&tip, 0), 1 << 20).await.expect("a read").expect("it signed").bytes;
    let alone = RoleKeys::new(1, vec![house.role().keys()[0].clone()]).expect("one of one");
    let honest = Verified::<Manifest>::open(piece, &alone, &Limits::DEFAULT).expect("signed by one");
    let lies: [fn(&mut Manifest); 5] = [
        |manifest| manifest.release_seq = 0,
        |manifest| manifest.entries += 1,
        |manifest| manifest.tree = "f".repeat(40).parse().expect("an id"),
        |manifest| manifest.commit = "f".repeat(40).parse().expect("an id"),
        |manifest| {
            manifest.encodings =
                vec![schema::manifest::Encoding::Whole(schema::manifest::Whole { window_log: 10, ..*manifest.whole() })]
        },
    ];
    for lie in lies {
        let mut manifest = Manifest::clone(&honest);
        lie(&mut manifest);
        let lying = Payload::of(manifest).seal(&[&house.one.keys.release[0]]);
        house.bench.put(&house.place(&tip, 0), lying.bytes().clone()).await;
        // The rebuilder does not sign it, and the second signer puts up the truth beside it.
        let rebuilt =
            rebuild(&house.rebuilder, &tip.commit, &tip.compilation, &tip.ancestry).await.expect("no mismatch");
        assert!(rebuilt.waiting.iter().any(|waiting| waiting.signed == 0), "{rebuilt:?}");
        tip.publish(&house.two).await;
        assert!(house.manifest(&tip).await.is_none(), "{:?}", lying.release_seq);
        house.bench.remove(&house.place(&tip, 1)).await;
    }
    // Whatever order the two come in, what a thief left in our own place is not taken for what we found.
    let lying =
        Payload::of(Manifest { release_seq: 0, ..Manifest::clone(&honest) }).seal(&[&house.one.keys.release[0]]);
    house.bench.put(&house.place(&tip, 0), lying.bytes().clone()).await;
    // The signer of the lie comes back to the truth, and then there is a manifest.
    tip.publish(&house.two).await;
    tip.publish(&house.one).await;
    assert_eq!(house.manifest(&tip).await.map(|manifest| manifest.release_seq), Some(1));
}

#[tokio::test]
async fn a_rebuilder_is_never_the_first_and_stores_nothing() {
    let mut house = House::new();
    let tip = house.bench.tip("1", "1");
    let rebuilt =
        rebuild(&house.rebuilder, &tip.commit, &tip.compilation, &tip.ancestry).await.expect("nothing offered");
    assert_eq!(signed(&rebuilt), [(0, 2), (0, 2)]);
    assert_eq!(house.bench.count().await, 0);
    tip.publish(&house.one).await;
    let rebuilt =
        rebuild(&house.rebuilder, &tip.commit, &tip.compilation, &tip.ancestry).await.expect("it is the same");
    assert_eq!(signed(&rebuilt), []);
    assert_eq!(tip.publish(&house.mover).await.moved.len(), 2);
}

#[tokio::test]
async fn a_stolen_publisher_alone_gets_nothing_new_past_a_rebuilder() {
    let mut house = House::new();
    let first = house.bench.tip("1", "1");
    first.publish(&house.one).await;
    first.publish(&house.two).await;
    first.publish(&house.mover).await;
    let honest = house.bench.tip("2", "2");
    // The thief of the publisher, with one release key and the pointer key, says that the commit is something else.
    let evil = house.bench.tip("evil", "evil");
    let lying = Tip { commit: honest.commit.clone(), ..evil.clone() };
    let stolen = Keys {
        release: vec![copy(&house.one.keys.release[0])],
        pointer: vec![copy(&house.mover.keys.pointer[0])],
        ..Keys::default()
    };
    let stolen = house.bench.beside(stolen, Duty::Everything);
    assert!(lying.publish(&stolen).await.moved.is_empty());
    let refused = rebuild(&house.rebuilder, &honest.commit, &honest.compilation, &honest.ancestry).await;
    let refused = refused.expect_err("it is something else");
    let said = crate::causes(&refused).join(": ");
    for digest in [evil.digest("eu"), honest.digest("eu")] {
        assert!(said.contains(&digest.to_string()), "{said}");
    }
    assert_eq!(refused.kind(), crate::ErrorKind::Refused);
    assert!(lying.publish(&stolen).await.moved.is_empty());
    assert_eq!(house.bench.pointer("eu").await.stable.digest, first.digest("eu"));
    assert!(house.manifest(&evil).await.is_none());
    assert_eq!(house.bench.order("us").await, "e1 g1 s1");
}
