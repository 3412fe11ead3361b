//! Remembers the tip that was published last, so that a start need not judge its history again, and what each region was at, so
//! that a region which vanished from the store is not begun anew.
//!
//! A cache: where it is lost or damaged, the base is found in the store, and orders are never taken from here.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use schema::{App, CommitId, Order, Region};
use serde::{Deserialize, Serialize};

use crate::publisher::Orders;

/// The commit that was published last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) tip: CommitId,
    pub(super) release_seq: u64,
    /// What regions were at.
    #[serde(default)]
    pub(super) regions: Vec<Placed>,
}

/// What one region was at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    app: App,
    region: Region,
    #[serde(flatten)]
    order: Order,
}

impl Checkpoint {
    /// A checkpoint at `tip`, with what regions are at.
    pub(super) fn at(tip: CommitId, release_seq: u64, orders: &Orders) -> Checkpoint {
        let placed = |((app, region), order): (&(App, Region), &Order)| Placed {
            app: app.clone(),
            region: region.clone(),
            order: *order,
        };
        Checkpoint { tip, release_seq, regions: orders.iter().map(placed).collect() }
    }

    /// What each region was at.
    pub(super) fn orders(&self) -> Orders {
        let orders = self.regions.iter().map(|Placed { app, region, order }| ((app.clone(), region.clone()), *order));
        orders.collect()
    }

    /// Reads the checkpoint in `folder`; none where there is none that can be used. Blocks.
    pub(super) fn read(folder: &Path) -> Option<Checkpoint> {
        let path = path_in(folder);
        let read = std::fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        match read {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("Checkpoint {} is of no use, going by the store instead: {error}", path.display());
                None
            }
        }
    }

    /// Replaces the checkpoint in `folder`, durably. Blocks.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let (path, new) = (path_in(folder), folder.join("published.json.new"));
        let mut file = File::create(&new)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        // Synced before the rename: a rename may reach the disk before the bytes do.
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    }
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("published.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote_and_passes_over_damage() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Checkpoint::read(folder.path()), None);
        for release_seq in [7, 8] {
            let orders = [(("web".parse().expect("an app"), "eu".parse().expect("a region")), Order::FIRST)].into();
            let written = Checkpoint::at("a".repeat(40).parse().expect("an id"), release_seq, &orders);
            assert_eq!(written.orders(), orders);
            written.write(folder.path()).expect("the folder is writable");
            assert_eq!(Checkpoint::read(folder.path()), Some(written));
        }
        std::fs::write(path_in(folder.path()), "{\"tip\":\"").expect("the folder is writable");
        assert_eq!(Checkpoint::read(folder.path()), None);
    }
}
