//! Many agents in this process: the real library, each with its own folder, identity, hooks and connections.
//!
//! What the hooks of an app do stands in the app itself: `check.sh`, `reload.sh` and `probe.sh`, run with the agent's name as
//! their argument where they are there. So a commit decides on which hosts it fails, and how.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use edge_agent::{AgentError, Config};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// The agents of a site, by name: `eu-west-1` and so on.
pub(crate) struct Crowd {
    runtime: Option<Runtime>,
    hosts: Vec<Host>,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One agent's host.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) agent: String,
    pub(crate) region: String,
    pub(crate) state: PathBuf,
    config: PathBuf,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Crowd {
    /// Agents numbered from one in each region, all of them running.
    pub(crate) fn start(world: &World, regions: &[&str], each: usize, apps: &[&str], url: &str) -> Crowd {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let numbered = regions.iter().flat_map(|region| (1..=each).map(move |number| (*region, number)));
        let hosts: Vec<Host> = numbered.map(|(region, number)| host(world, region, number, apps, url)).collect();
        let crowd = Crowd { runtime: Some(runtime.expect("threads can be started")), hosts, running: Mutex::default() };
        crowd.hosts.iter().for_each(|host| crowd.wake(&host.agent));
        crowd
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub(crate) fn hosts_in<'a>(&'a self, region: &'a str) -> impl Iterator<Item = &'a Host> {
        self.hosts.iter().filter(move |host| host.region == region)
    }

    /// Starts an agent that does not run.
    pub(crate) fn wake(&self, agent: &str) {
        let host = self.hosts.iter().find(|host| host.agent == agent).expect("an agent of this crowd");
        let config = Config::load(&host.config).expect("a configuration that was just written");
        let stop = CancellationToken::new();
        let runtime = self.runtime.as_ref().expect("it is there until the end");
        let task = runtime.spawn(edge_agent::run(config, None, stop.clone()));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.to_owned(), Running { stop, task });
    }

    /// Ends an agent in the middle of whatever it does, as far as a library can be ended: from now on it says nothing.
    pub(crate) fn silence(&self, agent: &str) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(agent);
        let Running { stop, task } = running.expect("it runs");
        stop.cancel();
        task.abort();
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        self.hosts.iter().for_each(|host| make_writable(&host.state));
    }
}

fn host(world: &World, region: &str, number: usize, apps: &[&str], url: &str) -> Host {
    let agent = format!("{region}-{number}");
    let hook = |name: &str| {
        let script = format!("test ! -e {name}.sh || exec sh {name}.sh \"$0\"");
        format!("    {name}: {{ run: [sh, -c, '{script}', {agent}], timeout: 5s }}\n")
    };
    let app = |app: &&str| format!("  {app}:\n{}{}{}", hook("check"), hook("reload"), hook("probe"));
    let apps: String = apps.iter().map(app).collect();
    let config = world.agent_yaml(&agent, region, &[url], &apps);
    let yaml = std::fs::read_to_string(&config).expect("it was just written");
    let more = format!("heartbeat: 1s\nlabels: {{ number: \"{number}\" }}\npoll: 200ms\n");
    let yaml = yaml.replacen("poll: 200ms\n", &more, 1);
    std::fs::write(&config, yaml).expect("a small file");
    Host { state: world.agent_state(&agent), region: region.to_owned(), agent, config }
}

/// Agents make their versions read-only, which keeps even their owner from removing them.
fn make_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _gone = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}
