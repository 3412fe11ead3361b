//! What is done between looks at the branch: newer trust roots are followed, what they need is sealed again, and pointers stay
//! young and right.

use super::base::places;
use super::following::{Following, Good};
use crate::causes::causes;
use crate::duty::Duty;
use crate::keys::Role;
use crate::publish::{Before, Report, publish, refresh, reseal_reach};
use crate::trust::TrustError;

impl Following {
    /// Repairs pointers and signs old ones afresh, whatever the branch is at.
    pub(super) async fn keep(&mut self) -> Report {
        let mut report = Report::default();
        // Somebody may have put a newer root into the store since.
        self.roots_followed = false;
        if let Err(error) = self.follow_roots().await {
            // The next look says it.
            tracing::warn!("Pointers are not looked after for now: {}", causes(&error).join(": "));
            return report;
        }
        if let Err(error) = self.check_store().await {
            tracing::warn!("Pointers are not looked after for now: {}", causes(&error).join(": "));
            // The next look takes the tip again, and says what is in the way.
            self.good.iter_mut().for_each(|good| good.everywhere = false);
            return report;
        }
        if self.publisher.duty == Duty::Rebuild {
            self.reseal().await;
            return report;
        }
        // Where it is not everywhere yet, the next look goes on with that.
        if let Some(good) = self.good.as_mut().filter(|good| good.everywhere) {
            let Good { commit, compilation, rules, ancestry, .. } = &*good;
            report = publish(&self.publisher, commit, compilation, Before::Unknown, rules, ancestry).await;
            self.publisher = self.publisher.clone().remembering_also(&report.orders);
            if report.failed.is_empty() && report.waiting.is_empty() {
                // Somebody else may have ended what it waited for.
                good.everywhere = good.handed_over || !report.is_handed_over();
                return report;
            }
            // The next look takes the tip again, and says what is in the way.
            good.everywhere = false;
        }
        // What is published stays fresh even where nothing may be published. Until a commit was good, that is all there is.
        let places = match &self.good {
            Some(good) => Ok(good.compilation.bundles.keys().cloned().collect()),
            None => places(&self.publisher.store).await,
        };
        match places {
            Ok(places) => {
                let refreshed = refresh(&self.publisher, places).await;
                self.publisher = self.publisher.clone().remembering_also(&refreshed.orders);
                report.refreshed.extend(refreshed.refreshed);
                report.waiting.extend(refreshed.waiting);
                report.failed = refreshed.failed;
            }
            Err(error) => tracing::warn!("Pointers are not signed afresh for now: {}", causes(&error).join(": ")),
        }
        report
    }

    /// Goes on under the newest trust root that the store has, if the keys are in it.
    pub(super) async fn follow_roots(&mut self) -> Result<(), TrustError> {
        if self.roots_followed {
            return Ok(());
        }
        self.publisher.follow_roots().await?;
        self.roots_followed = true;
        // A rebuilder signs nothing that it did not compile, so it waits until it knows the history.
        if self.publisher.duty != Duty::Rebuild {
            self.reseal().await;
        }
        Ok(())
    }

    /// Seals again, for release keys that are new, what regions run and can be taken back to; once for each root.
    pub(super) async fn reseal(&mut self) {
        let version = self.publisher.root().version;
        let history = self.good.as_ref().map(|good| &good.ancestry);
        if self.publisher.duty == Duty::Rebuild && history.is_none() {
            return;
        }
        let is_done = self.resealed == Some(version) || self.publisher.roots.former_release_roles().next().is_none();
        if is_done || !self.publisher.duty.has(Role::Release) {
            return;
        }
        let places = match places(&self.publisher.store).await {
            Ok(places) => places,
            Err(error) => {
                tracing::warn!("What is released is not sealed again for now: {}", causes(&error).join(": "));
                return;
            }
        };
        let (waiting, failed) = reseal_reach(&self.publisher, places, history).await;
        // Tried at every turn, for a day if another signer is away that long, and said once.
        let waits = waiting.iter().map(|waiting| format!("For trust root version {version}, {waiting}"));
        let fails = failed
            .iter()
            .map(|error| format!("Not sealed again for trust root version {version}: {}", causes(error).join(": ")));
        let said: Vec<String> = waits.chain(fails).collect();
        said.iter().filter(|said| !self.resealing.contains(said)).for_each(|said| tracing::warn!("{said}"));
        self.resealing = said;
        if waiting.is_empty() && failed.is_empty() {
            self.resealed = Some(version);
        }
    }
}
