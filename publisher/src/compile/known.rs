//! What was read of a repository for one compilation, by id, so that the next one reads only what is new.
//!
//! In: [`Objects`], and what was read before. Out: the same answers, and what was asked for this time. A tree or blob never
//! changes under its id, so nothing here is ever out of date, and a compilation that goes by it finds exactly what one from
//! nothing would find: the same files, the same problems in the same words. Holds raw trees and the sizes of blobs, about a
//! hundred bytes a file, and no content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::TreeId;

use super::objects::{BlobId, Objects, ObjectsError};

/// The trees and the sizes of blobs that were asked for.
#[derive(Debug, Default)]
pub(super) struct Known {
    trees: HashMap<TreeId, Arc<[u8]>>,
    sizes: HashMap<BlobId, u64>,
}

/// Objects of which some are known already.
pub(super) struct Remembering<'o, O> {
    objects: &'o O,
    before: Option<Arc<Known>>,
    asked: Mutex<Known>,
}

impl<'o, O: Objects> Remembering<'o, O> {
    /// Asks `objects` for what is not known from `before`.
    pub(super) fn after(before: Option<Arc<Known>>, objects: &'o O) -> Remembering<'o, O> {
        Remembering { objects, before, asked: Mutex::default() }
    }

    /// What is asked for the rest.
    pub(super) fn beneath(&self) -> &'o O {
        self.objects
    }

    /// All that was asked for, and nothing else that was known.
    pub(super) fn known(self) -> Known {
        self.asked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Known> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Objects> Objects for Remembering<'_, O> {
    fn read_tree(&self, id: &TreeId, max: u64) -> Result<Vec<u8>, ObjectsError> {
        let known = self.before.as_ref().and_then(|before| before.trees.get(id).cloned());
        let known = known.or_else(|| self.asked().trees.get(id).cloned());
        // A tree that is too large was refused, so it is not known.
        let raw: Arc<[u8]> = match known {
            Some(raw) => raw,
            None => self.objects.read_tree(id, max)?.into(),
        };
        let read = raw.to_vec();
        self.asked().trees.insert(id.clone(), raw);
        Ok(read)
    }

    fn blob_size(&self, id: BlobId) -> Result<u64, ObjectsError> {
        let known = self.before.as_ref().and_then(|before| before.sizes.get(&id).copied());
        let size = match known {
            Some(size) => size,
            None => self.objects.blob_size(id)?,
        };
        self.asked().sizes.insert(id, size);
        Ok(size)
    }

    fn read_blob(&self, id: BlobId) -> Result<Vec<u8>, ObjectsError> {
        self.objects.read_blob(id)
    }
}
