//! Archives the files of a bundle.
//!
//! In: where everything is to lie, the repository, and the bundle that the same region had before. Out: the archive. What did
//! not change is copied from the archive before and not read again, and as much of the digest as can be is taken from there.
//!
//! It writes what [`Writer`](schema::archive::Writer) would; that, too, is only ever one thing. What must not be in an archive was
//! refused before.

use bytes::Bytes;
use schema::Limits;
use schema::archive::{END_LEN, Summary};

use super::bundle::CompiledBundle;
use super::layout::{Layout, Span, paired};
use super::marks::Marks;
use super::objects::{Objects, ObjectsError};

/// Says that an archive would be longer than it may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the archive would be longer than {max_bytes} bytes")]
pub(super) struct TooLong {
    max_bytes: u64,
}

/// Refuses a layout that is beyond the limits.
pub(super) fn check(layout: &Layout, limits: &Limits) -> Result<(), TooLong> {
    let max_bytes = limits.bundle_max_bytes;
    if layout.size() > max_bytes { Err(TooLong { max_bytes }) } else { Ok(()) }
}

/// Archives `layout`, of which some is in `before`.
pub(super) fn archive(
    objects: &impl Objects,
    layout: &Layout,
    before: Option<&CompiledBundle>,
) -> Result<(Bytes, Summary, Marks), ObjectsError> {
    let mut archive = Vec::with_capacity(layout.size() as usize);
    match before {
        Some(before) => changed(objects, layout, before, &mut archive)?,
        None => {
            for span in layout.spans() {
                add(objects, span, None, &mut archive)?;
            }
        }
    }
    archive.resize(archive.len() + END_LEN as usize, 0);
    let same = before.map_or(0, |before| same_until(&before.layout, layout));
    let (digest, marks) = Marks::over(&archive, before.map(|before| &before.marks), same);
    let summary = Summary { digest, size: archive.len() as u64, entries: layout.spans().len() as u64 };
    Ok((Bytes::from(archive), summary, marks))
}

/// Adds all entries, and copies what is the same and lies together in one go.
fn changed(
    objects: &impl Objects,
    layout: &Layout,
    before: &CompiledBundle,
    archive: &mut Vec<u8>,
) -> Result<(), ObjectsError> {
    let mut same = 0..0;
    for (span, old) in paired(&before.layout, layout) {
        match old.filter(|old| old.is_same(span)) {
            Some(old) if old.at == same.end => same.end = old.end,
            Some(old) => {
                archive.extend_from_slice(part(before, &same));
                same = old.at..old.end;
            }
            None => {
                archive.extend_from_slice(part(before, &same));
                same = 0..0;
                let is_content = |old: &&Span| old.file.zip(span.file).is_some_and(|(old, new)| old.blob == new.blob);
                let content = old.filter(is_content).map(|old| old.content_at..old.content_at + old.content_len());
                add(objects, span, content.map(|range| part(before, &range)), archive)?;
            }
        }
    }
    archive.extend_from_slice(part(before, &same));
    Ok(())
}

/// Adds one entry. Its content is read if it is not known.
fn add(objects: &impl Objects, span: &Span, content: Option<&[u8]>, archive: &mut Vec<u8>) -> Result<(), ObjectsError> {
    archive.extend_from_slice(&span.head());
    match (span.file, content) {
        (None, _) => {}
        (Some(_), Some(content)) => archive.extend_from_slice(content),
        (Some(file), None) => {
            let content = objects.read_blob(file.blob)?;
            if content.len() as u64 != file.size {
                let wrong = format!("it has {} bytes, and {} were announced", content.len(), file.size);
                let source = git2::Error::from_str(&wrong);
                return Err(ObjectsError { what: "blob", id: hex::encode(file.blob.0), source });
            }
            archive.extend_from_slice(&content);
        }
    }
    archive.resize(span.end as usize, 0);
    Ok(())
}

fn part<'b>(bundle: &'b CompiledBundle, range: &std::ops::Range<u64>) -> &'b [u8] {
    &bundle.archive[range.start as usize..range.end as usize]
}

/// How many bytes two archives begin with alike, at least.
fn same_until(old: &Layout, new: &Layout) -> u64 {
    let pairs = old.spans().iter().zip(new.spans());
    pairs.take_while(|(old, new)| old.is_same(new)).last().map_or(0, |(old, _)| old.end)
}
