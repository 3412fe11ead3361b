//! A server between an agent and the truth, which answers as its script says.
//!
//! In: a script, which may be exchanged at any moment; held polls are then answered by the new one. Out: answers, and a record of
//! what was asked. The honest source behind it is a gateway, or a folder served as plain files.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use schema::enclosed::HAVE;

use super::answer::{Answer, Connection};
use super::message::{Headers, Kind, Request, TICK};

/// What is done to one request.
pub(crate) type Script = Arc<dyn Fn(&Request, &Honest<'_>) -> Result<Answer, Turned> + Send + Sync>;

/// The script was exchanged while an answer was waited for; the new one is asked.
#[derive(Debug)]
pub(crate) struct Turned;

/// Where the truth is.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Gateway(SocketAddr),
    Folder(PathBuf),
}

pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    source: Source,
    script: Mutex<Script>,
    /// How often the script was exchanged.
    turn: AtomicU64,
    is_over: AtomicBool,
    record: Mutex<Record>,
}

/// What went through.
#[derive(Debug, Default)]
struct Record {
    asked: u64,
    asked_for: BTreeMap<String, u64>,
    /// The most bytes that one answer was read for.
    most_sent: u64,
    /// Every body that was ever honest, by path, oldest first.
    bodies: BTreeMap<String, Vec<Vec<u8>>>,
    /// Bodies of acks, oldest first.
    posted: Vec<Vec<u8>>,
    /// Headers that requests came with, by name.
    sent_headers: BTreeMap<String, u64>,
}

/// What a script may know of the truth.
pub(crate) struct Honest<'a> {
    shared: &'a Shared,
    request: &'a Request,
    turn: u64,
}

impl Proxy {
    /// Begins to listen, honest at first.
    pub(crate) fn start(source: Source) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            source,
            script: Mutex::new(honest()),
            turn: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            record: Mutex::default(),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Proxy { shared, address, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, `script` answers everything, held polls included.
    pub(crate) fn turn(
        &self,
        script: impl Fn(&Request, &Honest<'_>) -> Result<Answer, Turned> + Send + Sync + 'static,
    ) {
        *lock(&self.shared.script) = Arc::new(script);
        self.shared.turn.fetch_add(1, Ordering::SeqCst);
    }

    /// From now on, `deed` answers requests for `kind`, and everything else is honest.
    pub(crate) fn turn_on(
        &self,
        kind: Kind,
        deed: impl Fn(&Request, &Honest<'_>) -> Result<Answer, Turned> + Send + Sync + 'static,
    ) {
        self.turn(move |request, honest| if request.kind() == kind { deed(request, honest) } else { honest.pass() });
    }

    pub(crate) fn turn_honest(&self) {
        self.turn(|_, honest| honest.pass());
    }

    /// How many requests were read.
    pub(crate) fn asked(&self) -> u64 {
        lock(&self.shared.record).asked
    }

    pub(crate) fn asked_for(&self, path: &str) -> u64 {
        lock(&self.shared.record).asked_for.get(path).copied().unwrap_or_default()
    }

    /// The most bytes that anybody let us send in one answer.
    pub(crate) fn most_sent(&self) -> u64 {
        lock(&self.shared.record).most_sent
    }

    /// The bodies that agents posted, oldest first.
    pub(crate) fn posted(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.record).posted.clone()
    }

    /// Whether any request ever carried a header of this name.
    pub(crate) fn ever_got_header(&self, name: &str) -> bool {
        lock(&self.shared.record).sent_headers.contains_key(name)
    }
}

/// The script that changes nothing.
pub(crate) fn honest() -> Script {
    Arc::new(|_, honest| honest.pass())
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the one who accepts.
        let _refused = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _panicked_already = accepting.join();
        }
    }
}

