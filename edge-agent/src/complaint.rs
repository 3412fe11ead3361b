//! What was complained about, so that it is logged when it begins and not with every poll.

use schema::Digest;

/// The complaints since all was well, the newest few of them: two mirrors that are wrong in two ways take turns.
#[derive(Debug, Default)]
pub(crate) struct Complaint(Vec<Digest>);

impl Complaint {
    /// Whether `text` is another complaint than those before.
    pub(crate) fn is_new(&mut self, text: &str) -> bool {
        let digest = Digest::of(text.as_bytes());
        if self.0.contains(&digest) {
            return false;
        }
        if self.0.len() == REMEMBERED_MAX {
            self.0.remove(0);
        }
        self.0.push(digest);
        true
    }

    /// There is nothing to complain about.
    pub(crate) fn settle(&mut self) {
        self.0.clear();
    }
}

/// More than an agent has mirrors; whoever invents new complaints all the time gets a line for each.
const REMEMBERED_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_that_take_turns_are_new_once_each_until_all_is_well() {
        let mut complaint = Complaint::default();
        for round in [true, false, false] {
            assert_eq!([complaint.is_new("one"), complaint.is_new("other")], [round; 2]);
        }
        complaint.settle();
        assert!(complaint.is_new("one"));
    }

    #[test]
    fn of_many_complaints_the_newest_are_remembered() {
        let mut complaint = Complaint::default();
        for number in 0..=REMEMBERED_MAX {
            assert!(complaint.is_new(&number.to_string()));
        }
        assert_eq!(complaint.0.len(), REMEMBERED_MAX);
        assert!(complaint.is_new("0") && !complaint.is_new(&REMEMBERED_MAX.to_string()));
    }
}
