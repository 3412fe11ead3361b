//! Work that would hold up the runtime: hashing, compressing, git, syncing files.

/// Runs `work` on a thread that may block, and waits for it.
///
/// Dropping the future does not stop the work, only the waiting. While the runtime shuts down it waits for ever, and is
/// dropped with the task that waits.
///
/// # Panics
/// When `work` does.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_shutdown) => std::future::pending().await,
        },
    }
}
