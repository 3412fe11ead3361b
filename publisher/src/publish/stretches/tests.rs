use std::collections::HashSet;

use schema::encoding::SEAM;

use super::*;
use crate::compile::{BlobId, Listed, Listing};

/// Files named by number, of `size` bytes each but for those of `odd`.
fn listing(count: u32, size: u64, odd: &[(u32, u64)]) -> Listing {
    let files = (0..count).map(|number| {
        let path = format!("conf.d/{:03}/{number:05}.yaml", number / 64);
        let size = odd.iter().find(|(at, _)| *at == number).map_or(size, |(_, size)| *size);
        let mut blob = [0; 20];
        blob[..4].copy_from_slice(&number.to_le_bytes());
        blob[4..12].copy_from_slice(&size.to_le_bytes());
        let path = schema::path::EntryPath::parse(path.as_bytes(), &schema::Limits::DEFAULT).expect("a path");
        (path, Listed { blob: BlobId(blob), size, executable: false })
    });
    files.collect()
}

fn cut(listing: &Listing) -> Vec<Stretch> {
    stretches(&Layout::of(listing)).expect("no file is too long")
}

#[test]
fn stretches_cover_the_archive_and_end_behind_heads() {
    for (count, size) in [(2000, 5000), (300, 700_000), (20_000, 10), (4, 100)] {
        let listing = listing(count, size, &[]);
        let layout = Layout::of(&listing);
        let heads: HashSet<u64> = layout.spans().iter().map(|span| span.content_at).collect();
        let mut end = 0;
        for Stretch { range, .. } in stretches(&layout).expect("no file is too long") {
            assert_eq!(range.start, end);
            assert!(range.end - range.start <= MAX.max(2 * (size + 1024)), "{range:?}");
            assert!(heads.contains(&range.end) || range.end == layout.size());
            end = range.end;
        }
        assert_eq!(end, layout.size());
    }
    const { assert!(SEAM <= 167, "the zeros that every head ends in") };
}

#[test]
fn a_change_cuts_only_its_neighbourhood_anew() {
    let base = listing(10_000, 5000, &[]);
    let before: HashSet<Digest> = cut(&base).into_iter().map(|stretch| stretch.name).collect();
    assert!((40..240).contains(&before.len()), "{}", before.len());
    let mut removed = base.clone();
    removed.remove("conf.d/070/04500.yaml");
    let mut added = base.clone();
    let new = schema::path::EntryPath::parse(b"conf.d/070/04500-b.yaml", &schema::Limits::DEFAULT).expect("a path");
    added.insert(new, Listed { blob: BlobId([7; 20]), size: 300_000, executable: true });
    for changed in [listing(10_000, 5000, &[(5000, 5001)]), listing(10_000, 5000, &[(5000, 400_000)]), removed, added] {
        let after = cut(&changed);
        let new = after.iter().filter(|stretch| !before.contains(&stretch.name)).count();
        assert!((1..=6).contains(&new), "{new} of {}", after.len());
    }
}

#[test]
fn a_file_that_is_longer_than_a_stretch_can_be_is_not_cut() {
    let long = STRETCH_MAX as u64 + 1;
    assert_eq!(stretches(&Layout::of(&listing(100, 5000, &[(50, long)]))), None);
    assert!(stretches(&Layout::of(&listing(100, 5000, &[(50, 64 << 20)]))).is_some());
}

#[test]
fn a_name_is_one_of_content() {
    let one = listing(10, 5000, &[]);
    let name = |listing: &Listing| cut(listing)[0].name;
    for change in [
        |file: &mut Listed| file.executable = true,
        |file: &mut Listed| file.blob = BlobId([9; 20]),
        |file: &mut Listed| file.size = 4999,
    ] {
        let mut other = one.clone();
        other.values_mut().for_each(change);
        assert_ne!(name(&other), name(&one));
    }
}
