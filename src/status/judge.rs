//! Whether a commit has arrived: pure, from what a publisher and its gateway say.
//!
//! In: a [`Status`], which commit, where, and by how many agents. Out: yes, no for good, or not yet, each with its reason.
//!
//! A region has the commit where its pointer names it, or where the rollout that brings it has nothing to bring there, or where
//! the publisher is done with it and no rollout of the app goes on: then it changed nothing there. A region that has it is
//! through once enough agents said, about the newest generation, that they run it; agents that say nothing do not count as yes.

use schema::pointer::Deed;
use schema::rollout::{End, Place, Share, Stage};
use schema::status::{PointerStatus, PublisherStatus, RegionStatus, RolloutStatus, Status};
use schema::text::one_line;
use schema::{App, CommitId, Region};

/// A commit by its first digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitPrefix(String);

/// What is waited for.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) commit: CommitPrefix,
    /// Empty: every app.
    pub(super) apps: Vec<App>,
    /// Empty: every region.
    pub(super) regions: Vec<Region>,
    pub(super) share: Share,
}

/// Whether it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Enough agents run it everywhere.
    Yes,
    /// It never will, for this reason.
    No(String),
    /// Not yet; what is missing, one line for each.
    NotYet(Vec<String>),
    /// More than one commit begins with these digits.
    Ambiguous(Vec<CommitId>),
}

/// What the looks so far have shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The commit, once it was the published one.
    published: Option<CommitId>,
    /// In how many looks in a row it was that.
    looks: u32,
}

/// In how many looks in a row a commit is the published one before a region where nothing moves counts as one that it changes
/// nothing in: a publisher that was just started tells of its rollouts a moment later.
const LOOKS_MIN: u32 = 3;

/// Judges one look, a second or so after the one before.
pub(super) fn judge(status: &Status, awaited: &Awaited, seen: &mut Seen) -> Verdict {
    let commit = match awaited.commit.among(&mentioned(status)) {
        Ok(found) => found.or_else(|| seen.published.clone()),
        Err(several) => return Verdict::Ambiguous(several),
    };
    let nobody = PublisherStatus::default();
    let publisher = status.publisher.as_ref().unwrap_or(&nobody);
    if let Some(problem) = &publisher.problem
        && problem.is_refusal
        && problem.commit.as_ref().is_some_and(|refused| awaited.commit.names(refused))
    {
        return Verdict::No(format!("it is refused: {}", one_line(&problem.causes.join(": "), LINE_MAX_CHARS)));
    }
    let Some(commit) = commit else {
        let published = publisher.published.as_ref().map_or("nothing", |commit| commit.short());
        return Verdict::NotYet(vec![format!("it is not published yet; {published} is")]);
    };
    let is_published = publisher.published.as_ref() == Some(&commit);
    if is_published {
        *seen = Seen { published: Some(commit.clone()), looks: seen.looks.saturating_add(1) };
    } else {
        seen.looks = 0;
    }
    let look = Look { commit: &commit, publisher, awaited, looks: seen.looks };
    match look.all(&status.regions) {
        Ok(missing) if missing.is_empty() => Verdict::Yes,
        Err(Gone(why)) => Verdict::No(why),
        Ok(missing) => match &publisher.published {
            Some(other) if !is_published && seen.published.as_ref() == Some(&commit) => {
                Verdict::No(format!("commit {} took its place before that; wait for that one", other.short()))
            }
            _ => Verdict::NotYet(missing),
        },
    }
}

/// One look for one commit.
struct Look<'a> {
    commit: &'a CommitId,
    publisher: &'a PublisherStatus,
    awaited: &'a Awaited,
    looks: u32,
}

/// The commit never arrives, for this reason.
struct Gone(String);

/// What a region has.
enum Has {
    It,
    /// Not yet; what it waits for.
    NotYet(String),
}

