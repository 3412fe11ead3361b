mod guards;
mod policy;
mod roles;
mod rollouts;

use std::path::PathBuf;
use std::time::Duration;

use schema::{CommitId, Generation, Region, StorePath, TreeId, TrustRoot, Verified};
use store::{Store, StoreUrl};
use tokio::task::JoinSet;

use super::*;
use crate::bench;
use crate::fixture::Repo;
use crate::history::{Scope, history};
use crate::rollback::{RollbackTarget, rollback};
use crate::signers::PolicyError;
use schema::keys::SecretKey;

const DOCUMENT: &str = "regions: { eu: {}, us: {} }\napps: { web: { path: web } }\n";

/// A repository, a directory store and a configuration file, all on disk.
struct Site {
    repo: Repo,
    tip: Option<CommitId>,
    seconds: i64,
    root_key: SecretKey,
    /// What `trust.root` says.
    root: TrustRoot,
}

impl Site {
    fn new() -> Site {
        let repo = Repo::new();
        let folder = repo.folder.path();
        let (root_key, keys) = (SecretKey::generate(), bench::keys());
        let write =
            |name: &str, content: &[u8]| std::fs::write(folder.join(name), content).expect("a temporary folder");
        write("release.key", keys.release[0].to_file_text().as_bytes());
        write("pointer.key", keys.pointer[0].to_file_text().as_bytes());
        let root = bench::root(&root_key, &keys);
        write("trust.root", Verified::seal(root.clone(), &[&root_key]).bytes());
        write("signers", repo.policy().as_bytes());
        write(
            "publisher.yaml",
            b"source: { repository: config.git, poll: 100ms }\nsigners: signers\nstore: store\nstate: state\n\
              root: trust.root\nkeys: { release: release.key, pointer: pointer.key }\n",
        );
        Site { repo, tip: None, seconds: 1_700_000_000, root_key, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.repo.folder.path().join(name)
    }

    fn tree(&self, document: &str, content: &str) -> TreeId {
        self.repo.tree(&[("driftless.yaml", document), ("web/a.conf", content)])
    }

    fn commit(&mut self, content: &str) -> CommitId {
        self.commit_tree(&self.tree(DOCUMENT, content))
    }

    fn commit_tree(&mut self, tree: &TreeId) -> CommitId {
        self.seconds += 1;
        let id = self.repo.commit(&self.tip.iter().collect::<Vec<_>>(), tree, self.seconds);
        self.tip = Some(id.clone());
        id
    }

    fn config(&self) -> Config {
        Config::load(&self.path("publisher.yaml")).expect("a good configuration")
    }

    fn publisher(&self) -> Publisher {
        Publisher::open(&self.config()).expect("it opens")
    }

    async fn once(&self) -> Result<Looked, LookError> {
        once(self.config(), self.publisher()).await
    }

    /// Generation and commit of each region.
    async fn standing(&self) -> Vec<(u64, CommitId)> {
        let publisher = self.publisher();
        let mut standing = Vec::new();
        for region in ["eu", "us"] {
            let region: Region = region.parse().expect("a region");
            let newest = history(publisher.store(), publisher.roots(), &bench::app(), &region, Scope::Everything, 1)
                .await
                .expect("a history");
            standing.extend(newest.into_iter().map(|record| (record.order.generation.number(), record.commit)));
        }
        standing
    }

    fn start(&self) -> Running {
        Site::run(self.config(), self.publisher())
    }

    fn run(config: Config, publisher: Publisher) -> Running {
        Site::run_with(config, publisher, Arc::new(NoFleet), Receiver::nobody())
    }

    fn run_with(config: Config, publisher: Publisher, fleet: Arc<dyn Fleet>, orders: Receiver) -> Running {
        let (status, watched) = watch::channel(PublisherStatus::default());
        let (events, received) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(config, publisher, fleet, orders, status, Some(events), shutdown.clone()));
        Running { tasks, status: watched, events: received, shutdown }
    }
}

struct Running {
    tasks: JoinSet<Result<(), StartError>>,
    status: watch::Receiver<PublisherStatus>,
    events: mpsc::UnboundedReceiver<Event>,
    shutdown: CancellationToken,
}

impl Running {
    async fn until(&mut self, holds: impl Fn(&PublisherStatus) -> bool) -> PublisherStatus {
        let waiting = self.status.wait_for(|status| holds(status));
        let found = tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes to hold");
        found.expect("the daemon lives").clone()
    }

    async fn event(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
        next.expect("something happens").expect("the daemon lives")
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("it does not panic").expect("and ends well");
        }
    }
}

