//! Dying at each named point, and starting again: the end is that of an undisturbed run, and no generation is spent.

use std::path::Path;

use fail::FailScenario;
use git2::Repository;
use git2::build::TreeUpdateBuilder;
use publisher::committer::Committer;
use publisher::history::{HistoryRecord, Scope, history};
use publisher::{Config, Publisher, daemon, rollout};
use schema::keys::SecretKey;
use schema::{CommitId, Epoch, RoleKeys, Timestamp, TrustRoot, Verified};
use tokio::task::JoinSet;

/// Every point at which a publisher can be made to die.
const POINTS: [&str; 7] = [
    "publish-patch-stored",
    "publish-bundle-stored",
    "publish-manifest-stored",
    "publish-read-back",
    "publish-history-recorded",
    "publish-pointer-moved",
    "publish-between-regions",
];

const DOCUMENT: &str = "regions: { eu: { labels: { continent: eu } }, us: {} }\n\
    apps: { web: { path: web, overlays: [ { path: eu, when: { continent: eu } } ] } }\n";

/// The same, where what is new goes to one region first, and an hour later to the other.
const STAGED: &str = "regions: { eu: { labels: { continent: eu } }, us: {} }\n\
    apps: { web: { path: web, overlays: [ { path: eu, when: { continent: eu } } ], rollout: slowly } }\n\
    rollouts:\n  slowly:\n    gate: none\n    \
    waves: [ { regions: [eu], share: 100%, soak: 1h }, { regions: ['*'], share: 100%, soak: 0s } ]\n";

#[tokio::test]
async fn f23_what_dies_at_any_point_is_finished_by_the_next_start() {
    let scenario = FailScenario::setup();
    let undisturbed = Site::new();
    undisturbed.once().await;
    undisturbed.commit("2", Some(&undisturbed.tip()));
    undisturbed.once().await;
    let expected = undisturbed.standing().await;

    for point in POINTS {
        let site = Site::new();
        site.once().await;
        site.commit("2", Some(&site.tip()));
        fail::cfg(point, "panic").expect("a good action");
        let mut dying = JoinSet::new();
        dying.spawn(daemon::once(site.config(), site.publisher()));
        let died = dying.join_next().await.expect("one task");
        assert!(died.is_err_and(|ended| ended.is_panic()), "nothing died at {point}");
        fail::remove(point);

        site.once().await;
        assert_eq!(site.standing().await, expected, "after dying at {point}");
        let looked = daemon::once(site.config(), site.publisher()).await.expect("all is well");
        assert!(looked.report.moved.is_empty(), "after dying at {point}: {looked:?}");
    }
    scenario.teardown();
}

#[tokio::test]
async fn f23_a_rollout_that_dies_at_any_point_goes_on_with_the_next_start() {
    let scenario = FailScenario::setup();
    let undisturbed = Site::staged().await;
    undisturbed.once().await;
    let expected = undisturbed.standing().await;
    assert!(expected.len() > 2, "the plan was announced: {expected:?}");

    for point in rollout::POINTS {
        let site = Site::staged().await;
        fail::cfg(point, "panic").expect("a good action");
        let mut dying = JoinSet::new();
        dying.spawn(daemon::once(site.config(), site.publisher()));
        let died = dying.join_next().await.expect("one task");
        assert!(died.is_err_and(|ended| ended.is_panic()), "nothing died at {point}");
        fail::remove(point);

        site.once().await;
        assert_eq!(site.standing().await, expected, "after dying at {point}");
        let ids = site.publisher().store().rollouts(&"web".parse().expect("an app")).await.expect("a listing");
        assert_eq!(ids.len(), 1, "after dying at {point}: one rollout, not two");
    }
    scenario.teardown();
}

