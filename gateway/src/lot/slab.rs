//! Entries side by side, found by an index; places that became free are taken again.

use super::deadlines::Tick;
use super::entry::Entry;

/// Names one entry. When its place is taken by another one, this names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) index: u32,
    era: u32,
}

/// All entries of a shard.
#[derive(Debug, Default)]
pub(super) struct Slab {
    places: Vec<Spot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Spot {
    era: u32,
    /// For when there is a record about this place, whoever is in it.
    filed: Tick,
    entry: Option<Entry>,
}

impl Token {
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.era) << 32 | u64::from(self.index)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half is what it says")]
    pub(super) fn from_bits(bits: u64) -> Token {
        Token { index: bits as u32, era: (bits >> 32) as u32 }
    }
}

impl Slab {
    pub(super) fn insert(&mut self, entry: Entry) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Spot { era: 0, filed: Tick::NEVER, entry: None });
            u32::try_from(self.places.len() - 1).expect("there are fewer sockets than that")
        });
        let spot = &mut self.places[index as usize];
        spot.entry = Some(entry);
        Token { index, era: spot.era }
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Entry> {
        let spot = self.places.get_mut(index as usize)?;
        let entry = spot.entry.take()?;
        spot.era = spot.era.wrapping_add(1);
        self.free.push(index);
        Some(entry)
    }

    /// Whether what `token` names is still there.
    pub(super) fn holds(&self, token: Token) -> bool {
        self.places.get(token.index as usize).is_some_and(|spot| spot.era == token.era && spot.entry.is_some())
    }

    pub(super) fn entry(&mut self, index: u32) -> Option<&mut Entry> {
        self.places.get_mut(index as usize)?.entry.as_mut()
    }

    /// The record that there is about a place.
    pub(super) fn filed(&mut self, index: u32) -> &mut Tick {
        &mut self.places[index as usize].filed
    }

    pub(super) fn token(&self, index: u32) -> Token {
        Token { index, era: self.places[index as usize].era }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    /// The places of those who are there now.
    pub(super) fn taken(&self) -> Vec<u32> {
        (0..).zip(&self.places).filter(|(_, spot)| spot.entry.is_some()).map(|(index, _)| index).collect()
    }
}
