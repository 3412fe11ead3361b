//! Files of a ceremony: read with a limit, and written only where nothing is.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use schema::{Limits, Sealed, StorePath, TrustRoot, Verified};

use crate::exit::{Code, Failure};

/// Who may read a file that is made here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Readers {
    Owner,
    Everyone,
}

/// Reads a whole file, if it is no larger than a trust root can be.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let max_bytes = Limits::DEFAULT.root_max_bytes;
    // In one piece: a buffer that grows leaves copies behind, and this may be a secret key.
    let mut bytes = Vec::with_capacity(usize::try_from(max_bytes + 1).unwrap_or_default());
    let read = fs::File::open(path).and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    if bytes.len() as u64 > max_bytes {
        return Err(Failure::usage(format!(
            "{} has more than {max_bytes} bytes: it is nothing of ours",
            path.display()
        )));
    }
    Ok(bytes)
}

/// Reads a whole text file, if it is no larger than a trust root can be.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::usage(format!("{} is not text", path.display())))
}

/// Writes a new file, durably; nothing that exists is overwritten.
pub(super) fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    };
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| {
        let failure = Failure::usage(format!("{}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failure.hint("nothing is overwritten here; move that file away, or write elsewhere")
            }
            _ => failure,
        }
    })
}

/// Writes a root, unless the same root stands there already: one root may have been assembled twice, and its payload counts.
pub(super) fn keep_root(path: &Path, root: &Verified<TrustRoot>) -> Result<(), Failure> {
    if !path.exists() {
        return write_new(path, root.bytes(), Readers::Everyone);
    }
    let standing = Sealed::parse::<TrustRoot>(Bytes::from(read(path)?), &Limits::DEFAULT);
    if standing.is_ok_and(|standing| standing.payload_digest() == root.payload_digest()) {
        return Ok(());
    }
    let wrong = format!("{} is another root than version {}, {}", path.display(), root.version, root.payload_digest());
    Err(Failure::new(Code::Refused, wrong).hint("nothing is overwritten here; find out which of the two is in force"))
}

/// The name of a root's file, the same as in a store: `0000000002.root`.
pub(super) fn root_name(version: u64) -> String {
    let path = StorePath::Root { version }.to_string();
    path.rsplit('/').next().unwrap_or(&path).to_owned()
}

/// Where the root stands that a draft at `draft` becomes.
pub(super) fn beside(draft: &Path, version: u64) -> PathBuf {
    draft.with_file_name(root_name(version))
}
