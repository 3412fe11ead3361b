//! Keeps the identity key out of core dumps.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Makes the kernel write no core dump of this process. For whoever runs an agent to call before it reads a key; where the
/// system refuses, that is said and the process goes on.
///
/// What the agent executes is dumped as ever: services that hooks start are not to lose their core dumps, so no limit is set.
pub fn keep_out_of_core_dumps() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "Core dumps of this process cannot be turned off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_an_identity_is_not_dumped() {
        keep_out_of_core_dumps();
        let dumpable = rustix::process::dumpable_behavior().expect("the kernel says");
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
    }
}
