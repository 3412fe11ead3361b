//! Anything at all that may be done to one answer: the alphabet of the runs by chance.
//!
//! In: a random number generator, a request, the truth. Out: an answer. What needs a stolen key in force is left out where it would
//! be believed (a thief of the pointer key may choose among releases); what such a key signs in vain is in.

use std::sync::{Mutex, PoisonError};

use fastrand::Rng;
use schema::keys::SecretKey;
use schema::pointer::Target;
use schema::{Digest, Epoch, Generation, Verified};

use super::answer::{Answer, Sending};
use super::forge::{Forge, app, bundle_path, home, manifest_path, region, role};
use super::mangle::MANGLINGS;
use super::message::{Kind, Request};
use super::proxy::{Honest, Turned};

/// Everything that a thief has made so far.
pub(crate) struct Evil {
    stranger: SecretKey,
    documents: Mutex<Vec<(Kind, Vec<u8>)>>,
}

impl Evil {
    pub(crate) fn new(forge: &Forge, rng: &mut Rng) -> Evil {
        let evil = Evil { stranger: SecretKey::generate(), documents: Mutex::default() };
        evil.learn(forge, rng);
        evil
    }

    /// Forges what can be forged beside what `forge` published last.
    pub(crate) fn learn(&self, forge: &Forge, rng: &mut Rng) {
        let content = format!("owned: {}\n", rng.u64(..));
        let (bundle, manifest) = forge.bundle(&content, |_| ());
        let digest = manifest.digest;
        let root = forge.next_root(|root| root.root = role(&[&self.stranger], 1));
        let by_stranger = Verified::seal(manifest.clone(), &[&self.stranger]);
        let by_pointer_key = Verified::seal(manifest, &[&forge.keys.pointer]);
        let target = Target { digest, manifest: by_stranger.payload_digest() };
        let far = Generation::new(u64::MAX - rng.u64(..1000));
        let signed_by = |key, change: &dyn Fn(&mut schema::Pointer)| forge.forged(key, change);
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        documents.extend([
            (Kind::Bundle, bundle),
            (Kind::Manifest, by_stranger.bytes().to_vec()),
            (Kind::Manifest, by_pointer_key.bytes().to_vec()),
            (Kind::Root, Verified::seal(root.clone(), &[&self.stranger]).bytes().to_vec()),
            (Kind::Root, Verified::seal(root, &[&forge.keys.root]).bytes().to_vec()),
            (Kind::Pointer, signed_by(&self.stranger, &|pointer| pointer.stable = target)),
            (Kind::Pointer, signed_by(&forge.keys.release, &|pointer| pointer.stable = target)),
            (Kind::Pointer, signed_by(&forge.keys.pointer, &|pointer| pointer.region = region("us-east"))),
            (Kind::Pointer, forge.newest().bytes().to_vec()),
        ]);
        // At the begin of a later epoch nothing is remembered that this could be too far from: that is the next recovery's to mend.
        if forge.root.epoch == Epoch::FIRST {
            documents.push((Kind::Pointer, signed_by(&forge.keys.pointer, &|pointer| pointer.generation = far)));
        }
    }

    /// Some forgery, as a rule of the kind that is asked for.
    fn some(&self, kind: Kind, rng: &mut Rng) -> Vec<u8> {
        let documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let any = rng.u8(..4) == 0;
        let fitting: Vec<&Vec<u8>> =
            documents.iter().filter(|(of, _)| any || *of == kind).map(|(_, bytes)| bytes).collect();
        rng.choice(fitting).cloned().unwrap_or_default()
    }
}

/// What is done to an answer.
pub(crate) fn mischief(rng: &mut Rng, request: &Request, honest: &Honest<'_>, evil: &Evil) -> Result<Answer, Turned> {
    if rng.u8(..10) < 4 {
        return honest.pass();
    }
    let at = rng.usize(..4096);
    let statuses = [201, 204, 206, 301, 400, 401, 403, 404, 407, 410, 416, 418, 429, 451, 500, 502, 503, 599];
    Ok(match rng.u8(..26) {
        0 => honest.now()?.flipped(at),
        1 => honest.pass()?.flipped(at),
        2 => honest.now()?.changed(|body| body[..body.len().min(at)].to_vec()),
        3 => honest.now()?.changed(|body| [body, vec![b'\n'; 1 + at]].concat()),
        4 => honest.now()?.changed(|_| Vec::new()),
        5 => Answer { status: 200, ..honest.of(&other_path(rng, request, honest))? },
        6 | 7 => Answer::ok(honest.earlier(rng.usize(..8)).unwrap_or_default()),
        8 => Answer::status(*rng.choice(&statuses).expect("there are some")),
        9 => Answer::redirect(rng.choice(&["http://169.254.169.254/", "file:///etc/passwd", "/", ""]).expect("some")),
        10 => Answer::status(304).with("preference-applied", "wait=2"),
        11 => honest.now()?.sent(Sending::Endless),
        12 => {
            let bits = rng.u32(1..63);
            honest.now()?.sent(Sending::Claiming(rng.u64(..1 << bits)))
        }
        13 => honest.now()?.sent(Sending::Unmeasured),
        14 => honest.now()?.sent(Sending::Broken(at)),
        15 => Answer::ok("").sent(Sending::HugeHead),
        16 => Answer::ok("").sent(Sending::Garbage),
        17 => honest.now()?.sent(if rng.bool() { Sending::Dripping } else { Sending::Silent }),
        18 => honest.pass()?.with("etag", rng.choice(&["W/\"1\"", "\"1\"", "*", "none"]).expect("some")),
        19 => honest.pass()?.without("etag").without("preference-applied"),
        20 => honest.now()?.with("content-encoding", "gzip").with("transfer-encoding", "identity"),
        21 | 22 => honest.now()?.changed(|body| mangled(rng, body)),
        23 => Answer::status(503).with("retry-after", "0"),
        _ => Answer::ok(evil.some(request.kind(), rng)),
    })
}

/// A path that somebody asked for, or one that nobody has.
fn other_path(rng: &mut Rng, request: &Request, honest: &Honest<'_>) -> String {
    let invented = Digest::of(&rng.u64(..).to_be_bytes());
    match rng.u8(..4) {
        0 => format!("/{}", bundle_path(invented)),
        1 => format!("/{}", manifest_path(invented)),
        2 => format!("/v1/apps/{}/regions/{}/pointer", app(), home()),
        _ => honest.some_path(rng.usize(..64)).unwrap_or_else(|| request.path().to_owned()),
    }
}

fn mangled(rng: &mut Rng, body: Vec<u8>) -> Vec<u8> {
    let is_sealed = str::from_utf8(&body).is_ok_and(|text| text.lines().count() == 5);
    if !is_sealed {
        return body.into_iter().rev().collect();
    }
    let text = String::from_utf8(body).expect("looked at a line ago");
    let (_, mangle) = rng.choice(MANGLINGS).expect("there are twenty");
    mangle(&text).into_bytes()
}
