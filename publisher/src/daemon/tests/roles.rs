//! Several processes with a role each, over one store, and roots that change while they run.

use schema::{Limits, Manifest};

use super::*;
use crate::duty::Duty;
use crate::rebuild::RebuildError;

impl Site {
    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("a temporary folder");
    }

    /// Makes `change` of the root that everybody is started with.
    fn reroot(&mut self, change: impl FnOnce(TrustRoot) -> TrustRoot) {
        self.root = change(self.root.clone());
        self.write("trust.root", Verified::seal(self.root.clone(), &[&self.root_key]).bytes());
    }

    /// Puts the next root into the store, as a ceremony does.
    async fn rotate(&mut self, change: impl FnOnce(TrustRoot) -> TrustRoot) {
        self.root = change(TrustRoot { version: self.root.version + 1, ..self.root.clone() });
        let next = Verified::seal(self.root.clone(), &[&self.root_key]);
        let store = Store::open(&StoreUrl::directory(self.path("store"))).expect("it opens");
        let path = StorePath::Root { version: next.version };
        let created = store.create(&path, next.bytes().clone()).await;
        assert_eq!(created.expect("the store is there"), store::Created::New);
    }

    /// The configuration of a process with one duty and a state folder of its own, whose release key is in `key`.
    fn config_of(&self, duty: Duty, key: &str) -> Config {
        let yaml = std::fs::read_to_string(self.path("publisher.yaml")).expect("it was written");
        let file = format!("{key}.{duty:?}.yaml");
        self.write(
            &file,
            yaml.replace("release.key", key).replace("state: state", &format!("state: {key}.{duty:?}")).as_bytes(),
        );
        let mut config = Config::load(&self.path(&file)).expect("a good configuration");
        config.duty = duty;
        config
    }

    async fn once_of(&self, duty: Duty, key: &str) -> Result<Looked, LookError> {
        let config = self.config_of(duty, key);
        let publisher = Publisher::open(&config).expect("it opens");
        once(config, publisher).await
    }

    fn start_of(&self, duty: Duty, key: &str) -> Running {
        let config = self.config_of(duty, key);
        let publisher = Publisher::open(&config).expect("it opens");
        Site::run(config, publisher)
    }

    /// A second release key, which must sign, too.
    fn second_signer(&mut self) {
        let first = std::fs::read_to_string(self.path("release.key")).expect("it was written");
        let first = SecretKey::from_file_text(&first).expect("our own file");
        let second = SecretKey::generate();
        self.write("second.key", second.to_file_text().as_bytes());
        self.reroot(|root| TrustRoot { release: bench::all_of(&[&first, &second]), ..root });
    }

    fn commit_beside(&mut self, content: &str, readme: &str) -> CommitId {
        let tree = self.repo.tree(&[("driftless.yaml", DOCUMENT), ("web/a.conf", content), ("README", readme)]);
        self.commit_tree(&tree)
    }
}

#[tokio::test]
async fn roles_in_two_processes_come_to_one_end() {
    let mut site = Site::new();
    let first = site.commit("1");
    let mut mover = site.start_of(Duty::Pointer, "release.key");
    let waits = mover.until(|status| !status.notes.is_empty()).await;
    assert!(waits.notes[0].contains("waits for 1 more release signature (0 of 1)"), "{waits:?}");
    assert!(waits.problem.is_none() && waits.published.is_none(), "{waits:?}");
    assert_eq!(site.standing().await, []);

    // Nobody commits anything: it looks again by itself.
    let mut signer = site.start_of(Duty::Release, "release.key");
    mover.until(|status| status.published.as_ref() == Some(&first)).await;
    signer.until(|status| status.published.as_ref() == Some(&first)).await;
    assert!(mover.status.borrow().notes.is_empty());
    let second = site.commit("2");
    mover.until(|status| status.published.as_ref() == Some(&second)).await;
    signer.stop().await;

    // The one that signs never touches a pointer; the one that is gone is waited for.
    let third = site.commit("3");
    mover.until(|status| status.notes.iter().any(|note| note.contains("waits for"))).await;
    assert_eq!(site.standing().await, [(2, second.clone()), (2, second)]);
    mover.stop().await;
    let signed = site.once_of(Duty::Release, "release.key").await.expect("signed");
    assert!(signed.report.moved.is_empty() && signed.report.waiting.is_empty(), "{signed:?}");
    site.once_of(Duty::Pointer, "release.key").await.expect("moved");
    assert_eq!(site.standing().await, [(3, third.clone()), (3, third)]);
}

