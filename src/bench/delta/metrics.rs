//! What a gateway counted, read from its `/metrics`.

use follower::{BaseUrl, Mirrors, Settings};

use crate::exit::Failure;

/// Reads a gateway's metrics again and again.
pub(in crate::bench) struct Scrapes(Mirrors);

/// A reading.
pub(in crate::bench) struct Reading {
    text: String,
}

impl Scrapes {
    pub(in crate::bench) fn of(gateway: &BaseUrl) -> Result<Scrapes, Failure> {
        Ok(Scrapes(Mirrors::new(vec![gateway.clone()], Settings::default()).map_err(Failure::unexpected)?))
    }

    pub(in crate::bench) async fn read(&self) -> Result<Reading, Failure> {
        let body = self.0.ask("metrics", METRICS_MAX_BYTES).await.map_err(Failure::unexpected)?;
        Ok(Reading { text: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl Reading {
    /// Bytes of bodies that were answered since `before`, the text of that reading not counted.
    pub(in crate::bench) fn bytes_since(&self, before: &Reading) -> u64 {
        let answered = self.sum(BYTES).saturating_sub(before.sum(BYTES));
        answered.saturating_sub(before.text.len() as u64)
    }

    /// Requests that were answered since `before`, that reading not counted.
    pub(in crate::bench) fn requests_since(&self, before: &Reading) -> u64 {
        self.sum(REQUESTS).saturating_sub(before.sum(REQUESTS)).saturating_sub(1)
    }

    /// Over all labels.
    fn sum(&self, name: &str) -> u64 {
        let values = self.text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| line.rsplit(' ').next()?.parse::<u64>().ok()).flatten()
        });
        values.sum()
    }
}

const BYTES: &str = "driftless_gateway_answered_bytes_total";
const REQUESTS: &str = "driftless_gateway_requests_total";
const METRICS_MAX_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_do_not_count_themselves() {
        let text = |bytes: u64, pointers: u64| {
            format!(
                "# TYPE driftless_gateway_answered_bytes counter\n{BYTES} {bytes}\n\
                 {REQUESTS}{{class=\"pointer\",status=\"200\"}} {pointers}\n{REQUESTS}{{class=\"metrics\",status=\"200\"}} 1\n"
            )
        };
        let before = Reading { text: text(100, 5) };
        let after = Reading { text: text(1100 + before.text.len() as u64, 8) };
        assert_eq!((after.bytes_since(&before), after.requests_since(&before)), (1000, 2));
    }
}
