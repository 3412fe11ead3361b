//! Sends what agents say upwards, as they signed it: the newest words of each, once, and again only now and then while
//! they stay the same.
//!
//! What is still to be sent is for the ledger to know (`acks/outbox.rs`), so this holds nothing but the pace: a moment after
//! the first of many words, no faster than the upstream likes, and all of it anew for an upstream that has started anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use follower::{Fault, Mirrors, PostError, Reason};
use http::StatusCode;
use schema::Timestamp;
use schema::ack::Boot;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::acks::{Answers, Parcel, Speaker};
use crate::clock;
use crate::health::Subject;
use crate::view::View;

/// What a gateway answers to relayed acks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Received {
    /// The run of the gateway that answers.
    boot: Boot,
    /// Acks that changed something.
    pub(crate) accepted: usize,
    /// Acks that were known already, or are about what no pointer asked for.
    pub(crate) ignored: usize,
    /// Parts of the body that do not hold, or are not by the key of their agent.
    pub(crate) refused: usize,
    /// Parts of the body, counted from zero, that may be taken later: they are to be sent again.
    pub(crate) later: Vec<usize>,
}

impl Received {
    /// Nothing yet, by the gateway of this run.
    pub(crate) fn by(boot: Boot) -> Received {
        Received { boot, accepted: 0, ignored: 0, refused: 0, later: Vec::new() }
    }
}

/// Whether the upstream takes agents' own words, as far as is known: yes until it says no.
#[derive(Debug)]
pub(crate) struct Taken(AtomicBool);

impl Taken {
    pub(crate) fn yes_until_told() -> Taken {
        Taken(AtomicBool::new(true))
    }

    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes what the upstream did; says whether that is news.
    fn note(&self, is_so: bool) -> bool {
        self.0.swap(is_so, Ordering::Relaxed) != is_so
    }
}

/// Sends words along, again and again, until `shutdown`.
pub(crate) async fn run(
    mirrors: Mirrors,
    view: Arc<View>,
    answers: Arc<Answers>,
    taken: Arc<Taken>,
    shutdown: CancellationToken,
) {
    let changes = answers.here.changes();
    let now = Instant::now();
    let mut relay =
        Relaying { mirrors, view, answers, taken, changes, upstream: None, failed: 0, let_go: now, sent: now };
    let again_and_again = async {
        loop {
            relay.wait().await;
            relay.send_all().await;
        }
    };
    shutdown.run_until_cancelled(again_and_again).await;
}

struct Relaying {
    mirrors: Mirrors,
    view: Arc<View>,
    answers: Arc<Answers>,
    taken: Arc<Taken>,
    changes: watch::Receiver<()>,
    /// The run of the upstream that answered last.
    upstream: Option<Boot>,
    /// How often it failed since it last answered.
    failed: u32,
    /// When those who only said the same again were last let go.
    let_go: Instant,
    /// When anything was last sent.
    sent: Instant,
}

/// Whether to go on with what is left to send.
enum Next {
    GoOn,
    Rest(Duration),
}

impl Relaying {
    /// Waits until somebody says something else than before, and a moment more for others to do so as well; no longer than
    /// an upstream that has started anew may go unnoticed.
    async fn wait(&mut self) {
        // The ledger keeps the sender for as long as there are answers.
        let _ = timeout(LOOK_EVERY, self.changes.changed()).await;
        sleep(GATHER.mul_f64(0.5 + fastrand::f64())).await;
    }

    /// Sends until nobody is left who has something new to say.
    async fn send_all(&mut self) {
        if self.let_go.elapsed() >= LET_GO_EVERY {
            self.let_go = Instant::now();
            self.answers.here.let_go();
        }
        let here = &self.answers.here;
        // With nothing to tell, an empty body now and then: the answer says whether the upstream remembers the rest.
        if here.all_is_told() && (here.known() == 0 || self.sent.elapsed() < LOOK_EVERY) {
            return;
        }
        loop {
            let Parcel { relay, speakers } = self.answers.here.pack();
            self.sent = Instant::now();
            let next = match self.mirrors.post(PATH, relay.into_body(), ANSWER_MAX_BYTES).await {
                Ok(answer) => self.received(&answer, speakers),
                Err(error) => {
                    self.answers.here.put_back(speakers);
                    Next::Rest(self.failed(&error))
                }
            };
            match next {
                Next::GoOn if self.answers.here.all_is_told() => return,
                Next::GoOn => {}
                Next::Rest(rest) => return sleep(rest).await,
            }
        }
    }

