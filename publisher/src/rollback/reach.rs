//! How far a rollback reaches where nobody named regions.

use schema::{App, Region};

use crate::history::{HistoryError, Scope, history};
use crate::publisher::Publisher;

/// Those of `regions` that run the commit which changed `app` last: where it is to be taken back.
///
/// A region that this commit did not change runs what an earlier one brought, and has nothing to go back from.
///
/// # Errors
/// [`HistoryError`] where a region's history cannot be read.
pub async fn at_newest(
    publisher: &Publisher,
    app: &App,
    regions: impl IntoIterator<Item = Region>,
) -> Result<Vec<Region>, HistoryError> {
    let mut newest = Vec::new();
    for region in regions {
        // The first pointer of a generation: those signed afresh are younger than what they announce.
        let change = history(&publisher.store, &publisher.roots, app, &region, Scope::Changes, 1).await?;
        newest.extend(change.into_iter().map(|change| (region.clone(), change)));
    }
    let last = newest.iter().max_by_key(|(_, change)| change.issued).map(|(_, change)| change.commit.clone());
    let runs_it = newest.into_iter().filter(|(_, change)| Some(&change.commit) == last.as_ref());
    Ok(runs_it.map(|(region, _)| region).collect())
}