#[tokio::test]
async fn a_commit_is_published_and_so_is_the_next() {
    let mut site = Site::new();
    let first = site.commit("1");
    let mut daemon = site.start();
    let Event::Published { commit, moved } = daemon.event().await else { panic!("not published") };
    assert_eq!((commit, moved.len()), (first.clone(), 2));
    let status = daemon.until(|status| status.published.as_ref() == Some(&first)).await;
    assert!(status.problem.is_none() && status.source.ends_with("config.git (main)"), "{status:?}");

    let second = site.commit("2");
    daemon.until(|status| status.published.as_ref() == Some(&second)).await;
    assert_eq!(site.standing().await, [(2, second.clone()), (2, second.clone())]);
    daemon.stop().await;

    // A start with nothing new makes nothing new, with or without what the last one remembered.
    for _ in 0..2 {
        let looked = site.once().await.expect("all is well");
        assert!(looked.report.moved.is_empty() && looked.commit == second, "{looked:?}");
        std::fs::remove_dir_all(site.path("state")).expect("the state folder");
    }
    let third = site.commit("3");
    site.once().await.expect("the store says what was published last");
    assert_eq!(site.standing().await, [(3, third.clone()), (3, third)]);
}

#[tokio::test]
async fn a29_an_unsigned_commit_is_said_once_and_leaves_all_as_it_is() {
    let mut site = Site::new();
    let good = site.commit("1");
    let mut daemon = site.start();
    daemon.until(|status| status.published.as_ref() == Some(&good)).await;
    let bad = site.repo.unsigned(&[&good], &site.tree(DOCUMENT, "2"), site.seconds, "just this once");
    site.repo.force("main", &bad);
    let status = daemon.until(|status| status.problem.is_some()).await;
    let problem = status.problem.expect("just awaited");
    assert_eq!((status.published.as_ref(), problem.commit.as_ref()), (Some(&good), Some(&bad)));
    assert!(
        problem.causes.iter().any(|cause| cause.contains("just this once")) && problem.hint.is_some(),
        "{problem:?}"
    );

    // Taken off again, it leaves nothing behind; and what comes then is published.
    site.repo.force("main", &good);
    daemon.until(|status| status.problem.is_none()).await;
    let next = site.commit("3");
    daemon.until(|status| status.published.as_ref() == Some(&next)).await;
    daemon.shutdown.cancel();
    let mut refused = 0;
    while let Some(event) = daemon.events.recv().await {
        refused += usize::from(matches!(event, Event::Refused { .. }));
    }
    assert_eq!(refused, 1, "said once, not at every look");
    assert_eq!(site.standing().await, [(2, next.clone()), (2, next)]);
}

#[tokio::test]
async fn a_start_at_a_refused_tip_still_says_what_is_published() {
    let mut site = Site::new();
    let good = site.commit("1");
    site.once().await.expect("published");
    let bad = site.repo.unsigned(&[&good], &site.tree(DOCUMENT, "2"), site.seconds, "just this once");
    site.repo.force("main", &bad);
    for _ in 0..2 {
        let mut daemon = site.start();
        let status = daemon.until(|status| status.problem.is_some()).await;
        assert_eq!(status.published.as_ref(), Some(&good));
        daemon.stop().await;
        // Without the checkpoint, the store says it.
        std::fs::remove_dir_all(site.path("state")).expect("the state folder");
    }
}

#[tokio::test]
async fn f43_a_store_that_was_emptied_is_not_begun_anew() {
    let mut site = Site::new();
    let good = site.commit("1");
    let mut following = Following::start(site.config(), site.publisher()).await.expect("a folder");
    assert!(following.look().await.is_ok());
    std::fs::rename(site.path("store/v1"), site.path("away")).expect("what is in the store can be moved away");
    let report = following.keep().await;
    assert!(report.moved.is_empty(), "a running publisher begins nothing: {report:?}");
    let Err(refused) = following.look().await else { panic!("it looked away") };
    assert!(matches!(&refused, LookError::Base(BaseError::StoreEmptied { published }) if *published == good));
    assert_eq!((refused.kind(), refused.hint().is_some()), (ErrorKind::Refused, true));

    site.commit("2");
    assert!(
        matches!(site.once().await, Err(LookError::Base(BaseError::StoreEmptied { .. }))),
        "nor does the next start"
    );
    assert_eq!(site.standing().await, []);
    std::fs::remove_dir_all(site.path("store/v1")).expect("the trust root");
    std::fs::rename(site.path("away"), site.path("store/v1")).expect("and it can come back");
    site.once().await.expect("all is well");
    let second = site.tip.clone().expect("just committed");
    assert_eq!(site.standing().await, [(2, second.clone()), (2, second)]);
}

