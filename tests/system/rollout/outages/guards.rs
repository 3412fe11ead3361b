//! Outages of files that should never have been published: guards look at a commit before anything of it is.

use crate::world::{World, assert_ok, stderr};

/// Publishes what is committed, once; gives the exit code and what was said.
fn publish(world: &World) -> (Option<i32>, String) {
    let run = world.run(&["publisher", "config", "--once"]);
    (run.status.code(), stderr(&run))
}

/// A world whose first commit is published.
fn published(content: &str) -> World {
    let world = World::new();
    world.commit("apps/web/settings.yaml", content);
    assert_eq!(publish(&world).0, Some(0));
    world
}

fn commit(world: &World, content: &str, message: &str) {
    world.write("apps/web/settings.yaml", content);
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", message]);
}

fn generation(world: &World) -> serde_json::Value {
    crate::rollout::witness::pointer(&world.store(), "web", "eu-west").expect("it is published")["generation"].clone()
}

fn lines(number: usize) -> String {
    (0..number).map(|line| format!("feature-{line}: {line}\n")).collect()
}

#[test]
fn outage_google_2016_a_change_that_leaves_nothing_is_not_published() {
    // Google Compute, 11 April 2016: a generator lost its input and wrote a configuration without any addresses; it was announced.
    // Here a file that becomes empty is refused, and the refusal names the trailer of a signed commit that lifts it.
    let world = published(&lines(300));
    let before = generation(&world);
    commit(&world, "", "Regenerate");
    let (code, said) = publish(&world);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Driftless-Allow: empty"), "{said}");
    assert_eq!(generation(&world), before);
    let message = "It is meant to be empty\n\nDriftless-Allow: empty, shrink";
    world.git(&["commit", "-q", "--allow-empty", "-m", message]);
    let (code, said) = publish(&world);
    assert_eq!(code, Some(0), "{said}");
    assert_ne!(generation(&world), before);
}

#[test]
fn outage_cloudflare_november_2025_a_file_that_doubles_is_not_published() {
    // Cloudflare, 18 November 2025: a generated file grew to twice its size, over a limit that nobody knew, and was sent everywhere.
    // Here more than twice the size is refused until somebody signs for it.
    let world = published(&lines(2_000));
    let before = generation(&world);
    commit(&world, &lines(8_000), "Regenerate");
    let (code, said) = publish(&world);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Driftless-Allow: grow"), "{said}");
    assert_eq!(generation(&world), before);
}

#[test]
fn outage_cloudflare_november_2025_a_file_that_comes_and_goes_is_not_published() {
    // The same day the file was generated anew every five minutes, good and bad in turns, which looked like an attack.
    // Here a path that goes back and forth is held until somebody signs for it.
    let world = published(&lines(100));
    let mut refused = None;
    for round in 0..8 {
        let content = if round % 2 == 0 { lines(120) } else { lines(100) };
        commit(&world, &content, &format!("Regenerate, round {round}"));
        let (code, said) = publish(&world);
        if code != Some(0) {
            refused = Some((round, code, said));
            break;
        }
    }
    let (round, code, said) = refused.expect("it does not go on for ever");
    assert!(round >= 2, "going back once is a revert: {said}");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Driftless-Allow: flap"), "{said}");
    assert_ok(&world.run(&["history", "config", "--app", "web", "--region", "eu-west"]), "driftless history");
}

#[test]
fn outage_azure_2014_nobody_drops_the_waves_of_an_app_unseen() {
    // Azure Storage, 18 November 2014: that changes go out in batches was a habit, and one day somebody did not keep it.
    // Here a commit that takes away an app's rollout is refused until somebody signs for it.
    let world = World::new();
    let rules =
        |policy: &str| format!("regions: {{ eu-west: {{}} }}\napps:\n  web: {{ path: apps/web, rollout: {policy} }}\n");
    world.commit("driftless.yaml", &rules("careful"));
    assert_eq!(publish(&world).0, Some(0));
    world.commit("driftless.yaml", &rules("all-at-once"));
    let (code, said) = publish(&world);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Driftless-Allow: rollout"), "{said}");
}
