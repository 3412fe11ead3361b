//! A process that holds some of the clients: one thread, one epoll, orders on standard input.
//!
//! While news arrive it either does nothing at all, so that the server has the machine to itself and the kernel notes the
//! times, or reads them as they come.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::arrival::{Nanos, Reader};
use super::client::{After, Became, Client, Fault, State};
use super::comeback::Comeback;
use super::link::{Link, Secrecy};
use super::orders::{Arrivals, Order, Plan, Readers, Report};
use super::secrecy;
use super::socket;
use crate::exit::{Failure, Outcome};
use crate::out;

/// Hold clients for another process
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Outcome {
    let Some(plan) = next_line().map_err(Failure::unexpected)? else { return Ok(()) };
    let plan: Plan = serde_json::from_str(&plan).map_err(Failure::unexpected)?;
    let mut worker = Worker::new(plan).map_err(Failure::unexpected)?;
    worker.arm().and_then(|()| worker.obey()).map_err(Failure::unexpected)
}

struct Worker {
    plan: Plan,
    secrecy: Option<Secrecy>,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    reader: Reader,
    clients: Vec<Client>,
    /// Clients whose connection is being made, or that have not heard yet that they were taken in.
    unsettled: usize,
    round: Option<Round>,
    roaming: Option<Comeback>,
}

/// News that are awaited.
struct Round {
    generation: u64,
    arrived: Vec<(Nanos, Nanos)>,
}

