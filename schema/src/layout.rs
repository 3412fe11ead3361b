//! Where everything is in a store: the same relative paths in a directory, a bucket, a CDN and a gateway.
//!
//! Parsing is strict and has one spelling per object, so a request path that parses cannot name anything else.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::limits::Limits;
use crate::name::{App, Region};
use crate::order::Order;
use crate::rollout::RolloutId;

/// Path of one object, relative to the root of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorePath {
    /// `v1/trust/<n>.root`
    Root {
        /// Version of the trust root.
        version: u64,
    },
    /// `v1/apps/<app>/bundles/<digest>.manifest`
    Manifest {
        /// Whose bundle it describes.
        app: App,
        /// The bundle's digest.
        digest: Digest,
    },
    /// `v1/apps/<app>/bundles/<digest>.manifest.<role>`: the same payload, sealed again for another set of release keys
    Resealed {
        /// Whose bundle it describes.
        app: App,
        /// The bundle's digest.
        digest: Digest,
        /// The release role that it is sealed for.
        role: Fingerprint,
    },
    /// `v1/apps/<app>/bundles/<digest>.signed-by.<key>`: a manifest with the signature of one of several signers
    Piece {
        /// Whose bundle it describes.
        app: App,
        /// The bundle's digest.
        digest: Digest,
        /// The release key that signed it.
        key: Fingerprint,
    },
    /// `v1/apps/<app>/bundles/<digest>.tar.zst`
    Bundle {
        /// Whose bundle it is.
        app: App,
        /// The digest of its uncompressed archive.
        digest: Digest,
    },
    /// `v1/apps/<app>/bundles/<digest>.from.<base>.zst`
    Patch {
        /// Whose bundle it makes.
        app: App,
        /// The bundle it makes.
        digest: Digest,
        /// The bundle it needs.
        base: Digest,
    },
    /// `v1/apps/<app>/regions/<region>/pointer`
    Pointer {
        /// Whose pointer it is.
        app: App,
        /// Where it applies.
        region: Region,
    },
    /// `v1/apps/<app>/regions/<region>/history/<epoch>-<generation>-<serial>`
    History {
        /// Whose pointer it was.
        app: App,
        /// Where it applied.
        region: Region,
        /// Its place in order.
        order: Order,
    },
    /// `v1/apps/<app>/rollouts/<id>/<n>`: one state of a rollout
    Rollout {
        /// Whose configuration is rolled out.
        app: App,
        /// Which rollout.
        id: RolloutId,
        /// Which of its states.
        n: u64,
    },
}

impl StorePath {
    /// Folder of all trust roots.
    pub const TRUST: &str = "v1/trust";
    /// Folder of all apps.
    pub const APPS: &str = "v1/apps";

    /// Folder of an app's bundles and manifests.
    pub fn bundles_of(app: &App) -> String {
        format!("{}/{app}/bundles", Self::APPS)
    }

    /// Folder of an app's regions.
    pub fn regions_of(app: &App) -> String {
        format!("{}/{app}/regions", Self::APPS)
    }

    /// Folder of the history records of one app and region.
    pub fn history_of(app: &App, region: &Region) -> String {
        format!("{}/{app}/regions/{region}/history", Self::APPS)
    }

    /// Folder of all rollouts of an app.
    pub fn rollouts_of(app: &App) -> String {
        format!("{}/{app}/rollouts", Self::APPS)
    }

    /// Folder of the states of one rollout.
    pub fn states_of(app: &App, id: RolloutId) -> String {
        format!("{}/{app}/rollouts/{}", Self::APPS, id.padded())
    }

    /// The most bytes that any object of this kind has.
    pub fn max_bytes(&self, limits: &Limits) -> u64 {
        match self {
            StorePath::Root { .. } => limits.root_max_bytes,
            StorePath::Manifest { .. } | StorePath::Resealed { .. } | StorePath::Piece { .. } => {
                limits.manifest_max_bytes
            }
            StorePath::Bundle { .. } | StorePath::Patch { .. } => limits.bundle_compressed_max_bytes,
            StorePath::Pointer { .. } | StorePath::History { .. } => limits.pointer_max_bytes,
            StorePath::Rollout { .. } => limits.rollout_max_bytes,
        }
    }

    /// Whether the object, once written, never changes. All but the pointer, and a signer's own signature.
    pub fn is_immutable(&self) -> bool {
        !matches!(self, StorePath::Pointer { .. } | StorePath::Piece { .. })
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorePath::Root { version } => write!(f, "v1/trust/{version:010}.root"),
            StorePath::Manifest { app, digest } => write!(f, "v1/apps/{app}/bundles/{digest}.manifest"),
            StorePath::Resealed { app, digest, role } => write!(f, "v1/apps/{app}/bundles/{digest}.manifest.{role}"),
            StorePath::Piece { app, digest, key } => write!(f, "v1/apps/{app}/bundles/{digest}.signed-by.{key}"),
            StorePath::Bundle { app, digest } => write!(f, "v1/apps/{app}/bundles/{digest}.tar.zst"),
            StorePath::Patch { app, digest, base } => write!(f, "v1/apps/{app}/bundles/{digest}.from.{base}.zst"),
            StorePath::Pointer { app, region } => write!(f, "v1/apps/{app}/regions/{region}/pointer"),
            StorePath::History { app, region, order } => {
                write!(f, "v1/apps/{app}/regions/{region}/history/{}", order.record_name())
            }
            StorePath::Rollout { app, id, n } => write!(f, "v1/apps/{app}/rollouts/{}/{n:010}", id.padded()),
        }
    }
}

