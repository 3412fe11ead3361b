//! How many connections there may be, in all and from one address.
//!
//! In: an address. Out: a permit that gives the place back when it is dropped, or nothing. An IPv6 host has a whole /64 to
//! call from, so that counts as one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::Counted;

/// Places for connections.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Places>);

#[derive(Debug)]
struct Places {
    max: usize,
    max_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One place, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Permit {
    places: Arc<Places>,
    address: IpAddr,
}

impl Admission {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Admission {
        Admission(Arc::new(Places { max, max_per_address, taken: Mutex::default() }))
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn admit(&self, address: IpAddr) -> Option<Permit> {
        let address = counted_as(address);
        let mut taken = self.0.taken();
        let theirs = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.total >= self.0.max || theirs >= self.0.max_per_address {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(address, theirs + 1);
        Some(Permit { places: Arc::clone(&self.0), address })
    }
}

/// A connection's place, and the connection as it is counted.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) permit: Permit,
    pub(crate) _counted: Counted,
}

impl Permit {
    /// What it was given for: an address as it is counted.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.total -= 1;
        if let Some(theirs) = taken.by_address.get_mut(&self.address) {
            *theirs -= 1;
            if *theirs == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an address counts as.
pub(crate) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a47_one_address_cannot_take_all_places() {
        let admission = Admission::new(4, 2);
        let mut first: Vec<_> = (0..3).filter_map(|_| admission.admit(address("192.0.2.1"))).collect();
        assert_eq!(first.len(), 2);
        let others: Vec<_> = (2..9).filter_map(|n| admission.admit(address(&format!("192.0.2.{n}")))).collect();
        assert_eq!(others.len(), 2);
        assert!(admission.admit(address("192.0.2.9")).is_none());
        first.pop();
        assert!(admission.admit(address("192.0.2.1")).is_some());
    }

    #[test]
    fn places_given_back_leave_nothing_behind() {
        let admission = Admission::new(4, 2);
        drop((admission.admit(address("192.0.2.1")), admission.admit(address("2001:db8::1"))));
        assert!(admission.0.taken().by_address.is_empty());
        assert_eq!(admission.0.taken().total, 0);
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_ipv4_count_as_one_address() {
        let admission = Admission::new(9, 1);
        let _first = admission.admit(address("2001:db8::1")).expect("a place");
        assert!(admission.admit(address("2001:db8::ffff")).is_none());
        let _other = admission.admit(address("2001:db8:0:1::1")).expect("a place");
        let _mapped = admission.admit(address("::ffff:192.0.2.1")).expect("a place");
        assert!(admission.admit(address("192.0.2.1")).is_none());
    }
}
