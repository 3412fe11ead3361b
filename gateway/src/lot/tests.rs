//! A shard on real sockets, one round after the other.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use schema::Digest;

use super::shard::{Next, Rounds, STRETCH};
use super::*;
use crate::admission::{Admission, Place};
use crate::board::tests::{Signer, pair};
use crate::board::{Board, Posted, Slot};
use crate::http::Form;
use crate::metrics::Metrics;
use crate::packs::Packs;

const LONG: Duration = Duration::from_secs(600);
const PATIENT: Patience = Patience { idle: LONG, stalled: LONG };

/// A lot of one shard, and a board on which there is a first pointer.
struct World {
    signer: Signer,
    board: Board,
    slot: Arc<Slot>,
    admission: Admission,
    metrics: Metrics,
    listener: TcpListener,
    inbox: Arc<Inbox>,
    back: Back,
}

/// A connection as the lot and as its client see it.
struct Pulled {
    arrived: Arrived,
    client: TcpStream,
}

impl World {
    fn new() -> (World, Shard) {
        let (signer, board) = (Signer::new(), Board::default());
        signer.offer(&board, &signer.pointer(1, b"one")).expect("a first");
        let slot = board.slot(&pair()).expect("a slot");
        let (leave, back) = mpsc::unbounded_channel();
        let shard = Shard::open(leave).expect("files");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let (admission, metrics, inbox) = (Admission::new(9999, 9999), Metrics::new(), shard.inbox());
        (World { signer, board, slot, admission, metrics, listener, inbox, back }, shard)
    }

    fn publish(&self, generation: u64) -> Arc<Posted> {
        self.signer.offer(&self.board, &self.signer.pointer(generation, b"another")).expect("a newer one");
        self.slot.posted()
    }

    fn polling(&self) -> Pulled {
        self.polling_for(&self.slot, LONG, None)
    }

    fn polling_for(&self, slot: &Arc<Slot>, longest: Duration, have: Option<Digest>) -> Pulled {
        let client = TcpStream::connect(self.listener.local_addr().expect("an address")).expect("a connection");
        let (stream, peer) = self.listener.accept().expect("a connection");
        stream.set_nonblocking(true).expect("a socket");
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
        let permit = self.admission.admit(peer.ip()).expect("a place");
        let place = Place { permit, _counted: self.metrics.connected() };
        let (slot, posted) = (Arc::clone(slot), slot.posted());
        let form = Form { wait_s: 55, have };
        Pulled { arrived: Arrived { stream, place, ahead: Bytes::new(), slot, posted, form, longest }, client }
    }

    /// Goes on until something is so.
    fn until(&self, rounds: &mut Rounds<'_>, what: &str, mut is_so: impl FnMut(&World) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
            // So that a round with nothing to do ends.
            self.inbox.enter(Phase::Open);
            rounds.next();
        }
    }
}

/// One answer, as head and body.
fn answer(client: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).expect("an answer");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    client.read_exact(&mut body).expect("a body");
    (head, body)
}

/// Whether there is something to be read, or the end.
fn is_told(client: &TcpStream) -> bool {
    client.set_nonblocking(true).expect("a socket");
    let told = client.peek(&mut [0]).is_ok();
    client.set_nonblocking(false).expect("a socket");
    told
}

