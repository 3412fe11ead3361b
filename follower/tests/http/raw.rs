//! A server that was never taught HTTP: it sends what a test says, byte by byte, and counts what was taken from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use follower::BaseUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::server::accept;

pub(crate) struct Raw {
    pub(crate) base: BaseUrl,
    sent: Arc<AtomicUsize>,
    hung_up: watch::Receiver<usize>,
    _task: JoinSet<()>,
}

/// What follows the opening.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// Nothing, on an open connection.
    Silence,
    /// The same bytes again and again, as fast as they are taken.
    Endless(&'static [u8]),
    /// The same bytes again and again, but slowly.
    Dribble(&'static [u8]),
    /// The end of the connection, as after a crash.
    Reset,
    /// The end of the connection.
    Close,
}

impl Raw {
    /// Answers by `opening` and then, unless it is empty, `more` again and again.
    pub(crate) async fn start(opening: impl Into<Vec<u8>>, more: &'static [u8]) -> Raw {
        Raw::answering(opening, if more.is_empty() { Then::Silence } else { Then::Endless(more) }).await
    }

    /// Answers the first request on each connection, whatever it is.
    pub(crate) async fn answering(opening: impl Into<Vec<u8>>, then: Then) -> Raw {
        let opening: Arc<[u8]> = opening.into().into();
        let sent = Arc::new(AtomicUsize::new(0));
        let (hung_up_on, hung_up) = watch::channel(0);
        let count = sent.clone();
        let (address, task) = accept(move |stream| {
            let (opening, count, hung_up_on) = (opening.clone(), count.clone(), hung_up_on.clone());
            async move {
                answer(stream, &opening, then, &count).await;
                hung_up_on.send_modify(|clients| *clients += 1);
            }
        })
        .await;
        Raw { base: format!("http://{address}/store").parse().unwrap(), sent, hung_up, _task: task }
    }

    /// Waits until some client has given up, or was left.
    pub(crate) async fn was_hung_up_on(&self) {
        self.hung_up.clone().wait_for(|clients| *clients > 0).await.unwrap();
    }

    /// Bytes taken from it, by clients or by the network on the way to them.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

async fn answer(mut stream: TcpStream, opening: &[u8], then: Then, count: &AtomicUsize) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    if stream.write_all(opening).await.is_err() {
        return;
    }
    count.fetch_add(opening.len(), Ordering::Relaxed);
    match then {
        Then::Silence => while stream.read(&mut request).await.is_ok_and(|read| read > 0) {},
        Then::Endless(more) => {
            while let Ok(sent) = stream.write(more).await {
                count.fetch_add(sent, Ordering::Relaxed);
            }
        }
        Then::Dribble(more) => {
            while stream.write_all(more).await.is_ok() {
                count.fetch_add(more.len(), Ordering::Relaxed);
                sleep(Duration::from_millis(100)).await;
            }
        }
        Then::Reset => {
            // What was sent has to arrive before the end does.
            sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger().unwrap();
        }
        Then::Close => {}
    }
}
