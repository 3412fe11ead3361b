//! Moves the pointers of a rollout's regions to what its newest record means.
//!
//! In: the record, and the pointer that was seen when it was decided. Out: the pointer that was announced, if that one still
//! stood. What somebody else announced in between is never overwritten here: it is for the next step to judge.

use schema::{Pointer, Region, Rollout};

use super::wanted;
use crate::plan;
use crate::publish::{Draft, Moved, Signing, announce};
use crate::publisher::Publisher;
use crate::region::{self, RegionError};

/// What came of moving a pointer.
#[derive(Debug)]
pub(crate) enum Pointed {
    /// It says what the record means.
    Moved(Moved),
    /// It said so already, or the record has no say there.
    AsItWas,
    /// Another one stands there than the one that was seen.
    Overtaken,
}

/// Announces what `rollout` means for `region`, where `seen` is what stood there when that was decided.
///
/// # Errors
/// [`RegionError`]; the record stands, so whoever finds it announces it.
pub(crate) async fn point(
    publisher: &Publisher,
    rollout: &Rollout,
    region: &Region,
    seen: &Pointer,
) -> Result<Pointed, RegionError> {
    let Some(wanted) = wanted(rollout, region) else { return Ok(Pointed::AsItWas) };
    let state = region::settle(publisher, &rollout.app, region).await?;
    let Some(newest) = &state.newest else { return Ok(Pointed::Overtaken) };
    if wanted.is_shown_by(newest) {
        return Ok(Pointed::AsItWas);
    }
    // By generation, not by what it says: a pointer that says again what it said before has been elsewhere meanwhile.
    if !newest.order().same_generation(seen.order()) {
        return Ok(Pointed::Overtaken);
    }
    let order = plan::following(newest, publisher.root().epoch).map_err(|error| state.error(error))?;
    let draft = Draft::toward(newest, wanted, Signing::under(order, publisher));
    let moved = announce(publisher, state, draft).await?;
    // A crash here leaves some pointers of the record moved and others not: whoever finds it goes on with those.
    fail::fail_point!("rollout-pointed");
    Ok(moved.map_or(Pointed::Overtaken, Pointed::Moved))
}

/// Whether `pointer` still has the candidate of `rollout`, which is over.
pub(crate) fn lags(rollout: &Rollout, region: &Region, pointer: &Pointer) -> bool {
    let is_its = pointer.candidate.as_ref().is_some_and(|candidate| candidate.salt == rollout.salt);
    rollout.is_over() && is_its && wanted(rollout, region).is_some_and(|wanted| !wanted.is_shown_by(pointer))
}

#[cfg(test)]
mod tests {
    use schema::pointer::Cause;
    use schema::rollout::{Place, RolloutId, Stage};

    use super::*;
    use crate::bench::{Bench, app, cause};
    use crate::rollback::{RollbackTarget, rollback};
    use crate::rollout::driver::tests::policy;
    use crate::rollout::{Departure, Start, begin};

    /// A region on its second commit, and a rollout of a third that is to be pointed there.
    async fn about_to_point() -> (Bench, Rollout, Region) {
        let mut bench = Bench::new();
        let (first, second, third) = (bench.tip("1", "1"), bench.tip("2", "2"), bench.tip("3", "3"));
        bench.publish(&first).await;
        bench.publish(&second).await;
        let newest = bench.pointer("eu").await;
        let departure = Departure {
            from: newest.stable,
            from_commit: newest.commit.clone(),
            to: schema::Target { digest: third.digest("eu"), manifest: third.digest("eu") },
            based_on: newest.order(),
        };
        let eu = newest.region.clone();
        let mut rollout = begin(Start {
            app: app(),
            id: RolloutId::FIRST,
            commit: third.commit.id().clone(),
            policy: policy(),
            regions: [(eu.clone(), departure)].into(),
            seed: 7,
            now: bench.publisher.now(),
        });
        let now = bench.publisher.now();
        rollout.stage = Stage::Wave { index: 0, since: now };
        let place = Place::Candidate { expected: 1, begun: Some(now), confirmed: false, met: None };
        rollout.regions.get_mut(&eu).expect("its only one").place = place;
        (bench, rollout, eu)
    }

    #[tokio::test]
    async fn what_was_seen_and_still_stands_is_moved_once() {
        let (bench, rollout, eu) = about_to_point().await;
        let seen = bench.pointer("eu").await;
        assert!(matches!(point(&bench.publisher, &rollout, &eu, &seen).await, Ok(Pointed::Moved(_))));
        assert!(matches!(point(&bench.publisher, &rollout, &eu, &seen).await, Ok(Pointed::AsItWas)));
        let candidate = bench.pointer("eu").await.candidate.clone().expect("it is pointed");
        assert_eq!(candidate.target, rollout.regions[&eu].to);
    }

    #[tokio::test]
    async fn f22_what_another_hand_moved_since_it_was_seen_is_never_overwritten() {
        for deed in ["rollback", "freeze", "candidate"] {
            let (bench, rollout, eu) = about_to_point().await;
            let seen = bench.pointer("eu").await;
            if deed == "rollback" {
                let (app, here, why) = (app(), std::slice::from_ref(&eu), cause("errors went up"));
                let back = rollback(&bench.publisher, &app, here, &RollbackTarget::Previous, &why).await;
                assert_eq!(back.expect("it goes back").len(), 1);
            } else {
                let state = region::settle(&bench.publisher, &app(), &eu).await.expect("a readable region");
                let order = seen.order().next_generation().expect("numbers are left");
                let signing = Signing::under(order, &bench.publisher);
                let draft = match deed {
                    "freeze" => Draft::holding(&seen, Vec::new(), true, signing),
                    _ => {
                        let mut theirs = wanted(&rollout, &eu).expect("it is to be pointed");
                        theirs.candidate.as_mut().expect("a wave").salt = "theirs".into();
                        Draft::toward(&seen, theirs, signing)
                    }
                };
                let draft = draft.because(&Cause::own(schema::pointer::Deed::Freeze, "by another"));
                assert!(announce(&bench.publisher, state, draft).await.expect("it moves").is_some());
            }
            let theirs = bench.pointer("eu").await;
            let pointed = point(&bench.publisher, &rollout, &eu, &seen).await;
            assert!(matches!(pointed, Ok(Pointed::Overtaken)), "{deed}: {pointed:?}");
            assert_eq!(*bench.pointer("eu").await, *theirs, "{deed}");
        }
    }
}
