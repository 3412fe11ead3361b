//! What the way itself can do: be slow, be mute, break, lead elsewhere, and change everything that passes.

use schema::ack::Step;

use super::answer::{Answer, Sending};
use super::arena::{Arena, Refusal, Served, Setup};
use super::message::Kind;
use super::proxy::{Proxy, Source};

#[test]
fn a06_a_body_that_drips_is_given_up() {
    let mut arena = Arena::new();
    arena.attacked("one byte a second", Refusal::Generation(Step::Fetch, "sends less than"), |arena| {
        arena.proxy().turn_on(Kind::Bundle, |_, honest| Ok(honest.now()?.sent(Sending::Dripping)));
        arena.publish();
    });
}

#[test]
fn a06_a_server_that_says_nothing_is_given_up() {
    let mut arena = Arena::new();
    arena.attacked("silence", Refusal::Generation(Step::Verify, "no answer within"), |arena| {
        arena.proxy().turn_on(Kind::Manifest, |_, _| Ok(Answer::ok("").sent(Sending::Silent)));
        arena.publish();
    });
    arena.attacked("something that is not HTTP", Refusal::NoPointer("no answer that can be read"), |arena| {
        arena.proxy().turn_on(Kind::Pointer, |_, _| Ok(Answer::ok("").sent(Sending::Garbage)));
    });
}

#[test]
fn a06_the_next_mirror_gives_what_the_first_only_drips() {
    let mut arena = Arena::with(Setup { mirrors: 2, ..Setup::default() }, |_| ());
    arena.proxy().turn_on(Kind::Bundle, |_, honest| Ok(honest.now()?.sent(Sending::Dripping)));
    let digest = arena.publish();
    arena.comes_to_run_newest("from the second mirror");
    let bundle = format!("/{}", super::forge::bundle_path(digest));
    assert!(arena.proxies.iter().all(|proxy| proxy.asked_for(&bundle) == 1), "the first was asked first");
    arena.recovers("after a mirror that drips");
}

/// How a mirror is bad.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Bytes,
    Absent,
    Slow,
}

#[test]
fn a07_one_good_mirror_of_three_is_enough_whatever_the_others_do() {
    let ways = [Bad::Bytes, Bad::Absent, Bad::Slow];
    std::thread::scope(|scope| {
        for first in ways {
            scope.spawn(move || ways.map(|second| one_good_of_three(first, second)));
        }
    });
}

fn one_good_of_three(first: Bad, second: Bad) {
    let mut arena = Arena::with(Setup { mirrors: 3, served: Served::AsFiles, ..Setup::default() }, |_| ());
    // Who the agent likes best by now is no matter: a restart forgets it.
    arena.agent.kill();
    for (proxy, bad) in arena.proxies.iter().zip([first, second]) {
        proxy.turn(move |request, honest| match bad {
            Bad::Bytes => Ok(honest.now()?.flipped(7)),
            Bad::Absent => Ok(Answer::status(404)),
            Bad::Slow if request.kind() == Kind::Bundle => Ok(honest.now()?.sent(Sending::Dripping)),
            Bad::Slow => Ok(Answer::ok("").sent(Sending::Silent)),
        });
    }
    arena.publish();
    arena.restart_agent();
    arena.comes_to_run_newest(&format!("{first:?} and {second:?}"));
    assert!(arena.proxies.iter().all(|proxy| proxy.asked() > 0), "the bad ones were asked before");
    arena.recovers(&format!("after {first:?} and {second:?}"));
}

#[test]
fn a13_no_redirect_is_followed_wherever_it_leads() {
    let mut arena = Arena::new();
    let trap = Proxy::start(Source::Folder(arena.path("store")));
    let trap_url = trap.url();
    let host = trap_url.trim_start_matches("http://").to_owned();
    let locations = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("{trap_url}/v1/apps/web/regions/eu-west/pointer"),
        format!("//{host}/v1/apps/web/regions/eu-west/pointer"),
        format!("http://user:password@{host}/"),
        format!("HTTP://{host}/?token=x#fragment"),
        "/v1/apps/web/regions/us-east/pointer".to_owned(),
        "../../../../../../etc/passwd".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "http://[::1]:1/".to_owned(),
        "data:text/plain,hello".to_owned(),
        String::new(),
    ];
    for (number, location) in locations.iter().enumerate() {
        let status = [301, 302, 303, 307, 308][number % 5];
        let kind = [Kind::Pointer, Kind::Manifest, Kind::Bundle][number % 3];
        let refusal = match kind {
            Kind::Pointer => Refusal::NoPointer("redirects to"),
            Kind::Manifest => Refusal::Generation(Step::Verify, "redirects to"),
            _ => Refusal::Generation(Step::Fetch, "redirects to"),
        };
        let answer = Answer { status, ..Answer::redirect(location) };
        arena.attacked(&format!("{status} {location:?}"), refusal, |arena| {
            arena.proxy().turn_on(kind, move |_, _| Ok(answer.clone()));
            arena.publish();
        });
    }
    assert_eq!(trap.asked(), 0, "somebody followed a redirect");
    assert!(!arena.proxy().ever_got_header("cookie") && !arena.proxy().ever_got_header("authorization"));
}

#[test]
fn a14_over_plain_http_whoever_changes_everything_only_delays() {
    let mut arena = Arena::new();
    for at in [0, 1, 17, 100, 1000, 5003] {
        arena.attacked(&format!("byte {at} of every body"), Refusal::Pointer("its seal does not hold"), |arena| {
            arena.proxy().turn(move |_, honest| Ok(honest.now()?.flipped(at)));
            arena.publish();
        });
    }
    arena.attacked("every connection is cut", Refusal::NoPointer("breaks off"), |arena| {
        arena.proxy().turn(|_, honest| Ok(honest.now()?.sent(Sending::Broken(30))));
        arena.publish();
    });
}
