//! What goes along with a pointer: the manifests that it names, and patches from what an agent runs, as far as one answer may be
//! long. In the order, and within the bounds, of a real gateway.

use schema::Limits;

use super::World;
use crate::gateway::Object;

/// The answer with which something came along, as far as that follows from what it was an answer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enclosed {
    /// The pointer; the one that everyone begins with came alone.
    pub(crate) version: u32,
    /// What the agent ran, and said that it runs.
    pub(crate) have: u16,
}

impl World<'_> {
    /// The bundles that a pointer names, the stable one first.
    pub(super) fn named(&self, region: usize, version: u32) -> impl Iterator<Item = u16> + use<'_> {
        let pointer = self.origin.pointer(region, version);
        let stable = pointer.stable.digest;
        let candidate = pointer.candidate.as_ref().map(|candidate| candidate.target.digest);
        let candidate = candidate.filter(|candidate| *candidate != stable);
        [Some(stable), candidate].into_iter().flatten().map(|digest| self.origin.number(&digest))
    }

    /// What a gateway that has all of it sends along with a pointer to an agent that runs `have`.
    pub(super) fn enclosed(&self, region: usize, Enclosed { version, have }: Enclosed) -> Vec<Object> {
        let new = || self.named(region, version).filter(|bundle| *bundle != have);
        let patched = new().filter(|bundle| self.is_patched(have, *bundle));
        let mut room = ENCLOSURE_MAX_BYTES.saturating_sub(self.pointer_bytes(region, version));
        let fits = |object: &Object| match room.checked_sub(self.cargo(*object).1) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let patches = patched.map(|to| Object::Patch { to, from: have });
        new().map(Object::Manifest).chain(patches).filter(fits).collect()
    }

    /// Whether there is a patch from one bundle to another: to a later one, from one of the last few.
    pub(super) fn is_patched(&self, from: u16, to: u16) -> bool {
        from < to && u64::from(to - from) <= self.scenario.constants.patches.whole()
    }

    /// The patches that a gateway gets ahead of all questions: those to one bundle that are small, the newest base first.
    pub(super) fn small_patches(&self, to: u16) -> impl Iterator<Item = Object> + use<> {
        let is_small = self.scenario.constants.patch_bytes.whole() <= ENCLOSURE_MAX_BYTES;
        let bases = self.scenario.constants.patches.whole().min(u64::from(to));
        let bases = u16::try_from(bases).expect("no more than `to`");
        (to - bases..to).rev().filter(move |_| is_small).map(move |from| Object::Patch { to, from })
    }
}

/// Bytes of a body, which leave room for the head of an answer, as real gateways do.
const ENCLOSURE_MAX_BYTES: u64 = Limits::DEFAULT.enclosed_max_bytes - 1024;
