//! Fourth step: the bundle as a tree in `versions/`, whole and durable.
//!
//! Where a version on the disk can be patched, that is tried first, see `patched.rs`; whatever comes of it, the whole bundle is what
//! decides.
//!
//! Until the rename, everything is in `stage/`, where a start throws away whatever it finds. Whatever fails, the stage is
//! thrown away at once and made anew by the next try: after a failed sync a second one would lie.

use std::fs::{self, File, Permissions};
use std::io::Seek as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::pin::pin;

use follower::Expected;
use schema::manifest::Manifest;
use schema::{Digest, StorePath, Verified};

use super::collect::take_out;
use super::marks::{DOWNLOADED, RENAMED, SYNCED, UNPACKED};
use super::vouch::Vouched;
use super::{Host, Setback};
use crate::blocking::blocking;
use crate::decide::Source;
use crate::disk;
use crate::journal::{Applied, Intent};
use crate::state::AppFolder;
use crate::tree::{self, DiskError, Unpacked, failed_at};

/// A generation whose bundle is on the disk.
pub(crate) struct Staged {
    pub(super) applied: Applied,
    /// The trust root that vouched for it.
    pub(super) root: Digest,
}

/// The bundle as it travelled, its size and sha256 those that were signed.
struct Downloaded {
    file: File,
    intent: Intent,
    manifest: Verified<Manifest>,
}

impl Vouched {
    /// Fetches and unpacks the bundle, unless it is on the disk and whole. Gives up fetching when `overtaken` ends.
    ///
    /// # Errors
    /// [`Setback::Bundle`], [`Setback::Unpack`], [`Setback::Disk`] and [`Setback::Overtaken`]; the stage is empty then.
    pub(super) async fn stage(
        self,
        host: &mut Host,
        source: Source,
        overtaken: impl Future<Output = ()>,
    ) -> Result<Staged, Setback> {
        let (intent, root) = (self.intent, self.root);
        let folder = host.site.folder.clone();
        // Somebody may have removed them since the start.
        blocking(move || folder.create().map_err(failed_at(folder.path(), "made"))).await?;
        if source == Source::Disk && host.is_sound(&intent.target).await {
            let folder = host.site.folder.clone();
            // It may lie there because a kill, or a disk that refused, came between its rename and what follows that.
            blocking(move || seal(&folder, &intent.target)).await?;
        } else {
            self.fetch_and_place(host, overtaken).await?;
        }
        Ok(Staged { applied: host.applied(intent), root })
    }

    /// The bundle as it runs already: it is left as it is.
    pub(super) fn running(self, host: &Host) -> Staged {
        Staged { applied: host.applied(self.intent), root: self.root }
    }

    /// Fetches and unpacks the bundle, and puts it in the place of whatever has its name.
    pub(super) async fn fetch_and_place(
        self,
        host: &mut Host,
        overtaken: impl Future<Output = ()>,
    ) -> Result<(), Setback> {
        let digest = self.intent.target;
        let placed = self.fetch_and_unpack(host, overtaken).await;
        let folder = host.site.folder.clone();
        let cleared = blocking(move || clear_stage(&folder)).await;
        placed?;
        cleared?;
        host.sound.insert(digest);
        Ok(())
    }

    async fn fetch_and_unpack(self, host: &mut Host, overtaken: impl Future<Output = ()>) -> Result<(), Setback> {
        let digest = self.intent.target;
        let mut overtaken = pin!(overtaken);
        let unpacked = match self.unpack_patched(host, overtaken.as_mut()).await? {
            Some(unpacked) => unpacked,
            None => self.download(host, overtaken).await?.unpack(host).await?,
        };
        let folder = host.site.folder.clone();
        let unpacked = blocking(move || unpacked.sync().map(|()| unpacked)).await?;
        host.passed(SYNCED)?;
        blocking(move || place(&folder, unpacked, digest)).await?;
        host.passed(RENAMED)
    }

    /// Hashes while it downloads; nothing is decompressed before size and sha256 are known to be right.
    async fn download(self, host: &mut Host, overtaken: impl Future<Output = ()>) -> Result<Downloaded, Setback> {
        let Vouched { intent, manifest, enclosed: _, root: _ } = self;
        let (digest, whole) = (intent.target, *manifest.whole());
        let path = StorePath::Bundle { app: host.site.about.app.clone(), digest };
        let expected = Expected { size: whole.size, sha256: whole.sha256 };
        let file = download(host, &intent, &path, expected, overtaken).await?;
        host.passed(DOWNLOADED)?;
        Ok(Downloaded { file, intent, manifest })
    }
}