/// A repository, a store and a configuration on disk.
struct Site {
    folder: tempfile::TempDir,
    git: Repository,
    alice: Committer,
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let git = Repository::init_bare(folder.path().join("config.git")).expect("a repository");
        let alice = Committer::generate("Alice", "alice@example.com").expect("a key");
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).expect("writable");
        let (root, release, pointer) = (SecretKey::generate(), SecretKey::generate(), SecretKey::generate());
        write("release.key", release.to_file_text().as_bytes());
        write("pointer.key", pointer.to_file_text().as_bytes());
        write("trust.root", trust_root(&root, &release, &pointer).bytes());
        write("signers", format!("alice@example.com {}\n", alice.public_line().expect("a key")).as_bytes());
        let config = "source: { repository: config.git }\nsigners: signers\nstore: store\nstate: state\n\
            root: trust.root\nkeys: { release: release.key, pointer: pointer.key }\n";
        write("publisher.yaml", config.as_bytes());
        let site = Site { folder, git, alice };
        site.commit("1", None);
        site
    }

    /// A site whose second commit goes by a plan of times alone, which needs nobody's answer to be announced.
    async fn staged() -> Site {
        let site = Site::new();
        site.once().await;
        site.commit_with(STAGED, "1", Some(&site.tip()));
        site.once().await;
        site.commit_with(STAGED, "2", Some(&site.tip()));
        site
    }

    /// Commits `content` for both regions.
    fn commit(&self, content: &str, parent: Option<&CommitId>) {
        self.commit_with(DOCUMENT, content, parent);
    }

    fn commit_with(&self, document: &str, content: &str, parent: Option<&CommitId>) {
        let mut builder = TreeUpdateBuilder::new();
        for (path, content) in [("driftless.yaml", document), ("web/a.conf", content), ("eu/b.conf", content)] {
            let blob = self.git.blob(content.as_bytes()).expect("a blob");
            builder.upsert(path, blob, git2::FileMode::Blob);
        }
        let empty = self.git.treebuilder(None).and_then(|builder| builder.write()).expect("a tree");
        let empty = self.git.find_tree(empty).expect("it was just written");
        let tree = builder.create_updated(&self.git, &empty).expect("a tree").to_string().parse().expect("an id");
        let parents: Vec<CommitId> = parent.into_iter().cloned().collect();
        let when = Timestamp::from_unix_millis(1_700_000_000_000);
        self.alice.commit(&self.git, "main", &parents, &tree, "change it", when).expect("a commit");
    }

    fn tip(&self) -> CommitId {
        let tip = self.git.refname_to_id("refs/heads/main").expect("a branch");
        tip.to_string().parse().expect("an id")
    }

    fn config(&self) -> Config {
        Config::load(&self.folder.path().join(Path::new("publisher.yaml"))).expect("a good configuration")
    }

    fn publisher(&self) -> Publisher {
        Publisher::open(&self.config()).expect("it opens")
    }

    async fn once(&self) {
        daemon::once(self.config(), self.publisher()).await.expect("the tip is published");
    }

    /// The orders, bundles and kinds of everything that was ever published, without what differs between two runs.
    async fn standing(&self) -> Vec<String> {
        let publisher = self.publisher();
        let app = "web".parse().expect("an app");
        let mut standing = Vec::new();
        for region in ["eu", "us"] {
            let region = region.parse().expect("a region");
            let records = history(publisher.store(), publisher.roots(), &app, &region, Scope::Everything, 99).await;
            let line = |HistoryRecord { order, digest, kind, .. }| format!("{region} {order} {digest} {kind:?}");
            standing.extend(records.expect("a history").into_iter().map(line));
        }
        standing
    }
}

fn trust_root(root: &SecretKey, release: &SecretKey, pointer: &SecretKey) -> Verified<TrustRoot> {
    let role = |key: &SecretKey| RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
    let document = TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::from_unix_millis(4_000_000_000_000),
        release_floor: 0,
        revoked: Vec::new(),
        root: role(root),
        release: role(release),
        pointer: role(pointer),
        pointer_of_region: [].into(),
    };
    Verified::seal(document, &[root])
}
