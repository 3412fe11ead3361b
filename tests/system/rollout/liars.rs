//! Agents that lie: one of many can neither push a rollout on nor stop it, and can speak for nobody else.

use std::fs;
use std::time::SystemTime;

use schema::ack::{Boot, Outcome, Step};
use schema::keys::SecretKey;
use schema::{Ack, AckBatch, Pointer, SignedAck, Timestamp};

use super::crowd::Host;
use super::site::Site;
use crate::world::{eventually, tool};

/// One failure in a region of four is within the budget.
const LENIENT: &str = "  lenient:
    waves:
      - { regions: [eu-west], share: 100%, soak: 500ms }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 75%, failed_at_most: { percent: 0%, number: 1 }, within: 8s }
    quarantine: { after: 0, at_most: 0 }
    live_within: 5s
";

/// Somebody who has an agent's key and says what he likes.
struct Liar {
    key: SecretKey,
    said: u64,
}

impl Liar {
    /// Takes over a host: its agent says nothing any more.
    fn on(site: &Site, agent: &str) -> Liar {
        let host = site.crowd.hosts().iter().find(|host| host.agent == agent).expect("a host");
        let key = fs::read_to_string(host.state.join("identity.key")).expect("every agent has a key");
        site.crowd.silence(agent);
        Liar { key: SecretKey::from_file_text(&key).expect("an agent's key"), said: 0 }
    }

    /// Says, in the name of the agent on `host`, that what `pointer` asks for came to `outcome`. Gives the gateway's status.
    fn say(&mut self, site: &Site, host: &Host, outcome: Outcome) -> String {
        let pointer = site.pointer("web", &host.region);
        let pointer: Pointer = serde_json::from_value(pointer).expect("a pointer");
        let attempted = pointer.candidate.as_ref().map_or(pointer.stable, |candidate| candidate.target).digest;
        let now = Timestamp::from(SystemTime::now());
        self.said += 1;
        let ack = Ack {
            agent: host.agent.parse().expect("a name"),
            app: pointer.app.clone(),
            region: pointer.region.clone(),
            epoch: pointer.epoch,
            generation: pointer.generation,
            attempted,
            outcome,
            active: None,
            previous: None,
            notified_at: now,
            at: now,
            bundle_bytes: 0,
            step: (outcome == Outcome::Failed).then_some(Step::Reload),
            reason: None,
            labels: Default::default(),
            failures: 0,
        };
        let body = AckBatch::seal([SignedAck { boot: Boot::new(7), n: self.said, ack }], &self.key);
        let url = format!("{}/v1/acks", site.url);
        let args = ["--noproxy", "*", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-", &url];
        String::from_utf8_lossy(&tool("curl", &args, Some(&body)).stdout).into_owned()
    }
}

#[test]
fn a_liar_that_says_failed_to_everything_stops_nothing() {
    let site = Site::start(&[("web", "lenient")], LENIENT);
    let host = site.crowd.hosts()[0].clone();
    let mut liar = Liar::on(&site, &host.agent);
    let good = site.commit("web", &[("v", "1\n")]);
    eventually("the rollout ends, whatever he says", || {
        let is_preparing = site.pointer("web", &host.region)["candidate"]["phase"] == "prepare";
        liar.say(&site, &host, if is_preparing { Outcome::Unprepared } else { Outcome::Failed });
        site.rollout("web", &good)["stage"]["is"] == "ended"
    });
    site.ends("web", &good, "complete");
    site.crowd.wake(&host.agent);
    site.all_run("web", "1");
}

#[test]
fn a_liar_that_says_applied_for_all_his_neighbours_is_believed_for_none_of_them() {
    let site = Site::start(&[("web", "lenient")], LENIENT);
    let neighbours: Vec<Host> = site.crowd.hosts_in("eu-west").cloned().collect();
    // The first key that speaks for an agent is that agent's.
    eventually("all of them have spoken", || site.known("web", "eu-west") == 4);
    let mut liar = Liar::on(&site, &neighbours[0].agent);
    neighbours[1..].iter().for_each(|host| site.crowd.silence(&host.agent));
    let commit = site.commit("web", &[("v", "1\n")]);
    eventually("the rollout ends, whatever he says", || {
        let is_preparing = site.pointer("web", "eu-west")["candidate"]["phase"] == "prepare";
        for (number, host) in neighbours.iter().enumerate() {
            let answer = liar.say(&site, host, if is_preparing { Outcome::Prepared } else { Outcome::Applied });
            assert!(number == 0 || !answer.starts_with('2'), "he spoke for {}: {answer}", host.agent);
        }
        site.rollout("web", &commit)["stage"]["is"] == "ended"
    });
    site.ends("web", &commit, "failed");
    assert_eq!(site.seen("web").peak("1"), 0);
}