impl Honest<'_> {
    /// The true answer to what was asked, held where a gateway holds it.
    pub(crate) fn pass(&self) -> Result<Answer, Turned> {
        let answer = self.ask(self.request.clone())?;
        if answer.status == 200 {
            let mut record = lock(&self.shared.record);
            let bodies = record.bodies.entry(self.request.path().to_owned()).or_default();
            if bodies.last() != Some(&answer.body) {
                bodies.push(answer.body.clone());
            }
        }
        Ok(answer)
    }

    /// What is true now, whole, whatever the request already has.
    pub(crate) fn now(&self) -> Result<Answer, Turned> {
        self.of(self.request.path())
    }

    /// What is true of another path.
    pub(crate) fn of(&self, path: &str) -> Result<Answer, Turned> {
        let mut request = self.request.clone();
        request.target = path.to_owned();
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("if-none-match"));
        self.ask(request)
    }

    /// What was true once: the oldest body of this path is number 0.
    pub(crate) fn earlier(&self, number: usize) -> Option<Vec<u8>> {
        lock(&self.shared.record).bodies.get(self.request.path())?.get(number).cloned()
    }

    /// Any path that was asked for, by number.
    pub(crate) fn some_path(&self, number: usize) -> Option<String> {
        let record = lock(&self.shared.record);
        record.bodies.keys().nth(number % record.bodies.len().max(1)).cloned()
    }

    /// Nobody is told what the agent has, so each document goes this way on its own, and can be spoilt on its own.
    fn ask(&self, mut request: Request) -> Result<Answer, Turned> {
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(HAVE));
        let is_over = || self.shared.is_over_since(self.turn);
        match &self.shared.source {
            Source::Gateway(address) => match request.forward(*address, &is_over) {
                Ok(Some((status, headers, body))) => {
                    Ok(Answer { status, headers: end_to_end(headers), ..Answer::ok(body) })
                }
                Ok(None) => Err(Turned),
                Err(_) => Ok(Answer::status(502)),
            },
            Source::Folder(_) if request.method != "GET" => Ok(Answer::status(405)),
            Source::Folder(folder) => {
                let file = folder.join(request.path().trim_start_matches('/'));
                Ok(std::fs::read(file).map_or_else(|_| Answer::status(404), Answer::ok))
            }
        }
    }
}

impl Shared {
    fn is_over_since(&self, turn: u64) -> bool {
        self.is_over.load(Ordering::SeqCst) || self.turn.load(Ordering::SeqCst) != turn
    }

    /// Asks the script in force, and the next one where it is exchanged meanwhile.
    fn answer(&self, request: &Request) -> Option<(Answer, u64)> {
        while !self.is_over.load(Ordering::SeqCst) {
            let turn = self.turn.load(Ordering::SeqCst);
            let script = lock(&self.script).clone();
            if let Ok(answer) = script(request, &Honest { shared: self, request, turn }) {
                return Some((answer, turn));
            }
        }
        None
    }

    fn note(&self, request: &Request) {
        let mut record = lock(&self.record);
        record.asked += 1;
        *record.asked_for.entry(request.path().to_owned()).or_default() += 1;
        if !request.body.is_empty() {
            record.posted.push(request.body.clone());
        }
        for (name, _) in &request.headers {
            *record.sent_headers.entry(name.to_ascii_lowercase()).or_default() += 1;
        }
    }
}

/// Headers that are about the content and not about the connection it came on.
fn end_to_end(headers: Headers) -> Headers {
    let of_the_connection = ["connection", "content-length", "transfer-encoding"];
    headers.into_iter().filter(|(name, _)| !of_the_connection.contains(&name.to_ascii_lowercase().as_str())).collect()
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client may leave at any time.
            let _left = serve(stream, &shared);
        });
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(crate::world::PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut unread = Vec::new();
    while let Some(request) = Request::read(&mut stream, &mut unread, &|| shared.is_over.load(Ordering::SeqCst))? {
        shared.note(&request);
        let Some((answer, turn)) = shared.answer(&request) else { return Ok(()) };
        let (sent, connection) = answer.send(&mut stream, &|| shared.is_over_since(turn))?;
        let mut record = lock(&shared.record);
        record.most_sent = record.most_sent.max(sent);
        if connection == Connection::Closed {
            return Ok(());
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A script that panics spoils its own test and no lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
