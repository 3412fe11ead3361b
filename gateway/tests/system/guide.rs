//! The guide page about transport, word for word: its commands are run, its files are read.

use std::path::Path;

use gateway::Config;
use tokio::process::Command;
use tokio::time::timeout;

use crate::client::PATIENCE;
use crate::publication::Publication;
use crate::running::{Running, until};

/// The blocks of the page that open with that line.
fn blocks<'a>(page: &'a str, opening: &str) -> Vec<&'a str> {
    let opening = format!("\n```{opening}\n");
    let rest = page.split(opening.as_str()).skip(1);
    rest.map(|rest| rest.split_once("\n```").expect("an end of the block").0).collect()
}

/// Runs a command as somebody who reads the page would; gives whether it went well, and what it said.
async fn shell(folder: &Path, script: &str) -> (bool, String) {
    let mut bash = Command::new("bash");
    // Where the page's gateway really is, for curl.
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(folder).env("CURL_HOME", folder).kill_on_drop(true);
    let output = timeout(PATIENCE, bash.output()).await.expect("an end in time").expect("bash is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn every_command_of_the_guide_does_what_it_says() {
    let page = include_str!("../../../docs/guide/transport.md");
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::os::unix::fs::symlink(publication.store_path(), folder.join("store")).expect("a link");
    std::fs::copy(publication.root_path(), folder.join("trust.root")).expect("a copy");

    let commands = blocks(page, "sh");
    let (asking, preparing) = commands.split_last().expect("blocks of commands");
    for script in preparing {
        let (fine, said) = shell(folder, script).await;
        assert!(fine, "{script}\n{said}");
    }
    let files = blocks(page, "yaml");
    std::fs::write(folder.join("gateway.yaml"), files[0]).expect("a write");
    let mut config = Config::load(&folder.join("gateway.yaml")).expect("the page's configuration");
    config.listen = "127.0.0.1:0".parse().expect("an address");
    let gateway = Running::start(config);
    let connect = format!("connect-to = \"gateway.example:7878:{}\"\nsilent\nmax-time = 30\n", gateway.address);
    std::fs::write(folder.join(".curlrc"), connect).expect("a write");
    let ready = "curl --fail --cacert ca.pem --cert web-1.pem --key web-1.key https://gateway.example:7878/readyz";
    until("ready", async || shell(folder, ready).await.0).await;

    let here = |line: &str| line.replace("-connect gateway.example:7878", &format!("-connect {}", gateway.address));
    for line in asking.lines().filter(|line| !line.is_empty()) {
        let (fine, said) = shell(folder, &here(line)).await;
        assert!(fine, "{line}\n{said}");
    }
    let refused = blocks(page, "sh refused");
    assert_eq!(refused.len(), 1);
    for line in refused[0].lines() {
        let (fine, said) = shell(folder, &here(line)).await;
        assert!(!fine, "{line}\n{said}");
    }

    // The other files can be read as well, and a gateway takes them.
    let [_, _agent, agents, below] = files[..] else { panic!("{} files", files.len()) };
    std::fs::write(folder.join("agents.yaml"), agents).expect("a write");
    std::fs::write(folder.join("gw-eu-2.token"), "token\n").expect("a write");
    std::fs::write(folder.join("below.yaml"), below).expect("a write");
    for file in ["gateway.yaml", "below.yaml"] {
        let mut config = Config::load(&folder.join(file)).expect("the page's configuration");
        config.listen = "127.0.0.1:0".parse().expect("an address");
        gateway::Gateway::bind(config, None).expect("a gateway");
    }
}
