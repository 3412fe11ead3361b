//! Tables of finite state entropy (RFC 8878, section 4.1), as far as encoding with the predefined ones needs them.

use std::sync::LazyLock;

/// A table: a reader who is in one of its states gets that state's symbol, then reads some bits to know the next state.
pub(super) struct Table {
    /// There are `1 << accuracy_log` states.
    pub(super) accuracy_log: u32,
    states: Vec<State>,
}

/// A state, and the states that may follow: those from `first` on, as many as `bits` bits can tell apart.
struct State {
    symbol: u8,
    bits: u32,
    first: u32,
}

/// What takes a reader from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The state that it starts from.
    pub(super) state: u32,
    /// What is to be read there.
    pub(super) value: u32,
    /// How many bits that takes.
    pub(super) bits: u32,
}

impl Table {
    /// A table of one state: every symbol is `symbol`, and nothing has to be read to know it.
    pub(super) fn only(symbol: u8) -> Table {
        Table { accuracy_log: 0, states: vec![State { symbol, bits: 0, first: 0 }] }
    }

    /// Spreads symbols over the states, each as often as it is `probable`; -1 stands for less than once.
    fn spread(accuracy_log: u32, probable: &[i8]) -> Table {
        let size = 1_usize << accuracy_log;
        let mut symbols = vec![0; size];
        let mut free = size;
        for (symbol, _) in probable.iter().enumerate().filter(|(_, times)| **times == -1) {
            free -= 1;
            symbols[free] = symbol as u8;
        }
        let mut at = 0;
        for (symbol, times) in probable.iter().enumerate() {
            for _ in 0..*times {
                symbols[at] = symbol as u8;
                at = next_place(at, size);
                while at >= free {
                    at = next_place(at, size);
                }
            }
        }
        let mut seen: Vec<u32> = probable.iter().map(|times| times.unsigned_abs().into()).collect();
        let states = symbols.into_iter().map(|symbol| {
            let nth = seen[usize::from(symbol)];
            seen[usize::from(symbol)] += 1;
            let bits = accuracy_log - nth.ilog2();
            State { symbol, bits, first: (nth << bits) - size as u32 }
        });
        Table { accuracy_log, states: states.collect() }
    }

    /// A state that gives `symbol`, for where nothing follows.
    pub(super) fn last(&self, symbol: u8) -> u32 {
        let state = self.states.iter().position(|state| state.symbol == symbol);
        state.expect("a symbol that the table has") as u32
    }

    /// The state that gives `symbol` and can be followed by the state `next`.
    pub(super) fn step(&self, symbol: u8, next: u32) -> Step {
        let leads = |state: &State| state.symbol == symbol && next.wrapping_sub(state.first) >> state.bits == 0;
        let at = self.states.iter().position(leads).expect("from each symbol that the table has one leads everywhere");
        let State { bits, first, .. } = self.states[at];
        Step { state: at as u32, value: next - first, bits }
    }
}

/// Visits every place once, far apart.
fn next_place(at: usize, size: usize) -> usize {
    (at + (size >> 1) + (size >> 3) + 3) & (size - 1)
}

/// For codes of literals lengths.
pub(super) static LITERALS: LazyLock<Table> = LazyLock::new(|| {
    let often = [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1];
    Table::spread(6, &[&often[..], &[-1; 4]].concat())
});

/// For codes of offsets, of up to 28.
pub(super) static OFFSETS: LazyLock<Table> = LazyLock::new(|| {
    let often = [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
    Table::spread(5, &[&often[..], &[-1; 5]].concat())
});

/// For codes of match lengths.
pub(super) static MATCHES: LazyLock<Table> = LazyLock::new(|| {
    let often = [&[1, 4, 3, 2, 2, 2, 2, 2, 2][..], &[1; 37]].concat();
    Table::spread(6, &[&often[..], &[-1; 7]].concat())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_leads_to_every_state() {
        for (table, symbols) in [(&LITERALS, 36), (&OFFSETS, 29), (&MATCHES, 53)] {
            let size = 1 << table.accuracy_log;
            assert_eq!(table.states.len(), size as usize);
            for symbol in 0..symbols {
                for next in 0..size {
                    let step = table.step(symbol, next);
                    assert!(step.value >> step.bits == 0);
                }
            }
        }
    }
}
