//! Which part of publishing a process has: all of it, or one role, so that no single process holds every key.

use std::fmt;

use crate::keys::Role;

/// The part of publishing that a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// Signs manifests and moves pointers.
    #[default]
    Everything,
    /// Compiles, stores bundles and signs manifests; never touches a pointer.
    Release,
    /// Compiles, and moves pointers to what it compiled itself and the release keys signed.
    Pointer,
    /// Compiles independently, and co-signs manifests that others offered where the bytes are the same.
    Rebuild,
}

impl Duty {
    /// Whether it needs keys of `role`.
    pub fn has(self, role: Role) -> bool {
        match role {
            Role::Release => self != Duty::Pointer,
            Role::Pointer => self.moves_pointers(),
        }
    }

    /// Whether it moves pointers.
    pub fn moves_pointers(self) -> bool {
        matches!(self, Duty::Everything | Duty::Pointer)
    }

    /// Whether it may be the first to put a payload up for signing.
    pub(crate) fn offers(self) -> bool {
        matches!(self, Duty::Everything | Duty::Release)
    }

    /// Whether a commit counts as judged because a pointer names it. Who signs manifests alone does not take the word of the
    /// pointer keys for it: a stolen one would get commits past the proof that nobody may sign.
    pub(crate) fn believes_pointers(self) -> bool {
        self.moves_pointers()
    }
}

impl From<Option<Role>> for Duty {
    fn from(role: Option<Role>) -> Duty {
        match role {
            None => Duty::Everything,
            Some(Role::Release) => Duty::Release,
            Some(Role::Pointer) => Duty::Pointer,
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Duty::Everything => "publishing",
            Duty::Release => "signing manifests for",
            Duty::Pointer => "moving pointers to",
            Duty::Rebuild => "rebuilding",
        })
    }
}
