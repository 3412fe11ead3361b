use std::fmt::Write as _;
use std::io::Read;

use git2::ObjectType;
use schema::archive::{Kind, Reader};

use super::*;
use crate::compile::{GitObjects, PathProblem, Problems};
use crate::fixture::{RawEntry, Repo, git, oid, tree_id};

mod incremental;

const ONE_APP: &str = "regions: { eu: {} }\napps: { proxy: { path: apps/proxy } }\n";

const OVERLAID: &str = "\
regions:
  eu-west: { labels: { continent: eu } }
  eu-north: { labels: { continent: eu } }
  us-east: { labels: { continent: us } }
  moon: {}
apps:
  proxy:
    path: apps/proxy
    overlays:
      - { path: overlays/eu, when: { continent: eu } }
      - { path: overlays/us, when: { continent: us } }
";

fn compile_in(repo: &Repo, tree: &TreeId) -> Result<Compilation, CompileError> {
    compile(&GitObjects::of(&repo.git).unwrap(), tree, &Limits::DEFAULT)
}

fn bundle(compilation: &Compilation, app: &str, region: &str) -> Arc<CompiledBundle> {
    Arc::clone(&compilation.bundles[&(app.parse().unwrap(), region.parse().unwrap())])
}

fn digest(compilation: &Compilation, app: &str, region: &str) -> Digest {
    bundle(compilation, app, region).summary.digest
}

/// The bundle's files, one line each: mode, path, content.
fn listing(bundle: &CompiledBundle) -> String {
    let mut reader = Reader::new(&bundle.archive[..], Limits::DEFAULT);
    let mut listing = String::new();
    while let Some(entry) = reader.next_entry().expect("our own archive") {
        let mut content = String::new();
        reader.content().read_to_string(&mut content).expect("text");
        let mark = match entry.kind {
            Kind::Directory => "/",
            Kind::File { executable: true, .. } => "*",
            Kind::File { executable: false, .. } => "",
        };
        writeln!(listing, "{}{mark} {content}", entry.path).expect("a string takes it");
    }
    assert_eq!(reader.finish().expect("our own archive"), bundle.summary);
    listing
}

