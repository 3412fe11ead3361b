//! What gates ask besides agents: is the error rate low, does the smoke test pass.
//!
//! In: the checks that `publisher.yaml` defines, and which of them a gate needs. Out: what each of them said within the last
//! seconds. What cannot be asked, fails, is slow or says nothing is never a yes. Each runs as a task of its own, so no gate
//! holds up the publisher.

mod command;
mod definition;
mod prometheus;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schema::{App, CommitId, Region, RolloutId};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

pub use definition::{Check, InvalidCheck};

use super::CheckVerdict;
use definition::Kind;

/// How often a check is asked at most.
const EVERY: Duration = Duration::from_secs(3);

/// How long an answer counts.
const FRESH_FOR: Duration = Duration::from_secs(10);

/// What a check is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) app: App,
    pub(crate) rollout: RolloutId,
    pub(crate) regions: Vec<Region>,
    pub(crate) commit: CommitId,
    /// Counting from 1; none before the first.
    pub(crate) wave: Option<usize>,
}

/// All checks, and what they said.
pub(crate) struct Checks {
    defined: BTreeMap<Box<str>, Check>,
    /// What each app's answers are about.
    matters: BTreeMap<App, About>,
    asked: BTreeMap<App, BTreeMap<Box<str>, Asked>>,
    running: JoinSet<Answer>,
    /// Counts what was forgotten, so that an answer which comes later is not taken for one to a newer question.
    question: u64,
}

struct Asked {
    at: Instant,
    question: u64,
    is_open: bool,
    /// To this question or, while it is open, to the one before.
    answer: Option<(Instant, CheckVerdict)>,
}

struct Answer {
    app: App,
    name: Box<str>,
    question: u64,
    verdict: CheckVerdict,
}

impl Checks {
    pub(crate) fn new(defined: BTreeMap<Box<str>, Check>) -> Checks {
        Checks { defined, matters: BTreeMap::new(), asked: BTreeMap::new(), running: JoinSet::new(), question: 0 }
    }

    /// Forgets what was said of anything else than `about`: another wave, whoever went on to it, or another rollout.
    pub(crate) fn turn_to(&mut self, about: &About) {
        if self.matters.get(&about.app) != Some(about) {
            self.forget(&about.app);
            self.matters.insert(about.app.clone(), about.clone());
        }
    }

    /// Asks those of `names` that are due.
    pub(crate) fn ask(&mut self, names: &BTreeSet<Box<str>>, about: &About) {
        let now = Instant::now();
        for name in names {
            let asked = self.asked.entry(about.app.clone()).or_default();
            if asked.get(name).is_some_and(|asked| asked.is_open || now < asked.at + EVERY) {
                continue;
            }
            self.question += 1;
            let question = self.question;
            let Some(check) = self.defined.get(name).cloned() else {
                let why = format!("publisher.yaml defines no check `{}`", name.escape_debug());
                let answer = Some((now, CheckVerdict::Unknown { why }));
                asked.insert(name.clone(), Asked { at: now, question, is_open: false, answer });
                continue;
            };
            let answer = asked.remove(name).and_then(|asked| asked.answer);
            asked.insert(name.clone(), Asked { at: now, question, is_open: true, answer });
            let (app, name, about) = (about.app.clone(), name.clone(), about.clone());
            self.running.spawn(async move {
                let verdict = judge(&check, &name, &about).await;
                Answer { app, name, question, verdict }
            });
        }
    }

    /// What the checks said for `app` a moment ago.
    pub(crate) fn verdicts(&self, app: &App) -> BTreeMap<Box<str>, CheckVerdict> {
        let asked = self.asked.get(app).into_iter().flatten();
        let said = asked.filter_map(|(name, asked)| Some((name, asked.answer.as_ref()?)));
        said.filter(|(_, (at, _))| at.elapsed() <= FRESH_FOR)
            .map(|(name, (_, verdict))| (name.clone(), verdict.clone()))
            .collect()
    }

    /// Forgets what was said for `app`.
    fn forget(&mut self, app: &App) {
        self.asked.remove(app);
    }

    /// Waits for the next answer. Waits for ever where nothing was asked.
    pub(crate) async fn answered(&mut self) {
        loop {
            let Some(ended) = self.running.join_next().await else { return std::future::pending().await };
            // One that panicked gave no answer, which is no yes.
            let Ok(Answer { app, name, question, verdict }) = ended else { continue };
            let asked = self.asked.get_mut(&app).and_then(|asked| asked.get_mut(&name));
            if let Some(asked) = asked.filter(|asked| asked.question == question) {
                asked.is_open = false;
                asked.answer = Some((Instant::now(), verdict));
                return;
            }
        }
    }
}

async fn judge(check: &Check, name: &str, about: &About) -> CheckVerdict {
    let asking = async {
        match &check.kind {
            Kind::Prometheus { url, query } => prometheus::ask(url, query).await,
            Kind::Command { command } => command::run(command, about).await,
        }
    };
    let within = check.timeout;
    let verdict = timeout(within, asking).await;
    let verdict = verdict.unwrap_or_else(|_elapsed| CheckVerdict::Unknown {
        why: format!("check `{name}` gave no answer within {} s", within.as_secs_f32()),
    });
    tracing::debug!(app = %about.app, check = %name, ?verdict, "Asked check {name}");
    verdict
}