/// Downloads what was signed about the bundle of `intent` into the stage, and counts what moved. The file is at its end.
///
/// # Errors
/// [`Setback::Bundle`], [`Setback::Disk`], [`Setback::Overtaken`] and [`Setback::Shutdown`].
pub(super) async fn download(
    host: &mut Host,
    intent: &Intent,
    path: &StorePath,
    expected: Expected,
    overtaken: impl Future<Output = ()>,
) -> Result<File, Setback> {
    let place = host.site.folder.stage().join("bundle");
    let file = blocking(move || {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        options.open(&place).map_err(failed_at(&place, "made"))
    });
    let file = file.await?;
    let shutdown = host.site.shutdown.clone();
    let downloaded = tokio::select! {
        downloaded = host.site.mirrors.download(path, expected, file) => downloaded,
        () = overtaken => return Err(Setback::Overtaken),
        () = shutdown.cancelled() => return Err(Setback::Shutdown),
    };
    let moved = downloaded.as_ref().map_or_else(|error| error.moved_bytes(), |done| done.moved_bytes);
    host.moved.add(intent.order, moved);
    let digest = intent.target;
    Ok(downloaded.map_err(|source| Setback::Bundle { digest, source: Box::new(source) })?.sink)
}

impl Downloaded {
    async fn unpack(self, host: &Host) -> Result<Unpacked, Setback> {
        let Downloaded { mut file, intent, manifest } = self;
        let digest = intent.target;
        // Never the damaged version that this one is to replace.
        let base = intent.previous.filter(|previous| *previous != digest);
        let base = base.map(|previous| host.site.folder.version(&previous));
        let root = staged_tree(&host.site.folder, &digest);
        let bundle = host.site.folder.stage().join("bundle");
        let unpacked = blocking(move || {
            file.rewind().map_err(failed_at(&bundle, "read"))?;
            tree::unpack(file, &manifest, base.as_deref(), root)
        });
        let unpacked = unpacked.await.map_err(|source| Setback::Unpack { digest, source })?;
        host.passed(UNPACKED)?;
        Ok(unpacked)
    }
}

/// Removes everything from the stage. Blocks.
pub(super) fn clear_stage(folder: &AppFolder) -> Result<(), DiskError> {
    let stage = folder.stage();
    for entry in fs::read_dir(&stage).map_err(failed_at(&stage, "read"))? {
        let path = entry.map_err(failed_at(&stage, "read"))?.path();
        tree::remove(&path).map_err(failed_at(&path, "removed"))?;
    }
    Ok(())
}

/// Gives a synced tree its place among the versions, durably. What has the name already is damaged, or was put there by
/// somebody else: where it runs, both change places in one step, so that a reader sees the whole of one or of the other.
fn place(folder: &AppFolder, unpacked: Unpacked, digest: Digest) -> Result<(), DiskError> {
    let (from, to) = (unpacked.root(), folder.version(&digest));
    let runs = folder.active().map_err(failed_at(&folder.current(), "read"))? == Some(digest);
    if runs {
        let writable = fs::set_permissions(&to, Permissions::from_mode(0o700));
        writable.map_err(failed_at(&to, "made writable"))?;
        disk::exchange(from, &to).map_err(failed_at(&to, "replaced while it runs"))?;
    } else {
        if folder.has(&digest).map_err(failed_at(&to, "read"))? {
            take_out(folder, &digest).map_err(failed_at(&to, "removed"))?;
        } else {
            tree::remove(&to).map_err(failed_at(&to, "removed"))?;
        }
        disk::rename(from, &to).map_err(failed_at(&to, "put in place"))?;
    }
    seal(folder, &digest)
}

/// Makes a version read-only, and its place among the versions durable.
fn seal(folder: &AppFolder, digest: &Digest) -> Result<(), DiskError> {
    let version = folder.version(digest);
    let sealed = fs::set_permissions(&version, Permissions::from_mode(tree::DIRECTORY));
    sealed.map_err(failed_at(&version, "made read-only"))?;
    for folder in [&version, &folder.versions()] {
        disk::sync(folder).map_err(failed_at(folder, "synced"))?;
    }
    Ok(())
}

pub(super) fn staged_tree(folder: &AppFolder, digest: &Digest) -> PathBuf {
    folder.stage().join(digest.to_string())
}
