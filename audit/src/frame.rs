//! The bytes of a bundle, held against its manifest and against the digest that names it.
//!
//! In: one object at a time, as it stands, and the manifest that is believed. Out: what is wrong. Pure, and slow: it hashes,
//! decompresses and unpacks.

use std::io;

use schema::archive::{ReadError, Reader, Summary};
use schema::encoding::Decoder;
use schema::manifest::Encoding;
use schema::{Digest, Limits, Manifest, StorePath};

use crate::finding::Flaw;

/// The frames that `manifest` promises.
pub(crate) fn promised(manifest: &Manifest) -> impl Iterator<Item = StorePath> {
    let (app, digest) = (&manifest.app, manifest.digest);
    manifest.encodings.iter().filter_map(move |encoding| match encoding {
        Encoding::Whole(_) => Some(StorePath::Bundle { app: app.clone(), digest }),
        Encoding::Patch(patch) => Some(StorePath::Patch { app: app.clone(), digest, base: patch.from }),
        Encoding::Unknown => None,
    })
}

/// Holds `frame`, which stands at `path`, against what `manifest` says of it.
///
/// A patch is taken at its digest: agents unpack it against a base that they have, and hold the result against the bundle's name.
///
/// # Errors
/// The [`Flaw`].
pub(crate) fn judge(manifest: &Manifest, path: &StorePath, frame: &[u8]) -> Result<(), Flaw> {
    let found = Digest::of(frame);
    let is_signed = manifest.encodings.iter().any(|encoding| match (encoding, path) {
        (Encoding::Whole(whole), StorePath::Bundle { .. }) => (whole.sha256, whole.size) == (found, frame.len() as u64),
        (Encoding::Patch(patch), StorePath::Patch { base, .. }) => {
            (patch.from, patch.sha256, patch.size) == (*base, found, frame.len() as u64)
        }
        _ => false,
    });
    if !is_signed {
        return Err(Flaw::OtherBytes { found });
    }
    if matches!(path, StorePath::Bundle { .. }) { Ok(unpack(manifest, frame)?) } else { Ok(()) }
}

/// Unpacks a frame as an agent does, without its disk.
fn unpack(manifest: &Manifest, frame: &[u8]) -> Result<(), NotTheArchive> {
    let window_log = manifest.whole().window_log;
    let decoder = Decoder::new(frame, manifest.size, window_log).map_err(NotTheArchive::Frame)?;
    let limits = Limits { bundle_max_bytes: manifest.size, entries_max: manifest.entries, ..Limits::DEFAULT };
    let mut archive = Reader::new(decoder, limits);
    while archive.next_entry()?.is_some() {}
    let found = archive.finish()?;
    let Manifest { digest, size, entries, .. } = *manifest;
    if found == (Summary { digest, size, entries }) { Ok(()) } else { Err(NotTheArchive::Other { found }) }
}

/// Says why bytes that are as they were signed are no bundle all the same.
#[derive(Debug, thiserror::Error)]
pub enum NotTheArchive {
    /// Not a frame that readers take.
    #[error("it does not decompress")]
    Frame(#[source] io::Error),
    /// Not an archive that readers take.
    #[error(transparent)]
    Archive(#[from] ReadError),
    /// An archive, but not the signed one.
    #[error("it is archive {} of {} bytes and {} entries", .found.digest, .found.size, .found.entries)]
    Other {
        /// What it is.
        found: Summary,
    },
}

#[cfg(test)]
mod tests {
    use schema::archive::Writer;
    use schema::manifest::Whole;
    use schema::{EntryPath, encoding};

    use super::*;

    /// A bundle of one file, and its manifest.
    fn bundle() -> (Manifest, Vec<u8>) {
        let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
        let path = EntryPath::parse(b"settings", &Limits::DEFAULT).expect("a path");
        writer.file(path, false, 2, &mut &b"on"[..]).expect("an archive");
        let (archive, Summary { digest, size, entries }) = writer.finish().expect("an archive");
        let frame = encoding::compress(&archive).expect("a frame");
        let whole = Whole { size: frame.len() as u64, window_log: 23, sha256: Digest::of(&frame) };
        let manifest = Manifest {
            app: "web".parse().expect("an app"),
            digest,
            size,
            entries,
            release_seq: 1,
            commit: "a".repeat(40).parse().expect("a commit"),
            tree: "b".repeat(40).parse().expect("a tree"),
            compiler: 1,
            encodings: vec![Encoding::Whole(whole)],
        };
        (manifest, frame)
    }

    #[test]
    fn a43_a_bundle_that_agents_would_not_unpack_is_not_sound() {
        let (manifest, frame) = bundle();
        let path = promised(&manifest).next().expect("the whole bundle");
        assert!(judge(&manifest, &path, &frame).is_ok());
        let refuses = |change: fn(&mut Manifest)| {
            let mut other = manifest.clone();
            change(&mut other);
            matches!(judge(&other, &path, &frame), Err(Flaw::OtherArchive(_)))
        };
        assert!(refuses(|manifest| manifest.size -= 1), "a frame that unpacks to more than was signed");
        assert!(refuses(|manifest| manifest.entries = 0), "more entries than were signed");
        assert!(refuses(|manifest| manifest.entries = 2), "fewer entries than were signed");
        assert!(refuses(|manifest| manifest.digest = Digest::of(b"another")), "another archive");
        assert!(refuses(|manifest| {
            let Some(Encoding::Whole(whole)) = manifest.encodings.first_mut() else { return };
            whole.window_log = 5;
        }));
    }
}
