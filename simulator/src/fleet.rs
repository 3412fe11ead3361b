//! The agents, column by column, so that a million of them fit into memory.

use edge_agent::decide::Source;

use crate::clock::Moment;
use crate::host::Kin;
use crate::world::Enclosed;

/// All agents.
pub(crate) struct Fleet {
    /// The number of the first agent of each region, and, last, how many agents there are.
    starts: Vec<u32>,
    pub(crate) region: Vec<u16>,
    pub(crate) kin: Vec<Kin>,
    pub(crate) jobs: Vec<Job>,
    /// With which answer something came along last.
    pub(crate) enclosed: Vec<Enclosed>,
    /// The last commit that it saw named.
    pub(crate) saw: Vec<u16>,
    /// The last commit whose bundle it switched to.
    pub(crate) switched: Vec<u16>,
    /// The last step of a rollout that it was asked for.
    pub(crate) asked_by: Vec<u16>,
    /// When the last that each agent said is with its gateway; what it says after that is there no earlier.
    pub(crate) spoke: Vec<Moment>,
    /// The newest generation that it ran something because of.
    pub(crate) generation: Vec<u32>,
    /// Whether the last commit fails there.
    pub(crate) fails: Vec<bool>,
}

/// What an agent is at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Counts its jobs: what belongs to an earlier one is over.
    pub(crate) number: u32,
    /// The pointer that asks for it.
    pub(crate) version: u32,
    /// The bundle, by its commit.
    pub(crate) bundle: u16,
    pub(crate) stage: Stage,
    pub(crate) aim: Aim,
    /// The step of a rollout that it belongs to.
    pub(crate) step: u16,
    /// Whether anything is switched by it.
    pub(crate) source: Source,
    /// For how long it may run unconfirmed, in seconds.
    pub(crate) confirm_within_s: u32,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none.
    Idle,
    /// Something newer may still take its place.
    Fetching,
    /// It is seen through.
    Applying,
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To run it.
    Run,
    /// To have it ready.
    Ready,
    /// To be rid of it.
    GoBack,
}

impl Fleet {
    /// `agents` agents, spread evenly; those of region `r` are of the kin `kin[r]`.
    pub(crate) fn new(agents: u32, kin: &[Kin]) -> Fleet {
        let regions = kin.len() as u64;
        let start = |region: u64| u32::try_from(u64::from(agents) * region / regions).expect("no more than all");
        let starts: Vec<u32> = (0..=regions).map(start).collect();
        let mut fleet = Fleet {
            region: Vec::with_capacity(agents as usize),
            kin: Vec::with_capacity(agents as usize),
            jobs: vec![Job::NONE; agents as usize],
            enclosed: vec![Enclosed::default(); agents as usize],
            saw: vec![0; agents as usize],
            switched: vec![0; agents as usize],
            asked_by: vec![0; agents as usize],
            spoke: vec![Moment::START; agents as usize],
            generation: vec![1; agents as usize],
            fails: vec![false; agents as usize],
            starts,
        };
        for (region, kin) in (0..).zip(kin) {
            let here = fleet.of(usize::from(region)).len();
            fleet.region.extend(std::iter::repeat_n(region, here));
            fleet.kin.extend(std::iter::repeat_n(*kin, here));
        }
        fleet
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        *self.starts.last().expect("there is always a last one")
    }

    /// The agents of a region.
    pub(crate) fn of(&self, region: usize) -> std::ops::Range<u32> {
        self.starts[region]..self.starts[region + 1]
    }

    /// Which of its region's agents that one is.
    pub(crate) fn place(&self, agent: u32) -> u32 {
        agent - self.starts[usize::from(self.region[agent as usize])]
    }
}

impl Job {
    pub(crate) const NONE: Job = Job {
        number: 0,
        version: 0,
        bundle: 0,
        stage: Stage::Idle,
        aim: Aim::Run,
        step: 0,
        source: Source::Running,
        confirm_within_s: 0,
    };
}

/// A time as it is kept for each agent: in hundredths of a millisecond, up to half a day.
pub(crate) fn brief(now: Moment, since: Moment) -> u32 {
    u32::try_from(now.since(since).as_micros() / 10).unwrap_or(u32::MAX)
}