impl Worker {
    fn new(plan: Plan) -> io::Result<Worker> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, ORDERS))?;
        let source = |at: usize| plan.sources.get(at).copied();
        let client = |at| Client::new(&plan.script, plan.first + at, source(at));
        let clients = (0..plan.clients).map(client).collect();
        let secrecy = plan.tls.as_ref().map(secrecy::of).transpose()?;
        let events = vec![EpollEvent::empty(); 1024];
        let reader = Reader::new();
        Ok(Worker { plan, secrecy, epoll, events, reader, clients, unsettled: 0, round: None, roaming: None })
    }

    /// Does what it is told to until there is nobody left to tell.
    fn obey(&mut self) -> io::Result<()> {
        loop {
            while self.turn(None)? == Orders::None {}
            let Some(line) = next_line()? else { return Ok(()) };
            match serde_json::from_str(&line)? {
                Order::Arm => self.arm()?,
                Order::Roam => {
                    self.roaming = Some(Comeback::default());
                    report(&Report::Ready)?;
                }
                Order::Expect { generation, readers } => {
                    self.expect(generation)?;
                    if readers == Readers::Asleep {
                        // The next line is the order to read.
                        let Some(line) = next_line()? else { return Ok(()) };
                        let Order::Read { patience_ms } = serde_json::from_str(&line)? else { return Ok(()) };
                        self.read(patience_ms)?;
                    }
                }
                Order::Read { patience_ms } => self.read(patience_ms)?,
            }
        }
    }

    /// Has everybody wait for news, as far as that is possible.
    fn arm(&mut self) -> io::Result<()> {
        self.round = None;
        for client in &mut self.clients {
            match client.state {
                State::Told => _ = client.ask_again(),
                // It missed the last news; who begins anew misses none.
                State::Waiting if client.fault.is_some() => _ = client.lose(Fault::Broken("began anew".to_owned())),
                _ => {}
            }
            client.fault = None;
            if client.link().is_none() {
                client.state = State::Gone;
            }
        }
        for _ in 0..ATTEMPTS {
            let gone = (0..self.clients.len()).filter(|at| self.clients[*at].state == State::Gone);
            let without: VecDeque<usize> = gone.collect();
            if !without.is_empty() {
                self.connect_all(without)?;
            }
        }
        let waiting = self.clients.iter().filter(|client| client.state == State::Waiting).count();
        let mut dead = self.clients.iter().filter(|client| client.state != State::Waiting);
        let why = dead.find_map(|client| client.fault.as_ref().map(in_words));
        report(&Report::Armed { waiting, dead: self.clients.len() - waiting, why })
    }

    /// Connects at the pace of the plan, and never more at a time than a server may have in its backlog.
    fn connect_all(&mut self, mut without: VecDeque<usize>) -> io::Result<()> {
        let begun = Instant::now();
        let mut progress = (begun, without.len() + self.unsettled);
        let mut opened = 0_u32;
        while !without.is_empty() || self.unsettled > 0 {
            let allowed = begun.elapsed().as_secs_f64() * f64::from(self.plan.pace);
            while f64::from(opened) <= allowed && self.unsettled < UNSETTLED_MAX {
                let Some(at) = without.pop_front() else { break };
                opened += 1;
                self.connect(at)?;
            }
            self.turn_until(Some(Instant::now() + Duration::from_millis(1)))?;
            let left = without.len() + self.unsettled;
            if left < progress.1 {
                progress = (Instant::now(), left);
            } else if progress.0.elapsed() > PATIENCE {
                break;
            }
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) -> io::Result<()> {
        let client = &mut self.clients[at];
        let begun = socket::begin(self.plan.server, client.source);
        let link = begun.and_then(|socket| Link::new(socket, self.secrecy.as_ref()).map_err(io::Error::other));
        match link {
            Ok(link) => {
                self.epoll.add(link.socket(), EpollEvent::new(EpollFlags::EPOLLOUT, at as u64))?;
                client.connect(link);
                self.unsettled += 1;
            }
            Err(error) => {
                client.could_not(&error);
                self.lost(at);
            }
        }
        Ok(())
    }

    fn expect(&mut self, generation: u64) -> io::Result<()> {
        self.round = Some(Round { generation, arrived: Vec::with_capacity(self.clients.len()) });
        report(&Report::Ready)
    }

    /// Reads until everybody has the news, or nobody is waited for any longer.
    fn read(&mut self, patience_ms: u64) -> io::Result<()> {
        let until = Instant::now() + Duration::from_millis(patience_ms);
        let all = self.clients.len();
        while Instant::now() < until && self.round.as_ref().is_some_and(|round| round.arrived.len() < all) {
            let hopeless = self.roaming.is_none()
                && self.clients.iter().all(|client| matches!(client.state, State::Told | State::Gone));
            if hopeless || self.turn_until(Some(until))? == Orders::Some {
                break;
            }
        }
        let arrived = self.round.take().map(|round| round.arrived).unwrap_or_default();
        let mut arrivals = Arrivals { arrived, ..Arrivals::default() };
        for client in self.clients.iter_mut().filter(|client| client.state != State::Told) {
            match &client.fault {
                Some(Fault::Wrong(_)) => arrivals.wrong += 1,
                Some(Fault::Broken(_)) if client.state == State::Gone => arrivals.broken += 1,
                _ => arrivals.silent += 1,
            }
            let fault = client.fault.get_or_insert_with(|| Fault::Broken("no news came".to_owned()));
            arrivals.why.get_or_insert_with(|| in_words(fault));
        }
        report(&Report::Arrived(arrivals))
    }

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Orders> {
        self.turn_until(until)
    }

    /// Waits for something to happen, until then at most, and deals with it.
    fn turn_until(&mut self, until: Option<Instant>) -> io::Result<Orders> {
        let wakes = [until, self.roaming.as_ref().and_then(Comeback::next)].into_iter().flatten().min();
        let timeout = match wakes.map(|at| at.saturating_duration_since(Instant::now())) {
            None => EpollTimeout::NONE,
            Some(time) => EpollTimeout::try_from(time.min(Duration::from_secs(60))).unwrap_or(EpollTimeout::ZERO),
        };
        let mut events = std::mem::take(&mut self.events);
        let happened = match self.epoll.wait(&mut events, timeout) {
            Ok(happened) => happened,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut orders = Orders::None;
        for event in &events[..happened] {
            match event.data() {
                ORDERS => orders = Orders::Some,
                at => self.happened(at as usize)?,
            }
        }
        self.events = events;
        while let Some(at) = self.roaming.as_mut().and_then(|roaming| roaming.due(Instant::now())) {
            self.connect(at)?;
        }
        Ok(orders)
    }

    fn happened(&mut self, at: usize) -> io::Result<()> {
        let client = &mut self.clients[at];
        let before = client.state;
        let became = match before {
            State::Connecting => {
                let became = client.greet();
                if let Some(link) = client.link() {
                    let mut interest = EpollEvent::new(EpollFlags::EPOLLIN, at as u64);
                    self.epoll.modify(link.socket(), &mut interest)?;
                }
                became
            }
            _ => {
                let after = if self.round.is_some() { After::Hold } else { After::AskAgain };
                client.read(&mut self.reader, after)
            }
        };
        match became {
            Became::Same => {}
            Became::Waits => self.unsettled -= 1,
            Became::Told(generation, arrived) => self.told(at, generation, arrived),
            Became::Lost => {
                if matches!(before, State::Connecting | State::Greeting) {
                    self.unsettled -= 1;
                }
                self.lost(at);
            }
        }
        Ok(())
    }

    fn told(&mut self, at: usize, generation: u64, arrived: Nanos) {
        let Some(round) = &mut self.round else { return };
        if generation >= round.generation {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            round.arrived.push((arrived, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)));
            return;
        }
        let what = format!("generation {generation} in the place of {}", round.generation);
        let client = &mut self.clients[at];
        client.state = State::Gone;
        client.lose(Fault::Wrong(what));
        self.lost(at);
    }

    fn lost(&mut self, at: usize) {
        let Some(roaming) = &mut self.roaming else { return };
        let client = &mut self.clients[at];
        client.state = State::Gone;
        client.failed += 1;
        roaming.later(at, client.failed, Instant::now());
    }
}

/// Whether there is an order to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orders {
    None,
    Some,
}

fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Wrong(why) | Fault::Broken(why) => why.clone(),
    }
}

fn next_line() -> io::Result<Option<String>> {
    io::stdin().lock().lines().next().transpose()
}

fn report(report: &Report) -> io::Result<()> {
    out::data(&serde_json::to_string(report)?);
    io::stdout().flush()
}

/// What stands for standard input among the clients' numbers.
const ORDERS: u64 = u64::MAX;
/// Connections that are not settled at a time.
const UNSETTLED_MAX: usize = 128;
/// A server may drop one of thousands that come at once, and nobody gives up on that.
const ATTEMPTS: usize = 3;
/// How long nothing may come forward while connections are made.
const PATIENCE: Duration = Duration::from_secs(20);
