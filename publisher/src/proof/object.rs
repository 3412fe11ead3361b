//! Reads one commit object, strictly.
//!
//! In: the raw bytes. Out: tree, parents, committer, the signature and the payload it is over. What git tools read
//! differently from one another (a second signature, headers out of order, a NUL byte) is refused.

use schema::{CommitId, TreeId};

use crate::signers::Signed;

/// The largest commit object that is read, in bytes, message included.
pub(super) const COMMIT_MAX_BYTES: usize = 1 << 20;

/// The most parents that a commit may have.
const PARENTS_MAX: usize = 64;

/// A commit as its author signed it.
#[derive(Debug)]
pub struct CommitObject {
    /// What the repository holds at this commit.
    pub tree: TreeId,
    /// The commits it builds on, at most 64.
    pub parents: Vec<CommitId>,
    /// Seconds since 1970 that the committer claims. Orders the walk, proves nothing.
    pub committed: i64,
    committer: String,
    signature: Option<Vec<u8>>,
    payload: Vec<u8>,
    /// Where the message begins in the payload.
    message_at: usize,
    summary: String,
}

/// Says why a commit object is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCommit {
    /// A header that must be there is not, or not in its place.
    #[error("its `{0}` header is missing or wrong")]
    Header(&'static str),
    /// More than one signature.
    #[error("it has more than one signature; sign it once")]
    TwoSignatures,
    /// A NUL byte, at which some programs stop reading.
    #[error("it has a NUL byte")]
    Nul,
    /// More parents than anybody needs.
    #[error("it has more than {PARENTS_MAX} parents")]
    Parents,
}

impl CommitObject {
    /// Reads the bytes that the commit's id is the hash of.
    ///
    /// # Errors
    /// [`MalformedCommit`] names the first thing that two programs may read in two ways.
    pub fn parse(raw: &[u8]) -> Result<CommitObject, MalformedCommit> {
        if raw.contains(&0) {
            return Err(MalformedCommit::Nul);
        }
        let mut rest = raw;
        let tree = id(&mut rest, "tree").ok_or(MalformedCommit::Header("tree"))?;
        let mut parents = Vec::new();
        while rest.starts_with(b"parent ") {
            parents.push(id(&mut rest, "parent").ok_or(MalformedCommit::Header("parent"))?);
            if parents.len() > PARENTS_MAX {
                return Err(MalformedCommit::Parents);
            }
        }
        header(&mut rest, "author").ok_or(MalformedCommit::Header("author"))?;
        let committer = header(&mut rest, "committer").ok_or(MalformedCommit::Header("committer"))?;
        let (committer, committed) = person(committer).ok_or(MalformedCommit::Header("committer"))?;

        let mut payload = raw[..raw.len() - rest.len()].to_vec();
        let mut signature = None;
        loop {
            let (first, continued) = next_header(rest).ok_or(MalformedCommit::Header("message"))?;
            let whole = first.len() + continued.len();
            if first == b"\n" {
                break;
            }
            match first.split(|&byte| byte == b' ').next().unwrap_or_default() {
                b"tree" | b"parent" | b"author" | b"committer" => return Err(MalformedCommit::Header("committer")),
                b"gpgsig" if signature.is_none() => signature = Some(unfold(&rest[b"gpgsig ".len()..whole])),
                b"gpgsig" | b"gpgsig-sha256" => return Err(MalformedCommit::TwoSignatures),
                _ => payload.extend_from_slice(&rest[..whole]),
            }
            rest = &rest[whole..];
        }
        // The message begins after the empty line.
        let message_at = payload.len() + 1;
        payload.extend_from_slice(rest);
        let summary = String::from_utf8_lossy(&rest[1..]).trim_start().lines().next().unwrap_or_default().to_owned();
        Ok(CommitObject { tree, parents, committed, committer, signature, payload, message_at, summary })
    }

    /// What a signer policy judges: the signature, and all the rest of the object, which is what it must be over.
    pub fn signed(&self) -> Signed<'_> {
        Signed { signature: self.signature.as_deref(), payload: &self.payload, committer: &self.committer }
    }

    /// The message, as it was signed.
    pub(super) fn message(&self) -> &[u8] {
        &self.payload[self.message_at..]
    }

    /// The message's first line, made safe to show and cut to 72 characters.
    pub fn summary(&self) -> String {
        let escaped = self.summary.chars().take(72).flat_map(char::escape_debug).collect::<String>();
        escaped.replace("\\'", "'").replace("\\\"", "\"")
    }
}

