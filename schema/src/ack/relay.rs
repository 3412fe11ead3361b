//! The body of `POST /v1/acks/relay`: what the agents of a gateway say, sent along as they signed it.
//!
//! ```text
//! {"type":"driftless/acks/2","key":"RWQ…"}       one body of `POST /v1/acks` after the other: each begins with the
//! {"type":"driftless/ack/1","boot":…}            head that names the key of one agent
//! …
//! {"type":"driftless/acks/2","key":"RWT…"}
//! …
//! ```
//!
//! In: a body. Out: its parts, which nobody has verified yet; or the other way round. A gateway that sends words along can
//! withhold them and cannot change them, and one part that does not hold says nothing about the others.

use bytes::Bytes;

use super::batch;
use crate::keys::PublicKey;

/// Parts of a body that is being put together, up to the limits of whoever reads it.
#[derive(Debug, Default)]
pub struct Relay {
    body: Vec<u8>,
    parts: usize,
}

impl Relay {
    /// The largest body that is read.
    pub const MAX_BYTES: u64 = 2 * 1024 * 1024;
    /// The most parts that are read.
    pub const PARTS_MAX: usize = 4096;

    /// Adds a part: what one agent said, each statement sealed by `key`. Says whether there was room for it; a part for which
    /// there is none is left out whole.
    pub fn add<'a>(&mut self, key: &PublicKey, sealed: impl IntoIterator<Item = &'a Bytes>) -> bool {
        let before = self.body.len();
        self.body.extend(batch::head_line(key));
        sealed.into_iter().for_each(|sealed| self.body.extend_from_slice(sealed));
        let fits = self.parts < Relay::PARTS_MAX && self.body.len() as u64 <= Relay::MAX_BYTES;
        if fits {
            self.parts += 1;
        } else {
            self.body.truncate(before);
        }
        fits
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// The body.
    pub fn into_body(self) -> Bytes {
        self.body.into()
    }

    /// Cuts a body into its parts. None of them was looked at: [`AckBatch::open`](super::AckBatch::open) does that.
    ///
    /// # Errors
    /// [`InvalidRelay`]; then nothing is known of any part.
    pub fn split(body: &Bytes) -> Result<Vec<Bytes>, InvalidRelay> {
        if body.len() as u64 > Relay::MAX_BYTES {
            return Err(InvalidRelay::TooLarge);
        }
        if !body.is_empty() && !body.starts_with(HEAD) {
            return Err(InvalidRelay::Head);
        }
        let line_ends = body.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let mut from = 0;
        let mut parts = Vec::new();
        // No line of a sealed ack can look like a head: its payload has another type, and the others are no JSON.
        for at in line_ends.filter(|at| *at == body.len() || body[*at..].starts_with(HEAD)).chain([body.len()]) {
            if at == from {
                continue;
            }
            if parts.len() == Relay::PARTS_MAX {
                return Err(InvalidRelay::TooMany);
            }
            parts.push(body.slice(from..at));
            from = at;
        }
        Ok(parts)
    }
}

/// Says why a body cannot be cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRelay {
    /// More bytes than the limit.
    #[error("more than {} bytes of relayed acks", Relay::MAX_BYTES)]
    TooLarge,
    /// It does not begin with the head of a part.
    #[error("the first line is not the head of relayed acks")]
    Head,
    /// More parts than the limit.
    #[error("the acks of more than {} agents", Relay::PARTS_MAX)]
    TooMany,
}

/// How every head begins that [`Relay::add`] writes.
const HEAD: &[u8] = br#"{"type":"driftless/acks/2","#;

