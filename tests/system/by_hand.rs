//! What people check by hand, with the stock tools: minisign, zstd, sha256sum, tar, curl, nginx.

use std::fs;

use crate::world::{Process, Up, World, assert_ok, bytes, curl, eventually, tool};

#[test]
fn the_stock_minisign_verifies_a_pointer_a_manifest_and_a_root() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let pointer = up.pointer("web", "eu-west");
    let digest = pointer["stable"]["digest"].as_str().expect("a digest");
    let files = [
        (up.pointer_url("web", "eu-west"), "pointer.pub"),
        (format!("{}/v1/apps/web/bundles/{digest}.manifest", up.url), "release.pub"),
        (format!("{}/v1/trust/0000000001.root", up.url), "root.pub"),
    ];
    for (url, key) in files {
        let sealed = curl(&["-fsS", &url]);
        assert_ok(&sealed, &url);
        let text = String::from_utf8(sealed.stdout).expect("sealed files are text");
        let (payload, seal) = text.split_once('\n').expect("a payload line");
        fs::write(world.path("payload"), format!("{payload}\n")).expect("a small file");
        fs::write(world.path("payload.minisig"), seal).expect("a small file");
        let (file, key) = (world.path("payload"), world.home().join("keys").join(key));
        let args = ["-V", "-H", "-m", &file.display().to_string(), "-p", &key.display().to_string()];
        assert_ok(&tool("minisign", &args, None), &format!("minisign on {url}"));
    }
}

#[test]
fn a_bundle_is_named_by_what_zstd_and_sha256sum_print_and_tar_reads_it() {
    let world = World::new();
    world.write("apps/web/bin/tool", "#!/bin/sh\n");
    world.git(&["add", "-A"]);
    world.git(&["update-index", "--chmod=+x", "apps/web/bin/tool"]);
    world.git(&["commit", "-q", "-m", "Add a tool"]);
    let up = world.up();
    up.published(&world.tip());
    let pointer = up.pointer("web", "eu-west");
    let digest = pointer["stable"]["digest"].as_str().expect("a digest");
    let bundle = curl(&["-fsS", &format!("{}/v1/apps/web/bundles/{digest}.tar.zst", up.url)]);
    let archive = tool("zstd", &["-dc"], Some(&bundle.stdout));
    assert_ok(&archive, "zstd -dc");
    let sum = tool("sha256sum", &[], Some(&archive.stdout));
    assert_eq!(String::from_utf8_lossy(&sum.stdout).split(' ').next(), Some(digest));
    let listing = tool("tar", &["-tvf", "-"], Some(&archive.stdout));
    assert_ok(&listing, "tar -t");
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    assert!(listing.lines().any(|line| line.starts_with("-rwxr-xr-x") && line.ends_with("bin/tool")), "{listing}");
    assert!(listing.lines().any(|line| line.starts_with("-rw-r--r--") && line.ends_with("settings.yaml")), "{listing}");
}

#[test]
fn curl_waits_for_a_pointer_and_is_answered_when_it_moves_or_the_wait_is_over() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let url = up.pointer_url("web", "eu-west");
    let etag = etag_of(&url);
    let at_once =
        curl(&["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", &format!("If-None-Match: {etag}"), &url]);
    assert_eq!(String::from_utf8_lossy(&at_once.stdout), "304");
    let over = curl(&["-sS", "-D", "-", "-H", &format!("If-None-Match: {etag}"), "-H", "Prefer: wait=1", &url]);
    let over = String::from_utf8_lossy(&over.stdout).to_lowercase();
    assert!(over.starts_with("http/1.1 304") && over.contains("preference-applied: wait=1"), "{over}");
    let waiting = std::thread::spawn({
        let (url, etag) = (url.clone(), etag.clone());
        move || curl(&["-sS", "-D", "-", "-H", &format!("If-None-Match: {etag}"), "-H", "Prefer: wait=30", &url])
    });
    eventually("the poll is parked", || up.status()["parked"] == 1);
    world.commit("apps/web/settings.yaml", "greeting: awaited\n");
    let answer = waiting.join().expect("curl does not panic");
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"generation\":2"), "{answer}");
    assert_ne!(etag_of(&url), etag);
}

