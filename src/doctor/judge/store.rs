//! What is published: whether it is there, counts, and goes on being signed.

use schema::Timestamp;

use super::roughly;
use crate::doctor::facts::{PointerFact, StoreFacts};
use crate::doctor::finding::Finding;

pub(super) fn judge(store: &Result<StoreFacts, String>, now: Timestamp) -> Vec<Finding> {
    match store {
        Err(why) => vec![Finding::broken("store", why, "check `store:`, the network and the credentials")],
        Ok(StoreFacts { pointers, .. }) if pointers.is_empty() => {
            vec![Finding::weak("store", "nothing is published yet", "start `driftless up` or `driftless publisher`")]
        }
        Ok(StoreFacts { pointers, passed_over }) => {
            let more =
                if *passed_over > 0 { format!("; {passed_over} more were not looked at") } else { String::new() };
            let noun = if pointers.len() == 1 { "pointer" } else { "pointers" };
            let says = format!("{} {noun}{more}", pointers.len());
            vec![Finding::ok("store", says), judge_pointers(pointers, now)]
        }
    }
}

fn judge_pointers(pointers: &[PointerFact], now: Timestamp) -> Finding {
    let place = |pointer: &PointerFact| format!("{} in {}", pointer.app, pointer.region);
    if let Some((pointer, why)) = first(pointers, |pointer| pointer.term.as_ref().err()) {
        let says = format!("{}: agents refuse the pointer: {why}", place(pointer));
        return Finding::broken("pointers", says, "let a publisher with keys of the newest root run");
    }
    if let Some((pointer, expires)) = first(pointers, |pointer| expired(pointer, now)) {
        let says = format!("{}: the pointer expired {expires}, so agents are STALE", place(pointer));
        return Finding::broken("pointers", says, "start the publisher; it signs pointers afresh every hour");
    }
    if let Some((pointer, left)) = first(pointers, |pointer| nearly_expired(pointer, now)) {
        let says = format!("{}: the pointer expires in {}, and nobody signs it afresh", place(pointer), roughly(left));
        return Finding::weak("pointers", says, "is the publisher running? look at `driftless status`");
    }
    Finding::ok("pointers", "all count, and are signed afresh in time")
}

fn first<'p, T>(
    pointers: &'p [PointerFact],
    wrong: impl Fn(&'p PointerFact) -> Option<T>,
) -> Option<(&'p PointerFact, T)> {
    pointers.iter().find_map(|pointer| Some((pointer, wrong(pointer)?)))
}

fn expired(pointer: &PointerFact, now: Timestamp) -> Option<Timestamp> {
    let (_, expires) = pointer.term.as_ref().ok()?;
    (now >= *expires).then_some(*expires)
}

/// Milliseconds left, where less than a quarter of its time is: a publisher that runs signs long before that.
fn nearly_expired(pointer: &PointerFact, now: Timestamp) -> Option<i64> {
    let (issued, expires) = pointer.term.as_ref().ok()?;
    let left = expires.unix_millis() - now.unix_millis();
    (left < (expires.unix_millis() - issued.unix_millis()) / 4).then_some(left)
}
