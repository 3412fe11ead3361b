//! A gateway small enough for tests: one pointer, strong ETags, requests held until it moves or the test lets go.

use bytes::Bytes;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use schema::Digest;
use tokio::sync::watch;

use crate::server::{Answer, Asked, Server, ok, status_only};

pub(crate) struct Gateway {
    pub(crate) server: Server,
    state: watch::Sender<State>,
    parked: watch::Receiver<usize>,
}

#[derive(Clone)]
struct State {
    pointer: Bytes,
    /// How often everybody was let go.
    let_go: u64,
}

impl Gateway {
    pub(crate) async fn serving(pointer: &'static [u8]) -> Gateway {
        let (state, states) = watch::channel(State { pointer: Bytes::from_static(pointer), let_go: 0 });
        let (count, parked) = watch::channel(0);
        let server = Server::start(move |asked| answer(asked, states.clone(), count.clone())).await;
        Gateway { server, state, parked }
    }

    pub(crate) fn publish(&self, pointer: &'static [u8]) {
        self.state.send_modify(|state| state.pointer = Bytes::from_static(pointer));
    }

    /// Ends everybody's wait, as if it had been long.
    pub(crate) fn let_go(&self) {
        self.state.send_modify(|state| state.let_go += 1);
    }

    /// Waits until that many requests have ever been held.
    pub(crate) async fn has_parked(&self, requests: usize) {
        self.parked.clone().wait_for(|parked| *parked >= requests).await.unwrap();
    }
}

async fn answer(asked: Asked, mut states: watch::Receiver<State>, parked: watch::Sender<usize>) -> Answer {
    let known = asked.header(IF_NONE_MATCH.as_str()).map(str::to_owned);
    let mut state = states.borrow_and_update().clone();
    let may_wait = asked.header("prefer").is_some_and(|prefer| prefer.starts_with("wait="));
    if may_wait && known == Some(etag(&state.pointer)) {
        parked.send_modify(|parked| *parked += 1);
        states.changed().await.unwrap();
        state = states.borrow().clone();
    }
    let current = etag(&state.pointer);
    let mut answer =
        if known.as_ref() == Some(&current) { status_only(StatusCode::NOT_MODIFIED) } else { ok(state.pointer) };
    answer.headers_mut().insert(ETAG, HeaderValue::try_from(current).unwrap());
    if may_wait {
        answer.headers_mut().insert("preference-applied", HeaderValue::from_static("wait"));
    }
    answer
}

/// What gateways call these bytes.
pub(crate) fn etag(body: &[u8]) -> String {
    format!("\"{}\"", Digest::of(body))
}