    fn received(&mut self, answer: &[u8], speakers: Vec<Speaker>) -> Next {
        let received: Received = match serde_json::from_slice(answer) {
            Ok(received) => received,
            Err(error) => {
                self.answers.here.put_back(speakers);
                self.view.health.trouble(Subject::Relay, &NoAnswer(error));
                return Next::Rest(self.rest(Duration::ZERO));
            }
        };
        self.failed = 0;
        self.view.health.fine(&Subject::Relay);
        if self.taken.note(true) {
            info!("The upstream takes what agents say as they signed it; it is not counted twice from here on");
        }
        let before = self.upstream.replace(received.boot);
        if before.is_some_and(|before| before != received.boot) {
            info!("The upstream has started anew, or is another one: it is told again what agents say");
            let ago = i64::try_from(TOLD_AGAIN_MAX.as_millis()).expect("minutes are few milliseconds");
            let since = Timestamp::from_unix_millis(clock::now().unix_millis().saturating_sub(ago));
            self.answers.here.tell_all_again(since);
        }
        let mut speakers: Vec<Option<Speaker>> = speakers.into_iter().map(Some).collect();
        let later = received.later.iter().filter_map(|number| speakers.get_mut(*number)?.take());
        let later: Vec<Speaker> = later.collect();
        if later.is_empty() {
            return Next::GoOn;
        }
        self.answers.here.put_back(later);
        Next::Rest(LATER.mul_f64(0.5 + fastrand::f64()))
    }

    /// Notes that nothing was taken; says for how long to leave it at that.
    fn failed(&mut self, error: &PostError) -> Duration {
        let failures: Vec<&Reason> = match error {
            PostError::Refused { failures, .. } | PostError::Unavailable { failures, .. } => {
                failures.iter().map(|failure| &failure.reason).collect()
            }
            PostError::Path { .. } => Vec::new(),
        };
        if !failures.is_empty() && failures.iter().all(|reason| takes_none(reason)) {
            self.failed = 0;
            self.view.health.fine(&Subject::Relay);
            if self.taken.note(false) {
                info!("The upstream does not take what agents say as they signed it, so it is told numbers: {error}");
            }
            return NOT_TAKEN.mul_f64(0.5 + fastrand::f64());
        }
        self.view.health.trouble(Subject::Relay, error);
        let asked = failures.iter().filter_map(|reason| asked_for(reason)).max().unwrap_or_default();
        self.rest(asked)
    }

    /// Doubles from failure to failure, and is never shorter than what the upstream `asked` for.
    fn rest(&mut self, asked: Duration) -> Duration {
        let doubled = FIRST_REST.saturating_mul(1 << self.failed.min(8)).min(REST_MAX);
        self.failed = self.failed.saturating_add(1);
        doubled.mul_f64(0.5 + fastrand::f64()).max(asked.min(ASKED_MAX))
    }
}

/// Whether a base URL takes no such bodies: it is older, or serves files, or does not know us.
fn takes_none(reason: &Reason) -> bool {
    match reason {
        Reason::Fault(Fault::Absent) => true,
        Reason::Fault(Fault::Status { status, .. }) => matches!(
            *status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_IMPLEMENTED
        ),
        Reason::Fault(_) => false,
        Reason::Refused(nobody) => match *nobody {},
    }
}

/// How long a base URL asked to be left alone.
fn asked_for(reason: &Reason) -> Option<Duration> {
    match reason {
        Reason::Fault(Fault::Status { retry_after, .. }) => *retry_after,
        Reason::Fault(_) => None,
        Reason::Refused(nobody) => match *nobody {},
    }
}

/// Says that what came back is not what a gateway answers.
#[derive(Debug, thiserror::Error)]
#[error("what the upstream answers to relayed acks cannot be read")]
struct NoAnswer(#[source] serde_json::Error);

const PATH: &str = "v1/acks/relay";
/// So long after the first word others are waited for.
const GATHER: Duration = Duration::from_millis(150);
/// No longer than this without a look at whether the upstream started anew.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often agents are told of that only said the same once more. They do so every half a minute or so.
const LET_GO_EVERY: Duration = Duration::from_secs(4);
/// Who has been silent for longer would seem to be alive to an upstream that started anew.
const TOLD_AGAIN_MAX: Duration = Duration::from_secs(180);
/// Before what the upstream could not take yet is sent again.
const LATER: Duration = Duration::from_secs(1);
const FIRST_REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(30);
/// An upstream may ask for more; it gets no more than this.
const ASKED_MAX: Duration = Duration::from_secs(60);
/// Before an upstream is asked again that takes none.
const NOT_TAKEN: Duration = Duration::from_secs(60);
const ANSWER_MAX_BYTES: u64 = 64 * 1024;
