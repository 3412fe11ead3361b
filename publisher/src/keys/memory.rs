//! Keeps a process that holds secret keys out of core dumps, and its memory from other processes of the same user.

use std::sync::Once;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Makes the kernel write no core dump of this process, whatever the system is set up to do with one. Once is enough; where
/// the system refuses, that is said and the process goes on.
pub(super) fn keep_out_of_core_dumps() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Either alone leaves a gap: a limit of zero does not keep a dump from a program that takes dumps from a pipe, and the
        // mark on the process is taken off by whatever it executes.
        let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        let marked = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        if let Err(error) = limited.and(marked) {
            tracing::warn!("Secret keys may end up in a core dump: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_keys_is_not_dumped() {
        keep_out_of_core_dumps();
        let dumpable = rustix::process::dumpable_behavior().expect("the kernel says");
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
