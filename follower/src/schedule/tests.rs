//! The schedule, with a fixed time and a seeded chance.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const RHYTHM: Rhythm = Rhythm {
    wait: Duration::from_secs(55),
    poll: Duration::from_secs(10),
    backoff_min: SECOND,
    backoff_max: Duration::from_secs(60),
    rest: Duration::from_secs(600),
};
const FAILED: Event = Event::Failed { retry_after: None };
const HELD: Event = Event::Unchanged { waits: true, took: Duration::from_secs(55) };
const EARLY: Event = Event::Unchanged { waits: true, took: Duration::ZERO };
const POLLED: Event = Event::Unchanged { waits: false, took: Duration::ZERO };

/// A schedule whose every step is taken at the very moment it names.
struct Run {
    schedule: Schedule,
    now: Instant,
    rng: Rng,
}

impl Run {
    fn of(bases: usize) -> Run {
        let now = Instant::now();
        Run { schedule: Schedule::new(bases, RHYTHM, now), now, rng: Rng::with_seed(42) }
    }

    /// Whom to ask next, and after how long.
    fn after(&mut self, event: Event) -> (usize, Duration) {
        let step = self.schedule.next_step(event, self.now, &mut self.rng);
        let delay = step.at - self.now;
        self.now = step.at;
        (step.base, delay)
    }

    fn delay_after(&mut self, event: Event) -> Duration {
        self.after(event).1
    }
}

const AT_ONCE: Duration = Duration::ZERO;

#[test]
fn a_server_that_holds_requests_is_asked_again_at_once() {
    let mut run = Run::of(1);
    assert_eq!(run.delay_after(Event::CaughtUp), AT_ONCE);
    for _ in 0..10 {
        assert_eq!(run.delay_after(HELD), AT_ONCE);
        assert_eq!(run.delay_after(Event::Unchanged { waits: true, took: RHYTHM.poll }), AT_ONCE);
    }
}

#[test]
fn a_server_that_only_says_it_holds_requests_is_polled() {
    let mut run = Run::of(1);
    assert!(run.delay_after(EARLY) <= 2 * SECOND, "one early answer may be a server that shuts down");
    for _ in 0..3 {
        run.after(EARLY);
    }
    for _ in 0..100 {
        assert!(run.delay_after(EARLY) >= RHYTHM.poll / 2);
    }
    run.after(HELD);
    assert!(run.delay_after(EARLY) <= 2 * SECOND);
}

#[test]
fn a_plain_server_is_polled_around_the_interval() {
    let mut run = Run::of(1);
    let delays: Vec<Duration> = (0..1000).map(|_| run.delay_after(POLLED)).collect();
    assert!(delays.iter().all(|delay| (RHYTHM.poll / 2..=RHYTHM.poll * 3 / 2).contains(delay)));
    let mean = delays.iter().sum::<Duration>() / 1000;
    assert!((RHYTHM.poll * 9 / 10..=RHYTHM.poll * 11 / 10).contains(&mean), "{mean:?}");
}

#[test]
fn a_failure_is_followed_by_the_next_base_at_once_and_a_failed_round_by_a_wait() {
    let mut run = Run::of(3);
    assert_eq!(run.after(FAILED), (1, AT_ONCE));
    assert_eq!(run.after(FAILED), (2, AT_ONCE));
    assert!(!run.schedule.step().round_failed);
    let (base, delay) = run.after(FAILED);
    assert_eq!(base, 0);
    assert!((SECOND..=2 * SECOND).contains(&delay), "{delay:?}");
    assert!(run.schedule.step().round_failed);
    assert_eq!(run.after(FAILED), (1, AT_ONCE));
    assert!(!run.schedule.step().round_failed);
}

#[test]
fn the_wait_between_rounds_grows_to_its_bound_and_starts_anew_after_a_success() {
    let mut run = Run::of(1);
    let delays: Vec<Duration> = (0..200).map(|_| run.delay_after(FAILED)).collect();
    for (round, delay) in delays.iter().enumerate() {
        let bound = SECOND.saturating_mul(1 << (round + 1).min(10)).min(RHYTHM.backoff_max);
        assert!((SECOND..=bound).contains(delay), "round {round}: {delay:?}");
    }
    assert!(delays.iter().any(|delay| *delay > RHYTHM.backoff_max / 2));
    run.after(HELD);
    assert!(run.delay_after(FAILED) <= 2 * SECOND);
}

#[test]
fn a_base_that_works_is_kept_until_a_better_one_has_rested() {
    let mut run = Run::of(2);
    let start = run.now;
    assert_eq!(run.after(FAILED).0, 1);
    while run.after(POLLED).0 == 1 {}
    let stayed = run.now - start;
    assert!((RHYTHM.rest / 2..=RHYTHM.rest * 3 / 2 + RHYTHM.poll * 2).contains(&stayed), "{stayed:?}");
    assert_eq!(run.after(FAILED), (1, AT_ONCE), "still dead: back to the one that works");
}

#[test]
fn a_pointer_that_nobody_has_is_polled_for() {
    let mut run = Run::of(2);
    assert_eq!(run.after(Event::Absent), (1, AT_ONCE));
    for _ in 0..20 {
        let delay = run.delay_after(FAILED);
        assert!(run.schedule.step().round_failed);
        assert!((RHYTHM.poll / 2..=RHYTHM.poll * 3 / 2).contains(&delay), "{delay:?}");
        run.after(Event::Absent);
    }
}

#[test]
fn retry_after_is_honoured_up_to_its_cap() {
    let busy = |seconds| Event::Failed { retry_after: Some(Duration::from_secs(seconds)) };
    let mut alone = Run::of(1);
    let delay = alone.delay_after(busy(20));
    assert!((20 * SECOND..=30 * SECOND).contains(&delay), "{delay:?}");
    let delay = alone.delay_after(busy(u64::MAX));
    assert!((RETRY_AFTER_MAX..=RETRY_AFTER_MAX * 3 / 2).contains(&delay), "{delay:?}");

    let mut pair = Run::of(2);
    assert_eq!(pair.after(busy(20)), (1, AT_ONCE));
    let (base, delay) = pair.after(FAILED);
    assert_eq!(base, 1, "the first asked to be left alone, so the second is asked again");
    assert!(delay <= 2 * SECOND);
}

#[test]
fn doubt_changes_whom_to_ask_but_not_when() {
    let mut run = Run::of(2);
    let step = run.schedule.next_step(POLLED, run.now, &mut run.rng);
    let doubted = run.schedule.next_step(Event::Doubted, run.now, &mut run.rng);
    assert_eq!(doubted, Step { base: 1, ..step });
    run.now = doubted.at;
    let step = run.schedule.next_step(POLLED, run.now, &mut run.rng);
    let doubted = run.schedule.next_step(Event::Doubted, run.now, &mut run.rng);
    assert_eq!(doubted, Step { base: 0, ..step }, "with everybody in doubt they take turns");
}

#[test]
fn no_rhythm_and_no_chance_can_overflow() {
    let longest = Rhythm {
        wait: Duration::MAX,
        poll: Duration::MAX,
        backoff_min: Duration::MAX,
        backoff_max: Duration::MAX,
        rest: Duration::MAX,
    };
    let now = Instant::now();
    let mut rng = Rng::with_seed(7);
    for event in [POLLED, EARLY, FAILED, Event::Absent, Event::Doubted, Event::CaughtUp] {
        Schedule::new(1, longest, now).next_step(event, now, &mut rng);
    }
}
