//! Which bundles a region has proved to be good.

use schema::Digest;

/// Whether `digest` was stable and was left by going forward, not because it was bad.
///
/// `stables` is what the region ran, oldest first, each change once. Going back to a bundle takes back everything that came
/// after it, so that the revert of a revert is no bundle that is known to be good. What is stable now is not asked about.
pub fn is_known_good(stables: &[Digest], digest: &Digest) -> bool {
    let mut good: Vec<&Digest> = Vec::new();
    for stable in stables {
        match good.iter().position(|earlier| *earlier == stable) {
            Some(place) => good.truncate(place + 1),
            None => good.push(stable),
        }
    }
    good.pop();
    good.contains(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(history: &str, asked: &str) -> bool {
        let stables: Vec<Digest> = history.split(' ').map(|name| Digest::of(name.as_bytes())).collect();
        is_known_good(&stables, &Digest::of(asked.as_bytes()))
    }

    #[test]
    fn what_was_left_by_going_forward_is_good() {
        assert!(known("a b", "a") && known("a b c", "b") && known("a b c", "a"));
        assert!(!known("a b", "c"), "what nobody ran is not known");
    }

    #[test]
    fn what_was_left_by_going_back_is_not() {
        assert!(!known("a b a", "b"));
        assert!(!known("a b c a", "b") && !known("a b c a", "c"), "going back over two takes both back");
        assert!(known("a b a c", "a") && !known("a b a c", "b"));
    }

    #[test]
    fn a_revert_of_a_revert_has_to_prove_itself_again() {
        assert!(!known("a b a", "b"));
        // It did, and was left for a newer one.
        assert!(known("a b a b c", "b"));
    }
}
