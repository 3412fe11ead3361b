//! What came of applies, for people or for machines.

use super::{Applied, Disk, Figures};
use crate::out;
use crate::table::lay_out;

pub(super) fn tell(figures: &Figures, json: bool) {
    if json {
        return out::json(figures);
    }
    let Figures { agents, processes, gateways, disk, start_ms, applied } = figures;
    out::data(&format!(
        "{agents} agents in {processes} processes, on {gateways} gateways; started in {start_ms:.0} ms"
    ));
    out::data(&format!("{}\n", in_words(disk)));
    tell_applied(applied);
}

pub(in crate::bench) fn in_words(disk: &Disk) -> String {
    let place = if disk.is_memory { "their folders are in memory" } else { "their folders are on a disk" };
    format!("{place}; one small sync by itself takes {:.0} us", disk.fsync_us)
}

/// Prints one generation.
pub(in crate::bench) fn tell_applied(applied: &Applied) {
    let rows: Vec<Vec<String>> = applied
        .phases
        .iter()
        .map(|phase| {
            let figures = [
                phase.took_ms.p50,
                phase.took_ms.p99,
                phase.done_ms.first,
                phase.done_ms.p50,
                phase.done_ms.p99,
                phase.done_ms.last,
            ];
            [phase.until.to_owned()].into_iter().chain(figures.map(|figure| format!("{figure:.1}"))).collect()
        })
        .collect();
    out::data(&lay_out(&["UNTIL", "TOOK P50", "P99", "DONE FIRST", "P50", "P99", "LAST"], &rows));
    let Applied { applied, lost, bundle_bytes, gateway_cpu_us, agent_cpu_us, .. } = applied;
    out::data(&format!(
        "{applied} applied, {lost} lost; {bundle_bytes} bundle bytes moved; processor for each agent: {gateway_cpu_us:.0} us \
         of the gateway, {agent_cpu_us:.0} us of its own\n(milliseconds; DONE is since the pointer stood in the store)"
    ));
}