fn refused(compiled: Result<Compilation, CompileError>) -> Problems {
    match compiled {
        Err(CompileError::Refused(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

fn told(problems: &Problems) -> Vec<String> {
    problems.listed().iter().map(ToString::to_string).collect()
}

#[test]
fn overlays_replace_files_where_their_selector_matches() {
    let repo = Repo::new();
    let tree = repo.tree(&[
        ("driftless.yaml", OVERLAID),
        ("apps/proxy/bin/reload*", "#!/bin/sh"),
        ("apps/proxy/limits.yaml", "rps: 1"),
        ("apps/proxy/x.patch.yaml", "a file like any other here"),
        ("overlays/eu/limits.yaml", "rps: 2"),
        ("overlays/eu/more/eu.yaml", "eu"),
        ("overlays/us/limits.yaml", "rps: 1"),
        ("README", "not configuration"),
    ]);
    let compiled = compile_in(&repo, &tree).unwrap();
    assert_eq!(compiled.bundles.len(), 4);
    let (west, north) = (bundle(&compiled, "proxy", "eu-west"), bundle(&compiled, "proxy", "eu-north"));
    assert!(Arc::ptr_eq(&west, &north));
    assert_eq!(
        listing(&west),
        "bin/ \nbin/reload* #!/bin/sh\nlimits.yaml rps: 2\nmore/ \nmore/eu.yaml eu\nx.patch.yaml a file like any other here\n"
    );
    let moon = bundle(&compiled, "proxy", "moon");
    assert_eq!(
        listing(&moon),
        "bin/ \nbin/reload* #!/bin/sh\nlimits.yaml rps: 1\nx.patch.yaml a file like any other here\n"
    );
    // The overlay of us-east changes nothing: the same bytes, kept once.
    assert!(Arc::ptr_eq(&moon, &bundle(&compiled, "proxy", "us-east")));
}

#[test]
fn the_whole_repository_can_be_one_app() {
    let repo = Repo::new();
    let document = "regions: {eu: {}}\napps: {all: {path: .}}\n";
    let tree = repo.tree(&[("driftless.yaml", document), ("b/c", "C")]);
    let compiled = compile_in(&repo, &tree).unwrap();
    assert_eq!(listing(&bundle(&compiled, "all", "eu")), format!("b/ \nb/c C\ndriftless.yaml {document}\n"));
}

#[test]
fn the_digest_never_changes() {
    let repo = Repo::new();
    let tree = repo.tree(&[("driftless.yaml", ONE_APP), ("apps/proxy/conf.d/a*", "A"), ("apps/proxy/conf.d-old", "B")]);
    let compiled = compile_in(&repo, &tree).unwrap();
    assert_eq!(
        (COMPILER, digest(&compiled, "proxy", "eu").to_string()),
        (1, "060e52917eeb3853527db00dd82c001909e45905fde114c1f201efceef8d309d".to_owned())
    );
}

#[test]
fn f33_a_revert_compiles_to_the_digest_that_it_restores_in_any_clone() {
    let repo = Repo::new();
    let a = repo.tree(&[("driftless.yaml", ONE_APP), ("apps/proxy/limits", "10")]);
    let b = repo.tree(&[("driftless.yaml", ONE_APP), ("apps/proxy/limits", "20")]);
    let one = repo.commit(&[], &a, 100);
    let two = repo.commit(&[&one], &b, 200);
    let three = repo.commit(&[&two], &a, 300);

    let folder = repo.folder.path();
    git(folder, &["clone", "-q", "--bare", repo.path().to_str().unwrap(), "other.git"]);
    git(&folder.join("other.git"), &["gc", "-q"]);
    let other = git2::Repository::open(folder.join("other.git")).unwrap();
    let in_clone = |commit: &schema::CommitId| {
        let tree = other.find_commit(oid(commit.as_str())).unwrap().tree_id();
        digest(&compile(&GitObjects::of(&other).unwrap(), &tree_id(tree), &Limits::DEFAULT).unwrap(), "proxy", "eu")
    };
    let here = |tree| digest(&compile_in(&repo, tree).unwrap(), "proxy", "eu");
    assert_eq!((in_clone(&one), in_clone(&two)), (here(&a), here(&b)));
    assert_eq!(in_clone(&three), in_clone(&one));
    assert_ne!(here(&a), here(&b));
}

#[test]
fn compiling_after_another_tree_gives_what_compiling_alone_gives() {
    let repo = Repo::new();
    let document = format!("{OVERLAID}  other: {{ path: apps/other }}\n");
    let files = |limits: &'static str| {
        repo.tree(&[
            ("driftless.yaml", &document),
            ("apps/proxy/limits", limits),
            ("apps/other/file", "same"),
            ("overlays/eu/x", "x"),
            ("overlays/us/y", "y"),
        ])
    };
    let before = compile_in(&repo, &files("10")).unwrap();
    let tree = files("20");
    let objects = GitObjects::of(&repo.git).unwrap();
    let after = compile_after(&before, &objects, &tree, &Limits::DEFAULT).unwrap();
    assert_eq!(after.bundles, compile(&objects, &tree, &Limits::DEFAULT).unwrap().bundles);
    assert!(Arc::ptr_eq(&bundle(&after, "other", "moon"), &bundle(&before, "other", "moon")));
    assert!(!Arc::ptr_eq(&bundle(&after, "proxy", "moon"), &bundle(&before, "proxy", "moon")));
    // Under other limits nothing is taken over.
    let tight = Limits { entries_max: 100, ..Limits::DEFAULT };
    let again = compile_after(&before, &objects, &tree, &tight).unwrap();
    assert!(!Arc::ptr_eq(&bundle(&again, "other", "moon"), &bundle(&before, "other", "moon")));
}

#[test]
fn a40_filters_and_attributes_have_no_say() {
    let repo = Repo::new();
    let attributes = "* text eol=crlf ident filter=upper export-subst\nsecret export-ignore\n*.bin filter=lfs\n";
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let tree = repo.tree(&[
        ("driftless.yaml", ONE_APP),
        (".gitattributes", attributes),
        ("apps/proxy/.gitattributes", attributes),
        ("apps/proxy/ident", "$Id$ $Format:%H$\nnext\r\n"),
        ("apps/proxy/secret", "kept"),
        ("apps/proxy/x.bin", lfs),
    ]);
    let mut config = repo.git.config().unwrap();
    config.set_str("filter.upper.smudge", "tr a-z A-Z").unwrap();
    config.set_str("core.autocrlf", "true").unwrap();
    let bundle = bundle(&compile_in(&repo, &tree).unwrap(), "proxy", "eu");
    assert_eq!(
        listing(&bundle),
        format!(".gitattributes {attributes}\nident $Id$ $Format:%H$\nnext\r\n\nsecret kept\nx.bin {lfs}\n")
    );
}

/// A repository whose app is the tree object given.
fn hostile(repo: &Repo, app: git2::Oid) -> TreeId {
    let directory = |name, id| RawEntry { mode: "40000", name, id };
    let apps = repo.raw_tree(&[directory(b"proxy", app)]);
    let document = RawEntry { mode: "100644", name: b"driftless.yaml", id: repo.blob(ONE_APP.as_bytes()) };
    tree_id(repo.raw_tree(&[directory(b"apps", apps), document]))
}

#[test]
fn a37_a38_a39_trees_that_no_honest_git_writes_are_refused_by_path() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let file = |name| RawEntry { mode: "100644", name, id: blob };
    let inner = repo.raw_tree(&[file(b"x")]);
    let entry = |mode, name, id| RawEntry { mode, name, id };
    let table: [(&str, Vec<RawEntry<'_>>, &str); 21] = [
        ("dots", vec![entry("40000", b"..", inner)], "`apps/proxy/..` cannot be distributed: `.` and `..`"),
        ("dot", vec![file(b".")], "`apps/proxy/.` cannot"),
        ("dot git", vec![entry("40000", b".git", inner)], "`apps/proxy/.git` cannot be distributed: `.git` in any"),
        ("upper-case git", vec![entry("40000", b".GIT", inner)], "`apps/proxy/.GIT` cannot"),
        ("short name", vec![entry("40000", b"git~1", inner)], "`apps/proxy/git~1` cannot"),
        ("ignored code point", vec![entry("40000", ".g\u{200c}it".as_bytes(), inner)], "`.git` in any"),
        ("slash", vec![file(b"a/b")], "`apps/proxy/a/b` is one tree entry with a `/`"),
        ("absolute", vec![file(b"/etc/passwd")], "is one tree entry with a `/`"),
        ("escape by slash", vec![file(b"../../x")], "is one tree entry with a `/`"),
        ("empty name", vec![file(b"")], "empty component"),
        ("backslash", vec![file(b"..\\x")], "backslashes"),
        ("control", vec![file(b"a\nb\x1b[2J")], "`apps/proxy/a\\nb\\u{1b}[2J` cannot"),
        ("not UTF-8", vec![file(b"caf\xe9")], "it is not UTF-8"),
        ("symlink", vec![entry("120000", b"link", blob)], "`apps/proxy/link` is a symbolic link"),
        ("submodule", vec![entry("160000", b"vendor", blob)], "`apps/proxy/vendor` is a submodule"),
        ("fifo", vec![entry("10644", b"fifo", blob)], "has the mode 10644"),
        ("set-uid", vec![entry("104755", b"su", blob)], "has the mode 104755"),
        ("duplicates", vec![file(b"a"), file(b"a")], "`apps/proxy/a` is there twice"),
        ("file and directory", vec![file(b"a"), entry("40000", b"a", inner)], "`apps/proxy/a` is there twice"),
        ("twins", vec![file(b"Readme"), file(b"readme")], "`apps/proxy/readme` differs from `apps/proxy/Readme`"),
        (
            "twin directories",
            vec![entry("40000", b"Conf", inner), entry("40000", b"conf", inner)],
            "`apps/proxy/conf` differs from `apps/proxy/Conf`",
        ),
    ];
    for (name, entries, wanted) in table {
        let tree = hostile(&repo, repo.raw_tree(&entries));
        let problems = refused(compile_in(&repo, &tree));
        let told = told(&problems);
        assert!(told[0].contains(wanted), "{name}: {told:?}");
        assert!(!problems.to_string().contains('\u{1b}'), "{name}");
    }
    let garbage = repo.git.odb().unwrap().write(ObjectType::Tree, b"100644 a\0short").unwrap();
    let problems = refused(compile_in(&repo, &hostile(&repo, garbage)));
    assert!(told(&problems)[0].contains("`apps/proxy` is a directory that git cannot read"), "{problems}");
}

#[test]
fn a41_trees_folded_into_one_another_end_at_the_limit() {
    let repo = Repo::new();
    for leaf in [vec![], vec![RawEntry { mode: "100644", name: b"x", id: repo.blob(b"x") }]] {
        let mut tree = repo.raw_tree(&leaf);
        for _ in 0..12 {
            let names: Vec<String> = (0..10).map(|at| format!("d{at}")).collect();
            let entries: Vec<_> =
                names.iter().map(|name| RawEntry { mode: "40000", name: name.as_bytes(), id: tree }).collect();
            tree = repo.raw_tree(&entries);
        }
        let problems = refused(compile_in(&repo, &hostile(&repo, tree)));
        assert!(told(&problems)[0].contains("more than 100000 files and directories"), "{problems}");
    }
}

#[test]
fn limits_hold_before_content_is_read() {
    let repo = Repo::new();
    let tree = repo.tree(&[("driftless.yaml", ONE_APP), ("apps/proxy/a", "12345"), ("apps/proxy/d/b", "12345")]);
    let objects = GitObjects::of(&repo.git).unwrap();
    let with = |limits| refused(compile(&objects, &tree, &limits));
    let problems = with(Limits { bundle_max_bytes: 9, ..Limits::DEFAULT });
    assert_eq!(told(&problems), ["app `proxy` has 10 bytes of files, the limit is 9; split it into several apps"]);
    // Fits as files, but not as an archive.
    assert!(told(&with(Limits { bundle_max_bytes: 2048, ..Limits::DEFAULT }))[0].contains("cannot be archived"));
    assert!(told(&with(Limits { entries_max: 2, ..Limits::DEFAULT }))[0].contains("more than 2 files"));
    assert!(told(&with(Limits { component_max_bytes: 4, ..Limits::DEFAULT }))[0].contains("a component is longer"));
    assert!(told(&with(Limits { yaml_max_bytes: 10, ..Limits::DEFAULT }))[0].contains("the limit is 10"));

    let large = repo.git.blob(&vec![0; (crate::compile::files::FILE_MAX_BYTES + 1) as usize]).unwrap();
    let app = repo.raw_tree(&[RawEntry { mode: "100644", name: b"large", id: large }]);
    let problems = refused(compile_in(&repo, &hostile(&repo, app)));
    assert!(
        matches!(&problems.listed()[0], Problem::Path { wrong: PathProblem::TooLarge { .. }, path } if path == "apps/proxy/large")
    );
}

#[test]
fn overlays_that_do_not_fit_are_refused_with_both_paths() {
    let repo = Repo::new();
    let table = [
        ("apps/proxy/a/b", "overlays/eu/a", "`overlays/eu/a` is a file, and `apps/proxy/a` is a directory"),
        ("apps/proxy/a", "overlays/eu/a/b", "`apps/proxy/a` is a file, and `overlays/eu/a` is a directory"),
        (
            "apps/proxy/Limits",
            "overlays/eu/limits",
            "`overlays/eu/limits` differs from `apps/proxy/Limits` by case alone",
        ),
        ("apps/proxy/Conf/a", "overlays/eu/conf/b", "`overlays/eu/conf` differs from `apps/proxy/Conf` by case alone"),
        ("apps/proxy/a", "overlays/eu/x.patch.yaml", "`overlays/eu/x.patch.yaml` is a merge patch"),
        ("apps/proxy/a", "overlays/eu/d/x.patch.json", "`overlays/eu/d/x.patch.json` is a merge patch"),
        ("apps/proxy/a", "overlays/eu/x.patch.yml", "is a merge patch"),
    ];
    for (base, over, wanted) in table {
        let tree = repo.tree(&[("driftless.yaml", OVERLAID), (base, "1"), (over, "2"), ("overlays/us/x", "3")]);
        let told = told(&refused(compile_in(&repo, &tree)));
        assert!(told.len() == 1 && told[0].contains(wanted), "{told:?}\n{wanted}");
    }
}

#[test]
fn f35_what_is_missing_or_empty_is_never_an_empty_bundle() {
    let repo = Repo::new();
    assert_eq!(refused(compile_in(&repo, &repo.tree(&[]))).listed(), [Problem::NoDocument]);
    let table: [(&[(&str, &str)], &str); 4] = [
        (
            &[("apps/flags/x", ""), ("apps/edge/x", "")],
            "driftless.yaml:2:24: `apps/proxy` does not exist: `apps` has the directories `edge`, `flags`",
        ),
        (&[("other/x", "")], "`apps` does not exist: the top of the repository has the directories `other`"),
        (&[("apps", "")], "`apps` is a file; name the directory it is in"),
        (&[("x", "")], "`apps` does not exist: the top of the repository has no directories"),
    ];
    for (files, wanted) in table {
        let files: Vec<_> = files.iter().copied().chain([("driftless.yaml", ONE_APP)]).collect();
        let told = told(&refused(compile_in(&repo, &repo.tree(&files))));
        assert!(told.len() == 1 && told[0].contains(wanted), "{told:?}\n{wanted}");
    }
    let empty = repo.raw_tree(&[]);
    assert!(told(&refused(compile_in(&repo, &hostile(&repo, empty))))[0].contains("app `proxy` has no files"));
    let link = repo.raw_tree(&[RawEntry { mode: "120000", name: b"driftless.yaml", id: repo.blob(b"x") }]);
    assert!(told(&refused(compile_in(&repo, &tree_id(link))))[0].contains("not a regular file"));
}

#[test]
fn up_to_ten_problems_are_listed_and_the_rest_counted() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let names: Vec<String> = (0..13).map(|at| format!("link{at:02}")).collect();
    let links: Vec<_> = names.iter().map(|name| RawEntry { mode: "120000", name: name.as_bytes(), id: blob }).collect();
    let problems = refused(compile_in(&repo, &hostile(&repo, repo.raw_tree(&links))));
    assert_eq!((problems.listed().len(), problems.unlisted()), (10, 4));
    assert!(problems.to_string().ends_with("(and 13 more)"), "{problems}");
}

#[test]
fn a_missing_object_blames_the_repository_and_not_the_author() {
    let repo = Repo::new();
    let gone = oid(&"a".repeat(40));
    for entry in [RawEntry { mode: "100644", name: b"x", id: gone }, RawEntry { mode: "40000", name: b"x", id: gone }] {
        let compiled = compile_in(&repo, &hostile(&repo, repo.raw_tree(&[entry])));
        assert!(matches!(compiled, Err(CompileError::Unreadable(_))), "{compiled:?}");
    }
    // A blob where the tree promises a directory.
    let entry = RawEntry { mode: "40000", name: b"x", id: repo.blob(b"x") };
    let compiled = compile_in(&repo, &hostile(&repo, repo.raw_tree(&[entry])));
    assert!(matches!(compiled, Err(CompileError::Unreadable(_))), "{compiled:?}");
}
