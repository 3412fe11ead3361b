//! A pointer and what goes with it in one answer: the grammar of two headers, and where one part ends and the next begins.
//!
//! An agent that asks for its pointer may say which bundle it runs ([`HAVE`]). Whoever answers may put the manifests that the
//! pointer names, and patches from that bundle, behind the pointer's bytes, and lists what the body is made of ([`ENCLOSED`]):
//!
//! ```text
//! Driftless-Enclosed: pointer=1046, manifest/<digest>=812, patch/<digest>.from.<base>=5522
//! ```
//!
//! In: the text of a header, a body. Out: [`Part`]s with their bytes, or one [`InvalidContents`]. Which part a stretch of the body
//! is said to be is its sender's word alone: each is verified by its reader exactly as if it had been fetched.

use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};

use crate::digest::Digest;

/// Name of the request header that says what an agent runs: the 64 hex digits of one [`Digest`].
pub const HAVE: &str = "driftless-have";
/// Name of the answer header that says what a body is made of: one [`Contents`].
pub const ENCLOSED: &str = "driftless-enclosed";

/// What is enclosed beside a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `manifest/<digest>`: the manifest of a bundle.
    Manifest(Digest),
    /// `patch/<digest>.from.<base>`: a bundle, as a patch against another.
    Patch {
        /// The bundle it makes.
        digest: Digest,
        /// The bundle it needs.
        base: Digest,
    },
}

/// What the body of one answer is made of: a pointer first, then parts, all different, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pointer: u64,
    parts: Vec<(Part, u64)>,
}

/// The body of one answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The pointer's bytes.
    pub pointer: Bytes,
    /// What came with it, in order.
    pub parts: Vec<(Part, Bytes)>,
}

/// Says why a text is no list of parts, or a body not what its list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContents {
    /// More text than any honest list has.
    #[error("the list of parts has {0} bytes, more than {TEXT_MAX_BYTES}")]
    TooLong(usize),
    /// The pointer is not the first part, or not there at all.
    #[error("the list of parts does not begin with the pointer")]
    PointerNotFirst,
    /// One that is no `name=length` in its one spelling.
    #[error("part {0} of the list cannot be read")]
    Unreadable(usize),
    /// More than one list.
    #[error("there is more than one list of parts")]
    Repeated,
    /// A part that is listed twice.
    #[error("part {0} of the list is there twice")]
    Twice(usize),
    /// More parts than any pointer names.
    #[error("more than {PARTS_MAX} parts are listed")]
    TooMany,
    /// The lengths are more than a number can hold.
    #[error("the lengths of the parts are beyond any body")]
    Overflow,
    /// The body is not as long as its parts together.
    #[error("the body has {received} bytes and its parts {listed}")]
    OtherLength {
        /// Bytes of the body.
        received: u64,
        /// Bytes of all parts.
        listed: u64,
    },
}

impl Contents {
    /// Bytes of the pointer.
    pub fn pointer_bytes(&self) -> u64 {
        self.pointer
    }

    /// Bytes of the whole body.
    pub fn body_bytes(&self) -> u64 {
        self.pointer + self.parts.iter().map(|(_, length)| length).sum::<u64>()
    }

    /// Takes a body apart. The parts share its memory.
    ///
    /// # Errors
    /// [`InvalidContents::OtherLength`].
    pub fn split(&self, body: Bytes) -> Result<Split, InvalidContents> {
        let (received, listed) = (body.len() as u64, self.body_bytes());
        if received != listed {
            return Err(InvalidContents::OtherLength { received, listed });
        }
        let mut rest = body;
        let mut take = |length: u64| rest.split_to(usize::try_from(length).expect("no part is longer than the body"));
        let pointer = take(self.pointer);
        let parts = self.parts.iter().map(|(part, length)| (*part, take(*length))).collect();
        Ok(Split { pointer, parts })
    }
}

impl Split {
    /// Puts the parts into one body, and says what it is made of.
    ///
    /// # Errors
    /// [`InvalidContents::Twice`] and [`InvalidContents::TooMany`].
    pub fn join(&self) -> Result<(Contents, Bytes), InvalidContents> {
        let listed = self.parts.iter().map(|(part, bytes)| Ok((*part, bytes.len() as u64)));
        let contents = Contents::list(self.pointer.len() as u64, listed)?;
        let mut body =
            BytesMut::with_capacity(self.pointer.len() + self.parts.iter().map(|(_, it)| it.len()).sum::<usize>());
        body.extend_from_slice(&self.pointer);
        self.parts.iter().for_each(|(_, bytes)| body.extend_from_slice(bytes));
        Ok((contents, body.freeze()))
    }
}

impl Contents {
    fn list(
        pointer: u64,
        parts: impl Iterator<Item = Result<(Part, u64), InvalidContents>>,
    ) -> Result<Contents, InvalidContents> {
        let mut contents = Contents { pointer, parts: Vec::new() };
        let mut total = pointer;
        for (at, part) in parts.enumerate() {
            if at == PARTS_MAX {
                return Err(InvalidContents::TooMany);
            }
            let (part, length) = part?;
            if contents.parts.iter().any(|(before, _)| *before == part) {
                return Err(InvalidContents::Twice(at + 1));
            }
            total = total.checked_add(length).ok_or(InvalidContents::Overflow)?;
            contents.parts.push((part, length));
        }
        Ok(contents)
    }
}

impl FromStr for Contents {
    type Err = InvalidContents;

    fn from_str(text: &str) -> Result<Contents, InvalidContents> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(InvalidContents::TooLong(text.len()));
        }
        let mut items = text.split(", ").enumerate();
        let first = items.next().and_then(|(_, item)| item.strip_prefix("pointer="));
        let pointer = number(first.ok_or(InvalidContents::PointerNotFirst)?).ok_or(InvalidContents::Unreadable(0))?;
        Contents::list(pointer, items.map(|(at, item)| part(item).ok_or(InvalidContents::Unreadable(at))))
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pointer={}", self.pointer)?;
        self.parts.iter().try_for_each(|(part, length)| write!(f, ", {part}={length}"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Manifest(digest) => write!(f, "manifest/{digest}"),
            Part::Patch { digest, base } => write!(f, "patch/{digest}.from.{base}"),
        }
    }
}

fn part(item: &str) -> Option<(Part, u64)> {
    let (name, length) = item.split_once('=')?;
    let part = match name.split_once('/')? {
        ("manifest", digest) => Part::Manifest(digest.parse().ok()?),
        ("patch", name) => {
            let (digest, base) = name.split_once(".from.")?;
            Part::Patch { digest: digest.parse().ok()?, base: base.parse().ok()? }
        }
        _ => return None,
    };
    // One spelling for each part, so that no two can be one.
    (part.to_string() == name).then_some((part, number(length)?))
}

/// A number in its one spelling.
fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
}

/// Parts beside the pointer: a manifest and a patch for each of its two targets, and room for as many more.
const PARTS_MAX: usize = 8;
/// Bytes of the header's value: each part takes at most 160.
const TEXT_MAX_BYTES: usize = 2048;

#[cfg(test)]
mod tests;
