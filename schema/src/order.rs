//! A pointer's place in order: epoch, then generation, then serial.
//!
//! Epoch grows when keys are recovered, generation with every change, serial with every freshness re-signing. The tuple
//! compares lexicographically, and no two pointers of one (app, region) share one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $type:ident, $first:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(u64);

        impl $type {
            /// Where counting starts.
            pub const FIRST: $type = $type($first);

            /// Wraps a number read from a signed document or a name.
            pub const fn new(number: u64) -> $type {
                $type(number)
            }

            /// The bare number.
            pub const fn number(self) -> u64 {
                self.0
            }

            /// The one after, or nothing at the end of the numbers.
            pub const fn next(self) -> Option<$type> {
                match self.0.checked_add(1) {
                    Some(number) => Some($type(number)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Grows by one when pointer keys are recovered; equals the epoch of the trust root in force.
    Epoch, 1
}
counter! {
    /// Grows by one with every change of what a region runs.
    Generation, 1
}
counter! {
    /// Grows by one with every freshness re-signing of one generation.
    Serial, 1
}

/// Where a pointer stands among all pointers of its app and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order {
    /// See [`Epoch`].
    pub epoch: Epoch,
    /// See [`Generation`].
    pub generation: Generation,
    /// See [`Serial`].
    pub serial: Serial,
}

impl Order {
    /// The first pointer a region ever has.
    pub const FIRST: Order = Order { epoch: Epoch::FIRST, generation: Generation::FIRST, serial: Serial::FIRST };

    /// The order of a change: next generation, first serial. Nothing once the generations are used up.
    pub const fn next_generation(self) -> Option<Order> {
        match self.generation.next() {
            Some(generation) => Some(Order { epoch: self.epoch, generation, serial: Serial::FIRST }),
            None => None,
        }
    }

    /// The order of a freshness re-signing: same generation, next serial.
    pub const fn next_serial(self) -> Option<Order> {
        match self.serial.next() {
            Some(serial) => Some(Order { serial, ..self }),
            None => None,
        }
    }

    /// Whether both are re-signings of one generation of one epoch.
    pub fn same_generation(self, other: Order) -> bool {
        (self.epoch, self.generation) == (other.epoch, other.generation)
    }

    /// The name of the history record, zero-padded so that a listing sorts: `0000000001-00000000000000000042-0000000003`.
    pub fn record_name(self) -> String {
        format!("{:010}-{:020}-{:010}", self.epoch.0, self.generation.0, self.serial.0)
    }
}

impl fmt::Display for Order {
    /// Writes the short form of trusted comments: `e1 g42 s3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{} g{} s{}", self.epoch, self.generation, self.serial)
    }
}

/// Says that a text is not the name of a history record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the name of a history record", .0.escape_debug())]
pub struct InvalidRecordName(String);

impl FromStr for Order {
    type Err = InvalidRecordName;

    /// Reads what [`Order::record_name`] writes, and only that.
    fn from_str(name: &str) -> Result<Self, InvalidRecordName> {
        let refuse = || InvalidRecordName(name.chars().take(80).collect());
        let mut numbers = name.split('-').map(|part| part.parse().ok());
        let mut next = || numbers.next().flatten().ok_or_else(refuse);
        let order = Order { epoch: Epoch(next()?), generation: Generation(next()?), serial: Serial(next()?) };
        // One spelling per order: no missing padding, no sign, no fourth number.
        if order.record_name() == name { Ok(order) } else { Err(refuse()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(epoch: u64, generation: u64, serial: u64) -> Order {
        Order { epoch: Epoch(epoch), generation: Generation(generation), serial: Serial(serial) }
    }

    #[test]
    fn epoch_counts_before_generation_before_serial() {
        assert!(order(2, 1, 1) > order(1, 99, 99));
        assert!(order(1, 2, 1) > order(1, 1, 99));
        assert!(order(1, 1, 2) > order(1, 1, 1));
        assert_eq!(order(1, 4, 7).next_generation(), Some(order(1, 5, 1)));
        assert_eq!(order(1, 4, 7).next_serial(), Some(order(1, 4, 8)));
        assert_eq!(order(1, u64::MAX, 7).next_generation(), None);
    }

    #[test]
    fn record_names_sort_as_orders_do() {
        let orders = [order(1, 9, 1), order(1, 10, 1), order(1, 10, 2), order(2, 1, 1), order(10, 1, 1)];
        let names: Vec<String> = orders.iter().map(|order| order.record_name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for (order, name) in orders.iter().zip(&names) {
            assert_eq!(name.parse(), Ok(*order));
        }
    }

    #[test]
    fn a_record_name_has_one_spelling() {
        for bad in
            ["", "1-1-1", "+000000001-00000000000000000001-0000000001", "0000000001-00000000000000000001-0000000001-1"]
        {
            assert!(bad.parse::<Order>().is_err(), "{bad:?}");
        }
    }
}
