//! Writes an archive, entry by entry in order.
//!
//! In: paths, kinds and contents. Out: the archive's bytes and its [`Summary`]. Does not sort and does not add missing
//! directories: an entry out of place is the caller's mistake and refused, with the checks that [`Reader`] makes.
//!
//! [`Reader`]: super::Reader

use std::io::{self, Read, Write};
use std::mem;

use super::entry::{Entry, Kind, at_entry};
use super::header;
use super::summary::{Summary, Tally};
use super::tree::{Tree, TreeFault};
use crate::limits::Limits;
use crate::path::EntryPath;

/// Bytes of content held at a time.
const CHUNK: u64 = 64 * 1024;

/// Writes an archive to `W`, in many small writes: wrap a file in a buffer.
///
/// An error spoils the archive, so every later call fails.
pub struct Writer<W> {
    out: W,
    tally: Tally,
    tree: Tree,
    spoilt: bool,
}

impl<W: Write> Writer<W> {
    /// Starts an archive of at most `limits.entries_max` entries and `limits.bundle_max_bytes` bytes.
    pub fn new(out: W, limits: Limits) -> Writer<W> {
        Writer { out, tally: Tally::new(&limits), tree: Tree::new(&limits), spoilt: false }
    }

    /// Adds a directory.
    ///
    /// # Errors
    /// [`WriteError`] names the path and what is wrong.
    pub fn directory(&mut self, path: EntryPath) -> Result<(), WriteError> {
        self.add(Entry { path, kind: Kind::Directory }, &mut io::empty())
    }

    /// Adds a regular file of `size` bytes, all of `content`.
    ///
    /// # Errors
    /// [`WriteError`] names the path and what is wrong, such as content that is not `size` bytes long.
    pub fn file(
        &mut self,
        path: EntryPath,
        executable: bool,
        size: u64,
        content: &mut impl Read,
    ) -> Result<(), WriteError> {
        self.add(Entry { path, kind: Kind::File { executable, size } }, content)
    }

    /// Ends the archive, flushes, and gives back the writer underneath.
    ///
    /// # Errors
    /// [`WriteError`], without a path.
    pub fn finish(mut self) -> Result<(W, Summary), WriteError> {
        self.end().map_err(|wrong| WriteError { entry: None, wrong })?;
        Ok((self.out, self.tally.summary(self.tree.entries())))
    }

    fn add(&mut self, entry: Entry, content: &mut impl Read) -> Result<(), WriteError> {
        self.add_entry(&entry, content).map_err(|wrong| WriteError { entry: Some(entry.path), wrong })
    }

    fn add_entry(&mut self, entry: &Entry, content: &mut impl Read) -> Result<(), WriteFault> {
        if mem::replace(&mut self.spoilt, true) {
            return Err(WriteFault::Spoilt);
        }
        self.tree.admit(entry)?;
        let size = entry.kind.size();
        let end = header::END.len() as u64;
        // Asked with the bare size first: what has room is small enough to be padded and encoded.
        if !self.tally.has_room_for(size) {
            return Err(WriteFault::TooLarge { max_bytes: self.tally.size_max() });
        }
        let header = header::encode(entry);
        let padding = header::padding(size);
        if !self.tally.has_room_for(header.len() as u64 + size + padding + end) {
            return Err(WriteFault::TooLarge { max_bytes: self.tally.size_max() });
        }
        self.put(&header)?;
        self.put_content(size, content)?;
        self.put(&header::END[..padding as usize])?;
        self.spoilt = false;
        Ok(())
    }

    fn put_content(&mut self, size: u64, content: &mut impl Read) -> Result<(), WriteFault> {
        let mut chunk = Vec::with_capacity(size.min(CHUNK) as usize);
        let mut left = size;
        while left > 0 {
            chunk.clear();
            let most = left.min(CHUNK);
            let length = content.by_ref().take(most).read_to_end(&mut chunk).map_err(WriteFault::Content)? as u64;
            if length < most {
                return Err(WriteFault::ContentTooShort { size, missing: left - length });
            }
            self.put(&chunk)?;
            left -= length;
        }
        match content.by_ref().take(1).read_to_end(&mut chunk).map_err(WriteFault::Content)? {
            0 => Ok(()),
            _ => Err(WriteFault::ContentTooLong { size }),
        }
    }

