//! The short way to a bundle's tree: a patch to a version on the disk.
//!
//! In: a manifest that verified, and the versions on the disk. Out: the tree, in the stage, proven by the same digest as one that was
//! unpacked from the whole; or nothing, and the whole bundle is to be fetched. Whatever goes wrong here costs the bytes of one patch and
//! a line in the log.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Cursor, Seek as _};
use std::ops::ControlFlow;

use follower::Expected;
use schema::manifest::{Encoding, Manifest, Patch};
use schema::{Digest, Limits, StorePath};
use tracing::{debug, warn};

use super::marks::{DOWNLOADED, UNPACKED};
use super::stage::{clear_stage, download, staged_tree};
use super::vouch::Vouched;
use super::{Host, Setback};
use crate::blocking::blocking;
use crate::rule::Rule;
use crate::tree::{self, Base, RearchiveError, Unpacked, failed_at};

impl Vouched {
    /// Unpacks the bundle by way of a patch; nothing where there is none that can be used, and the stage is empty then.
    ///
    /// # Errors
    /// Only those that end the attempt: [`Setback::Overtaken`], [`Setback::Shutdown`], and [`Setback::Disk`] where the stage cannot be
    /// cleared.
    pub(super) async fn unpack_patched(
        &self,
        host: &mut Host,
        overtaken: impl Future<Output = ()>,
    ) -> Result<Option<Unpacked>, Setback> {
        let folder = host.site.folder.clone();
        // A disk that does not tell has no base.
        let on_disk = blocking(move || folder.on_disk()).await.unwrap_or_default();
        let Some(patch) = choose(&self.manifest, self.intent.previous, &on_disk) else { return Ok(None) };
        match self.try_patch(host, &patch, overtaken).await {
            Ok(None) => {}
            Ok(unpacked) => return Ok(unpacked),
            Err(over @ (Setback::Overtaken | Setback::Shutdown)) => return Err(over),
            Err(setback) => tell(host, &patch, &setback),
        }
        let folder = host.site.folder.clone();
        blocking(move || clear_stage(&folder)).await?;
        Ok(None)
    }

    /// Nothing where the base is damaged or too large.
    async fn try_patch(
        &self,
        host: &mut Host,
        patch: &Patch,
        overtaken: impl Future<Output = ()>,
    ) -> Result<Option<Unpacked>, Setback> {
        let frame = self.patch_frame(host, patch, overtaken).await?;
        host.passed(DOWNLOADED)?;
        let Some(base) = read_base(host, patch.from).await? else { return Ok(None) };
        let (digest, manifest, patch) = (self.intent.target, self.manifest.clone(), *patch);
        let root = staged_tree(&host.site.folder, &digest);
        // The base goes with the step that needs it.
        let unpacked = blocking(move || tree::unpack_patch(frame, &patch, &base, &manifest, root)).await;
        let unpacked = unpacked.map_err(|source| Setback::Unpack { digest, source })?;
        host.passed(UNPACKED)?;
        Ok(Some(unpacked))
    }

    /// The patch as it travels, its size and sha256 those that were signed: as it came with the pointer, or fetched now.
    async fn patch_frame(
        &self,
        host: &mut Host,
        patch: &Patch,
        overtaken: impl Future<Output = ()>,
    ) -> Result<Box<dyn BufRead + Send>, Setback> {
        let digest = self.intent.target;
        if let Some(bytes) = self.enclosed.patch(&host.site, digest, patch) {
            return Ok(Box::new(Cursor::new(bytes)));
        }
        let path = StorePath::Patch { app: host.site.about.app.clone(), digest, base: patch.from };
        let expected = Expected { size: patch.size, sha256: patch.sha256 };
        let mut file = download(host, &self.intent, &path, expected, overtaken).await?;
        let place = host.site.folder.stage();
        Ok(blocking(move || file.rewind().map(|()| Box::new(BufReader::new(file))).map_err(failed_at(&place, "read")))
            .await?)
    }
}

/// The version of `digest` as the archive that it was unpacked from; nothing where it is too large to be read into memory, or is not
/// that any more, of which word is left.
async fn read_base(host: &mut Host, digest: Digest) -> Result<Option<Base>, Setback> {
    let (version, shutdown) = (host.site.folder.version(&digest), host.site.shutdown.clone());
    let pause = move || if shutdown.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let read = blocking(move || Base::read(version, PATCHED_MAX_BYTES, pause)).await;
    match &read {
        Err(RearchiveError::Stopped) => return Err(Setback::Shutdown),
        // That is no damage.
        Err(too_large @ RearchiveError::TooLarge { .. }) => {
            debug!(%digest, "The whole bundle is fetched: {too_large}");
            return Ok(None);
        }
        _ => {}
    }
    let found = read.as_ref().map(Base::digest);
    if host.was_read(digest, found) {
        return Ok(read.ok());
    }
    host.site.metrics.damaged(&host.site.about.app);
    Ok(None)
}

