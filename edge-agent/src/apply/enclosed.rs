//! Manifests and patches that came in the same answer as a pointer.
//!
//! In: parts, as whoever answered named them. Out: the bytes of one of them, for the step that would fetch it otherwise. Nothing in
//! them is believed for having come this way: a manifest goes through the checks of a fetched one, and a patch is only given out
//! where its size and sha256 are those that were signed. What does not pass is left, and fetched.

use bytes::Bytes;
use schema::Digest;
use schema::enclosed::Part;
use schema::manifest::Patch;
use tracing::warn;

use super::Site;
use crate::rule::Rule;

/// What came along with a pointer. Its bytes counted as moved when they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Enclosed(Vec<(Part, Bytes)>);

impl Enclosed {
    /// Takes parts as they came.
    pub(crate) fn new(parts: Vec<(Part, Bytes)>) -> Enclosed {
        Enclosed(parts)
    }

    /// What is said to be the manifest of `digest`, unverified.
    pub(crate) fn manifest(&self, digest: Digest) -> Option<Bytes> {
        self.part(Part::Manifest(digest))
    }

    /// The patch that makes `digest`, if it came and is the one that was `signed`. Another one counts as refused.
    pub(crate) fn patch(&self, site: &Site, digest: Digest, signed: &Patch) -> Option<Bytes> {
        let bytes = self.part(Part::Patch { digest, base: signed.from })?;
        let (size, sha256) = (bytes.len() as u64, Digest::of(&bytes));
        if (size, sha256) == (signed.size, signed.sha256) {
            return Some(bytes);
        }
        site.refused(Some(Rule::Bundle));
        warn!(bundle = %digest, "The patch that came with the pointer is not the one that was signed, and is fetched");
        None
    }

    /// Bytes of all patches, as they travelled.
    pub(crate) fn patch_bytes(&self) -> u64 {
        let patches = self.0.iter().filter(|(part, _)| matches!(part, Part::Patch { .. }));
        patches.map(|(_, bytes)| bytes.len() as u64).sum()
    }

    fn part(&self, wanted: Part) -> Option<Bytes> {
        self.0.iter().find(|(part, _)| *part == wanted).map(|(_, bytes)| bytes.clone())
    }
}
