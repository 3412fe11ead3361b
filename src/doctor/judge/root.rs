//! The trust root: whether it holds, for how long, and how many people it takes.

use publisher::ceremony::RoleName;
use schema::{PublicKey, Timestamp, TrustRoot};

use super::roughly;
use crate::doctor::facts::RootFacts;
use crate::doctor::finding::Finding;

pub(super) fn judge(root: &Result<RootFacts, String>, now: Timestamp) -> Vec<Finding> {
    match root {
        Err(why) => {
            vec![Finding::broken("root.file", why, "name the root that agents trust as `root:` in the configuration")]
        }
        Ok(RootFacts { pinned, newest, stray }) => {
            let mut findings = vec![file(*pinned, newest.version, stray.as_deref())];
            findings.push(expiry(newest, now));
            findings.push(root_threshold(newest));
            findings.push(release_threshold(newest));
            findings.push(apart(newest));
            findings
        }
    }
}

fn file(pinned: u64, newest: u64, stray: Option<&str>) -> Finding {
    let Some(why) = stray else {
        return match newest {
            _ if newest == pinned => Finding::ok("root.file", format!("version {pinned} is the newest")),
            _ => Finding::ok("root.file", format!("version {pinned}, and version {newest} follows it in the store")),
        };
    };
    let says =
        format!("an object stands where version {} belongs, and does not follow: {why}", newest.saturating_add(1));
    Finding::broken("root.file", says, "find out who wrote it; the next root cannot be published while it is there")
}

fn expiry(root: &TrustRoot, now: Timestamp) -> Finding {
    let left = root.expires.unix_millis() - now.unix_millis();
    let says = format!("version {} expires {} (in {})", root.version, root.expires, roughly(left));
    match left.div_euclid(DAY_MILLIS) {
        ..0 => {
            let says = format!("version {} expired {}: agents hold what they run", root.version, root.expires);
            Finding::broken(
                "root.expiry",
                says,
                "draft the next root with `driftless keys rotate`, and have it signed today",
            )
        }
        0..7 => Finding::weak("root.expiry", says, "agents will hold; hold the ceremony now: `driftless keys rotate`"),
        7..30 => Finding::weak("root.expiry", says, "hold the ceremony this week: `driftless keys rotate`"),
        30..60 => Finding::weak("root.expiry", says, "plan the next ceremony: `driftless keys rotate`"),
        _ => Finding::ok("root.expiry", says),
    }
}

fn root_threshold(root: &TrustRoot) -> Finding {
    let (threshold, keys) = (root.root.threshold(), root.root.keys().len());
    let says = format!("{threshold} of {keys} root keys must sign");
    if threshold == 1 {
        let mend = "whoever has one key decides who is trusted; go to 2 of 3 as docs/guide/keys.md says";
        return Finding::weak("root.threshold", says, mend);
    }
    if threshold == keys {
        let mend = "one lost key and there is no next root; add another with `driftless keys rotate --add root=KEY`";
        return Finding::weak("root.threshold", says, mend);
    }
    Finding::ok("root.threshold", says)
}

fn release_threshold(root: &TrustRoot) -> Finding {
    let (threshold, keys) = (root.release.threshold(), root.release.keys().len());
    let says = format!("{threshold} of {keys} release keys must sign each bundle");
    if threshold > 1 {
        return Finding::ok("release.threshold", says);
    }
    let mend =
        "a stolen publisher can publish what nobody merged; add a second signer that rebuilds: `driftless rebuild`";
    Finding::weak("release.threshold", says, mend)
}

fn apart(root: &TrustRoot) -> Finding {
    let twice = RoleName::all_of(root).find_map(|(role, keys)| {
        let mut others = RoleName::all_of(root).filter(|(other, _)| *other > role && !both_point(other, &role));
        let (other, shared) = others.find_map(|(other, theirs)| Some((other, shared(keys.keys(), theirs.keys())?)))?;
        Some(format!("key {} is in roles {role} and {other}", shared.fingerprint()))
    });
    match twice {
        None => Finding::ok("roles.apart", "no key is in two roles"),
        Some(says) => {
            let mend = "one theft buys both; give one of the roles a key of its own: `driftless keys rotate`";
            Finding::weak("roles.apart", says, mend)
        }
    }
}

/// The same key may well sign for a region and for the rest.
fn both_point(one: &RoleName, other: &RoleName) -> bool {
    one.signs_pointers() && other.signs_pointers()
}

fn shared<'k>(one: &'k [PublicKey], other: &[PublicKey]) -> Option<&'k PublicKey> {
    one.iter().find(|key| other.contains(key))
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
