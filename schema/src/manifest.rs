//! The manifest: the signed record of one bundle. It lists no files, so it stays small however large the app is.

use serde::{Deserialize, Serialize};

use crate::digest::{CommitId, Digest, TreeId};
use crate::limits::Limits;
use crate::name::App;
use crate::seal::Document;

/// What one bundle is and how it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Whose configuration the bundle holds.
    pub app: App,
    /// The sha256 of the uncompressed archive: the bundle's name.
    pub digest: Digest,
    /// Bytes of the uncompressed archive.
    pub size: u64,
    /// Files and directories in it.
    pub entries: u64,
    /// How many commits were reachable from the commit: grows along every history, and is the same for whoever counts.
    pub release_seq: u64,
    /// The commit that the bundle was first compiled from.
    pub commit: CommitId,
    /// That commit's tree.
    pub tree: TreeId,
    /// Number of the compiler's format.
    pub compiler: u32,
    /// The forms in which the bundle can be fetched; exactly one of them is whole.
    pub encodings: Vec<Encoding>,
}

/// A form in which a bundle travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Encoding {
    /// One zstd frame.
    #[serde(rename = "zstd")]
    Whole(Whole),
    /// One zstd frame against an older bundle.
    #[serde(rename = "zstd-patch")]
    Patch(Patch),
    /// A form that a later version of Driftless knows.
    #[serde(other)]
    Unknown,
}

/// The bundle as one zstd frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// Bytes of the frame.
    pub size: u64,
    /// Base-two logarithm of the window that the frame asks for, at most.
    pub window_log: u8,
    /// The sha256 of the frame, checked before a byte of it is decompressed.
    pub sha256: Digest,
}

/// The bundle as a zstd frame that needs an older bundle's archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The bundle it needs.
    pub from: Digest,
    /// Bytes of the frame.
    pub size: u64,
    /// Base-two logarithm of the window that the frame asks for, at most.
    pub window_log: u8,
    /// The sha256 of the frame.
    pub sha256: Digest,
}

impl Manifest {
    /// The form that needs no other bundle.
    pub fn whole(&self) -> &Whole {
        let mut whole = self.encodings.iter().filter_map(|encoding| match encoding {
            Encoding::Whole(whole) => Some(whole),
            _ => None,
        });
        whole.next().expect("a manifest that passed its check has one whole encoding")
    }
}

impl Document for Manifest {
    const TYPE: &'static str = "driftless/manifest/1";

    fn max_bytes(limits: &Limits) -> u64 {
        limits.manifest_max_bytes
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        format!("manifest {} {} r{} {payload}", self.app, self.digest, self.release_seq)
    }

    fn check(&self) -> Result<(), String> {
        let limits = Limits::DEFAULT;
        let whole: Vec<&Encoding> =
            self.encodings.iter().filter(|encoding| matches!(encoding, Encoding::Whole(_))).collect();
        let [Encoding::Whole(whole)] = whole[..] else {
            return Err(format!("{} whole encodings, expected one", whole.len()));
        };
        if whole.window_log > limits.window_log_max {
            return Err(format!("a window log of {} is above {}", whole.window_log, limits.window_log_max));
        }
        if whole.size > limits.bundle_compressed_max_bytes || self.size > limits.bundle_max_bytes {
            return Err(format!("a bundle of {} bytes ({} compressed) is above the limits", self.size, whole.size));
        }
        if self.entries > limits.entries_max {
            return Err(format!("{} entries are more than {}", self.entries, limits.entries_max));
        }
        Ok(())
    }
}
