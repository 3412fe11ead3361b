//! Whether one process of this machine may have as many files open as a server has clients.

use rustix::process::{Resource, getrlimit};

use crate::exit::Failure;

/// The most files that a process of ours may have open, once it has raised its own limit.
pub(super) fn most() -> usize {
    getrlimit(Resource::Nofile).maximum.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// Fails where a server cannot hold that many clients: better said before anything is started than met on the way.
pub(super) fn suffice(clients: usize) -> Result<(), Failure> {
    allow(clients, most())
}

fn allow(clients: usize, most: usize) -> Result<(), Failure> {
    let needed = clients + OTHERS;
    if needed <= most {
        return Ok(());
    }
    let message =
        format!("{clients} agents at one server need {needed} open files, and a process may have {most} here");
    Err(Failure::usage(message).hint(
        "raise the hard limit (`ulimit -Hn` shows it; `LimitNOFILE=` for a service), or ask for fewer with --agents",
    ))
}

/// What a server has open beside its clients: a probe, the status and the figures take a few connections more.
pub(super) const OTHERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Code;

    #[test]
    fn a_limit_that_is_too_low_is_a_wrong_question() {
        assert!(allow(3096, 4096).is_ok());
        let refused = allow(3097, 4096).expect_err("one too many");
        assert_eq!(refused.code(), Code::Usage);
        assert!(refused.in_words().contains("4097 open files"), "{}", refused.in_words());
    }
}
