//! Key rotations, case by case under the names that the conformance suite gives them.

use schema::cycle::{NotAccepted, NotVouched, Offer, Refusal};
use schema::root::NotSuccessor;
use schema::seal::SealError;
use schema::{RoleKeys, TrustRoot};

use crate::world::{Client, POINTER, RELEASE, ROOT, after_roots, honest, manifest, pointer, region, role, root, seal};

/// Keys of a role, how many of them must sign, and who did.
struct Signed {
    keys: &'static [usize],
    threshold: usize,
    by: &'static [usize],
}

const fn of(threshold: usize, keys: &'static [usize], by: &'static [usize]) -> Signed {
    Signed { keys, threshold, by }
}

impl Signed {
    fn role(&self) -> RoleKeys {
        role(self.threshold, self.keys)
    }

    /// How many of its own keys signed.
    fn counted(&self) -> usize {
        self.by.iter().filter(|signer| self.keys.contains(signer)).count()
    }
}

/// Where a chain of roots ends.
enum End {
    Newest,
    /// The last one is not signed by enough keys of the one before.
    OldKeys,
    /// The last one is not signed by enough of its own keys.
    NewKeys,
}

/// Walks from the first root to the last.
#[track_caller]
fn walk(chain: &[Signed], end: &End) {
    let numbered = (1..).zip(chain);
    let sealed: Vec<_> =
        numbered.map(|(version, hop)| seal(TrustRoot { root: hop.role(), ..root(version) }, hop.by)).collect();
    let mut client = Client::with(sealed[0].clone());
    let refreshed = client.refresh(after_roots(&sealed[1..], honest(1)));
    let newest = chain.len() as u64;
    match (end, refreshed) {
        (End::Newest, Ok(_)) => assert_eq!(client.0.root.version, newest),
        (End::OldKeys, Err(Refusal::Chain(NotSuccessor::OldKeys(SealError::Threshold { .. }))))
        | (End::NewKeys, Err(Refusal::Chain(NotSuccessor::NewKeys(SealError::Threshold { .. })))) => {
            assert_eq!(client.0.root.version, newest - 1, "the hops before the one that failed stay walked");
            assert_eq!(client.0.root.bytes(), sealed[chain.len() - 2].bytes());
            client.refresh(honest(1)).expect("what the root in force signs goes on being taken");
        }
        (_, other) => panic!("{:?}", other.map(|_| "admitted")),
    }
}

macro_rules! root_rotations {
    ($($name:ident: [$($hop:expr),+] => $end:ident;)*) => {$(
        #[test]
        fn $name() {
            walk(&[$($hop),+], &End::$end);
        }
    )*};
}

const FIVE: &[usize] = &[0, 1, 2, 3, 4];
/// One of the five was replaced.
const NEXT_FIVE: &[usize] = &[0, 1, 3, 4, 5];
const OTHER_FIVE: &[usize] = &[5, 6, 7, 8, 9];

root_rotations! {
    tuf_test_root_rotation_1_of_1_key_rotation:
        [of(1, &[1], &[1]), of(1, &[2], &[2, 1]), of(1, &[2], &[2])] => Newest;
    tuf_test_root_rotation_1_of_1_key_rotation_unused_signatures:
        [of(1, &[1], &[3, 1, 4]), of(1, &[2], &[3, 2, 1, 4]), of(1, &[2], &[3, 2, 4])] => Newest;
    tuf_test_root_rotation_3_of_5_sign_with_different_keycombos:
        [of(3, FIVE, &[0, 2, 4]), of(3, FIVE, &[0, 4, 1]), of(3, FIVE, &[0, 1, 3]), of(3, FIVE, &[0, 1, 3])] => Newest;
    tuf_test_root_rotation_3_of_5_one_key_rotated:
        [of(3, FIVE, &[0, 2, 4]), of(3, NEXT_FIVE, &[0, 4, 1])] => Newest;
    tuf_test_root_rotation_3_of_5_one_key_rotated_with_intermediate_step:
        [of(3, FIVE, &[0, 2, 4]), of(3, NEXT_FIVE, &[0, 2, 4, 5]), of(3, NEXT_FIVE, &[0, 4, 5])] => Newest;
    tuf_test_root_rotation_3_of_5_all_keys_rotated_with_intermediate_step:
        [of(3, FIVE, &[0, 2, 4]), of(3, OTHER_FIVE, &[0, 2, 4, 5, 6, 7]), of(3, OTHER_FIVE, &[5, 6, 7])] => Newest;
    tuf_test_root_rotation_1_of_3_threshold_increase_to_2_of_3:
        [of(1, &[1, 2, 3], &[1]), of(2, &[1, 2, 3], &[1, 2])] => Newest;
    tuf_test_root_rotation_2_of_3_threshold_decrease_to_1_of_3:
        [of(2, &[1, 2, 3], &[1, 2]), of(1, &[1, 2, 3], &[1, 2]), of(1, &[1, 2, 3], &[1])] => Newest;
    tuf_test_root_rotation_1_of_2_threshold_increase_to_2_of_2:
        [of(1, &[1], &[1]), of(2, &[1, 2], &[1, 2])] => Newest;
    tuf_test_root_rotation_1_of_1_key_rotation_fail_not_signed_with_old_key:
        [of(1, &[1], &[1]), of(1, &[2], &[2, 3, 4])] => OldKeys;
    tuf_test_root_rotation_1_of_1_key_rotation_fail_not_signed_with_new_key:
        [of(1, &[1], &[1]), of(1, &[2], &[1, 3, 4])] => NewKeys;
    tuf_test_root_rotation_3_of_5_one_key_rotate_fails_not_signed_with_3_new_keys:
        [of(3, FIVE, &[0, 2, 4]), of(3, NEXT_FIVE, &[0, 2, 4])] => NewKeys;
    tuf_test_root_rotation_3_of_5_one_key_rotate_fails_not_signed_with_3_old_keys:
        [of(3, FIVE, &[0, 2, 4]), of(3, NEXT_FIVE, &[0, 4, 5])] => OldKeys;
    tuf_test_root_rotation_1_of_3_threshold_bump_to_2_of_3_fails_new_threshold_not_reached:
        [of(1, &[1, 2, 3], &[1]), of(2, &[1, 2, 3], &[2])] => NewKeys;
    tuf_test_root_rotation_2_of_3_threshold_decr_to_1_of_3_fails_old_threshold_not_reached:
        [of(2, &[1, 2, 3], &[1, 2]), of(1, &[1, 2, 3], &[1])] => OldKeys;
}

