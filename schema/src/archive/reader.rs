//! Reads an archive, entry by entry, and accepts none that [`Writer`](super::Writer) would have spelt otherwise.
//!
//! In: the archive's bytes, untrusted. Out: entries, their contents, and at the end the [`Summary`] to hold against the
//! signed one. Nothing is skipped: content that the caller leaves unread is read and hashed all the same.

use std::io::{self, Read};
use std::mem;

use super::entry::{Entry, Kind, at_entry};
use super::header::{self, BLOCK};
use super::summary::{Summary, Tally};
use super::tree::{Tree, TreeFault};
use crate::limits::Limits;
use crate::path::{EntryPath, InvalidPath};

/// Bytes of unread content held at a time.
const CHUNK: u64 = 64 * 1024;

/// Bytes that a pax record adds to the path in it, at most: length, blank, `path=`, a directory's `/`, newline.
const RECORD_OVERHEAD: u64 = 32;

/// Reads an archive from `R`, in many small reads: wrap a file in a buffer.
///
/// What it has given may be the start of no archive at all until [`Reader::finish`] agrees.
pub struct Reader<R> {
    input: R,
    limits: Limits,
    tally: Tally,
    tree: Tree,
    current: Option<Current>,
    state: State,
}

/// The file whose content comes next.
struct Current {
    path: EntryPath,
    left: u64,
    padding: u64,
}

#[derive(Clone, Copy)]
enum State {
    Reading,
    Ended,
    Refused,
}

impl<R: Read> Reader<R> {
    /// Starts to read an archive of at most `limits.entries_max` entries and `limits.bundle_max_bytes` bytes, with
    /// paths within the limits for paths.
    pub fn new(input: R, limits: Limits) -> Reader<R> {
        let (tally, tree) = (Tally::new(&limits), Tree::new(&limits));
        Reader { input, limits, tally, tree, current: None, state: State::Reading }
    }

    /// Reads to the next entry, through whatever is left of the one before; None at the end of the archive.
    ///
    /// None means that the end blocks were there and the input ended after them.
    ///
    /// # Errors
    /// [`ReadError`]; no later call succeeds.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        match mem::replace(&mut self.state, State::Refused) {
            State::Refused => return Err(self.stopped(None, ReadFault::Refused)),
            State::Ended => {
                self.state = State::Ended;
                return Ok(None);
            }
            State::Reading => {}
        }
        if let Some(current) = self.current.take() {
            self.pass(&current).map_err(|wrong| self.stopped(Some(&current.path), wrong))?;
        }
        let Some((entry, blocks)) = self.read_header().map_err(|wrong| self.stopped(None, wrong))? else {
            self.state = State::Ended;
            return Ok(None);
        };
        self.admit(&entry, &blocks).map_err(|wrong| self.stopped(Some(&entry.path), wrong))?;
        let size = entry.kind.size();
        self.current = Some(Current { path: entry.path.clone(), left: size, padding: header::padding(size) });
        self.state = State::Reading;
        Ok(Some(entry))
    }

    /// The content of the file that [`Reader::next_entry`] gave last, from where an earlier call left it.
    ///
    /// Empty for a directory. An archive that ends within it gives [`io::ErrorKind::InvalidData`] around a
    /// [`ReadError`].
    pub fn content(&mut self) -> impl Read + '_ {
        Content { reader: self }
    }

    /// Reads whatever is left, to the end of the input.
    ///
    /// # Errors
    /// [`ReadError`], also when an earlier call failed.
    pub fn finish(mut self) -> Result<Summary, ReadError> {
        while self.next_entry()?.is_some() {}
        Ok(self.tally.summary(self.tree.entries()))
    }

    /// Reads the blocks in front of an entry, or those that end the archive, and what they say.
    fn read_header(&mut self) -> Result<Option<(Entry, Vec<u8>)>, ReadFault> {
        let mut blocks = self.take(BLOCK as u64)?;
        if is_zero(&blocks) {
            self.read_end()?;
            return Ok(None);
        }
        let mut long_name = None;
        if header::kind(&blocks) == header::PAX {
            let size = header::size(&blocks).ok_or(ReadFault::Header { field: "size" })?;
            if size > self.limits.path_max_bytes as u64 + RECORD_OVERHEAD {
                return Err(ReadFault::Pax);
            }
            let record = self.take(size + header::padding(size))?;
            let name = header::path_in_record(&record[..size as usize]).ok_or(ReadFault::Pax)?;
            long_name = Some(name.to_vec());
            blocks.extend(record);
            blocks.extend(self.take(BLOCK as u64)?);
        }
        let block = &blocks[blocks.len() - BLOCK..];
        let name = long_name.as_deref().unwrap_or(header::name(block));
        let entry = parse(block, name, &self.limits)?;
        Ok(Some((entry, blocks)))
    }

    /// Reads the second block of zeros, and then nothing.
    fn read_end(&mut self) -> Result<(), ReadFault> {
        if !is_zero(&self.take(BLOCK as u64)?) {
            return Err(ReadFault::End);
        }
        match self.input.by_ref().take(1).read_to_end(&mut Vec::new()).map_err(ReadFault::Input)? {
            0 => Ok(()),
            _ => Err(ReadFault::End),
        }
    }

    /// Decides whether `entry`, read from `blocks`, is spelt as it must be and may come here.
    fn admit(&mut self, entry: &Entry, blocks: &[u8]) -> Result<(), ReadFault> {
        check_spelling(entry, blocks)?;
        self.tree.admit(entry)?;
        let size = entry.kind.size();
        let rest = size + header::padding(size) + header::END.len() as u64;
        if !self.tally.has_room_for(rest) {
            return Err(ReadFault::TooLarge { max_bytes: self.tally.size_max() });
        }
        Ok(())
    }

    /// Reads what is left of a file, and its padding.
    fn pass(&mut self, file: &Current) -> Result<(), ReadFault> {
        let mut left = file.left;
        while left > 0 {
            left -= self.take(left.min(CHUNK))?.len() as u64;
        }
        if is_zero(&self.take(file.padding)?) { Ok(()) } else { Err(ReadFault::Padding) }
    }

    /// Reads exactly `length` bytes, which the caller has bounded.
    fn take(&mut self, length: u64) -> Result<Vec<u8>, ReadFault> {
        if !self.tally.has_room_for(length) {
            return Err(ReadFault::TooLarge { max_bytes: self.tally.size_max() });
        }
        let mut bytes = Vec::with_capacity(length as usize);
        let taken = self.input.by_ref().take(length).read_to_end(&mut bytes);
        self.tally.add(&bytes);
        if taken.map_err(ReadFault::Input)? as u64 == length { Ok(bytes) } else { Err(ReadFault::Truncated) }
    }

    fn stopped(&self, entry: Option<&EntryPath>, wrong: ReadFault) -> ReadError {
        ReadError { at: self.tally.size(), entry: entry.cloned(), wrong }
    }
}

