//! All agents, over all worker processes, and what they hang on.

use super::disk::Disk;
use super::hands::Hands;
use super::phases::Applied;
use super::{PATIENCE, Scale};
use crate::bench::agents::{Answer, Orders};
use crate::bench::marks::micros;
use crate::bench::origin::Origin;
use crate::bench::origin::child::Child;
use crate::bench::origin::pointers::Pointers;
use crate::bench::origin::usage::Usage;
use crate::exit::Failure;
use crate::scratch::Scratch;

/// Agents that run the newest version and wait for the next.
pub(in crate::bench) struct Crowd {
    publisher: Child,
    gateways: Vec<Child>,
    workers: Vec<Hands>,
    states: Scratch,
    agents: u64,
    generation: u64,
}

/// Hundredths of a second of processor time.
struct Used {
    gateways: u64,
    workers: u64,
}

impl Crowd {
    /// Publishes a tiny app and starts everybody. The workers start side by side, each a few agents at a time.
    pub(in crate::bench) async fn gather(origin: &Origin, scale: &Scale) -> Result<Crowd, Failure> {
        let app = &origin.apps[0];
        origin.write(&settings(origin), text(1).as_bytes())?;
        origin.write(&format!("{}/README", Origin::folder_of(app)), b"Settings of a small service.\n")?;
        origin.commit(".", "Begin").await?;
        let pointers = origin.pointers(app);
        let mut publisher = origin.publisher()?;
        pointers.moved(&mut publisher, PATIENCE).await?;
        let (mut gateways, mut urls) = (Vec::new(), Vec::new());
        for number in 1..=scale.gateways() {
            let (gateway, url) = origin.gateway(&format!("gateway-{number}")).await?;
            gateways.push(gateway);
            urls.push(url.to_string());
        }
        let states = match &scale.state {
            Some(place) => Scratch::within(place, "driftless-bench-agents-")?,
            None => Scratch::new("driftless-bench-agents-")?,
        };
        let processes = scale.processes();
        let mut crowd = Crowd { publisher, gateways, workers: Vec::new(), states, agents: scale.agents, generation: 1 };
        for number in 0..processes {
            let (first, next) = (scale.agents * number / processes, scale.agents * (number + 1) / processes);
            let orders = Orders {
                first,
                count: next - first,
                app: app.clone(),
                region: origin.regions[0].clone(),
                root: origin.home().root(),
                states: crowd.states.path().to_owned(),
                gateways: urls.clone(),
                at_once: AT_ONCE,
            };
            crowd.workers.push(Hands::start(origin.folder(), number, &orders)?);
        }
        crowd.answers().await?;
        Ok(crowd)
    }

    /// What there is to say of the disk that the agents are on.
    pub(in crate::bench) fn disk(&self) -> Result<Disk, Failure> {
        Disk::of(self.states.path())
    }

    /// Publishes a change, and gives what came of it.
    pub(in crate::bench) async fn change(&mut self, origin: &Origin) -> Result<Applied, Failure> {
        origin.write(&settings(origin), text(self.generation + 1).as_bytes())?;
        let pointers = origin.pointers(&origin.apps[0]);
        let before = self.usage()?;
        origin.commit(&settings(origin), "Raise the limit").await?;
        self.followed(pointers, before).await
    }

    /// Takes the newest change back, and gives what came of it.
    pub(in crate::bench) async fn revert(&mut self, origin: &Origin) -> Result<Applied, Failure> {
        let pointers = origin.pointers(&origin.apps[0]);
        let before = self.usage()?;
        origin.revert().await?;
        self.followed(pointers, before).await
    }

    async fn followed(&mut self, pointers: Pointers, before: Used) -> Result<Applied, Failure> {
        let moved = pointers.moved(&mut self.publisher, PATIENCE).await?;
        self.generation += 1;
        let answers = self.answers().await?;
        let after = self.usage()?;
        let each = |now: u64, before: u64| (now - before) as f64 * 10_000.0 / self.agents as f64;
        let (gateway, agent) = (each(after.gateways, before.gateways), each(after.workers, before.workers));
        Ok(Applied {
            gateway_cpu_us: gateway,
            agent_cpu_us: agent,
            ..Applied::of(self.agents, micros(moved), &answers)
        })
    }

    /// What all agents answered about the newest generation.
    async fn answers(&mut self) -> Result<Vec<Answer>, Failure> {
        let question = format!("{} {}\n", self.generation, PATIENCE.as_secs());
        for worker in &mut self.workers {
            worker.ask(&question).await?;
        }
        let mut all = Vec::new();
        for worker in &mut self.workers {
            all.extend(worker.answers().await?);
        }
        Ok(all)
    }

    fn usage(&self) -> Result<Used, Failure> {
        let gateways: Result<Vec<Usage>, Failure> =
            self.gateways.iter().map(|gateway| Usage::of(gateway.id())).collect();
        let workers: Result<Vec<Usage>, Failure> = self.workers.iter().map(|worker| Usage::of(worker.id())).collect();
        let ticks = |processes: Vec<Usage>| processes.iter().map(|process| process.cpu_ticks).sum();
        Ok(Used { gateways: ticks(gateways?), workers: ticks(workers?) })
    }

    /// Stops everybody, agents first.
    pub(in crate::bench) async fn dismiss(self) -> Result<(), Failure> {
        let mut leaving = Vec::new();
        for worker in self.workers {
            leaving.push(worker.dismiss());
        }
        for child in leaving.into_iter().chain(self.gateways).chain([self.publisher]) {
            child.stop().await?;
        }
        Ok(())
    }
}

fn settings(origin: &Origin) -> String {
    format!("{}/settings.conf", Origin::folder_of(&origin.apps[0]))
}

fn text(edition: u64) -> String {
    let lines: String = (0..40).map(|number| format!("route_{number} = \"backend-{}\"\n", number * 7 % 40)).collect();
    format!("limit = {edition}\n{lines}")
}

/// Agents of one worker that may be starting at a time.
const AT_ONCE: usize = 16;
