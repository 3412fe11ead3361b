//! What a pointer says next: pure, from what the region's newest pointer says.

use std::time::Duration;

use schema::pointer::Cause;
use schema::{AgentId, App, CommitId, Digest, Order, Pointer, Region, Target, Timestamp, Verified};

use crate::publisher::Publisher;
use crate::rollout::Wanted;

/// A pointer before it is signed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft(Pointer);

/// When a pointer is signed and for how long it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing {
    pub(crate) order: Order,
    pub(crate) now: Timestamp,
    pub(crate) valid_for: Duration,
}

impl Signing {
    /// Under `order`, at this moment, for as long as `publisher` lets pointers count.
    pub(crate) fn under(order: Order, publisher: &Publisher) -> Signing {
        Signing { order, now: publisher.now(), valid_for: publisher.freshness.valid_for }
    }
}

impl Draft {
    /// A new generation that goes forward to the bundle of `commit`. What was taken back by hand is superseded by it.
    pub(crate) fn forward(
        newest: Option<&Verified<Pointer>>,
        (app, region): (&App, &Region),
        target: Target,
        commit: CommitId,
        signing: Signing,
    ) -> Draft {
        Draft(Pointer {
            app: app.clone(),
            region: region.clone(),
            epoch: signing.order.epoch,
            generation: signing.order.generation,
            serial: signing.order.serial,
            issued: signing.now,
            expires: signing.now.after(signing.valid_for),
            prev: newest.map(Verified::payload_digest),
            trace: Some(traceparent()),
            commit,
            stable: target,
            candidate: None,
            // Who is held back by hand stays held back until somebody lets go.
            quarantine: newest.map(|newest| newest.quarantine.clone()).unwrap_or_default(),
            freeze: newest.is_some_and(|newest| newest.freeze),
            withdrawn: Vec::new(),
            cause: None,
        })
    }

    /// A new generation that goes back to an earlier bundle, by hand. The bundles it leaves are withdrawn: the stable one, and
    /// the candidate, if there is one.
    pub(crate) fn backward(newest: &Verified<Pointer>, target: Target, commit: CommitId, signing: Signing) -> Draft {
        let Draft(pointer) = Draft::forward(Some(newest), (&newest.app, &newest.region), target, commit, signing);
        let left: Vec<Digest> =
            newest.candidate.iter().map(|candidate| candidate.target.digest).chain([newest.stable.digest]).collect();
        let kept = newest.withdrawn.iter().copied().filter(|digest| !left.contains(digest));
        let mut withdrawn: Vec<Digest> =
            kept.chain(left.iter().copied()).filter(|digest| *digest != target.digest).collect();
        // Only the last few matter: whoever goes back further than that has a revert to make.
        let surplus = withdrawn.len().saturating_sub(WITHDRAWN_MAX);
        withdrawn.drain(..surplus);
        Draft(Pointer { withdrawn, ..pointer })
    }

    /// A new generation that says what a rollout wants of the region. What was withdrawn by hand stays so while the region keeps
    /// its stable bundle.
    pub(crate) fn toward(newest: &Verified<Pointer>, wanted: Wanted, signing: Signing) -> Draft {
        let Wanted { stable, commit, candidate, cause } = wanted;
        let withdrawn = if newest.stable == stable { newest.withdrawn.clone() } else { Vec::new() };
        let Draft(pointer) = Draft::forward(Some(newest), (&newest.app, &newest.region), stable, commit, signing);
        Draft(Pointer { candidate, withdrawn, ..pointer }).because(&cause)
    }

    /// A new generation that names the same bundles and holds others back, or lets them go.
    pub(crate) fn holding(
        newest: &Verified<Pointer>,
        quarantine: Vec<AgentId>,
        freeze: bool,
        signing: Signing,
    ) -> Draft {
        let Draft(pointer) = Draft::refreshed(newest, signing);
        Draft(Pointer { quarantine, freeze, trace: Some(traceparent()), ..pointer })
    }

    /// The same statement, signed afresh under another order. Where an epoch begins, the rollouts of the one before count no more,
    /// so nobody would ever take their candidates back: they stay behind.
    pub(crate) fn refreshed(newest: &Verified<Pointer>, signing: Signing) -> Draft {
        let candidate = newest.candidate.clone().filter(|_| newest.epoch == signing.order.epoch);
        Draft(Pointer {
            candidate,
            epoch: signing.order.epoch,
            generation: signing.order.generation,
            serial: signing.order.serial,
            issued: signing.now,
            expires: signing.now.after(signing.valid_for),
            prev: Some(newest.payload_digest()),
            ..Pointer::clone(newest)
        })
    }

    /// The same, and who made it and why.
    pub(crate) fn because(self, cause: &Cause) -> Draft {
        Draft(Pointer { cause: Some(cause.clone()), ..self.0 })
    }

