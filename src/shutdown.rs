//! Ctrl-C and SIGTERM: the first asks every task to finish its step, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::out;

/// Runs `work` with a token that the first signal cancels. A second signal ends the process as the signal would have.
pub(crate) async fn on_signal<T>(work: impl AsyncFnOnce(CancellationToken) -> T) -> T {
    let asked = CancellationToken::new();
    let mut signals = Signals::listen();
    let work = work(asked.clone());
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = signals.next() => {
                if asked.is_cancelled() {
                    end_at_once();
                }
                out::talk("stopping; once more to stop at once");
                asked.cancel();
            }
        }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Signals {
        let listen = |kind| signal(kind).expect("the runtime is running, so signals can be listened for");
        Signals { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a second signal means now: every step on disk survives that")]
fn end_at_once() -> ! {
    std::process::exit(130)
}
