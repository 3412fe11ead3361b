//! What a publisher keeps of what it published, to make the next bundle from: work of this process that it need not do twice.
//!
//! Of each app, what its bundles were made of: the stretches of frames as they were compressed, where things lay in the archives
//! that regions ran last, and which these were. No archive. Whatever is lost here is made again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use schema::{App, CommitId, Digest, Generation, Region};

use super::frame::Joined;
use crate::compile::{Compilation, CompiledBundle, Layout};

/// How many frames are remembered of which it is known what they hold.
const PROVEN_MAX: usize = 1024;

/// What is kept. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    joined: BTreeMap<(App, Digest), Arc<Joined>>,
    layouts: BTreeMap<(App, Digest), Arc<Layout>>,
    ran: BTreeMap<(App, Region), Ran>,
    proven: VecDeque<Proven>,
    /// Frames that were made and not read back yet.
    made: BTreeMap<Digest, (Bytes, Digest)>,
}

/// That a frame holds an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proven {
    /// The archive's digest.
    pub(super) digest: Digest,
    /// Bytes of the archive.
    pub(super) size: u64,
    /// The sha256 of the frame.
    pub(super) frame: Digest,
}

/// The bundles that a region ran last.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    /// The generation that brought the newest of them, or a later one that kept it.
    pub(super) generation: Generation,
    /// Newest first, each once, with a commit that had it.
    pub(super) bundles: Vec<(Digest, CommitId)>,
}

impl Kept {
    /// What the frames of the bundles of `app` were joined of.
    pub(super) fn joined(&self, app: &App) -> Vec<Arc<Joined>> {
        let shelf = self.shelf();
        shelf.joined.iter().filter(|((of, _), _)| of == app).map(|(_, joined)| Arc::clone(joined)).collect()
    }

    /// Where things lie in a bundle's archive, if it was made here lately.
    pub(super) fn layout(&self, app: &App, digest: Digest) -> Option<Arc<Layout>> {
        self.shelf().layouts.get(&(app.clone(), digest)).cloned()
    }

    /// What a region ran last, as far as it was found out.
    pub(super) fn ran(&self, app: &App, region: &Region) -> Option<Ran> {
        self.shelf().ran.get(&(app.clone(), region.clone())).cloned()
    }

    pub(super) fn keep_ran(&self, app: &App, region: &Region, ran: Ran) {
        self.shelf().ran.insert((app.clone(), region.clone()), ran);
    }

    pub(super) fn keep_layout(&self, app: &App, digest: Digest, layout: Arc<Layout>) {
        self.shelf().layouts.insert((app.clone(), digest), layout);
    }

    /// Keeps what the frame of `bundle` was joined of.
    pub(super) fn keep(&self, bundle: &CompiledBundle, joined: Joined) {
        self.shelf().joined.insert((bundle.app.clone(), bundle.summary.digest), Arc::new(joined));
    }

    /// Keeps the frame of the bundle `digest` and its sha256 until it is read back, to compare it with.
    pub(super) fn keep_made(&self, digest: Digest, frame: Bytes, sha256: Digest) {
        self.shelf().made.insert(digest, (frame, sha256));
    }

    /// The frame of the bundle `digest` and its sha256, if it was made here just now.
    pub(super) fn take_made(&self, digest: Digest) -> Option<(Bytes, Digest)> {
        self.shelf().made.remove(&digest)
    }

    /// Remembers what this process made of an archive, or saw to hold one.
    pub(super) fn prove(&self, proven: Proven) {
        let mut shelf = self.shelf();
        if shelf.proven.contains(&proven) {
            return;
        }
        if shelf.proven.len() == PROVEN_MAX {
            shelf.proven.pop_front();
        }
        shelf.proven.push_back(proven);
    }

    /// Whether that was found out before.
    pub(super) fn has_proven(&self, proven: &Proven) -> bool {
        self.shelf().proven.contains(proven)
    }

    /// Keeps where things lie in the archives of `compilation`.
    pub(super) fn note(&self, compilation: &Compilation) {
        let bundles = compilation.bundles.iter();
        let layouts =
            bundles.map(|((app, _), bundle)| ((app.clone(), bundle.summary.digest), Arc::clone(&bundle.layout)));
        self.shelf().layouts.extend(layouts);
    }

    /// Throws away what neither `compilation` nor the bundles that regions ran last need.
    pub(super) fn tidy(&self, compilation: &Compilation) {
        let bundles = compilation.bundles.iter();
        let current: BTreeSet<(App, Digest)> =
            bundles.map(|((app, _), bundle)| (app.clone(), bundle.summary.digest)).collect();
        let apps: BTreeSet<&App> = current.iter().map(|(app, _)| app).collect();
        let mut shelf = self.shelf();
        let Shelf { joined, layouts, ran, made, .. } = &mut *shelf;
        made.clear();
        ran.retain(|place, _| compilation.bundles.contains_key(place));
        let ran: BTreeSet<(&App, Digest)> =
            ran.iter().flat_map(|((app, _), ran)| ran.bundles.iter().map(move |(digest, _)| (app, *digest))).collect();
        layouts.retain(|of, _| current.contains(of) || ran.contains(&(&of.0, of.1)));
        // A bundle that came back was not made anew, and what is made next is still most like those made last.
        let renewed: BTreeSet<App> =
            joined.keys().filter(|of| current.contains(of)).map(|(app, _)| app.clone()).collect();
        joined.retain(|of, _| current.contains(of) || (apps.contains(&of.0) && !renewed.contains(&of.0)));
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