/// Rotates one role after the other to `signed`, and holds what the role signs against it.
#[track_caller]
fn rotate(signed: &Signed) {
    let expected = (signed.counted(), signed.threshold);
    let next_root = |change: &dyn Fn(&mut TrustRoot)| {
        let mut next = root(2);
        change(&mut next);
        seal(next, &[ROOT])
    };
    let verdict = |next: &_, release: &[usize], pointed: &[usize]| {
        let manifest = seal(manifest("bundle"), release);
        let pointer = seal(pointer(1, &manifest), pointed).bytes().clone();
        let offer = Offer { roots: Vec::new(), pointer, manifest: manifest.bytes().clone() };
        let mut client = Client::new();
        let refreshed = client.refresh(after_roots([next], offer)).map(|_| ());
        assert_eq!(client.0.root.version, 2, "the root is walked to whatever comes after");
        refreshed
    };
    let pointer_roots = [
        next_root(&|next| next.pointer = signed.role()),
        next_root(&|next| drop(next.pointer_of_region.insert(region(), signed.role()))),
    ];
    for next in &pointer_roots {
        match verdict(next, &[RELEASE], signed.by) {
            Ok(()) => assert!(expected.0 >= expected.1),
            Err(Refusal::Pointer(NotAccepted::Seal(SealError::Threshold { signed, threshold }))) => {
                assert_eq!((signed, threshold), expected);
                assert!(signed < threshold);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    match verdict(&next_root(&|next| next.release = signed.role()), signed.by, &[POINTER]) {
        Ok(()) => assert!(expected.0 >= expected.1),
        Err(Refusal::Manifest(NotVouched::Seal(SealError::Threshold { signed, threshold }))) => {
            assert_eq!((signed, threshold), expected);
            assert!(signed < threshold);
        }
        Err(other) => panic!("{other:?}"),
    }
}

macro_rules! non_root_rotations {
    ($($name:ident: $signed:expr;)*) => {$(
        #[test]
        fn $name() {
            rotate(&$signed);
        }
    )*};
}

non_root_rotations! {
    tuf_test_non_root_rotations_1_of_1_key_rotation: of(1, &[2], &[2]);
    tuf_test_non_root_rotations_1_of_1_key_rotation_unused_signatures: of(1, &[1], &[3, 1, 4]);
    tuf_test_non_root_rotations_1_of_1_key_rotation_fail_not_signed_with_new_key: of(1, &[2], &[1, 3, 4]);
    tuf_test_non_root_rotations_3_of_5_one_key_signature_wrong_not_signed_with_3_expected_keys:
        of(3, NEXT_FIVE, &[0, 2, 4]);
    tuf_test_non_root_rotations_2_of_5_one_key_signature_missing_threshold_not_reached: of(3, NEXT_FIVE, &[0, 4]);
    tuf_test_non_root_rotations_3_of_5_sign_first_combo: of(3, FIVE, &[0, 2, 4]);
    tuf_test_non_root_rotations_3_of_5_sign_second_combo: of(3, FIVE, &[0, 4, 1]);
    tuf_test_non_root_rotations_3_of_5_sign_third_combo: of(3, FIVE, &[0, 1, 3]);
    tuf_test_non_root_rotations_3_of_5_sign_fourth_combo: of(3, FIVE, &[1, 2, 3]);
    tuf_test_non_root_rotations_3_of_5_sign_fifth_combo: of(3, FIVE, &[2, 3, 4]);
}
