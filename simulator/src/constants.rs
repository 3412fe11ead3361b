//! What a run takes for granted: times, sizes and rates, each with the measurement that it comes from.
//!
//! In: a file, or the one that is built in. Out: [`Constants`], which the report prints beside the result, so that nobody has to
//! believe a number without seeing what it rests on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number that was measured, or chosen, elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Box<str>,
    /// The command that measured it, or why it is what it is.
    pub source: Box<str>,
}

/// Says why a file of constants cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConstants {
    /// Not of the expected shape.
    #[error("the constants cannot be read; they are an object of constants, each with value, unit and source")]
    Shape(#[source] serde_json::Error),
    /// Something else than what the model expects.
    #[error("constant `{name}` is {value} {}; expected a number of {unit} that is not below {least}", found.escape_debug())]
    Unfit {
        /// Which.
        name: &'static str,
        /// As it stands there.
        value: f64,
        /// As it stands there.
        found: Box<str>,
        /// As it has to be.
        unit: &'static str,
        /// The smallest number that makes sense.
        least: f64,
    },
}

macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident: $unit:literal >= $least:literal),+ $(,)?) => {
        /// Everything that is taken for granted.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Constants {
            $($(#[$doc])* pub $name: Constant),+
        }

        impl Constants {
            /// Every constant and its name.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, &Constant)> {
                [$((stringify!($name), &self.$name)),+].into_iter()
            }

            fn check(&self) -> Result<(), InvalidConstants> {
                $(fit(stringify!($name), &self.$name, $unit, $least)?;)+
                Ok(())
            }
        }
    };
}

constants! {
    /// Processor time to tell one parked follower.
    notify: "us" >= 0.0,
    /// Processor time to understand and park, or answer, one request.
    request: "us" >= 0.0,
    /// Processor time to check and count one ack.
    ack: "us" >= 0.0,
    /// Processors of each gateway.
    cores: "cores" >= 1.0,
    /// What one gateway can send.
    gateway_line: "Mbit/s" >= 0.001,
    /// What one agent can receive.
    agent_line: "Mbit/s" >= 0.001,
    /// From a commit to the pointers that name it.
    publish: "ms" >= 0.0,
    /// To make one record of a rollout durable.
    record: "ms" >= 0.0,
    /// To sign and store the pointer of one region, of which a rollout does one after the other.
    point: "ms" >= 0.0,
    /// Processor time of one step of the controller, for each agent.
    count: "us" >= 0.0,
    /// A sealed manifest.
    manifest_bytes: "bytes" >= 1.0,
    /// A patch from one of the last bundles.
    patch_bytes: "bytes" >= 1.0,
    /// A whole bundle as it travels.
    whole_bytes: "bytes" >= 1.0,
    /// One signed ack.
    ack_bytes: "bytes" >= 1.0,
    /// The head of an answer, which is all there is to "nothing new".
    head_bytes: "bytes" >= 1.0,
    /// How many of the last bundles there are patches from.
    patches: "bundles" >= 0.0,
    /// From the last byte of a patch to the answer of the hooks.
    apply_patch: "ms" >= 0.0,
    /// The same for a whole bundle.
    apply_whole: "ms" >= 0.0,
    /// The same for a bundle that is on the disk.
    apply_disk: "ms" >= 0.0,
    /// How far from the mean those times are, in parts of it.
    apply_spread: "ratio" >= 0.0,
    /// How long a CDN gives a pointer without asking for it.
    cdn_ttl: "ms" >= 0.0,
}

impl Constants {
    /// Those that come with this version.
    pub fn built_in() -> Constants {
        Constants::parse(include_str!("../constants.json")).expect("a test reads them")
    }

    /// Reads a file of constants: all of them, each once.
    ///
    /// # Errors
    /// [`InvalidConstants`].
    pub fn parse(text: &str) -> Result<Constants, InvalidConstants> {
        let constants: Constants = serde_json::from_str(text).map_err(InvalidConstants::Shape)?;
        constants.check()?;
        Ok(constants)
    }
}

impl Constant {
    /// A length of time.
    pub(crate) fn length(&self) -> Duration {
        let micros = if *self.unit == *"ms" { self.value * 1000.0 } else { self.value };
        Duration::from_secs_f64(micros / 1_000_000.0)
    }

    /// A number of bytes, or of anything else that is counted.
    pub(crate) fn whole(&self) -> u64 {
        // `check` has seen that it is neither negative nor infinite.
        self.value.round() as u64
    }

    /// How long so many bytes take on a line of this rate.
    pub(crate) fn carries(&self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / (self.value * 1_000_000.0))
    }
}

fn fit(name: &'static str, constant: &Constant, unit: &'static str, least: f64) -> Result<(), InvalidConstants> {
    let Constant { value, unit: found, .. } = constant;
    let is_fit = **found == *unit && (least..=MOST).contains(value);
    if is_fit {
        Ok(())
    } else {
        Err(InvalidConstants::Unfit { name, value: *value, found: found.clone(), unit, least })
    }
}

/// More than any of them can be, and still a length of time.
const MOST: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_that_are_built_in_can_be_used() {
        let constants = Constants::built_in();
        assert_eq!(constants.publish.length(), Duration::from_secs_f64(constants.publish.value / 1000.0));
        assert!(constants.each().all(|(_, constant)| !constant.source.is_empty()));
    }

    #[test]
    fn constants_that_make_no_sense_are_refused_by_name() {
        let text = include_str!("../constants.json");
        let wrong = |from: &str, to: &str| Constants::parse(&text.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(wrong("\"value\": 10,", "\"value\": -1,").contains("constant `notify` is -1 us"));
        assert!(wrong("\"unit\": \"us\"", "\"unit\": \"ms\"").contains("expected a number of us"));
        assert!(wrong("\"notify\"", "\"notification\"").contains("cannot be read"));
    }
}
