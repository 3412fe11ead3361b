//! Who may say that it is worth looking now.

use std::time::Duration;

use schema::status::PublisherStatus;
use store::Watch;
use tokio::sync::watch;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At everything that is known, and for what is new when it is time for that.
    Usual,
    /// For what is new as well.
    Thorough,
}

/// A directory that tells of changes, and a publisher in the same process.
pub(super) struct Hints {
    pub(super) directory: Option<Watch>,
    pub(super) publisher: Option<watch::Receiver<PublisherStatus>>,
}

impl Hints {
    /// Waits for a hint, at most `pause`; after one it is worth looking closely.
    pub(super) async fn hinted_within(&mut self, pause: Duration) -> Look {
        let Hints { directory, publisher } = self;
        let from_directory = async {
            match directory {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let from_publisher = async {
            match publisher {
                Some(status) => status.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => return Look::Usual,
            () = from_directory => return Look::Thorough,
            still_there = from_publisher => if still_there { return Look::Thorough },
        }
        *publisher = None;
        Look::Usual
    }
}
