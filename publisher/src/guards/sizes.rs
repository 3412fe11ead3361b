//! How much of an app a commit takes away or adds.

use schema::path::EntryPath;

use super::Guard;
use crate::compile::Listing;

/// Apps of fewer files than this may lose half of them.
pub(super) const FILES_MIN: usize = 3;

/// Apps of fewer bytes than this may lose half of them.
pub(super) const BYTES_MIN: u64 = 1 << 10;

/// Apps may grow to this many files, however few they were.
pub(super) const GROWN_FILES_MIN: usize = 10;

/// Apps may grow to this many bytes, however few they were.
pub(super) const GROWN_BYTES_MIN: u64 = 4 << 10;

/// How many emptied files are named.
const NAMED_MAX: usize = 3;

/// Every guard that the change runs into, and what there is to say of the app.
pub(super) fn changes(before: &Listing, after: &Listing) -> Vec<(Guard, String)> {
    let (files, bytes) = ((before.len(), after.len()), (size(before), size(after)));
    let loses = |(before, after): (u64, u64), min: u64| before >= min && after.saturating_mul(2) < before;
    let grows = |(before, after): (u64, u64), min: u64| after > min && after > before.saturating_mul(2);
    let in_files = (files.0 as u64, files.1 as u64);
    let told = format!("from {} files with {} bytes to {} with {}", files.0, bytes.0, files.1, bytes.1);
    let mut found = Vec::new();
    found.extend(emptied(before, after).map(|what| (Guard::Empty, what)));
    if loses(in_files, FILES_MIN as u64) || loses(bytes, BYTES_MIN) {
        found.push((Guard::Shrink, format!("shrinks by more than half, {told}")));
    }
    if grows(in_files, GROWN_FILES_MIN as u64) || grows(bytes, GROWN_BYTES_MIN) {
        found.push((Guard::Growth, format!("grows more than twofold, {told}")));
    }
    found
}

/// The files that had something in them and have nothing now.
fn emptied(before: &Listing, after: &Listing) -> Option<String> {
    let was_filled = |path: &EntryPath| before.get(path).is_some_and(|file| file.size > 0);
    let emptied: Vec<&EntryPath> =
        after.iter().filter(|(path, file)| file.size == 0 && was_filled(path)).map(|(path, _)| path).collect();
    let names: Vec<String> = emptied.iter().take(NAMED_MAX).map(|path| format!("`{path}`")).collect();
    let names = names.join(", ");
    match emptied.len() {
        0 => None,
        count if count <= NAMED_MAX => Some(format!("has nothing left in {names}")),
        count => Some(format!("has nothing left in {names} and {} more files", count - NAMED_MAX)),
    }
}

fn size(listing: &Listing) -> u64 {
    listing.values().map(|file| file.size).sum()
}
