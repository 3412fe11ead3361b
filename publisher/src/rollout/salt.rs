//! Draws lots: who comes in which wave.
//!
//! In: the agents that are known when a rollout begins. Out: a salt for their slots, and what the share of each wave comes to in
//! each region, so that with those agents every wave means at least one of them wherever it goes, and never more than it says.
//! A hash alone would not do that: 1% of 67 agents is none as often as it is two.

use std::collections::BTreeMap;

use schema::pointer::{FULL_SHARE, Member, slot};
use schema::rollout::{Policy, Share};
use schema::{Digest, Region};

use super::census::count;
use super::waves;

/// An agent that draws.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lot<'a> {
    pub(super) member: Member<'a>,
    pub(super) standing: Standing,
}

/// Whether an agent counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    Counts,
    /// It is in quarantine. It may come out of it in the middle of a wave, and must not be one too many then.
    Held,
}

impl Lot<'_> {
    pub(super) fn counts(&self) -> bool {
        self.standing == Standing::Counts
    }
}

/// A salt, and the shares that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    pub(super) salt: Box<str>,
    pub(super) shares: BTreeMap<Region, Vec<Share>>,
    /// How far the shares are from the policy's own.
    bent: usize,
}

/// Draws for these agents: of some hundred salts, that which bends the fewest shares.
pub(super) fn draw(seed: &str, policy: &Policy, agents: &BTreeMap<&Region, Vec<Lot<'_>>>) -> Draw {
    let known: usize = agents.values().map(Vec::len).sum();
    let tries = (HASHES / known.max(1)).max(1);
    let mut best = attempt(seed.into(), policy, agents);
    for number in 1..tries {
        if best.bent == 0 {
            break;
        }
        let salt = Digest::of(format!("salt\0{seed}\0{number}").as_bytes()).short();
        let other = attempt(salt.into(), policy, agents);
        if other.bent < best.bent {
            best = other;
        }
    }
    best
}

fn attempt(salt: Box<str>, policy: &Policy, agents: &BTreeMap<&Region, Vec<Lot<'_>>>) -> Draw {
    let mut draw = Draw { salt, shares: BTreeMap::new(), bent: 0 };
    for (region, lots) in agents {
        let slots: Vec<u16> = lots.iter().map(|lot| slot(&draw.salt, lot.member.agent)).collect();
        let mut shares: Vec<Share> = policy.waves.iter().map(|wave| wave.share).collect();
        for index in waves::of(policy, region) {
            let wave = &policy.waves[index];
            let meant = lots.iter().zip(&slots).filter(|(lot, _)| wave.when.matches(lot.member.labels));
            let (fitted, bent) = fit(meant.map(|(lot, slot)| (*slot, lot.standing)).collect(), wave.share);
            draw.bent += bent;
            shares[index] = fitted;
        }
        draw.shares.insert(Region::clone(region), shares);
    }
    draw
}

/// The share nearest to `share` that means at least one of the agents in these slots that count, and no more than `share` is of
/// all that count, those that are held among them; and how bad it is.
fn fit(mut slots: Vec<(u16, Standing)>, share: Share) -> (Share, usize) {
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    let counting = || slots.iter().filter(|(_, standing)| *standing == Standing::Counts);
    let most = share.of_rounded_up(count(counting().count()));
    let means = |limit: u16| count(slots.partition_point(|(slot, _)| *slot < limit));
    let Some((lowest, _)) = counting().next() else { return (share, 0) };
    let needed = lowest + 1;
    if share.0 >= FULL_SHARE || (share.0 >= needed && means(share.0) <= most) {
        (share, 0)
    } else if means(needed) > most {
        // Somebody else has the same slot, or one below: then nobody comes, rather than too many.
        (Share(slots[0].0.min(share.0)), 64)
    } else if share.0 < needed {
        // It means more of the agents that are not known yet than the policy says.
        (Share(needed), 8)
    } else {
        let first_too_many = usize::try_from(most).expect("no more than there are slots");
        (Share(slots[first_too_many].0), 1)
    }
}

/// As many slots are hashed as take no time worth speaking of; at least one salt is tried whatever the fleet.
const HASHES: usize = 50_000;