/// The content of one file, for [`Reader::content`].
struct Content<'a, R> {
    reader: &'a mut Reader<R>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(current) = self.reader.current.as_mut() else { return Ok(0) };
        let most = buffer.len().min(usize::try_from(current.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let length = self.reader.input.read(&mut buffer[..most])?;
        if length == 0 {
            self.reader.state = State::Refused;
            let path = current.path.clone();
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                self.reader.stopped(Some(&path), ReadFault::Truncated),
            ));
        }
        current.left -= length as u64;
        self.reader.tally.add(&buffer[..length]);
        Ok(length)
    }
}

/// Takes from a header block, and the name it goes by, just enough to encode it again.
fn parse(block: &[u8], name: &[u8], limits: &Limits) -> Result<Entry, ReadFault> {
    let (name, kind) = match header::kind(block) {
        header::DIRECTORY => (name.strip_suffix(b"/").unwrap_or(name), Kind::Directory),
        header::FILE => {
            let size = header::size(block).ok_or(ReadFault::Header { field: "size" })?;
            (name, Kind::File { executable: header::executable(block), size })
        }
        flag => return Err(ReadFault::Type { flag }),
    };
    Ok(Entry { path: EntryPath::parse(name, limits)?, kind })
}

/// Compares `blocks` with those that the writer puts in front of `entry`.
fn check_spelling(entry: &Entry, blocks: &[u8]) -> Result<(), ReadFault> {
    let ours = header::encode(entry);
    if ours.len() != blocks.len() {
        return Err(ReadFault::Pax);
    }
    let last = blocks.len() / BLOCK - 1;
    for (index, (ours, theirs)) in ours.chunks(BLOCK).zip(blocks.chunks(BLOCK)).enumerate() {
        match header::differing_field(ours, theirs) {
            None => {}
            // The blocks between a pax header and the entry's own hold the record, which has no fields.
            Some(field) if index == 0 || index == last => return Err(ReadFault::Header { field }),
            Some(_) => return Err(ReadFault::Pax),
        }
    }
    Ok(())
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Says where in an archive reading stopped, and why.
#[derive(Debug, thiserror::Error)]
#[error("reading the archive stopped at byte {at}{}", at_entry(.entry.as_ref()))]
pub struct ReadError {
    /// Bytes read so far.
    pub at: u64,
    /// The entry being read, once its header was understood.
    pub entry: Option<EntryPath>,
    /// What is wrong.
    #[source]
    pub wrong: ReadFault,
}

impl ReadError {
    /// Whether the bytes are at fault, so that no second try with the same ones can help.
    pub fn is_malformed(&self) -> bool {
        match &self.wrong {
            // A decoder underneath says so of its own input.
            ReadFault::Input(source) => source.kind() == io::ErrorKind::InvalidData,
            _ => true,
        }
    }
}

/// What can go wrong in reading an archive.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The input failed.
    #[error("the input cannot be read")]
    Input(#[source] io::Error),
    /// The input ended before the archive did.
    #[error("the input ends before the archive does")]
    Truncated,
    /// Longer than the limit, or says it will be.
    #[error("the archive is longer than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// A link, device, extension or anything else that is not in a bundle.
    #[error("entry type `{}` is not a regular file's or directory's", flag.escape_ascii())]
    Type {
        /// The type byte.
        flag: u8,
    },
    /// A header field with another value than the writer's, or another spelling of it.
    #[error("header field `{field}` is not as it must be")]
    Header {
        /// The field's name in the ustar format.
        field: &'static str,
    },
    /// A pax header that is more, or less, than the path of an entry that needs one.
    #[error("a pax header is not the one `path` record of a name over 100 bytes")]
    Pax,
    /// Not a path that can be in a bundle.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// The entry cannot come here.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// Something other than zeros between content and the next header.
    #[error("the padding after its content is not zeros")]
    Padding,
    /// A lone block of zeros, or something after two.
    #[error("the archive does not end with two blocks of zeros and nothing more")]
    End,
    /// Reading went on after an error.
    #[error("the archive was refused before")]
    Refused,
}

#[cfg(test)]
mod tests;
