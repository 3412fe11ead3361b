//! One site for many tests, each with its own app. It goes when the last test that uses it is over.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::rollout::site::Site;
use crate::world::World;

/// The apps, one for each outage, and their policies.
const APPS: [(&str, &str); 8] = [
    ("tables", "careful"),
    ("networks", "one-by-one"),
    ("firewall", "careful"),
    ("cdn", "careful"),
    ("quota", "everywhere"),
    ("routes", "audited"),
    ("front-door", "looked-at"),
    ("kill-switch", "careful"),
];

const POLICIES: &str = "  careful:
    waves:
      - { regions: [eu-west], share: 25%, soak: 500ms }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    live_within: 15s
  one-by-one:
    waves:
      - { regions: [eu-west], share: 100%, soak: 500ms }
      - { regions: [us-east], share: 100%, soak: 500ms }
      - { regions: [ap-south], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    live_within: 15s
  everywhere:
    waves:
      - { share: 25%, soak: 500ms }
      - { share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    live_within: 15s
  audited:
    waves:
      - { regions: [eu-west], share: 25%, soak: 500ms }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 8s, checks: [audit] }
    live_within: 15s
  looked-at:
    waves:
      - { regions: [eu-west], share: 25%, soak: 10s }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 12s, checks: [errors] }
    live_within: 15s
";

/// The site, as long as anybody holds it.
pub(crate) fn site() -> Arc<Site> {
    static SHARED: Mutex<Weak<Site>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(site) = shared.upgrade() {
        return site;
    }
    let world = World::new();
    // What stands for a dashboard that shows errors, and for an audit that does not survive what it is to judge.
    let checks = format!(
        "checks:\n  errors: {{ command: [test, \"!\", -e, {}], timeout: 5s }}\n  audit: {{ command: [sh, -c, \"kill -9 $$\"], timeout: 5s }}\n",
        world.path("errors").display()
    );
    world.configure("state: state\n", &format!("state: state\n{checks}"));
    let site = Arc::new(Site::start_in(world, &APPS, POLICIES));
    *shared = Arc::downgrade(&site);
    site
}
