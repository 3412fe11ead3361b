//! Where everything lies in a bundle's archive: computed from the files alone, since an archive can be written in one way only.
//!
//! In: a [`Listing`]. Out: the archive's entries in order, each with its place. Reads no content and knows no digest.

use schema::archive::{self, Entry, Kind};
use schema::path::EntryPath;

use super::contents::{Listed, Listing};

/// The entries of an archive, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    spans: Vec<Span>,
    size: u64,
}

/// One entry of an archive, and the bytes it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its path in the bundle.
    pub path: EntryPath,
    /// The file; none for a directory.
    pub file: Option<Listed>,
    /// Where its head begins, in bytes from the start of the archive.
    pub at: u64,
    /// Where its head ends and its content begins.
    pub content_at: u64,
    /// Where its padding ends and the next entry begins.
    pub end: u64,
}

impl Layout {
    /// The layout of the archive of `listing`.
    pub fn of(listing: &Listing) -> Layout {
        let mut directories = archive::directories_of(listing.keys()).into_iter().peekable();
        let mut layout = Layout { spans: Vec::with_capacity(listing.len() + 64), size: 0 };
        for (path, listed) in listing {
            while let Some(directory) = directories.next_if(|directory| directory < path) {
                layout.push(directory, None);
            }
            layout.push(path.clone(), Some(*listed));
        }
        layout.size += archive::END_LEN;
        layout
    }

    /// The entries, in the order of the archive.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Bytes of the whole archive.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn push(&mut self, path: EntryPath, file: Option<Listed>) {
        let entry = Entry { path, kind: kind(file) };
        let at = self.size;
        let content_at = at + entry.head_len();
        let end = content_at + entry.kind.size() + entry.padding();
        self.spans.push(Span { path: entry.path, file, at, content_at, end });
        self.size = end;
    }
}

impl Span {
    /// The bytes in front of its content.
    pub(crate) fn head(&self) -> Vec<u8> {
        Entry { path: self.path.clone(), kind: kind(self.file) }.head()
    }

    /// Bytes of content, without padding.
    pub(crate) fn content_len(&self) -> u64 {
        kind(self.file).size()
    }

    /// Zero bytes after it.
    pub(crate) fn padding(&self) -> u64 {
        self.end - self.content_at - self.content_len()
    }

    /// Whether `other` is the same entry with the same content, so that both take the same bytes.
    pub(crate) fn is_same(&self, other: &Span) -> bool {
        self.path == other.path && self.file == other.file
    }
}

fn kind(file: Option<Listed>) -> Kind {
    match file {
        None => Kind::Directory,
        Some(Listed { size, executable, .. }) => Kind::File { executable, size },
    }
}

/// Pairs each span of `new` with the one of the same path in `old`, if there is one.
pub(crate) fn paired<'l>(old: &'l Layout, new: &'l Layout) -> impl Iterator<Item = (&'l Span, Option<&'l Span>)> {
    let mut old = old.spans.iter().peekable();
    new.spans.iter().map(move |span| {
        while old.next_if(|old| old.path < span.path).is_some() {}
        (span, old.next_if(|old| old.path == span.path))
    })
}