/// Says that a path names no object of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a path of a store", .0.escape_debug())]
pub struct InvalidStorePath(String);

impl FromStr for StorePath {
    type Err = InvalidStorePath;

    fn from_str(text: &str) -> Result<Self, InvalidStorePath> {
        parse(text)
            .filter(|path| path.to_string() == text)
            .ok_or_else(|| InvalidStorePath(text.chars().take(256).collect()))
    }
}

fn parse(text: &str) -> Option<StorePath> {
    let parts: Vec<&str> = text.splitn(8, '/').collect();
    match parts[..] {
        ["v1", "trust", name] => Some(StorePath::Root { version: name.strip_suffix(".root")?.parse().ok()? }),
        ["v1", "apps", app, "bundles", name] => parse_bundle(app.parse().ok()?, name),
        ["v1", "apps", app, "regions", region, "pointer"] => {
            Some(StorePath::Pointer { app: app.parse().ok()?, region: region.parse().ok()? })
        }
        ["v1", "apps", app, "regions", region, "history", record] => Some(StorePath::History {
            app: app.parse().ok()?,
            region: region.parse().ok()?,
            order: record.parse().ok()?,
        }),
        ["v1", "apps", app, "rollouts", id, n] => {
            Some(StorePath::Rollout { app: app.parse().ok()?, id: id.parse().ok()?, n: n.parse().ok()? })
        }
        _ => None,
    }
}

fn parse_bundle(app: App, name: &str) -> Option<StorePath> {
    let (digest, rest) = name.split_once('.')?;
    let digest = digest.parse().ok()?;
    match rest {
        "manifest" => Some(StorePath::Manifest { app, digest }),
        "tar.zst" => Some(StorePath::Bundle { app, digest }),
        other => match other.split_once('.')? {
            ("manifest", role) => Some(StorePath::Resealed { app, digest, role: role.parse().ok()? }),
            ("signed-by", key) => Some(StorePath::Piece { app, digest, key: key.parse().ok()? }),
            ("from", base) => Some(StorePath::Patch { app, digest, base: base.strip_suffix(".zst")?.parse().ok()? }),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> Vec<StorePath> {
        let app: App = "edge-proxy".parse().expect("an app");
        let region: Region = "eu-west".parse().expect("a region");
        let (digest, base) = (Digest::of(b"new"), Digest::of(b"old"));
        vec![
            StorePath::Root { version: 7 },
            StorePath::Manifest { app: app.clone(), digest },
            StorePath::Resealed { app: app.clone(), digest, role: "0123456789abcdef".parse().expect("a fingerprint") },
            StorePath::Piece { app: app.clone(), digest, key: "fedcba9876543210".parse().expect("a fingerprint") },
            StorePath::Bundle { app: app.clone(), digest },
            StorePath::Patch { app: app.clone(), digest, base },
            StorePath::Pointer { app: app.clone(), region: region.clone() },
            StorePath::History { app: app.clone(), region, order: Order::FIRST },
            StorePath::Rollout { app, id: RolloutId::FIRST, n: 3 },
        ]
    }

    #[test]
    fn every_path_reads_back_as_itself() {
        for path in every_kind() {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let paths: Vec<String> = every_kind().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(paths.join("\n"));
    }

    #[test]
    fn a_path_has_one_spelling() {
        for bad in [
            "",
            "/v1/trust/0000000001.root",
            "v1/trust/1.root",
            "v1/trust/+000000001.root",
            "v1/trust/../apps",
            "v1/apps/edge-proxy/regions/eu-west/pointer/",
            "v1/apps/edge-proxy//regions/eu-west/pointer",
            "v1/apps/edge-proxy/regions/eu-west/pointer?x",
            "v1/apps/%65dge-proxy/regions/eu-west/pointer",
            "v1/apps/edge-proxy/regions/eu-west/history/1-1-1",
            "v1/apps/edge-proxy/bundles/00.tar.zst",
            "v1/apps/edge-proxy/rollouts/1/0000000003",
            "v1/apps/edge-proxy/rollouts/0000000000/0000000001",
            "v1/apps/edge-proxy/rollouts/0000000001/3",
        ] {
            assert!(bad.parse::<StorePath>().is_err(), "{bad:?}");
        }
    }
}