/// The patch to use: to the version that runs, or else the smallest; none to a bundle that is too large for it.
fn choose(manifest: &Manifest, runs: Option<Digest>, on_disk: &BTreeSet<Digest>) -> Option<Patch> {
    if manifest.size > PATCHED_MAX_BYTES {
        return None;
    }
    let patches = manifest.encodings.iter().filter_map(|encoding| match encoding {
        Encoding::Patch(patch) => Some(*patch),
        _ => None,
    });
    let usable = patches.filter(|patch| {
        // What has the bundle's own name and is to be fetched is damaged.
        on_disk.contains(&patch.from)
            && patch.from != manifest.digest
            && patch.size < manifest.whole().size
            && patch.window_log <= Limits::DEFAULT.patch_window_log_max
    });
    usable.min_by_key(|patch| (Some(patch.from) != runs, patch.size))
}

/// The largest archive that a patch goes against, and the largest that it makes. The one is in memory while the window over the other
/// is, where a whole bundle takes a window of 8 MiB: on a small host that ends in a kill, and in the same again at the next start.
const PATCHED_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Says why a patch was of no use. One that is not there is nothing to worry about: it may have been collected.
fn tell(host: &Host, patch: &Patch, setback: &Setback) {
    let base = patch.from;
    if matches!(setback, Setback::Bundle { source, .. } if source.is_absent()) {
        debug!(%base, "There is no patch from {base}, and the whole bundle is fetched");
        return;
    }
    host.site.refused(Rule::of_setback(setback));
    let reason = setback.reason(&host.site.folder);
    warn!(%base, "The patch from {base} cannot be used, and the whole bundle is fetched: {reason}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::manifest::Whole;

    fn patch(from: &str, size: u64) -> Patch {
        Patch { from: Digest::of(from.as_bytes()), size, window_log: 20, sha256: Digest::of(b"a patch") }
    }

    fn chosen(patches: &[Patch], runs: &str, on_disk: &[&str]) -> Option<Patch> {
        chosen_for(5000, patches, runs, on_disk)
    }

    /// The patch to a bundle of `size`.
    fn chosen_for(size: u64, patches: &[Patch], runs: &str, on_disk: &[&str]) -> Option<Patch> {
        let whole = Whole { size: 1000, window_log: 21, sha256: Digest::of(b"a frame") };
        let manifest = Manifest {
            app: "edge-proxy".parse().expect("a name"),
            digest: Digest::of(b"new"),
            size,
            entries: 1,
            release_seq: 1,
            commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
            tree: "77aa77aa77aa77aa77aa77aa77aa77aa77aa77aa".parse().expect("an id"),
            compiler: 1,
            encodings: patches.iter().map(|patch| Encoding::Patch(*patch)).chain([Encoding::Whole(whole)]).collect(),
        };
        let on_disk = on_disk.iter().map(|name| Digest::of(name.as_bytes())).collect();
        choose(&manifest, Some(Digest::of(runs.as_bytes())), &on_disk)
    }

    #[test]
    fn the_patch_to_what_runs_comes_first_and_then_the_smallest() {
        let (a, b, c) = (patch("a", 300), patch("b", 200), patch("c", 100));
        assert_eq!(chosen(&[a, b, c], "a", &["a", "b", "c"]), Some(a));
        assert_eq!(chosen(&[a, b, c], "x", &["a", "b", "x"]), Some(b));
        assert_eq!(chosen(&[a, b, c], "x", &["x"]), None);
        assert_eq!(chosen(&[], "x", &["x"]), None);
    }

    #[test]
    fn a_bundle_that_takes_too_much_memory_is_fetched_whole() {
        let a = patch("a", 300);
        assert_eq!(chosen_for(PATCHED_MAX_BYTES, &[a], "a", &["a"]), Some(a));
        assert_eq!(chosen_for(PATCHED_MAX_BYTES + 1, &[a], "a", &["a"]), None);
    }

    #[test]
    fn a_patch_that_would_do_no_good_is_none() {
        let wide = Patch { window_log: 31, ..patch("a", 300) };
        assert_eq!(chosen(&[patch("a", 1000), wide, patch("new", 10)], "a", &["a", "new"]), None);
    }
}
