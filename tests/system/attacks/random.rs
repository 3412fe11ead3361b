//! A thousand runs by chance: a proxy that does anything of A01 to A27 to any answer, while honest news goes on behind it.
//!
//! Each seed says what is published and what is done to each answer, in the order of asking. Agents are real processes that live
//! through many seeds each, so that every run begins in a state that others left. `DRIFTLESS_TEST_SEEDS` says how many seeds there
//! are (default 120), `DRIFTLESS_TEST_SEED` which one to begin with.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use schema::keys::SecretKey;
use schema::{Digest, Epoch};

use super::arena::{Arena, Served, Setup};
use super::forge::role;
use super::mischief::{Evil, mischief};

/// Seeds that one agent lives through.
const ROUNDS: u64 = 10;
/// Agents at a time.
const AGENTS: u64 = 12;
/// How long one scene of a run may take when the agent asks for nothing.
const SCENE_MAX: Duration = Duration::from_millis(400);
/// What an agent may ever need, whatever it is sent: the program itself, the 8 MiB that a frame may ask for, a queue of 1 MiB before
/// the disk, and documents of at most 64 KiB. One endless answer alone offers ten times as much.
const PEAK_MAX_KIB: u64 = 64 << 10;

/// What all runs together came to.
#[derive(Default)]
struct Tally {
    publications: AtomicU64,
    switches: AtomicU64,
    answers: AtomicU64,
    peak_kib: AtomicU64,
}

/// Names the seed at hand when its run fails.
struct Run(u64);

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "failed with seed {}; repeat it with DRIFTLESS_TEST_SEED={} DRIFTLESS_TEST_SEEDS=1",
                self.0, self.0
            );
        }
    }
}

#[test]
fn a01_to_a27_by_chance_never_switch_an_agent_to_anything_unsigned_and_end_when_the_proxy_turns_honest() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("DRIFTLESS_TEST_SEED").unwrap_or(0);
    let count = number("DRIFTLESS_TEST_SEEDS").unwrap_or(120);
    let seeds = Mutex::new((first..first + count).step_by(ROUNDS as usize));
    let tally = Tally::default();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AGENTS.min(count.div_ceil(ROUNDS)) {
            scope.spawn(|| {
                loop {
                    let Some(from) = seeds.lock().expect("no run panics while it holds this").next() else { return };
                    one_agent(from..(from + ROUNDS).min(first + count), &tally);
                }
            });
        }
    });
    let read = |number: &AtomicU64| number.load(Ordering::SeqCst);
    eprintln!(
        "{count} seeds from {first}: {} answers by chance, {} publications, {} switches seen, all to what was published and none \
         back; every run ended on the newest; at most {} KiB resident; {:.0?}",
        read(&tally.answers),
        read(&tally.publications),
        read(&tally.switches),
        read(&tally.peak_kib),
        begun.elapsed(),
    );
    assert!(read(&tally.switches) > 0, "agents got somewhere");
}

/// One agent, and what it lives through.
fn one_agent(seeds: std::ops::Range<u64>, tally: &Tally) {
    let mut rng = Rng::with_seed(seeds.start);
    let served = if rng.bool() { Served::ByGateway } else { Served::AsFiles };
    let wait = if rng.bool() { "2s" } else { "0s" };
    let mut arena = Arena::with(Setup { mirrors: 1 + rng.usize(..2), served, wait }, |_| ());
    let mut observed = Observed::default();
    for seed in seeds {
        let _run = Run(seed);
        one_run(&mut arena, &mut observed, seed, tally);
    }
    let panics = arena.agent.log().iter().filter(|line| line.contains("panicked")).count();
    assert_eq!(panics, 0, "the agent panicked");
    tally.switches.fetch_add(observed.digests.len() as u64 - 1, Ordering::SeqCst);
    tally.answers.fetch_add(arena.proxies.iter().map(super::proxy::Proxy::asked).sum(), Ordering::SeqCst);
}

fn one_run(arena: &mut Arena, observed: &mut Observed, seed: u64, tally: &Tally) {
    let mut rng = Rng::with_seed(seed);
    let evil = Arc::new(Evil::new(&arena.forge, &mut rng));
    for proxy in &arena.proxies {
        let (evil, chance) = (Arc::clone(&evil), Mutex::new(rng.fork()));
        proxy.turn(move |request, honest| {
            let mut rng = chance.lock().expect("no script panics").fork();
            mischief(&mut rng, request, honest, &evil)
        });
    }
    for _ in 0..=rng.usize(..3) {
        happens(arena, &mut rng, tally);
        evil.learn(&arena.forge, &mut rng);
        scene(arena, observed, rng.u64(1..6));
    }
    if rng.u8(..10) == 0 {
        bounded(arena, tally);
        arena.restart_agent();
        scene(arena, observed, 2);
    }
    for proxy in &arena.proxies {
        proxy.turn_honest();
    }
    arena.publish();
    let newest = arena.forge.newest().stable.digest;
    crate::world::eventually(&format!("seed {seed}: convergence"), || {
        observed.look(arena);
        arena.runs() == Some(newest)
    });
    arena.assert_proven(newest);
    assert!(arena.agent.is_running(), "the agent has ended");
    bounded(arena, tally);
}

/// Something honest happens behind the proxy.
fn happens(arena: &mut Arena, rng: &mut Rng, tally: &Tally) {
    tally.publications.fetch_add(1, Ordering::SeqCst);
    match rng.u8(..12) {
        0 => drop(arena.forge.resign()),
        1 => {
            let epoch = if rng.bool() { arena.forge.root.epoch.next() } else { None };
            arena.forge.keys.pointer = SecretKey::generate();
            let fresh = role(&[&arena.forge.keys.pointer], 1);
            arena.forge.rotate_by_root(|root| {
                root.pointer = fresh;
                root.epoch = epoch.unwrap_or(root.epoch).max(Epoch::FIRST);
            });
            arena.publish();
        }
        _ => drop(arena.publish()),
    }
}

/// Lets the agent ask `times`, and looks at what it runs meanwhile.
fn scene(arena: &Arena, observed: &mut Observed, times: u64) {
    let asked = || arena.proxies.iter().map(super::proxy::Proxy::asked).sum::<u64>();
    let (before, begun) = (asked(), Instant::now());
    while asked() < before + times && begun.elapsed() < SCENE_MAX {
        observed.look(arena);
        std::thread::park_timeout(Duration::from_millis(2));
    }
    observed.look(arena);
}

fn bounded(arena: &Arena, tally: &Tally) {
    let peak = arena.peak_kib();
    tally.peak_kib.fetch_max(peak, Ordering::SeqCst);
    assert!(peak < PEAK_MAX_KIB, "the agent needed {peak} KiB");
}

/// What `current` was ever seen to name.
#[derive(Default)]
struct Observed {
    /// Its place among all publications.
    newest: usize,
    digests: BTreeSet<Digest>,
}

impl Observed {
    /// Every version that runs was published, and none runs again after a newer one.
    fn look(&mut self, arena: &Arena) {
        let Some(digest) = arena.runs() else { return };
        let place = arena.forge.published().iter().rposition(|(_, published)| *published == digest);
        let place = place.unwrap_or_else(|| panic!("{digest} runs, and was never published"));
        assert!(place >= self.newest, "{digest} runs again after a newer one");
        self.newest = place;
        self.digests.insert(digest);
    }
}