#[cfg(all(test, feature = "sign"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ack::{AckBatch, SignedAck};
    use crate::keys::SecretKey;
    use crate::limits::Limits;

    const GOLDEN: &[u8] = include_bytes!("../../golden/acks");

    /// What `agent` says, and its key.
    fn said(agent: &str, times: u64) -> (SecretKey, AckBatch) {
        let golden = AckBatch::open(&Bytes::from_static(GOLDEN), &Limits::DEFAULT).expect("the golden acks");
        let mut signed = SignedAck::clone(&golden.acks[0]);
        signed.ack.agent = agent.parse().expect("an agent");
        let key = SecretKey::generate();
        let body = AckBatch::seal((1..=times).map(|n| SignedAck { n, ..signed.clone() }), &key);
        let batch = AckBatch::open(&body.into(), &Limits::DEFAULT).expect("our own batch");
        (key, batch)
    }

    fn relayed<'a>(batches: impl IntoIterator<Item = &'a AckBatch>) -> Bytes {
        let mut relay = Relay::default();
        for batch in batches {
            assert!(relay.add(&batch.key, batch.acks.iter().map(|ack| ack.bytes())), "there is room");
        }
        relay.into_body()
    }

    #[test]
    fn what_is_joined_is_split_into_the_same_and_still_holds() {
        let agents: Vec<AckBatch> = (1..=3).map(|times| said(&format!("web-{times}"), times).1).collect();
        let parts = Relay::split(&relayed(&agents)).expect("our own body");
        assert_eq!(parts.len(), 3);
        for (part, agent) in parts.iter().zip(&agents) {
            let opened = AckBatch::open(part, &Limits::DEFAULT).expect("an agent's own words");
            assert_eq!((&opened.agent, &opened.key, opened.acks.len()), (&agent.agent, &agent.key, agent.acks.len()));
        }
        assert_eq!(Relay::split(&Bytes::new()), Ok(Vec::new()));
    }

    #[test]
    fn a45_a_part_that_was_changed_does_not_hold_and_the_others_do() {
        let agents: Vec<AckBatch> = (1..=3).map(|number| said(&format!("web-{number}"), 1).1).collect();
        let text = String::from_utf8(relayed(&agents).to_vec()).expect("text");
        // Said of another agent, and under another's key.
        let second = text.find("web-2").expect("the second agent");
        let renamed = format!("{}web-9{}", &text[..second], &text[second + 5..]);
        let keys: Vec<String> = agents.iter().map(|agent| agent.key.to_string()).collect();
        let swapped = text.replacen(&keys[1], &keys[0], 1);
        for forged in [renamed, swapped] {
            let parts = Relay::split(&forged.into()).expect("parts");
            let held = parts.iter().map(|part| AckBatch::open(part, &Limits::DEFAULT).is_ok());
            assert_eq!(held.collect::<Vec<_>>(), [true, false, true]);
        }
    }

    #[test]
    fn a46_what_is_too_much_is_refused_before_anything_is_verified() {
        let (_, agent) = said("web-1", 1);
        let mut relay = Relay::default();
        while relay.add(&agent.key, [agent.acks[0].bytes()]) {}
        let most = relay.parts();
        let body = relay.into_body();
        assert!(body.len() as u64 <= Relay::MAX_BYTES);
        assert_eq!(Relay::split(&body).map(|parts| parts.len()), Ok(most));
        let heads = String::from_utf8(HEAD.to_vec()).expect("text") + "\n";
        assert_eq!(Relay::split(&heads.repeat(Relay::PARTS_MAX + 1).into()), Err(InvalidRelay::TooMany));
        assert_eq!(Relay::split(&vec![b'\n'; 3 << 20].into()), Err(InvalidRelay::TooLarge));
        assert_eq!(Relay::split(&Bytes::from_static(b"{}\n")), Err(InvalidRelay::Head));
    }

    proptest! {
        #[test]
        fn a46_no_byte_is_lost_or_made_up(lines in prop::collection::vec("[a-c]{0,3}|HEAD", 0..20), ended: bool) {
            let text = lines.join("\n").replace("HEAD", std::str::from_utf8(HEAD).expect("text"));
            let body = Bytes::from(if ended { text + "\n" } else { text });
            match Relay::split(&body) {
                Ok(parts) => prop_assert_eq!(parts.concat(), body.to_vec()),
                Err(invalid) => prop_assert_eq!(invalid, InvalidRelay::Head),
            }
        }
    }
}