#[tokio::test]
async fn a_key_that_a_process_does_not_need_may_be_missing() {
    let mut site = Site::new();
    let tip = site.commit("1");
    site.once_of(Duty::Release, "release.key").await.expect("signed");
    let mut config = site.config_of(Duty::Pointer, "release.key");
    config.keys.release = Default::default();
    let publisher = Publisher::open(&config).expect("it needs none");
    once(config, publisher).await.expect("moved");
    assert_eq!(site.standing().await, [(1, tip.clone()), (1, tip)]);
}

#[tokio::test]
async fn a_later_signer_signs_the_payload_of_an_earlier_commit() {
    let mut site = Site::new();
    site.second_signer();
    let first = site.commit_beside("1", "one");
    let waits = site.once_of(Duty::Release, "release.key").await.expect("signed once");
    assert_eq!(waits.report.waiting[0].signed, 1);
    // By the time that the other one looks, the branch is further, and the app is as it was.
    let second = site.commit_beside("1", "two");
    for (duty, key) in [(Duty::Rebuild, "second.key"), (Duty::Pointer, "release.key")] {
        let looked = site.once_of(duty, key).await.expect("the bundle is the same");
        assert!(looked.report.waiting.is_empty() && looked.commit == second, "{looked:?}");
    }
    assert_eq!(site.standing().await, [(1, second.clone()), (1, second)]);
    let publisher = site.publisher();
    let app = bench::app();
    let region = crate::region::look(&publisher, &app, &bench::region("eu")).await.expect("a region");
    let path = StorePath::Manifest { app, digest: region.standing().stable.digest };
    let manifest = publisher.store().read(&path, 1 << 20).await.expect("a read").expect("a manifest").bytes;
    let manifest = Verified::<Manifest>::open(manifest, &publisher.root().release, &Limits::DEFAULT).expect("both");
    assert_eq!((&manifest.commit, manifest.release_seq), (&first, 1));
}

#[tokio::test]
async fn a_rebuilder_judges_the_history_itself_and_refuses_what_differs() {
    let mut site = Site::new();
    site.second_signer();
    let good = site.commit("1");
    site.once_of(Duty::Release, "release.key").await.expect("signed once");
    // One commit by name, wherever the branch is by now.
    let unsigned = site.repo.unsigned(&[&good], &site.tree(DOCUMENT, "2"), site.seconds, "just this once");
    site.repo.force("main", &unsigned);
    let refused = site.once_of(Duty::Rebuild, "second.key").await;
    assert!(matches!(refused, Err(LookError::Proof { .. })), "{refused:?}");
    let config = site.config_of(Duty::Rebuild, "second.key");
    let publisher = Publisher::open(&config).expect("it opens");
    let rebuilt = once_at(config, publisher, good.clone()).await.expect("it is the same");
    assert!(rebuilt.report.waiting.is_empty(), "{rebuilt:?}");

    // Whoever stole the other signer says that a commit compiles to something else.
    site.repo.force("main", &good);
    let next = site.commit("3");
    let evil = site.tree(DOCUMENT, "evil");
    let objects = crate::compile::GitObjects::of(&site.repo.git).expect("an object database");
    let lying = crate::compile::compile(&objects, &evil, &Limits::DEFAULT).expect("it compiles");
    let following = Following::start(site.config_of(Duty::Release, "release.key"), {
        Publisher::open(&site.config_of(Duty::Release, "release.key")).expect("it opens")
    });
    let following = &mut following.await.expect("a folder");
    assert!(matches!(following.look().await, Ok(Sight::Waiting(_))));
    let honest = following.good.as_ref().expect("it was proven");
    let report = crate::publish::publish(
        &following.publisher,
        &honest.commit,
        &lying,
        crate::publish::Before::Unknown,
        &honest.rules,
        &honest.ancestry,
    )
    .await;
    assert_eq!((report.waiting.len(), &report.failed.len()), (1, &0));
    let refused = site.once_of(Duty::Rebuild, "second.key").await.expect_err("it differs");
    assert!(
        matches!(&refused, LookError::Rebuild(error) if matches!(&**error, RebuildError::Mismatch { commit, .. } if *commit == next)),
        "{refused:?}"
    );
    let offered = report.waiting[0].digest.to_string();
    let said = refused.causes().join(": ");
    assert!(said.contains(&offered) && refused.kind() == ErrorKind::Refused && refused.hint().is_some(), "{said}");
    let manifest = StorePath::Manifest { app: bench::app(), digest: report.waiting[0].digest };
    assert!(following.publisher.store().read(&manifest, 1 << 20).await.expect("a read").is_none());
}

