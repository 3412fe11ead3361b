//! The figures of `driftless bench publish`, for people or for machines.

use super::{Figures, Round};
use crate::out;
use crate::table::lay_out;

pub(super) fn tell(figures: &Figures, json: bool) {
    if json {
        return out::json(figures);
    }
    let Figures {
        files, archive_bytes, apps, regions, cold_start_ms, cold_start_cpu_ms, resident_kib, peak_kib, ..
    } = figures;
    out::data(&format!("{apps} apps of {files} files and {archive_bytes} bytes each, in {regions} regions"));
    out::data(&format!(
        "cold start to the last pointer: {cold_start_ms:.0} ms, {cold_start_cpu_ms} ms of processor; \
         the publisher holds {} MiB, at most {} MiB\n",
        resident_kib / 1024,
        peak_kib / 1024
    ));
    let rounds = figures.rounds.iter().enumerate().map(|(at, round)| row(&(at + 1).to_string(), round));
    let rows: Vec<Vec<String>> = rounds.chain([row("median", &figures.median)]).collect();
    out::data(&lay_out(
        &["ROUND", "COMMIT TO POINTER MS", "CPU MS", "STORE BYTES", "WHOLE BYTES", "PATCH BYTES"],
        &rows,
    ));
}

fn row(name: &str, round: &Round) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}", round.commit_to_pointer_ms),
        round.cpu_ms.to_string(),
        round.store_bytes.to_string(),
        round.whole_bytes.to_string(),
        round.patch_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
    ]
}
