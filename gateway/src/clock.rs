//! This host's clock, read at the edges; everything inside is told the time.

use std::time::SystemTime;

use schema::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
