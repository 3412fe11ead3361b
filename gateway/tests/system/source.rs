//! The store behind a gateway: found, lost, changed, and changed again.

use schema::StorePath;
use schema::status::{PublisherStatus, RegionStatus};
use schema::time::Length;
use tokio::sync::watch;

use crate::publication::{ENDLESS, Publication, pointer_path};
use crate::running::{Running, of_store};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

#[tokio::test]
async fn what_is_published_later_is_found() {
    let publication = Publication::new();
    let gateway = Running::of(&publication).await;
    assert_eq!(gateway.get(POINTER, &[]).await.status, 404);
    publication.publish("edge-proxy", "eu-west", 1).await;
    gateway.until_generation("edge-proxy", 1).await;
    assert_eq!(gateway.get(POINTER, &[]).await.status, 200);
}

#[tokio::test]
async fn f14_a_store_that_fails_changes_nothing_that_is_served() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let path = pointer_path("edge-proxy", "eu-west");
    publication.overwrite(&path, ENDLESS);
    gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert_eq!(gateway.get(POINTER, &[]).await.body, *first.bytes());
    assert_eq!(gateway.get("/readyz", &[]).await.status, 200);
    publication.overwrite(&path, first.bytes());
    gateway.until("no problem", |status| status.source.problem.is_none()).await;

    // Nothing there at all is no instruction either.
    let apps = publication.store_path().join("v1/apps");
    std::fs::rename(&apps, publication.store_path().join("aside")).expect("a rename");
    let status = gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert!(status.source.problem.is_some_and(|problem| problem.contains("is gone")));
    assert_eq!(gateway.get(POINTER, &[]).await.body, *first.bytes());
}

#[tokio::test]
async fn one_pointer_that_cannot_be_read_does_not_hold_up_the_others() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    publication.publish("feature-flags", "eu-west", 1).await;
    publication.overwrite(&pointer_path("feature-flags", "eu-west"), ENDLESS);
    let gateway = Running::of(&publication).await;
    assert_eq!(gateway.get(POINTER, &[]).await.status, 200);
    // It is there, so it is not absent.
    assert_eq!(gateway.get("/v1/apps/feature-flags/regions/eu-west/pointer", &[]).await.status, 503);
    assert_eq!(gateway.get("/v1/apps/feature-flags/regions/us-east/pointer", &[]).await.status, 404);
    publication.publish("edge-proxy", "eu-west", 2).await;
    gateway.until_generation("edge-proxy", 2).await;
}

#[tokio::test]
async fn one_pointer_whose_read_hangs_does_not_hold_up_the_others() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    publication.publish("feature-flags", "eu-west", 1).await;
    let hanging = publication.file(&pointer_path("feature-flags", "eu-west"));
    // Dropped after the gateway.
    let _pipe = Pipe(hanging.clone());
    let gateway = Running::of(&publication).await;
    // Opening a pipe that nobody writes into takes for ever.
    let aside = hanging.with_extension("aside");
    let made = std::process::Command::new("mkfifo").arg(&aside).status().expect("mkfifo is installed");
    assert!(made.success());
    std::fs::rename(&aside, &hanging).expect("a rename");
    publication.publish("edge-proxy", "eu-west", 2).await;
    let is_second =
        |region: &RegionStatus| region.pointer.as_ref().is_some_and(|pointer| pointer.generation.number() == 2);
    let status = gateway.until("a second generation", |status| status.regions.iter().any(is_second)).await;
    // Nobody waited for the end of that read: it has not even been given up.
    assert_eq!(status.source.problem, None);
    // Then it is told, and the pointer is served on.
    let status = gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert!(status.source.problem.is_some_and(|problem| problem.contains("feature-flags")));
    assert_eq!(gateway.get("/v1/apps/feature-flags/regions/eu-west/pointer", &[]).await.status, 200);
}

/// A pipe that threads of this process may wait for.
struct Pipe(std::path::PathBuf);

impl Drop for Pipe {
    /// Lets go of them, so that the process can end.
    fn drop(&mut self) {
        let _ = std::fs::File::options().read(true).write(true).open(&self.0);
    }
}

#[tokio::test]
async fn f36_a_new_pointer_key_is_learnt_from_the_next_root() {
    let mut publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    publication.rotate_pointer_key().await;
    publication.publish("edge-proxy", "eu-west", 2).await;
    gateway.until_generation("edge-proxy", 2).await;
    let root = gateway.get(&format!("/{}", StorePath::Root { version: 2 }), &[]).await;
    assert_eq!(root.status, 200);
}

#[tokio::test]
async fn a_publisher_in_the_same_process_makes_it_look_at_once() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    config.poll = Length(std::time::Duration::from_secs(3600));
    let (told, publisher) = watch::channel(PublisherStatus::default());
    let gateway = Running::beside(config, Some(publisher));
    gateway.until_ready().await;
    publication.publish("feature-flags", "eu-west", 1).await;
    told.send_modify(|status| status.source = "config.git main".to_owned());
    gateway.until_generation("feature-flags", 1).await;
    let status = gateway.status().await;
    assert_eq!(status.publisher.map(|publisher| publisher.source), Some("config.git main".to_owned()));
    // A publisher that ends takes nothing with it.
    drop(told);
    assert_eq!(gateway.get(POINTER, &[]).await.status, 200);
}

#[tokio::test]
async fn without_a_trust_root_there_is_no_gateway() {
    let publication = Publication::new();
    std::fs::write(publication.root_path(), "{}").expect("a write");
    let refused = gateway::Gateway::bind(of_store(&publication), None).expect_err("no root");
    assert!(refused.to_string().contains("is no trust root"), "{refused}");
    std::fs::remove_file(publication.root_path()).expect("a file");
    let refused = gateway::Gateway::bind(of_store(&publication), None).expect_err("no root");
    assert!(refused.to_string().contains("could not read"), "{refused}");
}