#[tokio::test]
async fn f43_a_region_that_vanished_is_not_begun_anew() {
    let mut site = Site::new();
    let first = site.commit("1");
    site.once().await.expect("published");
    let (eu, away) = (site.path("store/v1/apps/web/regions/eu"), site.path("away"));
    std::fs::rename(&eu, &away).expect("what is in the store can be moved away");
    site.commit("2");
    for _ in 0..2 {
        let refused = site.once().await.expect_err("agents of that region would refuse a first generation");
        let LookError::Regions { first, .. } = &refused else { panic!("{refused:?}") };
        assert!(matches!(first.fault, crate::region::RegionFault::Vanished { order } if order == schema::Order::FIRST));
        assert_eq!((refused.kind(), refused.hint().is_some()), (ErrorKind::Refused, true));
    }
    assert_eq!(site.standing().await, [(1, first)], "and no other region moved");
    std::fs::rename(&away, &eu).expect("and it can come back");
    site.once().await.expect("all is well");
    let second = site.tip.clone().expect("just committed");
    assert_eq!(site.standing().await, [(2, second.clone()), (2, second)]);
}

#[tokio::test]
async fn a_commit_that_does_not_compile_is_refused_whole() {
    let mut site = Site::new();
    let good = site.commit("1");
    site.once().await.expect("published");
    let broken = site.tree(&DOCUMENT.replace("path: web", "path: wbe"), "2");
    site.commit_tree(&broken);
    let refused = site.once().await.expect_err("no such path");
    assert!(matches!(refused, LookError::Compile { .. }) && refused.kind() == ErrorKind::Refused, "{refused:?}");
    assert_eq!(site.standing().await, [(1, good.clone()), (1, good)]);
}

#[tokio::test]
async fn without_a_policy_nobody_may_sign() {
    let mut site = Site::new();
    site.commit("1");
    std::fs::write(site.path("signers"), "# nobody\n").expect("writable");
    assert!(matches!(site.once().await, Err(LookError::Policy(PolicyError::Invalid { .. }))));
    std::fs::remove_file(site.path("signers")).expect("it was there");
    let refused = site.once().await.expect_err("fail closed");
    assert!(
        matches!(refused, LookError::Policy(PolicyError::Unreadable { .. })) && refused.hint().is_some(),
        "{refused:?}"
    );
    assert_eq!(site.standing().await, []);
}

#[tokio::test]
async fn what_leaves_the_configuration_keeps_its_pointer() {
    let mut site = Site::new();
    let first = site.commit("1");
    site.once().await.expect("published");
    let fewer = site.tree(&DOCUMENT.replace(", us: {}", ""), "2");
    let second = site.commit_tree(&fewer);
    let mut daemon = site.start();
    let status = daemon.until(|status| !status.notes.is_empty()).await;
    assert_eq!((status.published.as_ref(), &status.problem), (Some(&second), &None));
    let note = &status.notes[0];
    assert!(note.contains("region `us`") && note.contains("stays as it is"), "{note}");
    daemon.stop().await;
    assert_eq!(site.standing().await, [(2, second), (1, first)]);
}

#[tokio::test]
async fn a_rollback_holds_against_a_running_publisher() {
    let mut site = Site::new();
    site.commit("1");
    site.once().await.expect("published");
    let second = site.commit("2");
    let mut daemon = site.start();
    daemon.until(|status| status.published.as_ref() == Some(&second)).await;
    let regions = [bench::region("eu")];
    let back = rollback(
        &site.publisher(),
        &bench::app(),
        &regions,
        &RollbackTarget::Previous,
        &crate::bench::cause("it is bad"),
    )
    .await;
    assert_eq!(back.expect("there is one before")[0].order.generation, Generation::new(3));
    daemon.stop().await;
    // The next start is told, and does not fight.
    let looked = site.once().await.expect("the commit is accepted");
    assert!(looked.report.moved.is_empty() && looked.notes.len() == 1, "{looked:?}");
    assert!(looked.notes[0].contains("taken back by hand"), "{:?}", looked.notes);
    let third = site.commit("3");
    site.once().await.expect("other content supersedes it");
    assert_eq!(site.standing().await, [(4, third.clone()), (3, third)]);
}

#[tokio::test]
async fn f32_a_branch_moved_back_is_refused_even_if_the_state_is_lost() {
    let mut site = Site::new();
    let first = site.commit("1");
    let second = site.commit("2");
    site.once().await.expect("published");
    site.repo.force("main", &first);
    for _ in 0..2 {
        let refused = site.once().await.expect_err("a rewind");
        assert!(matches!(&refused, LookError::Proof { source, .. } if source.force_push().is_some()), "{refused:?}");
        std::fs::remove_dir_all(site.path("state")).expect("the state folder");
    }
    assert_eq!(site.standing().await, [(1, second.clone()), (1, second)]);
}

