//! The digest of something long, and how far its hashing was at some places on the way: what begins alike is not hashed twice.

use std::fmt;

use schema::Digest;
use schema::digest::Hasher;

/// Bytes from one mark to the next.
const EVERY: usize = 1 << 20;

/// How far hashing was, after each whole megabyte.
#[derive(Clone, Default)]
pub(crate) struct Marks(Vec<Hasher>);

impl Marks {
    /// Hashes `bytes`, of which the first `same` are those that `before` was made over.
    pub(crate) fn over(bytes: &[u8], before: Option<&Marks>, same: u64) -> (Digest, Marks) {
        let known = before.map_or(&[][..], |before| &before.0[..]);
        let mut marks = known[..known.len().min((same / EVERY as u64) as usize)].to_vec();
        let mut hasher = marks.last().cloned().unwrap_or_default();
        for chunk in bytes[marks.len() * EVERY..].chunks(EVERY) {
            hasher.update(chunk);
            if chunk.len() == EVERY {
                marks.push(hasher.clone());
            }
        }
        (hasher.finish(), Marks(marks))
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Marks").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_alike_gives_the_digest_of_the_whole() {
        let one: Vec<u8> = (0..3 * EVERY + 7).map(|at| (at % 251) as u8).collect();
        let (digest, marks) = Marks::over(&one, None, 0);
        assert_eq!((digest, marks.0.len()), (Digest::of(&one), 3));
        for changed in [0, EVERY - 1, EVERY, 2 * EVERY + 5, 3 * EVERY, 3 * EVERY + 6] {
            let mut other = one.clone();
            other[changed] ^= 1;
            assert_eq!(Marks::over(&other, Some(&marks), changed as u64).0, Digest::of(&other), "{changed}");
            let shorter = &other[..changed];
            assert_eq!(Marks::over(shorter, Some(&marks), changed as u64).0, Digest::of(shorter), "{changed}");
        }
        let longer = [&one[..], b"more"].concat();
        assert_eq!(Marks::over(&longer, Some(&marks), one.len() as u64).0, Digest::of(&longer));
    }
}
