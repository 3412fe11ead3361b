//! What was complained about, so that it is logged when it begins and not with every poll.

use schema::Digest;

/// The last complaint.
#[derive(Debug, Default)]
pub(super) struct Complaint(Option<Digest>);

impl Complaint {
    /// Whether `text` is another complaint than the last.
    pub(super) fn is_new(&mut self, text: &str) -> bool {
        let digest = Some(Digest::of(text.as_bytes()));
        std::mem::replace(&mut self.0, digest) != digest
    }

    /// There is nothing to complain about.
    pub(super) fn settle(&mut self) {
        self.0 = None;
    }
}
