//! How often a pointer is asked for.

use std::time::Duration;

/// The waits of a follower. All are jittered; what is written here is the mean, or the bound where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a server is asked to hold a request (`Prefer: wait`), in whole seconds. Default 55 s; below 1 s no server
    /// is asked to.
    pub wait: Duration,
    /// Between two requests to a server that does not hold them: uniform from half of it to one and a half times it.
    /// Default 10 s.
    pub poll: Duration,
    /// The least wait after a round in which no base URL gave anything. Default 1 s.
    pub backoff_min: Duration,
    /// The most: the bound doubles with each such round until it is reached. Default 60 s.
    pub backoff_max: Duration,
    /// How long a base URL that failed stands back behind the others before its place in the list counts again.
    /// Default 10 min.
    pub rest: Duration,
}

impl Rhythm {
    /// What `Prefer: wait=` asks for.
    pub(crate) fn wait_seconds(&self) -> Option<u64> {
        Some(self.wait.as_secs()).filter(|seconds| *seconds > 0)
    }
}

impl Default for Rhythm {
    fn default() -> Self {
        Rhythm {
            wait: Duration::from_secs(55),
            poll: Duration::from_secs(10),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            rest: Duration::from_secs(600),
        }
    }
}
