//! The host: its clock, its git, its folders, and who may connect to it.

use schema::Timestamp;

use super::roughly;
use crate::doctor::facts::{Facts, Folder, Git, Listener, Need, PolicyFile, StoreFacts, Transport};
use crate::doctor::finding::Finding;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![policy(&facts.policy), clock(facts), state(&facts.state), git(&facts.git), listener(facts.listener.as_ref())]
}

fn policy(policy: &Result<PolicyFile, String>) -> Finding {
    match policy {
        Ok(PolicyFile { path, mode }) if mode & WRITABLE_BY_OTHERS != 0 => {
            let says = format!("{} has mode {:04o}: others can say who may sign", path.display(), mode & 0o7777);
            Finding::weak("signers", says, format!("chmod go-w {}", path.display()))
        }
        Ok(_) => Finding::ok("signers", "the signer policy can be read, and changed by its owner alone"),
        Err(why) => Finding::broken("signers", why, "say who may sign commits in the file named as `signers:`"),
    }
}

/// Compares with a gateway's clock, if there is one; else with the newest signature in the store, which can only show that this
/// clock is behind: a store may keep newer pointers back, and nothing signed tells what time it is now.
fn clock(facts: &Facts) -> Finding {
    let ahead_of = |theirs: Timestamp| facts.now.unix_millis() - theirs.unix_millis();
    match (&facts.gateway, facts.store.as_ref().ok().and_then(newest_issued)) {
        (Some(Ok(theirs)), _) => off(ahead_of(*theirs), "the gateway's clock", "within a minute of the gateway's"),
        (Some(Err(why)), _) => {
            Finding::weak("clock", format!("the gateway does not tell its time: {why}"), "check --url")
        }
        (None, Some(issued)) => {
            let fine = "not behind the newest pointer (being ahead is seen only with --url)";
            off(ahead_of(issued).min(0), "the newest pointer in the store", fine)
        }
        (None, None) => Finding::ok("clock", "nothing to compare it with; name a gateway with --url"),
    }
}

fn off(ahead_millis: i64, reference: &str, fine: &str) -> Finding {
    let direction = if ahead_millis < 0 { "behind" } else { "ahead of" };
    let says = format!("this clock is {} {direction} {reference}", roughly(ahead_millis));
    if ahead_millis.abs() <= MINUTE_MILLIS {
        Finding::ok("clock", fine)
    } else if ahead_millis.abs() <= HOUR_MILLIS {
        Finding::weak("clock", says, "let NTP set the clock")
    } else {
        let mend = "let NTP set the clock: what is signed now expires at another time than it says";
        Finding::broken("clock", says, mend)
    }
}

fn newest_issued(store: &StoreFacts) -> Option<Timestamp> {
    store.pointers.iter().filter_map(|pointer| Some(pointer.term.as_ref().ok()?.0)).max()
}

fn state(Folder { path, mode }: &Folder) -> Finding {
    match mode {
        None => Finding::ok("state", format!("{} will be made", path.display())),
        Some(mode) if mode & WRITABLE_BY_OTHERS != 0 => {
            let says = format!(
                "{} has mode {:04o}: others can change what the publisher remembers",
                path.display(),
                mode & 0o7777
            );
            Finding::weak("state", says, format!("chmod go-w {}", path.display()))
        }
        Some(_) => Finding::ok("state", format!("{} can be changed by its owner alone", path.display())),
    }
}

fn git(Git { need, version }: &Git) -> Finding {
    match (version, need) {
        (Ok(version), _) => Finding::ok("git", version.clone()),
        (Err(_), Need::Unused) => Finding::ok("git", "not installed, and not used: the repository is on this host"),
        (Err(why), Need::Used) => Finding::broken("git", why, "install git: it fetches the repository"),
    }
}

fn listener(listener: Option<&Listener>) -> Finding {
    let Some(Listener { address, transport }) = listener else { return Finding::ok("listen", "nobody can connect") };
    match transport {
        Err(why) => Finding::broken("listen", why, "mend the file named as `entrance:`"),
        Ok(Transport::Tls) => Finding::ok("listen", format!("TLS on {address}")),
        Ok(Transport::Plain) if address.ip().is_loopback() => {
            Finding::ok("listen", format!("plain HTTP on {address}, for this host alone"))
        }
        Ok(Transport::Plain) => {
            let mend =
                "nothing can be changed on the way, but all of it can be read; configure `tls`, or listen on 127.0.0.1";
            Finding::weak("listen", format!("plain HTTP on {address}"), mend)
        }
    }
}

const MINUTE_MILLIS: i64 = 60 * 1000;
const HOUR_MILLIS: i64 = 60 * MINUTE_MILLIS;
const WRITABLE_BY_OTHERS: u32 = 0o022;
