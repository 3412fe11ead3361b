//! The name of a role in a trust root, as people type it: `root`, `release`, `pointer` or `pointer:REGION`.

use std::fmt;
use std::str::FromStr;

use schema::{Region, RoleKeys, TrustRoot};

/// Which keys of a trust root are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// Signs trust roots.
    Root,
    /// Signs manifests.
    Release,
    /// Signs pointers of every region that has no keys of its own.
    Pointer,
    /// Signs pointers of one region.
    PointerOf(Region),
}

impl RoleName {
    /// Every role that `root` has, in the order in which people read them.
    pub fn all_of(root: &TrustRoot) -> impl Iterator<Item = (RoleName, &RoleKeys)> {
        let of_regions =
            root.pointer_of_region.iter().map(|(region, keys)| (RoleName::PointerOf(region.clone()), keys));
        let [top, release, pointer] = [&root.root, &root.release, &root.pointer];
        [(RoleName::Root, top), (RoleName::Release, release), (RoleName::Pointer, pointer)]
            .into_iter()
            .chain(of_regions)
    }

    /// Whether its keys sign pointers, so that losing one to a thief calls for a new epoch.
    pub fn signs_pointers(&self) -> bool {
        matches!(self, RoleName::Pointer | RoleName::PointerOf(_))
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoleName::Root => f.pad("root"),
            RoleName::Release => f.pad("release"),
            RoleName::Pointer => f.pad("pointer"),
            RoleName::PointerOf(region) => f.pad(&format!("pointer:{region}")),
        }
    }
}

/// Says that a text names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no role; there are root, release, pointer and pointer:REGION", .0.escape_debug())]
pub struct InvalidRoleName(String);

impl FromStr for RoleName {
    type Err = InvalidRoleName;

    fn from_str(text: &str) -> Result<Self, InvalidRoleName> {
        let refuse = || InvalidRoleName(text.chars().take(64).collect());
        match text.split_once(':') {
            None if text == "root" => Ok(RoleName::Root),
            None if text == "release" => Ok(RoleName::Release),
            None if text == "pointer" => Ok(RoleName::Pointer),
            Some(("pointer", region)) => region.parse().map(RoleName::PointerOf).map_err(|_| refuse()),
            _ => Err(refuse()),
        }
    }
}