    pub(crate) fn into_pointer(self) -> Pointer {
        self.0
    }
}

/// Keeps a pointer under its 16 KiB even beside a long quarantine.
const WITHDRAWN_MAX: usize = 32;

/// A fresh W3C `traceparent`: the publication is where the trace begins.
fn traceparent() -> Box<str> {
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    format!("00-{trace:032x}-{span:016x}-01").into()
}

#[cfg(test)]
mod tests {
    use schema::Epoch;
    use schema::keys::SecretKey;
    use schema::pointer::{Candidate, Phase, Selector, Slice};

    use super::*;

    fn signing(order: Order) -> Signing {
        Signing { order, now: Timestamp::from_unix_millis(1_800_000_000_000), valid_for: Duration::from_secs(60) }
    }

    fn target(name: &str) -> Target {
        Target { digest: Digest::of(name.as_bytes()), manifest: Digest::of(name.as_bytes()) }
    }

    fn sealed(draft: Draft) -> Verified<Pointer> {
        Verified::seal(draft.into_pointer(), &[&SecretKey::generate()])
    }

    fn commit(digit: &str) -> CommitId {
        digit.repeat(40).parse().expect("a commit id")
    }

    fn first() -> Verified<Pointer> {
        let place = ("app".parse().expect("an app"), "eu".parse().expect("a region"));
        sealed(Draft::forward(None, (&place.0, &place.1), target("a"), commit("a"), signing(Order::FIRST)))
    }

    #[test]
    fn going_back_withdraws_what_it_leaves_and_going_forward_forgets_it() {
        let a = first();
        let second = a.order().next_generation().expect("a second");
        let b = sealed(Draft::forward(Some(&a), (&a.app, &a.region), target("b"), commit("b"), signing(second)));
        assert_eq!((b.prev, b.withdrawn.len()), (Some(a.payload_digest()), 0));
        let third = second.next_generation().expect("a third");
        let back = sealed(Draft::backward(&b, target("a"), commit("a"), signing(third)));
        assert_eq!(back.withdrawn, [target("b").digest]);
        // Back to what was withdrawn: it is not withdrawn any more, what is left now is.
        let forth = Draft::backward(&back, target("b"), commit("b"), signing(third)).into_pointer();
        assert_eq!(forth.withdrawn, [target("a").digest]);
        let c =
            Draft::forward(Some(&back), (&a.app, &a.region), target("c"), commit("c"), signing(third)).into_pointer();
        assert_eq!(c.withdrawn, []);
    }

    #[test]
    fn a_refresh_changes_order_times_and_link_alone() {
        let a = first();
        let order = a.order().next_serial().expect("a second");
        let later = Signing { now: a.expires, ..signing(order) };
        let refreshed = Draft::refreshed(&a, later).into_pointer();
        assert_eq!((refreshed.order(), refreshed.prev), (order, Some(a.payload_digest())));
        assert!(refreshed.issued == a.expires && refreshed.expires > a.expires);
        let as_before = Pointer { serial: a.serial, issued: a.issued, expires: a.expires, prev: a.prev, ..refreshed };
        assert_eq!(as_before, *a);
    }

    #[test]
    fn a_new_epoch_begins_without_the_candidate_of_a_rollout_that_counts_no_more() {
        let candidate = |newest: &Pointer| Pointer {
            candidate: Some(Candidate {
                target: target("b"),
                phase: Phase::Activate,
                slice: Slice { share: 500, when: Selector::default(), not_before: None, confirmed: false },
                salt: "salt".into(),
                spread_s: 0,
                confirm_within_s: 0,
                also: Vec::new(),
            }),
            ..newest.clone()
        };
        let under_way = sealed(Draft(candidate(&first())));
        let order = under_way.order();
        let serial = order.next_serial().expect("a second");
        assert_eq!(Draft::refreshed(&under_way, signing(serial)).into_pointer().candidate, under_way.candidate);
        let epoch = Order { epoch: Epoch::new(2), ..Order::FIRST };
        let begun = Draft::refreshed(&under_way, signing(epoch)).into_pointer();
        assert_eq!((begun.candidate, begun.stable), (None, target("a")));
    }

    #[test]
    fn a_pointer_stays_small_however_often_it_goes_back() {
        let mut newest = first();
        for step in 0..WITHDRAWN_MAX + 8 {
            let order = newest.order().next_generation().expect("numbers are left");
            newest = sealed(Draft::backward(&newest, target(&step.to_string()), commit("a"), signing(order)));
        }
        assert_eq!(newest.withdrawn.len(), WITHDRAWN_MAX);
        assert_eq!(newest.withdrawn.last(), Some(&target(&(WITHDRAWN_MAX + 6).to_string()).digest));
    }
}
