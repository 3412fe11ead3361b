//! The acts of the play, in order. Each makes promises about what agents run, and what they run is what judges them.

use std::fs;
use std::time::{Duration, Instant};

use schema::control::What;
use schema::rollout::{End, Stage as RolloutStage};
use schema::status::RolloutStatus;
use schema::text::one_line;

use super::figures::Figures;
use super::play::Play;
use crate::demo::repository::Pushed;
use crate::exit::Failure;

/// A good change goes through prepare and all waves.
pub(super) async fn good(play: &mut Play, figures: &mut Figures) -> Result<Pushed, Failure> {
    play.stage.heading("1. A good change: every agent prepares it, then wave by wave");
    let begun = play.raise_curtain();
    let pushed = play.world.repository.merge(LIMITS, "rate=10r/s", "rate=20r/s", "Raise the request limit")?;
    let ended = play.follow(&pushed.commit).await?;
    figures.promise(is_complete(&ended), "a good change reaches everyone");
    play.until("every agent runs the good change", Play::all_run_something_new).await?;
    figures.good_applied = play.on_new();
    figures.took("good", begun);
    Ok(pushed)
}

/// A change that a few hosts cannot run is caught before anybody switches.
pub(super) async fn prepare(play: &mut Play, figures: &mut Figures) -> Result<(), Failure> {
    play.stage.heading("2. A change that 3 % of the hosts cannot run: caught before anybody switches");
    let begun = play.raise_curtain();
    let (from, to) = ("    location / {\n", "    limit_req_dry_run on;\n\n    location / {\n");
    let pushed = play.world.repository.merge(SHOP, from, to, "Only log who asks too often")?;
    let ended = play.follow(&pushed.commit).await?;
    take_back(play, &pushed).await?;
    let seen = play.seen();
    let (good, bad, switched) = (seen.prepared.len(), seen.unprepared.len(), seen.ever.len());
    play.stage.say(&format!("  {good} agents had it ready, {bad} said that they would fail, {switched} switched"));
    if let Some((agent, reason)) = seen.unprepared.first_key_value() {
        play.stage.say(&format!("  {agent}: {}", one_line(reason, 160)));
    }
    (figures.prepare_failures, figures.prepare_switched) = (bad, switched);
    figures.caught_commit = ended.blocked.then_some(pushed.commit);
    figures.promise(is_failed(&ended) && ended.blocked, "a commit that fails in prepare is blocked");
    figures.promise(switched == 0, "nobody switches to what prepare catches");
    figures.promise(bad > 0, "hosts that would fail say so");
    figures.took("prepare", begun);
    Ok(())
}

/// A change that no check sees through is stopped in the first wave.
pub(super) async fn reload(play: &mut Play, figures: &mut Figures) -> Result<(), Failure> {
    play.stage.heading("3. A change that checks well and does not start: stopped in the first wave");
    let begun = play.raise_curtain();
    let (from, to) = ("worker_connections 4096;", "worker_connections 4096000;");
    let pushed = play.world.repository.merge(NGINX, from, to, "Take more connections")?;
    let ended = play.follow(&pushed.commit).await?;
    play.until("every agent is back at what was good", Play::all_run_something_old).await?;
    let (peak, ever) = (play.seen().peak, play.seen().ever.len());
    // The share of the first wave in `driftless.yaml`, rounded up.
    let cap = play.agents_in(&play.regions[0]).div_ceil(10);
    let back = play.pointers().iter().all(|pointer| pointer.candidate.is_none());
    play.stage.say(&format!("  at most {peak} agents ran it at a time, {ever} in all; the wave's share is {cap}"));
    (figures.peak_on_bad, figures.ever_on_bad, figures.wave_cap) = (peak, ever, cap);
    (figures.rolled_back, figures.blocked_why) = (back, why(&ended));
    figures.promise(is_failed(&ended) && ended.blocked, "a commit that fails in a wave is blocked");
    figures.promise(back, "a region goes back when its gate says no");
    figures.promise(ever <= cap, "no more agents than the first wave's share ever run it");
    figures.promise(peak > 0, "the first wave runs it");
    figures.blocked_commit = ended.blocked.then(|| pushed.commit.clone());
    take_back(play, &pushed).await?;
    figures.took("reload", begun);
    Ok(())
}