#[tokio::test]
async fn an_adopted_history_is_taken_unsigned_and_what_follows_is_not() {
    let mut site = Site::new();
    let old = site.repo.unsigned(&[], &site.tree(DOCUMENT, "0"), 1_600_000_000, "long ago");
    site.repo.force("main", &old);
    assert!(matches!(site.once().await, Err(LookError::Proof { .. })));
    site.tip = Some(old.clone());
    let tip = site.commit("1");
    let mut config = site.config();
    config.source.adopt = Some(old);
    once(config, site.publisher()).await.expect("the tip is signed");
    assert_eq!(site.standing().await, [(1, tip.clone()), (1, tip)]);
}

#[tokio::test]
async fn another_root_of_the_same_version_stops_it() {
    let mut site = Site::new();
    site.commit("1");
    site.once().await.expect("published");
    let store = Store::open(&StoreUrl::directory(site.path("store"))).expect("it opens");
    let path = StorePath::Root { version: 1 };
    assert!(store.read(&path, 1 << 16).await.expect("a read").is_some());
    let other = Site::new();
    std::fs::copy(other.path("trust.root"), site.path("trust.root")).expect("copied");
    for key in ["release.key", "pointer.key"] {
        std::fs::copy(other.path(key), site.path(key)).expect("copied");
    }
    let refused = site.once().await.expect_err("another root");
    assert!(matches!(refused, LookError::Trust(_)) && refused.kind() == ErrorKind::Refused, "{refused:?}");
}

#[tokio::test]
async fn f23_a_region_that_a_crash_left_behind_is_finished_by_an_unchanged_tip() {
    let mut site = Site::new();
    site.commit("1");
    site.once().await.expect("published");
    let second = site.commit("2");
    site.once().await.expect("published");
    // As if it had died between record and pointer in one region.
    let (publisher, app, eu) = (site.publisher(), bench::app(), bench::region("eu"));
    let first = StorePath::History { app: app.clone(), region: eu.clone(), order: schema::Order::FIRST };
    let record = publisher.store.read(&first, 1 << 14).await.expect("a read").expect("the first record");
    let pointer = StorePath::Pointer { app: app.clone(), region: eu.clone() };
    std::fs::write(site.path("store").join(pointer.to_string()), &record.bytes).expect("writable");

    let looked = site.once().await.expect("all is well");
    assert!(looked.report.moved.is_empty(), "{looked:?}");
    let standing = publisher.store.read(&pointer, 1 << 14).await.expect("a read").expect("a pointer").bytes;
    let standing = crate::region::open_pointer(publisher.root(), &app, &eu, standing).expect("ours");
    assert_eq!((standing.generation, &standing.commit), (Generation::new(2), &second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_two_publishers_over_one_directory_make_one_generation() {
    let mut site = Site::new();
    for generation in 1..5 {
        let tip = site.commit(&generation.to_string());
        let mut publishers = JoinSet::new();
        for name in ["a", "b"] {
            let mut config = site.config();
            config.state = site.path(name);
            publishers.spawn(once(config, site.publisher()));
        }
        for looked in publishers.join_all().await {
            looked.expect("the one that lost the race finds all done");
        }
        assert_eq!(site.standing().await, [(generation, tip.clone()), (generation, tip)]);
    }
    let (publisher, app) = (site.publisher(), bench::app());
    for region in ["eu", "us"].map(bench::region) {
        let orders = publisher.store.history_after(&app, &region, None).await.expect("a listing");
        assert_eq!(orders.len(), 4, "one record for each generation");
        let settled = crate::region::settle(&publisher, &app, &region).await.expect("a region");
        let pointer = StorePath::Pointer { app: app.clone(), region: region.clone() };
        let pointer = publisher.store.read(&pointer, 1 << 14).await.expect("a read").expect("a pointer");
        assert_eq!(Some(&pointer.bytes), settled.newest.as_ref().map(Verified::bytes));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_tip_is_not_judged_again_at_every_look() {
    let mut site = Site::new();
    let good = site.commit("1");
    let bad = site.repo.unsigned(&[&good], &site.tree(DOCUMENT, "2"), site.seconds, "just this once");
    site.repo.force("main", &bad);
    let mut following = Following::start(site.config(), site.publisher()).await.expect("a folder");
    assert!(following.look().await.is_err());
    assert!(matches!(following.look().await, Ok(Sight::StillRefused)));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(following.look().await.is_err(), "the policy may have changed");
    // Another tip does not wait.
    site.repo.force("main", &good);
    assert!(matches!(following.look().await, Ok(Sight::Tip(_))));
}
