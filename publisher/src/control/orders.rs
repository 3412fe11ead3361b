//! Commands on their way to the daemon's loop: it alone writes, so it alone carries them out.
//!
//! In: an operator's name and a command. Out: what came of it, or one [`CommandError`] within [`Orders::DEADLINE`]. Knows
//! nothing of tokens or HTTP.

use std::error::Error;
use std::time::Duration;

use schema::control::{Command, Done};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// One command, and where its answer goes.
#[derive(Debug)]
pub struct Order {
    /// The operator, by the name of the token.
    pub who: Box<str>,
    /// What is to be done, and why.
    pub command: Command,
    /// Takes the answer. Whoever asked may be gone; what was done stays done.
    pub answer: oneshot::Sender<Result<Done, CommandError>>,
}

/// Where commands are given. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders(mpsc::Sender<Order>);

/// Where commands arrive: the daemon's loop.
#[derive(Debug)]
pub struct Receiver(Option<mpsc::Receiver<Order>>);

/// Says why a command was not carried out, or not for certain.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It names something that is not there.
    #[error("there is no {what}")]
    Unknown {
        /// What, like "rollout of app `web`".
        what: String,
    },
    /// It may not be done, or makes no sense now.
    #[error("the command is refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// It could not be done; trying again may help.
    #[error("the command could not be carried out")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
    /// Too many commands wait already.
    #[error("{} commands wait already", Orders::WAITING_MAX)]
    Busy,
    /// No answer came in time. It may yet be carried out.
    #[error("the publisher did not answer within {} s; the command may yet be carried out", Orders::DEADLINE.as_secs())]
    Slow,
    /// The publisher's loop has ended.
    #[error("the publisher is stopping")]
    Stopping,
}

/// A way for commands into a daemon's loop.
pub fn orders() -> (Orders, Receiver) {
    let (give, take) = mpsc::channel(Orders::WAITING_MAX);
    (Orders(give), Receiver(Some(take)))
}

impl Orders {
    /// How many commands may wait.
    pub const WAITING_MAX: usize = 16;
    /// How long whoever asks is kept waiting for an answer.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// Has a command carried out, in the name of `who`.
    ///
    /// # Errors
    /// [`CommandError`]; after [`CommandError::Slow`] it may yet be carried out.
    pub async fn give(&self, who: &str, command: Command) -> Result<Done, CommandError> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Order { who: who.into(), command, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
        })?;
        match timeout(Orders::DEADLINE, answered).await {
            Ok(Ok(came)) => came,
            Ok(Err(_dropped)) => Err(CommandError::Stopping),
            Err(_elapsed) => Err(CommandError::Slow),
        }
    }
}

impl Receiver {
    /// The end of a way that nobody gives commands into.
    pub fn nobody() -> Receiver {
        Receiver(None)
    }

    /// The next command. Waits for ever where nobody can give one any more, so that it can stand in a `select!`. Nothing is
    /// lost by dropping it half way.
    pub async fn next(&mut self) -> Order {
        if let Some(orders) = &mut self.0 {
            if let Some(order) = orders.recv().await {
                return order;
            }
            self.0 = None;
        }
        std::future::pending().await
    }
}

impl Order {
    /// Answers whoever gave it.
    pub fn answer(self, came: Result<Done, CommandError>) {
        // Whoever asked may have hung up: what was done is done all the same, and the log says so.
        let _gone = self.answer.send(came);
    }
}

impl CommandError {
    /// As [`CommandError::Refused`].
    pub fn refused(why: impl Into<Box<dyn Error + Send + Sync>>) -> CommandError {
        CommandError::Refused(why.into())
    }

    /// As [`CommandError::Failed`].
    pub fn failed(why: impl Into<Box<dyn Error + Send + Sync>>) -> CommandError {
        CommandError::Failed(why.into())
    }
}

#[cfg(test)]
mod tests {
    use schema::control::What;

    use super::*;

    fn freeze() -> Command {
        Command { what: What::Freeze { app: None, region: None }, why: "because".into() }
    }

    fn done(order: &Order) -> Done {
        Done { who: order.who.clone(), changed: vec!["all".to_owned()] }
    }

    #[tokio::test]
    async fn a_command_is_answered_by_whoever_takes_it() {
        let (orders, mut receiver) = orders();
        let serve = async {
            let order = receiver.next().await;
            assert_eq!(order.command, freeze());
            let done = done(&order);
            order.answer(Ok(done));
        };
        let (came, ()) = tokio::join!(orders.give("alice", freeze()), serve);
        assert_eq!(came.expect("done").who.as_ref(), "alice");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_no_more_than_a_few_wait() {
        let (orders, mut receiver) = orders();
        assert!(matches!(orders.give("alice", freeze()).await, Err(CommandError::Slow)));
        for _ in 1..Orders::WAITING_MAX {
            assert!(matches!(orders.give("alice", freeze()).await, Err(CommandError::Slow)));
        }
        assert!(matches!(orders.give("alice", freeze()).await, Err(CommandError::Busy)));
        drop(receiver.next().await);
        let serve = async { drop(receiver) };
        let (came, ()) = tokio::join!(orders.give("alice", freeze()), serve);
        assert!(matches!(came, Err(CommandError::Stopping)));
        assert!(matches!(orders.give("alice", freeze()).await, Err(CommandError::Stopping)));
    }

    #[tokio::test(start_paused = true)]
    async fn without_anybody_to_command_there_is_just_no_command() {
        let mut receiver = Receiver::nobody();
        assert!(timeout(Duration::from_secs(3600), receiver.next()).await.is_err());
        let (orders, mut receiver) = orders();
        drop(orders);
        assert!(timeout(Duration::from_secs(3600), receiver.next()).await.is_err());
    }
}