/// The good change is reverted: known to be good, so at once and everywhere.
pub(super) async fn revert(play: &mut Play, figures: &mut Figures, good: &Pushed) -> Result<(), Failure> {
    play.stage.heading("4. git revert of the good change: known to be good, so to everyone at once");
    let begun = play.raise_curtain();
    let pushed = play.world.repository.revert_of(&good.commit)?;
    play.until("every agent runs what was there before", Play::all_run_something_new).await?;
    let bytes = play.seen().bundle_bytes.values().sum();
    play.stage.say(&format!("  {} agents are back; bundle bytes moved: {bytes}", play.on_new()));
    figures.revert_bundle_bytes = bytes;
    figures.promise(play.rollout(&pushed.commit).is_none(), "a revert takes no waves");
    figures.promise(bytes == 0, "a revert moves no bundle byte");
    figures.took("revert", begun);
    Ok(())
}

/// Everything is frozen while a change is merged, which goes on when the freeze is lifted.
pub(super) async fn freeze(play: &mut Play, figures: &mut Figures) -> Result<(), Failure> {
    play.stage.heading("5. Freeze: a change is merged, and nobody moves before the freeze is lifted");
    let begun = play.raise_curtain();
    play.command(What::Freeze { app: None, region: None }, "the sale begins").await?;
    play.until("every pointer says so", |play| play.pointers().iter().all(|pointer| pointer.freeze)).await?;
    figures.freeze_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let pushed = play.world.repository.merge(LIMITS, "rate=10r/s", "rate=15r/s", "Raise the limit a little")?;
    let held = Instant::now();
    play.until("a while is over", |_| held.elapsed() >= HELD).await?;
    let switched = play.seen().ever.len();
    play.stage.say(&format!(
        "  every pointer said so after {} ms; {switched} agents moved in {} s; the freeze is lifted",
        figures.freeze_ms,
        HELD.as_secs()
    ));
    figures.frozen_switched = switched;
    figures.promise(switched == 0, "nobody switches while all is frozen");
    play.command(What::Unfreeze { app: None, region: None }, "the sale is over").await?;
    let ended = play.follow(&pushed.commit).await?;
    figures.promise(is_complete(&ended), "what was merged while frozen goes on afterwards");
    play.until("every agent runs it", Play::all_run_something_new).await?;
    figures.took("freeze", begun);
    Ok(())
}

/// A host fails again and again: it is left out, the rest goes on, and it comes back by itself.
pub(super) async fn quarantine(play: &mut Play, figures: &mut Figures) -> Result<(), Failure> {
    play.stage.heading("6. A host whose disk is full: left out of the count, and back when it is well");
    let begun = play.raise_curtain();
    let broken = play.hosts.breaks(BROKEN);
    fs::write(&broken, "").map_err(Failure::unexpected)?;
    let pushed = play.world.repository.merge(
        LIMITS,
        "client_max_body_size 2m",
        "client_max_body_size 4m",
        "Take larger uploads",
    )?;
    let ended = play.follow(&pushed.commit).await?;
    figures.promise(is_complete(&ended), "one broken host holds up nobody");
    let is_left_out = |play: &Play| play.pointers().iter().any(|pointer| !pointer.quarantine.is_empty());
    play.until("the broken host is in quarantine", is_left_out).await?;
    let all_but_one = |play: &Play| play.on_new() + 1 == play.agents();
    play.until("all others run it", all_but_one).await?;
    play.stage.say("  all others run it; the disk is cleared");
    fs::remove_file(&broken).map_err(Failure::unexpected)?;
    play.until("the host is back", Play::all_run_something_new).await?;
    figures.released = 1;
    figures.took("quarantine", begun);
    Ok(())
}

/// Reverts a commit that is blocked: all regions run that already, so nothing moves.
async fn take_back(play: &mut Play, pushed: &Pushed) -> Result<(), Failure> {
    let reverted = play.world.repository.revert_of(&pushed.commit)?;
    play.until("its revert is published", |play| play.world.stands_at(&reverted.commit)).await
}

fn is_complete(status: &RolloutStatus) -> bool {
    matches!(status.stage, RolloutStage::Ended(End::Complete))
}

fn is_failed(status: &RolloutStatus) -> bool {
    matches!(status.stage, RolloutStage::Ended(End::Failed { .. }))
}

fn why(status: &RolloutStatus) -> String {
    match &status.stage {
        RolloutStage::Ended(End::Failed { why } | End::Aborted { why }) => why.to_string(),
        _ => String::new(),
    }
}

const LIMITS: &str = "apps/edge-proxy/conf.d/limits.conf";
const SHOP: &str = "apps/edge-proxy/conf.d/shop.conf";
const NGINX: &str = "apps/edge-proxy/nginx.conf";
/// How long a freeze is watched.
const HELD: Duration = Duration::from_secs(3);
/// The number of the host that breaks: not in the region of the first wave.
const BROKEN: usize = 13;
