//! How a run ends: exit codes that keep their meaning, and errors told with their causes and a hint.

use std::error::Error;
use std::process::ExitCode;

use publisher::ErrorKind;

use crate::out;

/// The exit codes, listed once; the same list closes `driftless --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Something nobody foresaw: a bug, or a broken machine.
    Unexpected = 1,
    /// The arguments or a configuration file are wrong. clap uses the same number.
    Usage = 2,
    /// A signature, a rule or a guard said no.
    Refused = 3,
    /// Another publisher was first.
    LostRace = 4,
    /// A store, a gateway or a repository could not be reached.
    Unreachable = 5,
    /// What was waited for did not come in the time that was given.
    TimedOut = 6,
}

/// What ends a run early: an error, the code it ends with, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    error: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
}

/// The end of a subcommand.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    pub(crate) fn new(code: Code, error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure { code, error: error.into(), hint: None }
    }

    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(Code::Usage, error)
    }

    pub(crate) fn unexpected(error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(Code::Unexpected, error)
    }

    /// What ended a publisher's work, under the exit code of its kind and with its own hint.
    pub(crate) fn of_publisher(error: impl PublisherFailure) -> Failure {
        let code = match error.kind() {
            ErrorKind::Refused => Code::Refused,
            ErrorKind::LostRace => Code::LostRace,
            ErrorKind::Unreachable => Code::Unreachable,
            ErrorKind::Unexpected => Code::Unexpected,
        };
        let hint = error.hint();
        Failure { code, error: Box::new(error), hint }
    }

    /// The code that the run would end with.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The error and its causes, in one line.
    pub(crate) fn in_words(&self) -> String {
        publisher::causes(&*self.error).join(": ")
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

/// An error of the publisher's that knows its kind and what to do about it.
pub(crate) trait PublisherFailure: Error + Send + Sync + 'static {
    fn kind(&self) -> ErrorKind;
    fn hint(&self) -> Option<String>;
}

macro_rules! publisher_failure {
    ($($error:ty),+) => {$(
        impl PublisherFailure for $error {
            fn kind(&self) -> ErrorKind {
                <$error>::kind(self)
            }

            fn hint(&self) -> Option<String> {
                <$error>::hint(self)
            }
        }
    )+};
}

publisher_failure!(
    publisher::StartError,
    publisher::TrustError,
    publisher::daemon::LookError,
    publisher::history::HistoryError,
    publisher::rollback::RollbackError
);

/// Tells `outcome` on standard error, if it needs telling, and turns it into the process's exit code.
pub(crate) fn code_of(outcome: Outcome) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    out::talk(&format!("error: {}", failure.error));
    for cause in publisher::causes(&*failure.error).iter().skip(1) {
        out::talk(&format!("  caused by: {cause}"));
    }
    if let Some(hint) = failure.hint {
        out::talk(&format!("  hint: {hint}"));
    }
    ExitCode::from(failure.code as u8)
}
