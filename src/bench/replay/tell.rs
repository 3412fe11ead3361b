//! A replay for people, and as a file that spreadsheets read.

use super::{Figures, Replayed};
use crate::out;
use crate::table::lay_out;

pub(super) fn tell(figures: &Figures) {
    let (sums, left_out) = (&figures.sums, &figures.left_out);
    let rows: Vec<Vec<String>> = figures.commits.iter().map(row).collect();
    out::data(&lay_out(&["COMMIT", "ARCHIVE", "WHOLE", "PATCH", "FETCHED", "PUBLISH MS"], &rows));
    out::data(&format!(
        "\n{}: {} commits changed what is distributed; {} did not, and cost nothing",
        figures.repository, sums.changed, sums.unchanged
    ));
    out::data(&format!(
        "an agent that follows fetches {} bytes instead of {}: {:.2} % (median of a commit {:.3} %, 90 of 100 at most {:.3} %)",
        sums.fetched_bytes,
        sums.whole_bytes,
        sums.share * 100.0,
        sums.median_share * 100.0,
        sums.p90_share * 100.0
    ));
    out::data(&format!("either way, {} bytes of pointers and manifests come with it", sums.signed_bytes));
    if left_out.sum() > 0 {
        out::data(&format!(
            "left out of the newest commit: {} symbolic links, {} submodules, {} files that are too large, {} names",
            left_out.symlinks, left_out.submodules, left_out.too_large, left_out.names
        ));
    }
}

fn row(commit: &Replayed) -> Vec<String> {
    vec![
        commit.commit.chars().take(10).collect(),
        commit.archive_bytes.to_string(),
        commit.whole_bytes.to_string(),
        commit.patch_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
        commit.fetched_bytes.to_string(),
        format!("{:.0}", commit.publish_ms),
    ]
}

/// One line for each commit, under a header.
pub(super) fn csv(commits: &[Replayed]) -> String {
    let mut text = "commit,archive_bytes,whole_bytes,patch_bytes,fetched_bytes,signed_bytes,publish_ms\n".to_owned();
    for commit in commits {
        let Replayed { commit, archive_bytes, whole_bytes, patch_bytes, fetched_bytes, signed_bytes, publish_ms } =
            commit;
        let patch = patch_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "{commit},{archive_bytes},{whole_bytes},{patch},{fetched_bytes},{signed_bytes},{publish_ms}\n"
        ));
    }
    text
}
