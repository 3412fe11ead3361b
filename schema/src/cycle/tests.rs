use super::*;
use crate::digest::Digest;
use crate::keys::{RoleKeys, SecretKey};
use crate::manifest::{Encoding, Whole};
use crate::order::{Epoch, Generation, Serial};
use crate::pointer::Target;

/// Keys, and everything that they sign.
struct House {
    root: SecretKey,
    release: SecretKey,
    pointer: SecretKey,
}

impl House {
    fn new() -> House {
        House { root: SecretKey::generate(), release: SecretKey::generate(), pointer: SecretKey::generate() }
    }

    fn root(&self, version: u64) -> TrustRoot {
        let alone = |key: &SecretKey| RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
        TrustRoot {
            version,
            epoch: Epoch::FIRST,
            issued: at(0),
            expires: at(1_000),
            release_floor: 5,
            revoked: vec![digest("revoked")],
            root: alone(&self.root),
            release: alone(&self.release),
            pointer: alone(&self.pointer),
            pointer_of_region: Default::default(),
        }
    }

    fn trusted(&self) -> Trusted {
        Trusted { root: Verified::seal(self.root(1), &[&self.root]), seen: None, floor: None }
    }

    fn manifest(&self, bundle: &str, release_seq: u64) -> Verified<Manifest> {
        let whole = Whole { size: 10, window_log: 23, sha256: digest("frame") };
        let manifest = Manifest {
            app: "edge-proxy".parse().expect("an app"),
            digest: digest(bundle),
            size: 100,
            entries: 1,
            release_seq,
            commit: "a".repeat(40).parse().expect("a commit"),
            tree: "b".repeat(40).parse().expect("a tree"),
            compiler: 1,
            encodings: vec![Encoding::Whole(whole)],
        };
        Verified::seal(manifest, &[&self.release])
    }

    fn pointer(&self, generation: u64, manifest: &Verified<Manifest>) -> Pointer {
        Pointer {
            app: "edge-proxy".parse().expect("an app"),
            region: "eu-west".parse().expect("a region"),
            epoch: Epoch::FIRST,
            generation: Generation::new(generation),
            serial: Serial::FIRST,
            issued: at(10),
            expires: at(100),
            prev: None,
            trace: None,
            commit: manifest.commit.clone(),
            stable: Target { digest: manifest.digest, manifest: manifest.payload_digest() },
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        }
    }

