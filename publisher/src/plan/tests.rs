use proptest::prelude::*;
use schema::pointer::Target;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const FRESHNESS: Freshness = Freshness { valid_for: Duration::from_secs(24 * 3600), refresh_every: HOUR };

fn start() -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000)
}

fn digest(name: u8) -> Digest {
    Digest::of(&[name])
}

fn pointer(order: Order, stable: u8, withdrawn: &[u8]) -> Pointer {
    Pointer {
        app: "edge-proxy".parse().expect("an app"),
        region: "eu-west".parse().expect("a region"),
        epoch: order.epoch,
        generation: order.generation,
        serial: order.serial,
        issued: start(),
        expires: start().after(FRESHNESS.valid_for),
        prev: None,
        trace: None,
        commit: "a".repeat(40).parse().expect("a commit id"),
        stable: Target { digest: digest(stable), manifest: digest(stable) },
        candidate: None,
        quarantine: Vec::new(),
        freeze: false,
        withdrawn: withdrawn.iter().copied().map(digest).collect(),
        cause: None,
    }
}

fn order(epoch: u64, generation: u64, serial: u64) -> Order {
    Order { epoch: Epoch::new(epoch), generation: Generation::new(generation), serial: Serial::new(serial) }
}

#[test]
fn every_row_of_the_table() {
    let (young, old) = (start().after(HOUR / 2), start().after(HOUR));
    let standing = pointer(order(1, 4, 7), 1, &[2]);
    let rows = [
        ("the bundle stands and is young", 1, 1, young, Plan::Unchanged),
        ("the bundle stands and is old", 1, 1, old, Plan::Refresh { order: order(1, 4, 8) }),
        ("the bundle was taken back", 2, 1, young, Plan::Blocked { refresh: None }),
        ("the bundle was taken back long ago", 2, 1, old, Plan::Blocked { refresh: Some(order(1, 4, 8)) }),
        ("the bundle is new", 3, 1, young, Plan::Publish { order: order(1, 5, 1), refresh: None }),
        ("the bundle stands, in an old epoch", 1, 2, young, Plan::Refresh { order: order(2, 1, 1) }),
        ("the bundle was taken back in an old epoch", 2, 2, young, Plan::Blocked { refresh: Some(order(2, 1, 1)) }),
        (
            "the bundle and the epoch are new",
            3,
            2,
            young,
            Plan::Publish { order: order(2, 1, 1), refresh: Some(order(2, 1, 1)) },
        ),
    ];
    for (row, wanted, epoch, now, expected) in rows {
        assert_eq!(
            plan(Some((&standing, Vouching::InForce)), &digest(wanted), Epoch::new(epoch), now, &FRESHNESS),
            Ok(expected),
            "{row}"
        );
    }
    assert_eq!(
        plan(None, &digest(1), Epoch::new(3), young, &FRESHNESS),
        Ok(Plan::Publish { order: order(3, 1, 1), refresh: None })
    );
}

#[test]
fn what_agents_no_longer_believe_is_said_again_at_once() {
    let standing = pointer(order(1, 4, 7), 1, &[2]);
    let plan =
        |wanted| plan(Some((&standing, Vouching::Superseded)), &digest(wanted), Epoch::FIRST, start(), &FRESHNESS);
    assert_eq!(plan(1), Ok(Plan::Refresh { order: order(1, 4, 8) }));
    assert_eq!(plan(2), Ok(Plan::Blocked { refresh: Some(order(1, 4, 8)) }));
    assert_eq!(plan(3), Ok(Plan::Publish { order: order(1, 5, 1), refresh: Some(order(1, 4, 8)) }));
}

#[test]
fn the_last_generation_is_an_error_and_not_a_wrap() {
    let last = pointer(order(1, u64::MAX, 1), 1, &[]);
    let refused = plan(Some((&last, Vouching::InForce)), &digest(2), Epoch::FIRST, start(), &FRESHNESS);
    assert_eq!(refused, Err(OrdersUsedUp { newest: order(1, u64::MAX, 1) }));
    // A new epoch gets out of it.
    let recovered = plan(Some((&last, Vouching::InForce)), &digest(2), Epoch::new(2), start(), &FRESHNESS);
    assert_eq!(recovered, Ok(Plan::Publish { order: order(2, 1, 1), refresh: Some(order(2, 1, 1)) }));
}

proptest! {
    #[test]
    fn a_planned_order_is_always_newer_and_never_skips(
        epoch in 1_u64..4, ahead in 0_u64..2, generation in 1_u64..1000, serial in 1_u64..1000,
        stable in 0_u8..4, wanted in 0_u8..4, withdrawn in proptest::collection::vec(0_u8..4, 0..3), minutes in 0_u64..3000,
    ) {
        let newest = pointer(order(epoch, generation, serial), stable, &withdrawn);
        let in_force = Epoch::new(epoch + ahead);
        let now = start().after(Duration::from_secs(minutes * 60));
        let plan = plan(Some((&newest, Vouching::InForce)), &digest(wanted), in_force, now, &FRESHNESS).expect("numbers are left");
        let planned = match plan {
            Plan::Unchanged => None,
            Plan::Blocked { refresh } => refresh,
            Plan::Refresh { order } | Plan::Publish { order, .. } => Some(order),
        };
        if let Some(planned) = planned {
            prop_assert!(planned > newest.order());
            prop_assert_eq!(planned.epoch, in_force);
            prop_assert!(ahead == 1 || planned.generation.number() - generation <= 1);
        }
        // A new generation if and only if there is something new to run that nobody took back.
        let is_new = wanted != stable && !withdrawn.contains(&wanted);
        prop_assert_eq!(matches!(plan, Plan::Publish { .. }), is_new);
        // Whatever stands is never left to expire.
        let left_alone = matches!(plan, Plan::Unchanged | Plan::Blocked { refresh: None });
        prop_assert!(minutes < 60 || !left_alone);
    }
}