    fn end(&mut self) -> Result<(), WriteFault> {
        if self.spoilt {
            return Err(WriteFault::Spoilt);
        }
        if !self.tally.has_room_for(header::END.len() as u64) {
            return Err(WriteFault::TooLarge { max_bytes: self.tally.size_max() });
        }
        self.put(&header::END)?;
        self.out.flush().map_err(WriteFault::Output)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteFault> {
        self.out.write_all(bytes).map_err(WriteFault::Output)?;
        self.tally.add(bytes);
        Ok(())
    }
}

/// Says at which entry an archive could not be written on, and why.
#[derive(Debug, thiserror::Error)]
#[error("writing the archive stopped{}", at_entry(.entry.as_ref()))]
pub struct WriteError {
    /// The entry being added, unless the archive was being ended.
    pub entry: Option<EntryPath>,
    /// What is wrong.
    #[source]
    pub wrong: WriteFault,
}

/// What can go wrong in writing an archive.
#[derive(Debug, thiserror::Error)]
pub enum WriteFault {
    /// The entry cannot come here.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// The archive would be longer than the limit.
    #[error("the archive would be longer than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// The content ended early.
    #[error("the content ends {missing} bytes short of the {size} announced")]
    ContentTooShort {
        /// Bytes announced.
        size: u64,
        /// Bytes that did not come.
        missing: u64,
    },
    /// The content went on.
    #[error("the content is longer than the {size} bytes announced")]
    ContentTooLong {
        /// Bytes announced.
        size: u64,
    },
    /// The content could not be read.
    #[error("the content cannot be read")]
    Content(#[source] io::Error),
    /// The archive could not be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// An earlier error was not the end of it.
    #[error("an earlier error spoilt the archive")]
    Spoilt,
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    pub(in crate::archive) fn path(text: &str) -> EntryPath {
        EntryPath::parse(text.as_bytes(), &Limits::DEFAULT).expect("an ordinary path")
    }

    /// Archives `entries` in the order given; a path that ends with `/` is a directory, with `*` an executable file.
    pub(in crate::archive) fn pack(entries: &[(&str, &[u8])]) -> (Vec<u8>, Summary) {
        let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
        for &(name, mut content) in entries {
            let added = match (name.strip_suffix('/'), name.strip_suffix('*')) {
                (Some(directory), _) => writer.directory(path(directory)),
                (_, Some(program)) => writer.file(path(program), true, content.len() as u64, &mut content),
                _ => writer.file(path(name), false, content.len() as u64, &mut content),
            };
            added.expect("entries in order");
        }
        writer.finish().expect("a whole archive")
    }

    /// One of everything: empty and full files, a program, nesting, a name that sorts between, and long paths.
    pub(in crate::archive) fn sample() -> (Vec<u8>, Summary) {
        let long = format!("{}/{}/", "d".repeat(60), "e".repeat(60));
        let deep = format!("{long}limits.yaml");
        pack(&[
            ("bin/", b""),
            ("bin/reload*", b"#!/bin/sh\n"),
            ("conf.d/", b""),
            ("conf.d-old", b""),
            ("conf.d/block", &[b'b'; 512]),
            ("conf.d/limits.yaml", b"rps: 10\n"),
            (&format!("{}/", "d".repeat(60)), b""),
            (&long, b""),
            (&deep, b"rps: 20\n"),
            ("empty", b""),
        ])
    }

    #[test]
    fn the_digest_of_the_sample_never_changes() {
        let (bytes, summary) = sample();
        assert_eq!(summary.digest, crate::Digest::of(&bytes));
        assert_eq!(summary.size, bytes.len() as u64);
        assert_eq!(summary.entries, 10);
        assert_eq!(
            (summary.size, summary.digest.to_string()),
            (10240, "30825260a52f934b519efa46c4c999d1af3b01952184c06b69b0841995ea15e5".to_owned())
        );
    }

    #[test]
    fn an_empty_tree_is_two_blocks_of_zeros() {
        assert_eq!(pack(&[]).0, [0; 1024]);
    }

    #[test]
    fn stock_tar_lists_the_sample() {
        let mut tar = Command::new("tar")
            .args(["-tvf", "-", "--numeric-owner"])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`tar` is installed");
        // Dropped at the end of the statement, so that `tar` sees the end of its input.
        tar.stdin.take().expect("piped").write_all(&sample().0).expect("`tar` reads the archive");
        let output = tar.wait_with_output().expect("`tar` ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let listing = String::from_utf8(output.stdout).expect("plain names");
        let seen: Vec<(&str, &str)> =
            listing.lines().map(|line| (&line[..10], line.rsplit(' ').next().expect("a name on each line"))).collect();
        let long = format!("{}/{}/", "d".repeat(60), "e".repeat(60));
        let wanted = [
            ("drwxr-xr-x", "bin/"),
            ("-rwxr-xr-x", "bin/reload"),
            ("drwxr-xr-x", "conf.d/"),
            ("-rw-r--r--", "conf.d-old"),
            ("-rw-r--r--", "conf.d/block"),
            ("-rw-r--r--", "conf.d/limits.yaml"),
            ("drwxr-xr-x", &long[..61]),
            ("drwxr-xr-x", &long),
            ("-rw-r--r--", &format!("{long}limits.yaml")),
            ("-rw-r--r--", "empty"),
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn content_must_be_as_long_as_announced_and_an_error_spoils_the_archive() {
        let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
        let short = writer.file(path("a"), false, 3, &mut &b"xy"[..]).expect_err("too short");
        assert!(matches!(short.wrong, WriteFault::ContentTooShort { size: 3, missing: 1 }), "{short:?}");
        assert_eq!(short.to_string(), "writing the archive stopped, at `a`");
        let later = writer.directory(path("b")).expect_err("spoilt");
        assert!(matches!(later.wrong, WriteFault::Spoilt), "{later:?}");
        assert!(matches!(writer.finish(), Err(WriteError { entry: None, wrong: WriteFault::Spoilt })));

        let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
        let long = writer.file(path("a"), false, 1, &mut &b"xy"[..]).expect_err("too long");
        assert!(matches!(long.wrong, WriteFault::ContentTooLong { size: 1 }), "{long:?}");
    }

    #[test]
    fn an_archive_may_be_as_long_as_the_limit_and_no_longer() {
        let fits = |bundle_max_bytes, size: u64| {
            let mut writer = Writer::new(Vec::new(), Limits { bundle_max_bytes, ..Limits::DEFAULT });
            match writer.file(path("a"), false, size, &mut io::repeat(b'x').take(size)) {
                Ok(()) => Ok(writer.finish().expect("room for the end").1.size),
                Err(refused) => Err(refused.wrong),
            }
        };
        assert!(matches!(fits(2048, 512), Ok(2048)));
        assert!(matches!(fits(2048, 513), Err(WriteFault::TooLarge { max_bytes: 2048 })));
        assert!(matches!(fits(2047, 512), Err(WriteFault::TooLarge { max_bytes: 2047 })));
        assert!(matches!(fits(2047, u64::MAX), Err(WriteFault::TooLarge { max_bytes: 2047 })));
        assert!(matches!(fits(u64::MAX, u64::MAX), Err(WriteFault::TooLarge { max_bytes: header::SIZE_MAX })));
    }

    #[test]
    fn entries_out_of_place_are_refused() {
        let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
        writer.directory(path("b")).expect("in order");
        let refused = writer.directory(path("a")).expect_err("out of order");
        assert!(matches!(refused.wrong, WriteFault::Tree(TreeFault::Unsorted { .. })), "{refused:?}");
    }
}