/// The next line with its newline, and the lines after it that continue it.
fn next_header(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let line_length = |text: &[u8]| text.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
    let first = line_length(text)?;
    let mut end = first;
    if first > 1 {
        while text[end..].starts_with(b" ") {
            end += line_length(&text[end..])?;
        }
    }
    Some((&text[..first], &text[first..end]))
}

/// Takes a header of one line and gives its value.
fn header<'t>(text: &mut &'t [u8], name: &'static str) -> Option<&'t [u8]> {
    let (line, continued) = next_header(text)?;
    let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b" ")?.strip_suffix(b"\n")?;
    if !continued.is_empty() {
        return None;
    }
    *text = &text[line.len()..];
    Some(value)
}

fn id<T: std::str::FromStr>(text: &mut &[u8], name: &'static str) -> Option<T> {
    str::from_utf8(header(text, name)?).ok()?.parse().ok()
}

/// Address and time of `Name <address> 1700000000 +0100`. Of several addresses the first one, which is what git shows.
fn person(value: &[u8]) -> Option<(String, i64)> {
    let text = String::from_utf8_lossy(value);
    let (address, _) = text.split_once('<')?.1.split_once('>')?;
    let (_, after) = text.rsplit_once('>')?;
    let seconds = after.split_ascii_whitespace().next()?.parse().ok()?;
    Some((address.to_owned(), seconds))
}

/// Takes away the blank that each line but the first starts with.
fn unfold(value: &[u8]) -> Vec<u8> {
    let mut unfolded = Vec::with_capacity(value.len());
    for (at, line) in value.split_inclusive(|&byte| byte == b'\n').enumerate() {
        unfolded.extend_from_slice(if at == 0 { line } else { &line[1..] });
    }
    unfolded
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const START: &str =
        "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@x> 5 +0000\ncommitter C <c@x> 7 +0100\n";

    fn parse(text: &str) -> Result<CommitObject, MalformedCommit> {
        CommitObject::parse(text.as_bytes())
    }

    #[test]
    fn the_signature_is_split_from_what_it_signs() {
        let signed = parse(&format!("{START}encoding x\ngpgsig one\n two\n \n three\nextra y\n z\n\ntitle\n\nbody\n"));
        let signed = signed.expect("a good commit");
        assert_eq!(signed.signature.as_deref(), Some(&b"one\ntwo\n\nthree\n"[..]));
        assert_eq!(signed.payload, format!("{START}encoding x\nextra y\n z\n\ntitle\n\nbody\n").as_bytes());
        assert_eq!((signed.tree.as_str(), signed.committed, signed.committer.as_str()), (TREE, 7, "c@x"));
        assert_eq!(signed.summary(), "title");
    }

    #[test]
    fn a34_a_second_address_is_nobody() {
        for committer in ["C <c@x> <mallory@x>", "C <c@x><mallory@x>", "<c@x> mallory@x>"] {
            let commit = parse(&format!("{}\nm", START.replace("C <c@x>", committer))).expect(committer);
            assert_eq!((commit.committer.as_str(), commit.committed), ("c@x", 7), "{committer}");
        }
        assert!(parse(&format!("{}\nm", START.replace("C <c@x>", "C c@x> <"))).is_err());
    }

    #[test]
    fn what_two_programs_may_read_in_two_ways_is_refused() {
        let table = [
            (format!("{START}gpgsig a\ngpgsig b\n\nm"), MalformedCommit::TwoSignatures),
            (format!("{START}gpgsig-sha256 a\n\nm"), MalformedCommit::TwoSignatures),
            (format!("{START}parent {TREE}\n\nm"), MalformedCommit::Header("committer")),
            (format!("{START}tree {TREE}\n\nm"), MalformedCommit::Header("committer")),
            (START.to_owned(), MalformedCommit::Header("message")),
            (format!("{START}\nm\0"), MalformedCommit::Nul),
            (format!("author A <a> 1 +0000\n{START}\nm"), MalformedCommit::Header("tree")),
            (START.replace("7 ", "soon ") + "\nm", MalformedCommit::Header("committer")),
            (START.replace("author", "parent x\nauthor") + "\nm", MalformedCommit::Header("parent")),
            (START.replace("author", " folded\nauthor") + "\nm", MalformedCommit::Header("tree")),
        ];
        for (text, wrong) in table {
            assert_eq!(parse(&text).err(), Some(wrong), "{text:?}");
        }
    }

    #[test]
    fn a48_a_summary_cannot_move_the_cursor() {
        let commit = parse(&format!("{START}\n\u{1b}[2Jit's {}\n", "x".repeat(100))).expect("a good commit");
        assert!(commit.summary().starts_with("\\u{1b}[2Jit's xxx"), "{}", commit.summary());
    }
}
