//! What a follower has: the pointer that was last accepted, and by which validator each base URL knows it.
//!
//! In: digests of bodies, and the `ETag`s they came with, of base URLs that hold requests. Out: whether a body is news, and what to
//! put into `If-None-Match`. An `ETag` is whatever its server likes, so it never decides what is believed.

use http::HeaderValue;
use schema::Digest;

pub(crate) struct Holding {
    body: Option<Digest>,
    validators: Vec<Option<HeaderValue>>,
}

impl Holding {
    /// Nothing yet, from any of that many base URLs.
    pub(crate) fn nothing(bases: usize) -> Holding {
        Holding { body: None, validators: vec![None; bases] }
    }

    pub(crate) fn is(&self, body: Digest) -> bool {
        self.body == Some(body)
    }

    /// By what `base` knows the body that we have.
    pub(crate) fn validator(&self, base: usize) -> Option<&HeaderValue> {
        self.validators[base].as_ref()
    }

    /// Takes note that `base` served the body that we have.
    pub(crate) fn served_by(&mut self, base: usize, validator: Option<HeaderValue>) {
        self.validators[base] = validator.filter(|etag| !etag.is_empty() && etag.len() <= VALIDATOR_MAX_BYTES);
    }

    /// Replaces what we have by what `base` served.
    pub(crate) fn replace(&mut self, body: Digest, base: usize, validator: Option<HeaderValue>) {
        // The other validators stand for the body before: 304 to one of those would mean that its server is behind.
        self.validators.fill(None);
        self.body = Some(body);
        self.served_by(base, validator);
    }
}

/// Longer validators are not kept, and their servers are asked without.
const VALIDATOR_MAX_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_stands_for_one_body_at_one_base() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let etag = HeaderValue::from_static;
        let mut holding = Holding::nothing(2);
        assert!(!holding.is(old));
        holding.replace(old, 0, Some(etag("\"a\"")));
        holding.served_by(1, Some(etag("W/\"b\"")));
        assert_eq!(holding.validator(0), Some(&etag("\"a\"")));
        assert_eq!(holding.validator(1), Some(&etag("W/\"b\"")));
        holding.replace(new, 1, None);
        assert!(holding.is(new) && !holding.is(old));
        assert_eq!((holding.validator(0), holding.validator(1)), (None, None));
    }

    #[test]
    fn a_validator_of_any_length_is_not_sent_back() {
        let mut holding = Holding::nothing(1);
        let endless = HeaderValue::from_str(&"a".repeat(VALIDATOR_MAX_BYTES + 1)).expect("visible characters");
        holding.replace(Digest::of(b""), 0, Some(endless));
        assert_eq!(holding.validator(0), None);
    }
}
