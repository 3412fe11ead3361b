//! What happens next: events in the order of their time, and of those at the same time the one first that was put in first.
//!
//! A calendar: a ring of days of about a millisecond each, of which only the present one is kept sorted. A heap over a million
//! events that are seconds away would miss the cache at every turn; here almost all of them are put down once and picked up once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Moment;

/// Events that are still to happen.
pub(crate) struct Queue<E> {
    ring: Vec<Vec<Entry<E>>>,
    /// How many are in the ring.
    ringed: usize,
    /// The present day's, sorted.
    today: BinaryHeap<Reverse<Entry<E>>>,
    /// Those for which the ring is too short.
    far: BinaryHeap<Reverse<Entry<E>>>,
    day: u64,
    put: u64,
}

struct Entry<E> {
    at: Moment,
    number: u64,
    event: E,
}

impl<E> Entry<E> {
    fn key(&self) -> (Moment, u64) {
        (self.at, self.number)
    }

    fn day(&self) -> u64 {
        self.at.micros() >> DAY_BITS
    }
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        let ring = (0..DAYS).map(|_| Vec::new()).collect();
        Queue { ring, ringed: 0, today: BinaryHeap::new(), far: BinaryHeap::new(), day: 0, put: 0 }
    }

    /// Lets `event` happen at that moment, or now if that is over.
    pub(crate) fn put(&mut self, at: Moment, event: E) {
        self.put += 1;
        self.place(Entry { at, number: self.put, event });
    }

    /// What happens next, and when.
    pub(crate) fn next(&mut self) -> Option<(Moment, E)> {
        while self.today.is_empty() {
            self.turn_the_page()?;
        }
        self.today.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }

    fn place(&mut self, entry: Entry<E>) {
        let day = entry.day();
        if day <= self.day {
            self.today.push(Reverse(entry));
        } else if day - self.day < DAYS {
            self.ring[place(day)].push(entry);
            self.ringed += 1;
        } else {
            self.far.push(Reverse(entry));
        }
    }

    fn turn_the_page(&mut self) -> Option<()> {
        self.day = match self.ringed {
            0 => self.far.peek()?.0.day(),
            _ => self.day + 1,
        };
        while self.far.peek().is_some_and(|Reverse(entry)| entry.day() - self.day < DAYS) {
            let Some(Reverse(entry)) = self.far.pop() else { break };
            self.place(entry);
        }
        let page = &mut self.ring[place(self.day)];
        self.ringed -= page.len();
        self.today.extend(page.drain(..).map(Reverse));
        Some(())
    }
}

fn place(day: u64) -> usize {
    usize::try_from(day % DAYS).expect("a ring fits into memory")
}

/// A day is 1.024 ms.
const DAY_BITS: u32 = 10;
/// More than two minutes: longer than any poll is held.
const DAYS: u64 = 1 << 17;

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_then_as_they_were_put() {
        let mut queue = Queue::new();
        let mut rng = fastrand::Rng::with_seed(5);
        let (mut expected, mut number, mut got) = (Vec::new(), 0_u64, Vec::new());
        let mut put = |queue: &mut Queue<u64>, at: u64| {
            expected.push((Moment::from_micros(at), number));
            queue.put(Moment::from_micros(at), number);
            number += 1;
        };
        for _ in 0..2_000 {
            // The same moment often, and some beyond the ring.
            put(&mut queue, rng.u64(0..400) * 1_000_000);
            put(&mut queue, rng.u64(0..3_000));
        }
        for _ in 0..1_000 {
            let (now, event) = queue.next().expect("there are more");
            got.push((now, event));
            put(&mut queue, now.micros() + rng.u64(0..200_000_000));
        }
        got.extend(std::iter::from_fn(|| queue.next()));
        expected.sort();
        assert_eq!(got, expected);
    }
}