    fn offer(&self, pointer: Pointer, manifest: &Verified<Manifest>) -> Offer {
        let pointer = Verified::seal(pointer, &[&self.pointer]).bytes().clone();
        Offer { roots: Vec::new(), pointer, manifest: manifest.bytes().clone() }
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1_000)
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn admit_at(trusted: &mut Trusted, offer: Offer, seconds: i64) -> Result<Admitted, Refusal> {
    let place = ("edge-proxy".parse().expect("an app"), "eu-west".parse().expect("a region"));
    admit(trusted, offer, (&place.0, &place.1), at(seconds), &Limits::DEFAULT)
}

fn rule(outcome: Result<Admitted, Refusal>) -> u8 {
    outcome.expect_err("a rule is broken").rule()
}

#[test]
fn what_breaks_no_rule_is_admitted_and_remembered() {
    let (house, mut trusted) = (House::new(), House::new().trusted());
    trusted.root = house.trusted().root;
    let manifest = house.manifest("a", 7);
    let admitted = admit_at(&mut trusted, house.offer(house.pointer(1, &manifest), &manifest), 50).expect("honest");
    assert_eq!((admitted.succession, admitted.manifest.digest), (Succession::Newer, digest("a")));
    assert_eq!((trusted.seen, trusted.floor), (Some(Seen::of(&admitted.pointer)), Some(at(10))));
}

#[test]
fn each_rule_has_its_refusal() {
    let (house, thief) = (House::new(), House::new());
    let manifest = house.manifest("a", 7);
    let honest = || house.offer(house.pointer(1, &manifest), &manifest);
    let chained = |root: TrustRoot, keys: &[&SecretKey]| Offer {
        roots: vec![Verified::seal(root, keys).bytes().clone()],
        ..honest()
    };
    let verdict = |offer: Offer, seconds: i64| rule(admit_at(&mut house.trusted(), offer, seconds));

    assert_eq!(verdict(chained(house.root(3), &[&house.root]), 50), 2, "a version is skipped");
    assert_eq!(verdict(chained(house.root(2), &[&thief.root]), 50), 2, "another's key");
    assert_eq!(verdict(honest(), 1_000), 3, "the root expired");
    assert_eq!(verdict(thief.offer(house.pointer(1, &manifest), &manifest), 50), 4, "another's pointer key");
    let elsewhere = Pointer { region: "us-east".parse().expect("a region"), ..house.pointer(1, &manifest) };
    assert_eq!(verdict(house.offer(elsewhere, &manifest), 50), 4, "another region's");
    let later = Pointer { epoch: Epoch::new(2), ..house.pointer(1, &manifest) };
    assert_eq!(verdict(house.offer(later, &manifest), 50), 4, "another epoch's");
    assert_eq!(verdict(honest(), 100), 6, "the pointer expired");
    let forged = thief.manifest("a", 7);
    assert_eq!(verdict(house.offer(house.pointer(1, &forged), &forged), 50), 7, "another's release key");
    assert_eq!(verdict(house.offer(house.pointer(1, &manifest), &house.manifest("b", 7)), 50), 7, "mix-and-match");
    let old = house.manifest("a", 4);
    assert_eq!(verdict(house.offer(house.pointer(1, &old), &old), 50), 7, "below the floor");
    let revoked = house.manifest("revoked", 7);
    assert_eq!(verdict(house.offer(house.pointer(1, &revoked), &revoked), 50), 7, "revoked");
}

#[test]
fn a03_what_was_seen_forbids_what_is_older() {
    let house = House::new();
    let mut trusted = house.trusted();
    let manifest = house.manifest("a", 7);
    admit_at(&mut trusted, house.offer(house.pointer(2, &manifest), &manifest), 50).expect("honest");
    let before = trusted.seen;
    assert_eq!(rule(admit_at(&mut trusted, house.offer(house.pointer(1, &manifest), &manifest), 50)), 5);
    assert_eq!(trusted.seen, before);
}

#[test]
fn what_is_reached_stays_reached_whatever_is_refused_after() {
    let (house, thief) = (House::new(), House::new());
    let mut trusted = house.trusted();
    let manifest = house.manifest("a", 7);
    let roots = vec![Verified::seal(house.root(2), &[&house.root]).bytes().clone()];
    let forged = Offer { roots, ..thief.offer(house.pointer(1, &manifest), &manifest) };
    assert_eq!(rule(admit_at(&mut trusted, forged, 50)), 4);
    assert_eq!((trusted.root.version, trusted.seen), (2, None));
    let old = house.manifest("a", 1);
    assert_eq!(rule(admit_at(&mut trusted, house.offer(house.pointer(1, &old), &old), 50)), 7);
    assert!(trusted.seen.is_some(), "an accepted pointer is remembered although nobody vouches for its bundle");
}

#[test]
fn the_clock_is_never_believed_to_be_before_a_signature() {
    let house = House::new();
    let mut trusted = house.trusted();
    let manifest = house.manifest("a", 7);
    let late = Pointer { issued: at(90), expires: at(190), ..house.pointer(1, &manifest) };
    admit_at(&mut trusted, house.offer(late, &manifest), 0).expect("a clock that is behind");
    let early = Pointer { expires: at(80), ..house.pointer(2, &manifest) };
    assert_eq!(rule(admit_at(&mut trusted, house.offer(early, &manifest), 0)), 6);
    assert_eq!(time(at(5), Some(at(9))), at(9));
}

#[test]
fn a22_a_cycle_walks_no_more_roots_than_the_limit() {
    let house = House::new();
    let manifest = house.manifest("a", 7);
    let limits = Limits { root_hops_max: 3, ..Limits::DEFAULT };
    let roots = (2..).map(|version| Verified::seal(house.root(version), &[&house.root]).bytes().clone());
    let offer = Offer { roots: roots.take(4).collect(), ..house.offer(house.pointer(1, &manifest), &manifest) };
    let place = ("edge-proxy".parse().expect("an app"), "eu-west".parse().expect("a region"));
    let mut trusted = house.trusted();
    let refused = admit(&mut trusted, offer, (&place.0, &place.1), at(50), &limits).expect_err("four hops");
    assert!(matches!(refused, Refusal::Hops { max: 3 }));
    assert_eq!(trusted.root.version, 4, "the next cycle goes on from there");
}
