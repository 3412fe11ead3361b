//! What an agent counts, as a collector reads it.

use std::time::Duration;

use schema::{Digest, Timestamp};

use crate::world::{World, app, now};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];

impl World {
    /// Waits until the metrics have a line that `is_it`, and gives its value.
    pub(crate) async fn metric(&self, name: &str, is_it: impl Fn(f64) -> bool) -> f64 {
        let path = self.config.metrics.clone().unwrap_or_else(|| self.config.state.join("metrics.prom"));
        let looking = async {
            loop {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
                if let Some(value) = values.into_iter().find(|value| is_it(*value)) {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), looking).await;
        found.unwrap_or_else(|_| panic!("never: {name} in {}", path.display()))
    }
}

fn refused(rule: &str) -> String {
    format!("driftless_agent_refused_total{{app=\"{}\",rule=\"{rule}\"}}", app())
}

#[tokio::test]
async fn a03_a_rollback_is_counted_and_what_is_accepted_is_shown() {
    let mut world = World::new().await;
    world.publish(OLD);
    let old = world.server.object(&world.pointer_path());
    let mut agent = world.start();
    agent.applied(1).await;
    let generation = format!("driftless_agent_generation{{app=\"{}\"}}", app());
    world.metric(&generation, |value| value == 1.0).await;
    world.metric("driftless_agent_root_version", |value| value == 1.0).await;
    let stale = format!("driftless_agent_stale{{app=\"{}\"}}", app());
    assert_eq!(world.metric(&stale, |_| true).await, 0.0);

    let new = world.publish(NEW);
    agent.applied(2).await;
    world.metric(&generation, |value| value == 2.0).await;
    world.serve_pointer(&app(), old);
    let once = world.metric(&refused("rollback"), |count| count >= 1.0).await;
    world.metric(&refused("rollback"), |count| count > once).await;
    world.assert_runs(new);

    world.resign(|pointer| pointer.expires = now().after(Duration::from_secs(1)));
    world.metric(&stale, |value| value == 1.0).await;
    let expires = format!("driftless_agent_pointer_expires_timestamp_seconds{{app=\"{}\"}}", app());
    let since = now().since(Timestamp::UNIX_EPOCH).as_secs_f64();
    assert!(world.metric(&expires, |_| true).await <= since, "it is over");
    agent.stop().await;
}

#[tokio::test]
async fn what_nobody_vouches_for_is_counted_by_its_rule_and_so_is_a_broken_chain() {
    let mut world = World::new().await;
    world.config.metrics = Some(world.folder.path().join("exported.prom"));
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    let stranger = schema::keys::SecretKey::generate();
    let next = schema::TrustRoot { version: 2, ..world.root.clone() };
    world.put_root(2, &next, &[&stranger]);
    let target = world.release(&app(), NEW);
    world.point(&app(), |pointer| {
        pointer.stable = schema::pointer::Target { digest: target.digest, manifest: Digest::of(b"another") };
    });
    world.metric(&refused("manifest_other"), |count| count >= 1.0).await;
    world.metric("driftless_agent_refused_total{rule=\"root\"}", |count| count >= 1.0).await;
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_whose_metrics_cannot_be_written_works_all_the_same() {
    let mut world = World::new().await;
    let path = world.folder.path().join("missing/metrics.prom");
    world.config.metrics = Some(path.clone());
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.publish(NEW);
    agent.applied(2).await;
    // With the next change after somebody made the folder.
    std::fs::create_dir(path.parent().expect("a folder")).expect("a free name");
    world.serve_pointer(&app(), "nonsense");
    world.metric(&refused("pointer_seal"), |count| count >= 1.0).await;
    agent.stop().await;
}
