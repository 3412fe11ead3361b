//! What a publisher may say, look after look, and what a pipeline hears.

use schema::pointer::{Cause, Deed};
use schema::status::{
    GenerationSummary, HeldStatus, LegStatus, PointerStatus, PublisherProblem, PublisherStatus, RegionSummary,
    SourceStatus,
};
use schema::{Digest, Epoch, Generation, Serial, Timestamp};

use super::*;

fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().expect("a commit")
}

/// App `web` in `region`, at the commit, with so many agents that run it of so many.
fn region(name: &str, at: char, (applied, known): (u64, u64)) -> RegionStatus {
    let digest = Digest::of(at.to_string().as_bytes());
    let generation = Generation::new(7);
    let mut summary = GenerationSummary::new(Epoch::FIRST, generation, digest);
    summary.applied = applied;
    let pointer = PointerStatus {
        epoch: Epoch::FIRST,
        generation,
        serial: Serial::FIRST,
        digest,
        commit: commit(at),
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::UNIX_EPOCH,
        fresh: true,
        candidate: None,
        freeze: false,
        quarantine: Vec::new(),
        cause: None,
    };
    RegionStatus {
        app: "web".parse().expect("an app"),
        region: name.parse().expect("a region"),
        pointer: Some(pointer),
        agents: RegionSummary { known, generations: vec![summary], worst: Vec::new() },
    }
}

fn status(published: Option<char>, rollouts: Vec<RolloutStatus>, regions: Vec<RegionStatus>) -> Status {
    let publisher = PublisherStatus { published: published.map(commit), rollouts, ..PublisherStatus::default() };
    Status {
        gateway: "up".to_owned(),
        version: "0".to_owned(),
        now: Timestamp::UNIX_EPOCH,
        started: Timestamp::UNIX_EPOCH,
        source: SourceStatus { name: "store".to_owned(), last_answer: None, problem: None },
        connections: 0,
        parked: 0,
        publisher: Some(publisher),
        below: Vec::new(),
        regions,
    }
}

fn rollout(of: char, stage: Stage, places: &[(&str, Place)]) -> RolloutStatus {
    let leg = |(region, place): &(&str, Place)| LegStatus {
        region: region.parse().expect("a region"),
        place: place.clone(),
        digest: Digest::of(of.to_string().as_bytes()),
        epoch: Epoch::FIRST,
        generation: Generation::new(7),
        share: Share::FULL,
        live: 10,
        expected: 10,
        prepared: 0,
        unprepared: 0,
        applied: 0,
        failed: 0,
        silent: 10,
        quarantined: 0,
        reasons: Vec::new(),
    };
    RolloutStatus {
        app: "web".parse().expect("an app"),
        id: "1".parse().expect("an id"),
        commit: commit(of),
        policy: "careful".into(),
        waves: 2,
        stage,
        paused: None,
        waits_for: None,
        began: Timestamp::UNIX_EPOCH,
        at: Timestamp::UNIX_EPOCH,
        cause: Cause::own(Deed::Advance, ""),
        blocked: false,
        regions: places.iter().map(leg).collect(),
    }
}

const WAVE: Stage = Stage::Wave { index: 0, since: Timestamp::UNIX_EPOCH };

fn awaited(regions: &[&str]) -> Awaited {
    Awaited {
        commit: "bbbbbbb".parse().expect("seven digits"),
        apps: Vec::new(),
        regions: regions.iter().map(|region| region.parse().expect("a region")).collect(),
        share: Share(9900),
    }
}

fn look(status: &Status, regions: &[&str]) -> Verdict {
    // As it is after some looks that showed the same.
    let mut seen = Seen::default();
    for _ in 1..LOOKS_MIN {
        judge(status, &awaited(regions), &mut seen);
    }
    judge(status, &awaited(regions), &mut seen)
}

fn is_missing(verdict: &Verdict, words: &str) -> bool {
    matches!(verdict, Verdict::NotYet(missing) if missing.iter().any(|line| line.contains(words)))
}