#[test]
fn f13_agents_follow_a_plain_web_server_that_serves_the_store_as_files() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let (_nginx, url) = nginx(&world);
    let agent = world.agent("web-1", "eu-west", &url);
    agent.comes_to_read("web", "settings.yaml", SAMPLE);
    world.commit("apps/web/settings.yaml", "greeting: by file\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: by file\n");
    world.revert();
    agent.comes_to_read("web", "settings.yaml", SAMPLE);
}

#[test]
fn a07_a_dead_and_a_forged_base_url_do_not_keep_an_agent_from_the_truth() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let (_nginx, plain) = nginx(&world);
    let dead = "http://127.0.0.1:9";
    // A mirror that changed one digit of the pointer, and leaves the seal as it was.
    let pointer = "v1/apps/web/regions/eu-west/pointer";
    let forged = world.store().join("forged").join(pointer);
    let honest = fs::read_to_string(world.store().join(pointer)).expect("it was published");
    fs::create_dir_all(forged.parent().expect("it is in a folder")).expect("folders");
    fs::write(&forged, honest.replacen("\"generation\":", "\"generation\":9", 1)).expect("a small file");
    let forged = format!("{plain}/forged");
    assert!(curl(&["-fsS", &format!("{forged}/{pointer}")]).status.success(), "the forged pointer is served");
    let config = world.agent_yaml("web-1", "eu-west", &[dead, &forged, &up.url], "  web: {}\n");
    let agent = world.agent_with("web-1", &config);
    world.commit("apps/web/settings.yaml", "greeting: through the third\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: through the third\n");
}

#[test]
fn gateways_follow_gateways_and_need_no_secret() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let yaml = format!(
        "name: edge\nlisten: 127.0.0.1:0\nupstream: [{}]\nroot: {}\n",
        up.url,
        world.home().join("trust/0000000001.root").display()
    );
    fs::write(world.path("gateway.yaml"), yaml).expect("a small file");
    let gateway = Up::start(world.driftless(&["gateway", "--config", "gateway.yaml"]));
    let agent = world.agent("web-1", "eu-west", &gateway.url);
    agent.comes_to_read("web", "settings.yaml", SAMPLE);
    world.commit("apps/web/settings.yaml", "greeting: two hops\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: two hops\n");
    eventually("the agent below is counted above", || {
        let status = up.status();
        crate::story::region(&status, "web", "eu-west")["agents"]["generations"][0]["applied"] == 1
    });
}

/// A stock nginx that serves the store as plain files.
pub(crate) fn nginx(world: &World) -> (Process, String) {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let folder = world.path("nginx");
    fs::create_dir(&folder).expect("a folder");
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()))
        .collect();
    let config = format!(
        "daemon off; master_process off; user root; pid {0}/pid; error_log {0}/error.log; events {{}}\n\
         http {{ {temp} access_log off; server {{ listen 127.0.0.1:{port}; root {1}; }} }}\n",
        folder.display(),
        world.store().display()
    );
    fs::write(folder.join("nginx.conf"), config).expect("a small file");
    let mut command = std::process::Command::new("nginx");
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
    let nginx = Process::start(command);
    let url = format!("http://127.0.0.1:{port}");
    eventually("nginx serves", || curl(&["-fsS", &format!("{url}/v1/trust/0000000001.root")]).status.success());
    (nginx, url)
}

fn etag_of(url: &str) -> String {
    let head = curl(&["-fsS", "-D", "-", "-o", "/dev/null", url]);
    let head = String::from_utf8_lossy(&head.stdout).into_owned();
    let line = head.lines().find(|line| line.to_lowercase().starts_with("etag:")).unwrap_or_default();
    let etag = line.split_once(':').map(|(_, tag)| tag.trim().to_owned()).unwrap_or_default();
    assert!(etag.starts_with('"'), "a strong tag: {head}");
    etag
}

#[test]
fn init_leaves_secrets_to_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    for key in ["root.key", "release.key", "pointer.key", "signer"] {
        let path = world.home().join("keys").join(key);
        let mode = fs::metadata(&path).expect("init made it").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{key} is readable by others");
        assert!(!bytes(&path).is_empty());
    }
    let log = world.git(&["log", "--format=%G?"]);
    assert_eq!(log, "G", "git itself trusts the first commit");
    let again = world.run(&["init", "config"]);
    assert_eq!(again.status.code(), Some(2), "a home is never overwritten");
}

const SAMPLE: &str = "# Change me, commit (signed), and look at what the agents run.\ngreeting: hello\n";
