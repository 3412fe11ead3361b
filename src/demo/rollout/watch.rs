//! Looks at the agents' own folders and hears their own words: what a publisher says of them counts for nothing here.
//!
//! In: every agent's `current`, again and again, and every ack as its agent made it. Out: who ran something new since an act
//! began, how many at once, who could get ready for it and who could not. New is whatever nobody ran when the act began.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use schema::ack::{Outcome, Step};
use schema::{Ack, AgentId, App, Digest, Region};

use crate::demo::fleet::Fleet;
use crate::exit::Failure;

/// Somebody who looks at every host.
pub(super) struct Watch {
    app: App,
    hosts: Arc<[Host]>,
    runs: BTreeMap<AgentId, Digest>,
    /// What anybody ran when the act began.
    before: BTreeSet<Digest>,
    seen: Seen,
}

struct Host {
    agent: AgentId,
    region: Region,
    current: PathBuf,
}

/// What an act showed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The most agents that ran something new at the same time.
    pub(super) peak: usize,
    /// Agents that ran something new at any time.
    pub(super) ever: BTreeSet<AgentId>,
    /// Agents that got something new ready.
    pub(super) prepared: BTreeSet<AgentId>,
    /// Agents that could not, and why.
    pub(super) unprepared: BTreeMap<AgentId, Box<str>>,
    /// Bundle bytes that were fetched to run something new.
    pub(super) bundle_bytes: BTreeMap<AgentId, u64>,
}

impl Watch {
    pub(super) fn new(app: &App, fleet: &Fleet) -> Watch {
        let host = |(agent, region, state): (&AgentId, &Region, &std::path::Path)| Host {
            agent: agent.clone(),
            region: region.clone(),
            current: state.join("apps").join(app.as_str()).join("current"),
        };
        Watch {
            app: app.clone(),
            hosts: fleet.hosts().map(host).collect(),
            runs: BTreeMap::new(),
            before: BTreeSet::new(),
            seen: Seen::default(),
        }
    }

    /// Begins an act: all that runs now is old.
    pub(super) fn begin(&mut self) {
        self.before = self.runs.values().copied().collect();
        self.seen = Seen::default();
    }

    /// What the act showed so far.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Looks at every host, and takes in what agents said since the last look.
    pub(super) async fn look(&mut self, heard: Vec<Ack>) -> Result<(), Failure> {
        let hosts = Arc::clone(&self.hosts);
        let links = move || hosts.iter().filter_map(|host| Some((host.agent.clone(), runs(host)?))).collect();
        self.runs = tokio::task::spawn_blocking(links).await.map_err(Failure::unexpected)?;
        let new: Vec<AgentId> = self.on_new().map(|host| host.agent.clone()).collect();
        self.seen.peak = self.seen.peak.max(new.len());
        self.seen.ever.extend(new);
        for ack in heard.into_iter().filter(|ack| ack.app == self.app && !self.before.contains(&ack.attempted)) {
            self.seen.hear(ack);
        }
        Ok(())
    }

    /// How many agents of `region` run something new.
    pub(super) fn new_in(&self, region: &Region) -> usize {
        self.on_new().filter(|host| &host.region == region).count()
    }

    /// How many agents there are in `region`.
    pub(super) fn hosts_in(&self, region: &Region) -> usize {
        self.hosts.iter().filter(|host| &host.region == region).count()
    }

    /// How many agents run something new.
    pub(super) fn new_on(&self) -> usize {
        self.on_new().count()
    }

    /// How many agents run something old.
    pub(super) fn old_on(&self) -> usize {
        self.runs.values().filter(|digest| self.before.contains(digest)).count()
    }

    /// How many hosts there are.
    pub(super) fn hosts(&self) -> usize {
        self.hosts.len()
    }

    fn on_new(&self) -> impl Iterator<Item = &Host> {
        let is_new = |host: &&Host| self.runs.get(&host.agent).is_some_and(|digest| !self.before.contains(digest));
        self.hosts.iter().filter(is_new)
    }
}

impl Seen {
    fn hear(&mut self, ack: Ack) {
        let Ack { agent, outcome, step, reason, bundle_bytes, .. } = ack;
        let ran = match outcome {
            Outcome::Applied => true,
            // It was switched to, and back: a look may have come too late to see it.
            Outcome::Failed => matches!(step, Some(Step::Reload | Step::Probe | Step::Confirm)),
            _ => false,
        };
        if ran {
            self.ever.insert(agent.clone());
            self.bundle_bytes.entry(agent.clone()).or_insert(bundle_bytes);
        }
        match outcome {
            Outcome::Prepared => {
                self.prepared.insert(agent);
            }
            Outcome::Unprepared => {
                self.unprepared.insert(agent, reason.unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// The digest that a host's `current` names.
fn runs(host: &Host) -> Option<Digest> {
    fs::read_link(&host.current).ok()?.file_name()?.to_str()?.parse().ok()
}