#[test]
fn enough_agents_that_say_so_are_a_yes_and_silence_is_not() {
    let at = |counts| look(&status(Some('b'), vec![], vec![region("eu", 'b', counts)]), &["eu"]);
    assert_eq!(at((99, 100)), Verdict::Yes);
    assert!(is_missing(&at((98, 100)), "98 of 100 agents run it, 99 are needed"));
    assert!(is_missing(&at((0, 0)), "0 of 0 agents run it, 1 are needed"), "nobody is no yes");
}

#[test]
fn every_region_that_was_named_counts_and_no_other() {
    let both = status(Some('b'), vec![], vec![region("eu", 'b', (9, 9)), region("us", 'b', (0, 9))]);
    assert_eq!(look(&both, &["eu"]), Verdict::Yes);
    assert!(is_missing(&look(&both, &["eu", "us"]), "web in us: 0 of 9"));
    assert!(is_missing(&look(&both, &[]), "web in us: 0 of 9"));
    assert!(is_missing(&look(&both, &["eu", "mars"]), "mars: nothing is published there"));
    assert!(is_missing(&look(&status(Some('b'), vec![], vec![]), &[]), "nothing is published"));
}

#[test]
fn a_commit_that_changed_nothing_in_a_region_is_there_once_it_is_published() {
    let untouched = || vec![region("eu", 'a', (9, 9))];
    assert_eq!(look(&status(Some('b'), vec![], untouched()), &["eu"]), Verdict::Yes);
    assert!(is_missing(&look(&status(Some('a'), vec![], untouched()), &["eu"]), "it is not published yet; aaaa"));
    let mut first = Seen::default();
    let at_first = judge(&status(Some('b'), vec![], untouched()), &awaited(&["eu"]), &mut first);
    assert!(is_missing(&at_first, "whether a rollout begins"), "its rollout may not be told of yet");
    // Something goes on in that app: whether it is this commit's is not known, so it is no yes.
    let older = rollout('a', WAVE, &[("eu", Place::Untouched)]);
    assert!(is_missing(&look(&status(Some('b'), vec![older], untouched()), &["eu"]), "at commit aaaa"));
}

#[test]
fn a_rollout_is_there_region_by_region() {
    let under_way = |place| {
        let rollout = rollout('b', WAVE, &[("us", place)]);
        status(Some('b'), vec![rollout], vec![region("eu", 'a', (9, 9)), region("us", 'a', (9, 9))])
    };
    let candidate = Place::Candidate { expected: 9, begun: None, confirmed: false, met: None };
    assert_eq!(look(&under_way(candidate.clone()), &["eu"]), Verdict::Yes, "it reaches no agent there");
    assert!(is_missing(&look(&under_way(candidate), &["us"]), "wave 1 of 2"));
    assert!(
        is_missing(&look(&under_way(Place::Stable), &["us"]), "wave 1 of 2"),
        "the gateway knows no such pointer yet"
    );
    let there = status(
        Some('b'),
        vec![rollout('b', WAVE, &[("eu", Place::Untouched), ("us", Place::Stable)])],
        vec![region("eu", 'a', (9, 9)), region("us", 'b', (9, 9))],
    );
    assert_eq!(look(&there, &["us"]), Verdict::Yes);
    assert!(is_missing(&look(&there, &["eu", "us"]), "wave 1 of 2"));
}

#[test]
fn what_never_comes_is_said_at_once_and_why() {
    let says = |stage: Stage, place: Place| {
        let rollout = rollout('b', stage, &[("eu", place)]);
        match look(&status(Some('b'), vec![rollout], vec![region("eu", 'b', (9, 9))]), &["eu"]) {
            Verdict::No(why) => why,
            other => panic!("{other:?}"),
        }
    };
    let back = || Place::Back { why: "it said \u{1b}[2J".into() };
    let failed = says(Stage::Ended(End::Failed { why: "2 failed".into() }), back());
    assert_eq!(failed, "its rollout of app web failed: 2 failed");
    let aborted = says(Stage::Ended(End::Aborted { why: "alice: no".into() }), back());
    assert_eq!(aborted, "its rollout of app web was aborted: alice: no");
    assert!(says(Stage::Ended(End::Superseded { by: commit('c') }), Place::Untouched).contains("cccc"));
    assert_eq!(says(WAVE, back()), "app web went back in eu: it said [2J");
}