fn is_hung_up(client: &mut TcpStream) -> bool {
    matches!(client.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn f30_what_is_posted_between_the_look_and_the_lot_is_not_missed() {
    let (world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, PATIENT);
    for generation in 2..5 {
        // The second time there is a row already, and the third time it was told.
        let Pulled { arrived, mut client } = world.polling();
        let posted = world.publish(generation);
        world.inbox.park(arrived);
        world.until(&mut rounds, "an answer", |_| is_told(&client));
        let (head, body) = answer(&mut client);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, *posted.bytes());
    }
    assert_eq!(world.metrics.parked_now(), 0);
}

#[test]
fn what_was_asked_too_early_goes_back_with_the_answered_socket() {
    let (mut world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, PATIENT);
    let (read, mut unread) = (world.polling(), world.polling());
    let before = Arrived { ahead: Bytes::from_static(b"GET /early"), ..read.arrived };
    unread.client.write_all(b"GET /unread").expect("room");
    for arrived in [before, unread.arrived] {
        world.inbox.park(arrived);
    }
    world.until(&mut rounds, "both", |world| world.metrics.parked_now() == 2);
    assert!(world.back.try_recv().is_err(), "who waits is not handed back");
    world.publish(2);
    let mut returned = Vec::new();
    while returned.len() < 2 {
        rounds.next();
        returned.extend(world.back.try_recv().into_iter().flatten());
    }
    let mut ahead: Vec<&[u8]> = returned.iter().map(|returned| &returned.ahead[..]).collect();
    ahead.sort_unstable();
    assert_eq!(ahead, [&b""[..], b"GET /early"]);
    let mut unread_stream = returned.iter().find(|returned| returned.ahead.is_empty()).map(|found| &found.stream);
    let mut bytes = [0; 11];
    unread_stream.as_mut().expect("one").read_exact(&mut bytes).expect("it was left where it was");
    assert_eq!(&bytes, b"GET /unread");
    for mut client in [read.client, unread.client] {
        assert!(answer(&mut client).0.starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn who_asks_again_after_an_answer_goes_back_and_who_hangs_up_is_gone() {
    let (mut world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, PATIENT);
    let (mut asks, leaves, mut half) = (world.polling(), world.polling(), world.polling());
    for arrived in [asks.arrived, leaves.arrived, half.arrived] {
        world.inbox.park(arrived);
    }
    world.until(&mut rounds, "three", |world| world.metrics.parked_now() == 3);
    // One hangs up while it waits, one when it was answered, by saying that it will say no more.
    drop(leaves.client);
    world.until(&mut rounds, "two", |world| world.metrics.parked_now() == 2);
    assert_eq!(world.metrics.connections(), 2);
    world.publish(2);
    world.until(&mut rounds, "answers", |world| world.metrics.parked_now() == 0);
    assert!(answer(&mut half.client).0.starts_with("HTTP/1.1 200"));
    half.client.shutdown(std::net::Shutdown::Write).expect("a socket");
    world.until(&mut rounds, "one", |world| world.metrics.connections() == 1);
    assert!(is_hung_up(&mut half.client));
    assert!(answer(&mut asks.client).0.starts_with("HTTP/1.1 200"));
    asks.client.write_all(b"GET /again").expect("room");
    while world.back.is_empty() {
        rounds.next();
    }
    let returned = world.back.try_recv().expect("a batch");
    assert_eq!((returned.len(), world.metrics.connections()), (1, 1));
}

#[test]
fn a_wait_that_is_over_is_answered_and_a_long_rest_ended() {
    let (world, shard) = World::new();
    let idle = Duration::from_millis(300);
    let mut rounds = shard.begin(&world.metrics, Patience { idle, stalled: LONG });
    let Pulled { arrived, mut client } = world.polling_for(&world.slot, Duration::from_millis(200), None);
    world.inbox.park(arrived);
    while !is_told(&client) {
        rounds.next();
    }
    let (head, _) = answer(&mut client);
    assert!(head.starts_with("HTTP/1.1 304 Not Modified\r\n") && head.contains("\r\netag: "), "{head}");
    assert!(head.contains("\r\npreference-applied: wait=55\r\n") && !head.contains("connection"), "{head}");
    while world.metrics.connections() > 0 {
        rounds.next();
    }
    assert!(is_hung_up(&mut client));
}

#[test]
fn a47_a_reader_who_does_not_read_is_given_up_on_and_a_slow_one_is_not() {
    let (world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, Patience { idle: LONG, stalled: Duration::from_millis(500) });
    let (never, mut slow) = (world.polling(), world.polling());
    // Fills what lies between the two, so that an answer finds no room.
    let mut filled = 0;
    for pulled in [&never, &slow] {
        let junk = [b'.'; 64 * 1024];
        while let Ok(written) = (&pulled.arrived.stream).write(&junk) {
            filled += written;
        }
    }
    let (never_arrived, never_client) = (never.arrived, never.client);
    world.inbox.park(never_arrived);
    world.inbox.park(slow.arrived);
    world.until(&mut rounds, "two", |world| world.metrics.parked_now() == 2);
    let posted = world.publish(2);
    world.until(&mut rounds, "none parked", |world| world.metrics.parked_now() == 0);
    assert_eq!(world.metrics.connections(), 2, "what is not written is not given up on at once");
    let mut text = Vec::new();
    slow.client.set_nonblocking(true).expect("a socket");
    let mut chunk = [0; 4096];
    world.until(&mut rounds, "the slow one's answer", |_| {
        if let Ok(read) = slow.client.read(&mut chunk) {
            text.extend(&chunk[..read]);
        }
        text.ends_with(posted.bytes())
    });
    assert!(text.len() < filled && text.windows(13).any(|window| window == b"HTTP/1.1 200 "));
    world.until(&mut rounds, "only one", |world| world.metrics.connections() == 1);
    drop(never_client);
}

#[test]
fn a_long_row_does_not_keep_others_waiting() {
    let (world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, PATIENT);
    let other = Board::default();
    world.signer.offer(&other, &world.signer.pointer(1, b"one")).expect("a first");
    let quiet_slot = other.slot(&pair()).expect("a slot");
    let long: Vec<TcpStream> = (0..STRETCH * 4)
        .map(|_| {
            let Pulled { arrived, client } = world.polling();
            world.inbox.park(arrived);
            client
        })
        .collect();
    let Pulled { arrived, client } = world.polling_for(&quiet_slot, LONG, None);
    world.inbox.park(arrived);
    let all = long.len() as u64 + 1;
    world.until(&mut rounds, "all", |world| world.metrics.parked_now() == all);
    // The long row first, then the short one, then somebody who has just come.
    world.publish(2);
    world.signer.offer(&other, &world.signer.pointer(2, b"two")).expect("a newer one");
    rounds.next();
    let late = world.polling_for(&quiet_slot, Duration::ZERO, None);
    world.inbox.park(Arrived { posted: late.arrived.posted.clone(), ..late.arrived });
    for _ in 0..2 {
        rounds.next();
    }
    assert!(is_told(&client), "the short row waits for the long one");
    assert!(world.metrics.parked_now() >= STRETCH as u64 / 2, "the long row was written in one go");
    world.until(&mut rounds, "everyone", |world| world.metrics.parked_now() == 0 && is_told(&late.client));
    assert!(long.iter().all(is_told));
}

#[test]
fn who_has_a_bundle_is_told_when_it_is_known_what_goes_along_or_soon_anyway() {
    let (world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, PATIENT);
    for (generation, known) in [(2, true), (3, false)] {
        let mut has = world.polling_for(&world.slot, LONG, Some(Digest::of(b"one")));
        let mut has_not = world.polling();
        for arrived in [has.arrived, has_not.arrived] {
            world.inbox.park(arrived);
        }
        world.until(&mut rounds, "two", |world| world.metrics.parked_now() == 2);
        let posted = world.publish(generation);
        world.until(&mut rounds, "one", |world| world.metrics.parked_now() == 1);
        assert!(answer(&mut has_not.client).0.starts_with("HTTP/1.1 200"));
        assert!(!is_told(&has.client) || Instant::now() >= posted.packs_due());
        if known {
            world.slot.pack(&posted, Packs::none(posted.bytes().clone()));
        }
        // Without a word from outside: it is the shard that knows when to wait no longer.
        while !is_told(&has.client) {
            rounds.next();
        }
        let (head, body) = answer(&mut has.client);
        assert!(head.starts_with("HTTP/1.1 200") && body == *posted.bytes(), "{head}");
        assert_eq!(Instant::now() >= posted.packs_due(), !known);
    }
}

#[test]
fn f29_a_lot_that_closes_answers_all_and_ends() {
    let (world, shard) = World::new();
    let mut rounds = shard.begin(&world.metrics, PATIENT);
    let mut clients = BTreeMap::new();
    for number in 0..STRETCH + 10 {
        let Pulled { arrived, client } = world.polling();
        world.inbox.park(arrived);
        clients.insert(number, client);
    }
    let rests = world.polling_for(&world.slot, Duration::ZERO, None);
    world.inbox.park(rests.arrived);
    world.until(&mut rounds, "one resting", |_| is_told(&rests.client));
    world.inbox.enter(Phase::Closing);
    world.until(&mut rounds, "nobody", |world| world.metrics.connections() == 0);
    // Who was on the way is answered, too.
    let Pulled { arrived, client } = world.polling();
    world.inbox.park(arrived);
    clients.insert(usize::MAX, client);
    world.inbox.enter(Phase::Ending);
    while rounds.next() == Next::Round {}
    for client in clients.values_mut() {
        let (head, _) = answer(client);
        assert!(head.starts_with("HTTP/1.1 304") && head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(is_hung_up(client));
    }
}
