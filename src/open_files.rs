//! How many files this process may have open: every parked agent is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that fails the soft limit stays, and a gateway turns away what is over it.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("The limit on open files stays as it is: {error}");
    }
}