#[test]
fn a_refused_commit_is_a_no_and_a_store_that_is_away_is_not() {
    let mut refused = status(Some('a'), vec![], vec![region("eu", 'a', (9, 9))]);
    let problem = |commit, is_refusal| PublisherProblem {
        commit,
        is_refusal,
        since: Timestamp::UNIX_EPOCH,
        causes: vec!["no".to_owned(), "signature".to_owned()],
        hint: None,
    };
    let mut with = |commit, is_refusal| {
        refused.publisher.as_mut().expect("there is one").problem = Some(problem(commit, is_refusal));
        look(&refused, &["eu"])
    };
    assert_eq!(with(Some(commit('b')), true), Verdict::No("it is refused: no: signature".to_owned()));
    assert!(matches!(with(Some(commit('b')), false), Verdict::NotYet(_)));
    assert!(matches!(with(Some(commit('c')), true), Verdict::NotYet(_)));
    assert!(matches!(with(None, true), Verdict::NotYet(_)));
}

#[test]
fn a_region_that_is_held_back_does_not_have_it_though_it_is_published() {
    let held = |is_pending| {
        let mut status = status(Some('b'), vec![], vec![region("eu", 'a', (9, 9)), region("us", 'a', (9, 9))]);
        status.publisher.as_mut().expect("there is one").held = vec![HeldStatus {
            app: "web".parse().expect("an app"),
            region: "eu".parse().expect("a region"),
            digest: Digest::of(b"b"),
            why: "it was taken\u{1b} back by hand".to_owned(),
            is_pending,
        }];
        status
    };
    assert!(is_missing(&look(&held(true), &["eu"]), "web in eu: it was taken back by hand"));
    let never = Verdict::No("web does not get its bundle in eu: it was taken back by hand".to_owned());
    assert_eq!(look(&held(false), &["eu"]), never);
    assert_eq!(look(&held(false), &["us"]), Verdict::Yes);
}

#[test]
fn a_region_that_somebody_took_back_since_does_not_have_it() {
    let mut back = status(Some('b'), vec![], vec![region("eu", 'a', (9, 9))]);
    let pointer = back.regions[0].pointer.as_mut().expect("there is one");
    pointer.cause = Some(Cause::new("alice", Deed::Rollback, "errors"));
    pointer.issued = Timestamp::from_unix_millis(2000);
    let mut published_at = |millis| {
        back.publisher.as_mut().expect("there is one").published_at = Some(Timestamp::from_unix_millis(millis));
        look(&back, &["eu"])
    };
    assert_eq!(published_at(1000), Verdict::No("web was taken back in eu by alice: errors".to_owned()));
    assert_eq!(published_at(3000), Verdict::Yes, "it is the revert of what was taken back");
}

#[test]
fn a_commit_that_was_overtaken_is_not_waited_for() {
    let mut seen = Seen::default();
    let waiting = status(Some('b'), vec![], vec![region("eu", 'b', (1, 9))]);
    assert!(matches!(judge(&waiting, &awaited(&["eu"]), &mut seen), Verdict::NotYet(_)));
    let overtaken = status(Some('c'), vec![], vec![region("eu", 'c', (9, 9))]);
    assert!(matches!(judge(&overtaken, &awaited(&["eu"]), &mut seen), Verdict::No(why) if why.contains("cccc")));
}

#[test]
fn few_digits_name_one_commit_or_none() {
    for wrong in ["", "bbbbbb", "bbbbbbg", &"b".repeat(65)] {
        assert!(wrong.parse::<CommitPrefix>().is_err(), "{wrong}");
    }
    let twins: Vec<CommitId> =
        ["1", "2"].map(|last| format!("{}{last}", "b".repeat(39)).parse().expect("a commit")).into();
    let prefix: CommitPrefix = "BBBBBBBB".parse().expect("eight digits");
    assert_eq!(prefix.among(&twins[..1]), Ok(Some(twins[0].clone())));
    assert_eq!(prefix.among(&[twins[0].clone(), twins[0].clone(), commit('a')]), Ok(Some(twins[0].clone())));
    assert_eq!(prefix.among(&twins), Err(twins.clone()));
}