impl Look<'_> {
    /// What the regions lack that are meant, one line for each.
    fn all(&self, regions: &[RegionStatus]) -> Result<Vec<String>, Gone> {
        let rollouts = self.publisher.rollouts.iter().filter(|rollout| rollout.commit == *self.commit);
        if let Some(gone) =
            rollouts.filter(|one| self.awaited.means_app(&one.app)).find_map(|one| gone(one, self.awaited))
        {
            return Err(gone);
        }
        let meant: Vec<&RegionStatus> =
            regions.iter().filter(|one| self.awaited.means(&one.app, &one.region)).collect();
        let unheard_of = self.awaited.regions.iter().filter(|region| !meant.iter().any(|one| one.region == **region));
        let mut missing: Vec<String> =
            unheard_of.map(|region| format!("{region}: nothing is published there")).collect();
        if meant.is_empty() && missing.is_empty() {
            missing.push("nothing is published yet".to_owned());
        }
        for region in meant {
            missing.extend(self.missing_in(region)?);
        }
        Ok(missing)
    }

    /// What one region lacks; nothing if it is through.
    fn missing_in(&self, region: &RegionStatus) -> Result<Option<String>, Gone> {
        let place = format!("{} in {}", region.app, region.region);
        let Some(pointer) = &region.pointer else { return Ok(Some(format!("{place}: nothing is published there"))) };
        if let Has::NotYet(why) = self.has(region, pointer)? {
            return Ok(Some(format!("{place}: {why}")));
        }
        let applied = region.agents.applied(pointer.epoch, pointer.generation);
        let known = region.agents.known;
        let needed = self.awaited.share.of_rounded_up(known).max(1);
        Ok((applied < needed).then(|| format!("{place}: {applied} of {known} agents run it, {needed} are needed")))
    }

    /// Whether the region's stable bundle is the commit's.
    fn has(&self, region: &RegionStatus, pointer: &PointerStatus) -> Result<Has, Gone> {
        if pointer.commit == *self.commit {
            return Ok(Has::It);
        }
        let at = || Has::NotYet(format!("at commit {}", pointer.commit.short()));
        let rollout = self.publisher.rollouts.iter().find(|rollout| rollout.app == region.app);
        let ours = rollout.filter(|rollout| rollout.commit == *self.commit);
        if let Some(rollout) = ours
            && let Some(leg) = rollout.regions.iter().find(|leg| leg.region == region.region)
        {
            let is_there = leg.place == Place::Stable && leg.digest == pointer.digest;
            return Ok(if is_there { Has::It } else { Has::NotYet(crate::rollout::of_app(rollout)) });
        }
        if self.looks == 0 && ours.is_none() {
            return Ok(at());
        }
        // The publisher has judged what is to be there. From here on it is either held back, or there without a change.
        let mut held = self.publisher.held.iter();
        if let Some(held) = held.find(|held| (&held.app, &held.region) == (&region.app, &region.region)) {
            let why = one_line(&held.why, LINE_MAX_CHARS);
            return if held.is_pending {
                Ok(Has::NotYet(why))
            } else {
                Err(Gone(format!("{} does not get its bundle in {}: {why}", region.app, region.region)))
            };
        }
        if let Some(gone) = self.went_back(region, pointer) {
            return Err(gone);
        }
        match rollout {
            Some(_) if ours.is_some() => Ok(Has::It),
            Some(rollout) if !matches!(rollout.stage, Stage::Ended(_)) => Ok(at()),
            _ if self.looks < LOOKS_MIN => {
                Ok(Has::NotYet("published; whether a rollout begins is seen in a moment".to_owned()))
            }
            _ => Ok(Has::It),
        }
    }

    /// What somebody who went back by hand said, if that was since the commit was published.
    fn went_back(&self, region: &RegionStatus, pointer: &PointerStatus) -> Option<Gone> {
        let cause = pointer.cause.as_ref().filter(|cause| cause.deed == Deed::Rollback)?;
        let is_since = self.publisher.published_at.is_some_and(|published| pointer.issued > published);
        is_since.then(|| {
            let why = one_line(&format!("{}: {}", cause.who, cause.why), LINE_MAX_CHARS);
            Gone(format!("{} was taken back in {} by {why}", region.app, region.region))
        })
    }
}

/// Why the commit never arrives, where its rollout says so.
fn gone(rollout: &RolloutStatus, awaited: &Awaited) -> Option<Gone> {
    let app = &rollout.app;
    let line = |text: &str| one_line(text, LINE_MAX_CHARS);
    let why = match &rollout.stage {
        Stage::Ended(End::Failed { why }) => Some(format!("its rollout of app {app} failed: {}", line(why))),
        Stage::Ended(End::Aborted { why }) => Some(format!("its rollout of app {app} was aborted: {}", line(why))),
        Stage::Ended(End::Superseded { by }) => {
            Some(format!("commit {} took its place in app {app}; wait for that one", by.short()))
        }
        _ => rollout.regions.iter().find_map(|leg| match &leg.place {
            Place::Back { why } if awaited.regions.is_empty() || awaited.regions.contains(&leg.region) => {
                Some(format!("app {app} went back in {}: {}", leg.region, line(why)))
            }
            _ => None,
        }),
    };
    why.map(Gone)
}

impl Awaited {
    fn means_app(&self, app: &App) -> bool {
        self.apps.is_empty() || self.apps.contains(app)
    }

    fn means(&self, app: &App, region: &Region) -> bool {
        self.means_app(app) && (self.regions.is_empty() || self.regions.contains(region))
    }
}

impl CommitPrefix {
    fn names(&self, commit: &CommitId) -> bool {
        commit.to_string().starts_with(&self.0)
    }

    /// The one of `commits` that is meant, if any.
    fn among(&self, commits: &[CommitId]) -> Result<Option<CommitId>, Vec<CommitId>> {
        let mut found: Vec<CommitId> = commits.iter().filter(|commit| self.names(commit)).cloned().collect();
        found.sort();
        found.dedup();
        if found.len() > 1 { Err(found) } else { Ok(found.pop()) }
    }
}

impl std::str::FromStr for CommitPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<CommitPrefix, &'static str> {
        let text = text.to_ascii_lowercase();
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (PREFIX_MIN..=64).contains(&text.len()) {
            Ok(CommitPrefix(text))
        } else {
            Err("write a commit's id in hex, or its first 7 digits or more")
        }
    }
}

/// Every commit that a status speaks of.
fn mentioned(status: &Status) -> Vec<CommitId> {
    let pointers = status.regions.iter().filter_map(|region| Some(region.pointer.as_ref()?.commit.clone()));
    let publisher = status.publisher.iter().flat_map(|publisher| {
        let problem = publisher.problem.iter().filter_map(|problem| problem.commit.clone());
        let rollouts = publisher.rollouts.iter().map(|rollout| rollout.commit.clone());
        publisher.published.iter().cloned().chain(problem).chain(rollouts)
    });
    pointers.chain(publisher).collect()
}

const PREFIX_MIN: usize = 7;
const LINE_MAX_CHARS: usize = 300;

#[cfg(test)]
mod tests;
