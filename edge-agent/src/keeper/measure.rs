//! How the app is, for the metrics. Read after each piece of work: whatever changes it wakes the keeper anyhow.

use schema::cycle;

use super::Keeper;
use crate::apply::Host;
use crate::metrics::Reading;

impl Keeper {
    /// Takes note of how the app is now.
    pub(super) fn measure(&self, host: &Host) {
        let state = host.ledger.state();
        let (root, now) = (host.site.trust.newest(), host.now());
        let in_hand = self.pointer.as_ref().map(|accepted| &accepted.pointer);
        let expires = in_hand.map(|pointer| pointer.expires).or(state.until.map(|until| until.expires));
        let stale = match in_hand {
            Some(pointer) => cycle::freshness(&root, pointer, now).is_err(),
            None => root.is_expired(now) || expires.is_some_and(|expires| now >= expires),
        };
        let active = state.active.map(|active| (active.epoch, active.generation.number()));
        host.site.metrics.read(
            &host.site.about.app,
            Reading {
                active,
                expires,
                stale,
                held: state.until.is_some_and(|until| until.held.is_some()),
                on_trial: state.trial.is_some(),
                failures: state.failures,
            },
        );
    }
}
