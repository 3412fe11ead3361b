//! What moves: requests by the second, and bytes by what they are, at each layer.

use crate::clock::Moment;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// The publisher's own gateway, and the bucket.
    Origin,
    /// The caches of a CDN.
    Cdn,
    /// Gateways that hang on the publisher's and have others below.
    Roots,
    /// Gateways that agents ask.
    Leaves,
}

/// What an answer brings, or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cargo {
    /// That there is nothing new.
    Nothing,
    Pointer,
    Manifest,
    Patch,
    Whole,
    /// What agents say, on its way up.
    Acks,
}

impl Layer {
    pub(crate) const ALL: [Layer; 4] = [Layer::Origin, Layer::Cdn, Layer::Roots, Layer::Leaves];
}

impl Cargo {
    pub(crate) const ALL: [Cargo; 6] =
        [Cargo::Nothing, Cargo::Pointer, Cargo::Manifest, Cargo::Patch, Cargo::Whole, Cargo::Acks];
}

/// All that moved at one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    /// Requests, by the second.
    pub(crate) requests: Vec<u32>,
    /// Acks that came in, by the second.
    pub(crate) acks: Vec<u32>,
    /// How often, and how many bytes, by what they are.
    pub(crate) cargo: [(u64, u64); Cargo::ALL.len()],
}

/// All that moved.
#[derive(Default)]
pub(crate) struct Traffic {
    layers: [Moved; Layer::ALL.len()],
}

impl Traffic {
    /// Somebody asks.
    pub(crate) fn request(&mut self, layer: Layer, now: Moment) {
        count(&mut self.layers[layer as usize].requests, now, 1);
    }

    /// Acks arrive, in one request.
    pub(crate) fn acks(&mut self, layer: Layer, now: Moment, acks: u32, bytes: u64) {
        self.request(layer, now);
        count(&mut self.layers[layer as usize].acks, now, acks);
        self.cargo(layer, Cargo::Acks, u64::from(acks), bytes);
    }

    /// Something is sent.
    pub(crate) fn cargo(&mut self, layer: Layer, cargo: Cargo, times: u64, bytes: u64) {
        let (number, sum) = &mut self.layers[layer as usize].cargo[cargo as usize];
        (*number, *sum) = (*number + times, *sum + bytes);
    }

    pub(crate) fn of(&self, layer: Layer) -> &Moved {
        &self.layers[layer as usize]
    }

    /// From here on it counts: what moved before was only to get going.
    pub(crate) fn begin(&mut self) {
        for layer in &mut self.layers {
            layer.cargo = Default::default();
        }
    }
}

fn count(seconds: &mut Vec<u32>, now: Moment, more: u32) {
    let second = now.second();
    if seconds.len() <= second {
        seconds.resize(second + 1, 0);
    }
    seconds[second] += more;
}
