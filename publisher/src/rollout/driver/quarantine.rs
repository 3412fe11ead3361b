//! Leaves out agents that fail again and again, and takes back those that are well.

use schema::pointer::{Cause, Deed};
use schema::rollout::QuarantineRule;
use schema::{App, Region};
use tokio::time::Instant;

use super::hold::{Hold, hold};
use super::{BELIEVED_FOR, DISCOVER_EVERY, DriveError, Driver};
use crate::publisher::Publisher;
use crate::region;
use crate::rollout::{QuarantineChange, quarantine};

impl Driver {
    /// Looks at the agents of every region whose app goes by a policy, each every few seconds at most, so that agents which fail
    /// together are left out together. Says when to look again.
    pub(super) async fn judge(&mut self, publisher: &Publisher, failed: &mut Vec<DriveError>) -> Instant {
        let mut again = Instant::now() + DISCOVER_EVERY;
        for (app, region, rule) in self.places(publisher) {
            let place = (app, region);
            if let Some(at) = self.judged.get(&place).filter(|at| at.elapsed() < BELIEVED_FOR) {
                again = again.min(*at + BELIEVED_FOR);
                continue;
            }
            let (app, region) = &place;
            let reports = self.fleet.reports(app, region);
            // Only agents that failed so often can get in, and, having been in, out.
            if !reports.iter().any(|report| report.failures >= rule.after) {
                self.judged.insert(place, Instant::now());
                continue;
            }
            let returns = &mut self.returns;
            let judged = async {
                let newest = region::settle(publisher, app, region).await?.newest;
                let Some(newest) = newest else { return Ok(None) };
                let mut change = quarantine(&newest, &reports, &rule, publisher.now());
                change.release.retain(|agent| returns.may_return(&place, agent, Instant::now()));
                if change.is_empty() {
                    return Ok(None);
                }
                let cause = cause(&change);
                let add = change.add.into_iter().map(|(agent, _)| agent).collect();
                hold(publisher, app, region, &Hold::Quarantine { add, release: change.release }, &cause).await
            };
            match judged.await {
                Ok(None) => {}
                Ok(Some(_)) => {
                    if let Some(known) = self.apps.get_mut(app) {
                        known.forget_pointers();
                    }
                }
                Err(error) => failed.push(DriveError::Region(error)),
            }
            again = again.min(Instant::now() + BELIEVED_FOR);
            self.judged.insert(place, Instant::now());
        }
        again
    }

    /// Regions that this publisher points, and the rule for each: that of a rollout under way, else that of the policy in force.
    fn places(&self, publisher: &Publisher) -> Vec<(App, Region, QuarantineRule)> {
        let mut places = Vec::new();
        for (app, known) in &self.apps {
            let under_way = known.state.as_ref().filter(|state| !state.is_over()).map(|state| &state.policy);
            let Some(policy) = under_way.or(self.policies.get(app)) else { continue };
            if policy.quarantine.after == 0 {
                continue;
            }
            let is_ours = |region: &&Region| publisher.duty.moves_pointers() && publisher.signs_for(region);
            let ours = known.regions.iter().filter(is_ours);
            places.extend(ours.map(|region| (app.clone(), region.clone(), policy.quarantine)));
        }
        places
    }
}

/// Who is left out or comes back, as one line for the audit log.
fn cause(change: &QuarantineChange) -> Cause {
    let added = change.add.iter().map(|(agent, why)| format!("{agent} {why}"));
    let released = change.release.iter().map(|agent| format!("{agent} is well again"));
    let all: Vec<String> = added.chain(released).collect();
    let deed = if change.add.is_empty() { Deed::Release } else { Deed::Quarantine };
    Cause::own(deed, &all.join("; "))
}