#[tokio::test]
async fn a16_a_stolen_pointer_key_gets_no_commit_past_those_who_sign_manifests() {
    let mut site = Site::new();
    let good = site.commit("1");
    site.once().await.expect("published");
    // The thief says that a commit which nobody signed was published, and pushes it.
    let unsigned = site.repo.unsigned(&[&good], &site.tree(DOCUMENT, "2"), site.seconds, "just this once");
    let publisher = site.publisher();
    let state = crate::region::look(&publisher, &bench::app(), &bench::region("eu")).await.expect("a region");
    let newest = state.standing().clone();
    let planted = schema::Pointer {
        generation: Generation::new(2),
        prev: Some(newest.payload_digest()),
        commit: unsigned.clone(),
        ..schema::Pointer::clone(&newest)
    };
    let planted = Verified::seal(planted, &[&publisher.keys.pointer[0]]);
    let path = StorePath::History { app: bench::app(), region: bench::region("eu"), order: planted.order() };
    let created = publisher.store().create(&path, planted.bytes().clone()).await;
    assert_eq!(created.expect("the store is there"), store::Created::New);
    site.repo.force("main", &unsigned);
    // Neither has a state folder that could know better.
    for duty in [Duty::Release, Duty::Rebuild] {
        let refused = site.once_of(duty, "release.key").await;
        assert!(matches!(refused, Err(LookError::Proof { .. })), "{duty:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_running_publisher_follows_roots_that_are_put_into_the_store() {
    let mut site = Site::new();
    let yaml = std::fs::read_to_string(site.path("publisher.yaml")).expect("it was written");
    site.write("publisher.yaml", format!("{yaml}pointer_refresh_every: 1200ms\n").as_bytes());
    let first = site.commit("1");
    let mut daemon = site.start();
    daemon.until(|status| status.published.as_ref() == Some(&first)).await;
    let (ours, other) = (site.root.pointer.clone(), SecretKey::generate());
    site.rotate(|root| TrustRoot { pointer: bench::role(&other), ..root }).await;
    let status = daemon.until(|status| status.problem.is_some()).await;
    let problem = status.problem.expect("just awaited");
    assert!(
        problem.causes.iter().any(|cause| cause.contains("version 2") && cause.contains("pointer role")),
        "{problem:?}"
    );
    assert!(problem.hint.is_some_and(|hint| hint.contains("keys.pointer")));
    // While it may not sign, nothing is published.
    let second = site.commit("2");
    let at = daemon.status.borrow().last_look;
    assert_eq!(site.standing().await[0].0, 1);
    site.rotate(|root| TrustRoot { pointer: ours, epoch: schema::Epoch::new(2), ..root }).await;
    let status = daemon.until(|status| status.published.as_ref() == Some(&second)).await;
    assert!(status.problem.is_none() && status.last_look > at);
    daemon.stop().await;
    let publisher = &mut site.publisher();
    publisher.walk_roots().await.expect("the store is there");
    let standing = crate::region::look(publisher, &bench::app(), &bench::region("eu")).await.expect("a region");
    // Whether it signed the first commit's bundle once more in the new epoch, before it saw the second commit, is left open.
    let standing = standing.standing();
    assert_eq!((standing.epoch.number(), &standing.commit), (2, &second));
}
