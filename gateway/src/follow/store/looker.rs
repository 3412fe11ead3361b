//! Reads the pointers of a store, side by side.
//!
//! In: when to begin another look. Out: a view that has what was found. Every listing and every read has a deadline of its
//! own and goes on while others begin and end. So a pointer that cannot be read holds up no other: not in this look, and not
//! in the next, in which it alone is left out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use store::Store;
use tokio::time::{Instant, timeout};

use super::hints::Look;
use super::read::{Etag, NotRead, list, read};
use crate::clock;
use crate::health::Subject;
use crate::pair::Pair;
use crate::view::View;

/// What is known of a store's pointers, and what is being read of them.
pub(super) struct Looker {
    store: Store,
    view: Arc<View>,
    pairs: BTreeMap<Pair, Known>,
    /// When the store was last listed.
    listed: Option<Instant>,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    is_listing: bool,
    reading: Reading,
    /// Who is to be read as soon as there is room for it.
    due: VecDeque<Pair>,
    round: Round,
}

/// What is known of one pointer.
#[derive(Debug, Default)]
struct Known {
    etag: Etag,
    last: Last,
    is_read: bool,
}

/// How the last read of a pointer went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    NotYet,
    Fine,
    Failed,
}

/// How many pointers are being read.
#[derive(Debug, Default)]
struct Reading {
    all: usize,
    /// Those of them that could not be read the last time.
    failed: usize,
}

/// What ended since the last verdict.
#[derive(Debug, Default)]
struct Round {
    fine: usize,
    failed: Option<NotRead>,
    not_listed: Option<NotRead>,
}

/// Something that was under way.
enum Ended {
    Listed(Result<Vec<Pair>, NotRead>),
    Read { pair: Pair, before: Last, read: Result<Etag, NotRead> },
}

impl Looker {
    pub(super) fn new(store: Store, view: Arc<View>) -> Looker {
        Looker {
            store,
            view,
            pairs: BTreeMap::new(),
            listed: None,
            under_way: FuturesUnordered::new(),
            is_listing: false,
            reading: Reading::default(),
            due: VecDeque::new(),
            round: Round::default(),
        }
    }

    /// Begins to read every pointer that is not being read still, and a listing if one is due.
    pub(super) fn begin(&mut self, look: Look) {
        // A directory is cheap to list, and its hints may miss a region that was made a moment ago.
        let cheap = self.store.local_path().is_some();
        let due = look == Look::Thorough || cheap || self.listed.is_none_or(|listed| listed.elapsed() >= LIST_EVERY);
        if due && !self.is_listing {
            self.is_listing = true;
            let store = self.store.clone();
            self.under_way.push(Box::pin(async move { Ended::Listed(list(&store).await) }));
        }
        let idle = || self.pairs.iter().filter(|(_, known)| !known.is_read);
        let fine = idle().filter(|(_, known)| known.last != Last::Failed);
        let failed = idle().filter(|(_, known)| known.last == Last::Failed);
        self.due = fine.chain(failed).map(|(pair, _)| pair.clone()).collect();
        self.fill();
    }

    /// Lets everything go on, until all has ended or `longest` is over.
    pub(super) async fn go_on_for(&mut self, longest: Duration) {
        let all = async {
            while let Some(ended) = self.under_way.next().await {
                self.note(ended);
            }
        };
        // Who is not done by then goes on beside the next look.
        let _ = timeout(longest, all).await;
    }

    /// Lets everything go on until `over` is.
    pub(super) async fn go_on_until<T>(&mut self, over: impl Future<Output = T>) -> T {
        let mut over = std::pin::pin!(over);
        loop {
            tokio::select! {
                over = over.as_mut() => return over,
                Some(ended) = self.under_way.next() => self.note(ended),
            }
        }
    }

    /// Whether all that ended since it was last asked says that the store is away; notes it.
    ///
    /// One pointer that cannot be read must not hold up the others. When none can be, it is the store.
    pub(super) fn is_away(&mut self) -> bool {
        let Round { fine, failed, not_listed } = std::mem::take(&mut self.round);
        let health = &self.view.health;
        if let Some(error) = not_listed.or(failed.filter(|_| fine == 0)) {
            health.trouble(Subject::Source, &error);
            return true;
        }
        let mut lasts = self.pairs.values().map(|known| known.last);
        let all_failed = !self.pairs.is_empty() && lasts.clone().all(|last| last == Last::Failed);
        if self.listed.is_some() && !all_failed && lasts.all(|last| last != Last::NotYet) {
            health.surveyed();
            health.fine(&Subject::Source);
        }
        false
    }

    fn note(&mut self, ended: Ended) {
        match ended {
            Ended::Listed(Ok(pairs)) => {
                self.is_listing = false;
                self.listed = Some(Instant::now());
                self.view.health.answered(clock::now());
                for pair in pairs {
                    if !self.pairs.contains_key(&pair) {
                        self.pairs.insert(pair.clone(), Known::default());
                        self.due.push_front(pair);
                    }
                }
            }
            Ended::Listed(Err(error)) => {
                self.is_listing = false;
                self.round.not_listed = Some(error);
            }
            Ended::Read { pair, before, read } => {
                self.reading.all -= 1;
                self.reading.failed -= usize::from(before == Last::Failed);
                let known = self.pairs.get_mut(&pair).expect("what was read is known, and nothing known is dropped");
                known.is_read = false;
                match read {
                    Ok(etag) => {
                        (known.etag, known.last) = (etag, Last::Fine);
                        self.round.fine += 1;
                    }
                    Err(error) => {
                        known.last = Last::Failed;
                        self.round.failed = Some(error);
                    }
                }
            }
        }
        self.fill();
    }

    /// Begins as many reads as there is room for. Those that failed before get a part of it, so that the others have the rest.
    fn fill(&mut self) {
        while self.reading.all < READS_AT_ONCE
            && let Some(pair) = self.due.pop_front()
        {
            let known = self.pairs.get_mut(&pair).expect("what is due is known, and nothing known is dropped");
            let before = known.last;
            if before == Last::Failed {
                if self.reading.failed >= FAILED_AT_ONCE {
                    continue; // in the next look, then
                }
                self.reading.failed += 1;
            }
            self.reading.all += 1;
            known.is_read = true;
            let (store, view, etag) = (self.store.clone(), Arc::clone(&self.view), known.etag.clone());
            self.under_way.push(Box::pin(async move {
                let read = read(&store, &view, &pair, etag).await;
                Ended::Read { pair, before, read }
            }));
        }
    }
}

const LIST_EVERY: Duration = Duration::from_secs(10);
const READS_AT_ONCE: usize = 64;
const FAILED_AT_ONCE: usize = 16;
