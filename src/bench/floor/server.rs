//! The floor's server: one thread that keeps sockets, and writes the same bytes to each when it is told to.
//!
//! What clients send is thrown away; it only says that they wait. Orders come line by line on standard input: `parked` is
//! answered with a number, `tell LENGTH` is followed by the bytes, `go` writes them to everybody.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, socket};

use crate::exit::{Failure, Outcome};
use crate::out;

/// Tell many sockets the same, when told to
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Outcome {
    let listener = open().map_err(Failure::unexpected)?;
    out::data(&listener.local_addr().map_err(Failure::unexpected)?.to_string());
    serve(&listener).map_err(Failure::unexpected)
}

/// A listener with room for a whole crowd; the standard library's has room for 128.
fn open() -> io::Result<TcpListener> {
    let socket: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, ORDERS))?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, ARRIVALS))?;
    let mut kept: Vec<Kept> = Vec::new();
    let mut events = vec![EpollEvent::empty(); 1024];
    let (mut answer, mut scrap) = (Vec::new(), [0; 4096]);
    loop {
        let happened = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(happened) => happened,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..happened] {
            match event.data() {
                ARRIVALS => {
                    if let Ok((socket, _)) = listener.accept() {
                        socket.set_nonblocking(true)?;
                        socket.set_nodelay(true)?;
                        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, kept.len() as u64))?;
                        kept.push(Kept { socket: Some(socket), waits: false });
                    }
                }
                ORDERS => match order(&mut answer)? {
                    Order::End => return Ok(()),
                    Order::Count => out::data(&kept.iter().filter(|kept| kept.waits).count().to_string()),
                    Order::Prepared => out::data("prepared"),
                    Order::Go => kept.iter_mut().for_each(|kept| kept.tell(&answer)),
                },
                at => kept[at as usize].hear(&mut scrap),
            }
        }
    }
}

/// One socket.
struct Kept {
    socket: Option<TcpStream>,
    waits: bool,
}

impl Kept {
    fn tell(&mut self, answer: &[u8]) {
        if let Some(socket) = self.socket.as_mut().filter(|_| self.waits) {
            // A client that takes nothing is lost, and counted by its crowd.
            let _lost = socket.write_all(answer);
            self.waits = false;
        }
    }

    fn hear(&mut self, scrap: &mut [u8]) {
        let Some(socket) = &mut self.socket else { return };
        match socket.read(scrap) {
            Ok(1..) => self.waits = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => (self.socket, self.waits) = (None, false),
        }
    }
}

enum Order {
    End,
    Count,
    Prepared,
    Go,
}

fn order(answer: &mut Vec<u8>) -> io::Result<Order> {
    let mut orders = io::stdin().lock();
    let mut line = String::new();
    if orders.read_line(&mut line)? == 0 {
        return Ok(Order::End);
    }
    match line.trim_end().split_once(' ') {
        Some((_, length)) => {
            answer.resize(length.parse().map_err(io::Error::other)?, 0);
            orders.read_exact(answer)?;
            Ok(Order::Prepared)
        }
        None if line == "go\n" => Ok(Order::Go),
        None => Ok(Order::Count),
    }
}

const ORDERS: u64 = u64::MAX;
const ARRIVALS: u64 = u64::MAX - 1;
const BACKLOG: i32 = 4096;
