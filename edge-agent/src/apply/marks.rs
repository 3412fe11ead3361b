//! The places on the apply path where a process may be killed, in order.

use fail::fail_point;

pub(super) const SEEN: &str = "apply-seen";
pub(super) const INTENT: &str = "apply-intent";
pub(super) const DOWNLOADED: &str = "apply-downloaded";
pub(super) const UNPACKED: &str = "apply-unpacked";
pub(super) const SYNCED: &str = "apply-synced";
pub(super) const RENAMED: &str = "apply-renamed";
pub(super) const CHECKED: &str = "apply-checked";
pub(super) const SWITCHED: &str = "apply-switched";
pub(super) const SWITCH_SYNCED: &str = "apply-switch-synced";
pub(super) const APPLIED: &str = "apply-applied";
pub(super) const RELOADED: &str = "apply-reloaded";
pub(super) const PROBED: &str = "apply-probed";
pub(super) const RESULT: &str = "apply-result";
pub(crate) const ACKED: &str = "apply-acked";
pub(super) const COLLECTED: &str = "apply-collected";

/// Names of the failpoints on the apply path, each right after what it is named for. Live under feature `failpoints` only.
pub const STEPS: [&str; 15] = [
    SEEN,
    INTENT,
    DOWNLOADED,
    UNPACKED,
    SYNCED,
    RENAMED,
    CHECKED,
    SWITCHED,
    SWITCH_SYNCED,
    APPLIED,
    RELOADED,
    PROBED,
    RESULT,
    ACKED,
    COLLECTED,
];

/// Says that the step `name` is done.
pub(crate) fn reached(name: &'static str) {
    fail_point!(name);
    tracing::trace!(step = name);
}
