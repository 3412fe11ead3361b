//! Where files are written, synced and hashed: on threads that may wait.

use std::future::pending;
use std::panic::resume_unwind;

/// Runs `work` where it may block, and gives what it gives. A panic in it goes on here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is going down, and this future with it.
            Err(_) => pending().await,
        },
    }
}
