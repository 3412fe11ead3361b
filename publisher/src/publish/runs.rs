//! What a new archive takes over from an older one: the runs that a patch is made of.
//!
//! In: the layouts of both, the new archive, and the content of files that changed, as it was. Out: runs that cover the new archive.
//! What did not change is known by its blob and not looked at; so the cost goes with the change.

mod difference;

use std::collections::HashMap;

use schema::archive::END_LEN;
use schema::encoding::Run;

use crate::compile::{BlobId, Layout, Span, paired};
use difference::difference;

/// Files that changed are compared byte by byte up to this many bytes, old and new together. The rest travels whole.
const COMPARED_MAX: u64 = 64 << 20;

/// Runs in the order of the new archive.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) all: Vec<Run>,
    /// Bytes that are nowhere in the old archive.
    pub(super) fresh: u64,
}

impl Runs {
    fn copy(&mut self, from: u64, len: u64) {
        match self.all.last_mut() {
            Some(Run::Copy { from: before, len: length }) if *before + *length == from => *length += len,
            _ if len == 0 => {}
            _ => self.all.push(Run::Copy { from, len }),
        }
    }

    fn fresh(&mut self, len: u64) {
        self.fresh += len;
        match self.all.last_mut() {
            Some(Run::Fresh { len: length }) => *length += len,
            _ if len == 0 => {}
            _ => self.all.push(Run::Fresh { len }),
        }
    }
}

/// The blobs of `old` that must be read to compare the files that changed.
pub(super) fn compared(old: &Layout, new: &Layout) -> Vec<BlobId> {
    let mut budget = COMPARED_MAX;
    let changed = paired(old, new).filter_map(|(span, before)| {
        let (was, is) = (before?.file?, span.file?);
        (was.blob != is.blob).then_some((was, is))
    });
    let within = changed.filter(|(was, is)| {
        let left = budget.checked_sub(was.size + is.size);
        budget = left.unwrap_or(budget);
        left.is_some()
    });
    within.map(|(was, _)| was.blob).collect()
}

/// What `archive`, which is laid out as `new`, takes over from the archive that is laid out as `old`. `before` has the content of
/// the blobs that are [`compared`].
pub(super) fn runs(old: &Layout, new: &Layout, archive: &[u8], before: &HashMap<BlobId, Vec<u8>>) -> Runs {
    let added = paired(old, new).filter(|(_, before)| before.is_none());
    let mut moved: HashMap<BlobId, Option<&Span>> =
        added.filter_map(|(span, _)| Some((span.file?.blob, None))).collect();
    // Most changes add nothing.
    let searched = if moved.is_empty() { &[][..] } else { old.spans() };
    for span in searched {
        if let Some(found) = span.file.and_then(|file| moved.get_mut(&file.blob)) {
            found.get_or_insert(span);
        }
    }
    let mut runs = Runs::default();
    let mut near = old.spans().first();
    for (span, before_it) in paired(old, new) {
        near = before_it.or(near);
        match before_it {
            Some(was) if was.is_same(span) => runs.copy(was.at, was.end - was.at),
            Some(was) => {
                let content = was.file.and_then(|file| {
                    let is_same = span.file.is_some_and(|now| now.blob == file.blob);
                    if is_same { None } else { before.get(&file.blob) }
                });
                change(old, (was, span), archive, content, &mut runs);
            }
            None => {
                head(near, span, archive, &mut runs);
                let moved = span.file.and_then(|file| moved.get(&file.blob).copied().flatten());
                body(old, moved, span, &mut runs);
            }
        }
    }
    runs.copy(old.size() - END_LEN, END_LEN);
    runs
}

/// A file that changed, and whose content is known from before if it did.
fn change(old: &Layout, (was, is): (&Span, &Span), archive: &[u8], content: Option<&Vec<u8>>, runs: &mut Runs) {
    head(Some(was), is, archive, runs);
    let same = was.file.zip(is.file).is_some_and(|(was, is)| was.blob == is.blob);
    match content {
        Some(content) => {
            let new = &archive[is.content_at as usize..(is.content_at + is.content_len()) as usize];
            difference((content, was.content_at), new, runs);
            padding(old, was, is, runs);
        }
        None => body(old, same.then_some(was), is, runs),
    }
}

/// The head of an entry, of which most tends to be as in any other one.
fn head(like: Option<&Span>, is: &Span, archive: &[u8], runs: &mut Runs) {
    let new = &archive[is.at as usize..is.content_at as usize];
    match like {
        Some(like) => difference((&like.head(), like.at), new, runs),
        None => runs.fresh(new.len() as u64),
    }
}

/// The content of an entry, with its padding.
fn body(old: &Layout, same: Option<&Span>, is: &Span, runs: &mut Runs) {
    match same {
        Some(same) => runs.copy(same.content_at, same.end - same.content_at),
        None => {
            runs.fresh(is.content_len());
            zeros(old, is, runs);
        }
    }
}

/// The padding after content that changed.
fn padding(old: &Layout, was: &Span, is: &Span, runs: &mut Runs) {
    let (begins, wanted) = (was.content_at + was.content_len(), is.padding());
    // The padding before goes on where the content ended.
    if wanted <= was.end - begins { runs.copy(begins, wanted) } else { zeros(old, is, runs) }
}

/// The padding of an entry, from the zeros that end every archive.
fn zeros(old: &Layout, is: &Span, runs: &mut Runs) {
    runs.copy(old.size() - END_LEN, is.padding());
}

#[cfg(test)]
mod tests;
