//! Where trees and blobs come from: the one door through which the compiler sees a repository.

use schema::TreeId;

/// Id of a git blob, sha1 in binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 20]);

/// Git objects by id, as raw bytes. Several threads ask at a time.
pub trait Objects: Sync {
    /// The raw bytes of a tree object of at most `max` bytes.
    ///
    /// # Errors
    /// [`ObjectsError`].
    fn read_tree(&self, id: &TreeId, max: u64) -> Result<Vec<u8>, ObjectsError>;

    /// The size of a blob in bytes, without reading it.
    ///
    /// # Errors
    /// [`ObjectsError`].
    fn blob_size(&self, id: BlobId) -> Result<u64, ObjectsError>;

    /// The content of a blob, as it was committed.
    ///
    /// # Errors
    /// [`ObjectsError`].
    fn read_blob(&self, id: BlobId) -> Result<Vec<u8>, ObjectsError>;
}

/// Says that an object cannot be had. Nothing is known of the configuration then, and a fresh copy may help.
#[derive(Debug, thiserror::Error)]
#[error("{what} {id} cannot be read; the repository may be damaged or a partial clone")]
pub struct ObjectsError {
    /// `tree` or `blob`.
    pub what: &'static str,
    /// The object.
    pub id: String,
    /// What git says.
    #[source]
    pub source: git2::Error,
}

/// The objects of a git repository. Blobs come out of the object database as they are: no filter sees them.
pub struct GitObjects<'r> {
    odb: git2::Odb<'r>,
}

impl<'r> GitObjects<'r> {
    /// The objects of `repository`.
    ///
    /// # Errors
    /// [`git2::Error`]: there is no object database.
    pub fn of(repository: &'r git2::Repository) -> Result<GitObjects<'r>, git2::Error> {
        Ok(GitObjects { odb: repository.odb()? })
    }

    fn size(&self, oid: git2::Oid, kind: git2::ObjectType) -> Result<u64, git2::Error> {
        let (size, found) = self.odb.read_header(oid)?;
        if found == kind {
            Ok(size as u64)
        } else {
            Err(git2::Error::from_str(&format!("it is a {found}, not a {kind}")))
        }
    }

    fn read(&self, oid: git2::Oid, kind: git2::ObjectType) -> Result<Vec<u8>, git2::Error> {
        let object = self.odb.read(oid)?;
        if object.kind() == kind {
            Ok(object.data().to_vec())
        } else {
            Err(git2::Error::from_str(&format!("it is a {}, not a {kind}", object.kind())))
        }
    }
}

impl Objects for GitObjects<'_> {
    fn read_tree(&self, id: &TreeId, max: u64) -> Result<Vec<u8>, ObjectsError> {
        let oid = git2::Oid::from_str(id.as_str());
        let read = oid.and_then(|oid| match self.size(oid, git2::ObjectType::Tree)? {
            size if size > max => Err(git2::Error::from_str(&format!("it has {size} bytes, the limit is {max}"))),
            _ => self.read(oid, git2::ObjectType::Tree),
        });
        read.map_err(|source| ObjectsError { what: "tree", id: id.to_string(), source })
    }

    fn blob_size(&self, id: BlobId) -> Result<u64, ObjectsError> {
        let size = git2::Oid::from_bytes(&id.0).and_then(|oid| self.size(oid, git2::ObjectType::Blob));
        size.map_err(|source| blob_error(id, source))
    }

    fn read_blob(&self, id: BlobId) -> Result<Vec<u8>, ObjectsError> {
        let content = git2::Oid::from_bytes(&id.0).and_then(|oid| self.read(oid, git2::ObjectType::Blob));
        content.map_err(|source| blob_error(id, source))
    }
}

fn blob_error(id: BlobId, source: git2::Error) -> ObjectsError {
    ObjectsError { what: "blob", id: hex::encode(id.0), source }
}
