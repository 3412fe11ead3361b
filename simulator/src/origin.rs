//! What the publisher has announced: every pointer of every region, really signed, once each.
//!
//! In: what a region is to run, and when. Out: its next pointer, by its number in the region, counted from zero. Bundles go by the number of
//! the commit that they are from; zero is what everyone runs at the beginning.

use std::collections::BTreeMap;
use std::time::Duration;

use publisher::rollout::{Departure, Wanted};
use schema::keys::{RoleKeys, SecretKey};
use schema::pointer::{Cause, Deed, Target};
use schema::{App, CommitId, Digest, Epoch, Order, Pointer, Region, Timestamp, TrustRoot, Verified};

use crate::clock::Moment;

/// Everything that was ever announced.
pub(crate) struct Origin {
    pub(crate) app: App,
    pub(crate) root: TrustRoot,
    key: SecretKey,
    regions: Vec<Place>,
    bundles: Vec<Target>,
    numbers: BTreeMap<Digest, u16>,
}

struct Place {
    region: Region,
    pointers: Vec<Verified<Pointer>>,
    /// The newest that is in the bucket, where it may take a while to get.
    stored: u32,
}

impl Origin {
    /// The first generation of each region, which everyone runs.
    pub(crate) fn new(app: App, regions: Vec<Region>, commits: u16) -> Origin {
        let key = SecretKey::generate();
        let bundle = |number: u16| Target {
            digest: Digest::of(format!("bundle {number}").as_bytes()),
            manifest: Digest::of(format!("manifest {number}").as_bytes()),
        };
        let bundles: Vec<Target> = (0..=commits).map(bundle).collect();
        let numbers = bundles.iter().zip(0..).map(|(target, number)| (target.digest, number)).collect();
        let root = root(&key);
        let places = regions.into_iter().map(|region| Place { region, pointers: Vec::new(), stored: 0 }).collect();
        let mut origin = Origin { app, root, key, regions: places, bundles, numbers };
        let first = Wanted {
            stable: origin.bundles[0],
            commit: commit(0),
            candidate: None,
            cause: Cause::own(Deed::Begin, "the first commit"),
        };
        for region in 0..origin.regions.len() {
            origin.announce(region, first.clone(), Moment::START);
        }
        origin
    }

    pub(crate) fn regions(&self) -> usize {
        self.regions.len()
    }

    pub(crate) fn region(&self, region: usize) -> &Region {
        &self.regions[region].region
    }

    pub(crate) fn pointer(&self, region: usize, version: u32) -> &Verified<Pointer> {
        &self.regions[region].pointers[version as usize]
    }

    /// The number of the newest pointer, whether it is in the bucket yet or not.
    pub(crate) fn newest(&self, region: usize) -> u32 {
        u32::try_from(self.regions[region].pointers.len() - 1).expect("a run has fewer generations than that")
    }

    /// The number of the newest pointer in the bucket.
    pub(crate) fn stored(&self, region: usize) -> u32 {
        self.regions[region].stored
    }

    /// From now on the bucket has it.
    pub(crate) fn store(&mut self, region: usize, version: u32) {
        self.regions[region].stored = version;
    }

    /// The bundle of a commit.
    pub(crate) fn bundle(&self, commit: u16) -> Target {
        self.bundles[usize::from(commit)]
    }

    /// The commit that a bundle is from.
    pub(crate) fn number(&self, bundle: &Digest) -> u16 {
        self.numbers[bundle]
    }

    /// Signs the next generation of a region.
    pub(crate) fn announce(&mut self, region: usize, wanted: Wanted, at: Moment) -> u32 {
        let Wanted { stable, commit, candidate, cause } = wanted;
        let place = &mut self.regions[region];
        let before = place.pointers.last();
        let order = before.map_or(Order::FIRST, |before| {
            before.order().next_generation().expect("a run has fewer generations than there are numbers")
        });
        let pointer = Pointer {
            app: self.app.clone(),
            region: place.region.clone(),
            epoch: order.epoch,
            generation: order.generation,
            serial: order.serial,
            issued: at.timestamp(),
            // No run is that long, so nothing has to be signed afresh.
            expires: at.timestamp().after(VALID),
            prev: before.map(Verified::payload_digest),
            trace: Some(format!("00-{:032x}-{:016x}-01", at.micros(), at.micros()).into()),
            commit,
            stable,
            candidate,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: Some(cause),
        };
        place.pointers.push(Verified::seal(pointer, &[&self.key]));
        self.newest(region)
    }

    /// What everyone gets at once.
    pub(crate) fn at_once(&self, number: u16) -> Wanted {
        let cause = Cause::own(Deed::Complete, "published");
        Wanted { stable: self.bundle(number), commit: commit(number), candidate: None, cause }
    }

    /// What a rollout of a commit changes, region by region.
    pub(crate) fn departures(&self, number: u16) -> BTreeMap<Region, Departure> {
        let departure = |place: &Place| {
            let newest = place.pointers.last().expect("every region has a first one");
            let (from, from_commit) = (newest.stable, newest.commit.clone());
            (place.region.clone(), Departure { from, from_commit, to: self.bundle(number), based_on: newest.order() })
        };
        self.regions.iter().map(departure).collect()
    }
}

/// The id of a commit.
pub(crate) fn commit(number: u16) -> CommitId {
    format!("{number:040x}").parse().expect("forty hex digits")
}

fn root(key: &SecretKey) -> TrustRoot {
    let role = RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
    TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: Moment::START.timestamp(),
        expires: Timestamp::UNIX_EPOCH.after(Duration::MAX),
        release_floor: 0,
        revoked: Vec::new(),
        root: role.clone(),
        release: role.clone(),
        pointer: role,
        pointer_of_region: BTreeMap::new(),
    }
}

const VALID: Duration = Duration::from_secs(400 * 24 * 60 * 60);
