//! Configuration to measure with: files that look and compress like configuration, the same in every run.
//!
//! In: how many files, and how large all of them are. Out: paths and text. A file of a later edition differs in one line.

use std::fmt::Write as _;
use std::str::FromStr;

use super::Origin;
use crate::exit::Failure;

/// How large an app is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::bench) struct Size {
    /// Files of an app
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=90_000))]
    pub(in crate::bench) files: u32,

    /// Bytes of all of an app's files together, like 50M
    #[arg(long, value_name = "BYTES", default_value = "50M")]
    pub(in crate::bench) bytes: Bytes,
}

/// A number of bytes, with or without `K`, `M` or `G` for a thousand, a million or a billion of them.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Bytes(pub(in crate::bench) u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'K') => (&text[..text.len() - 1], 1_000),
            Some(b'M') => (&text[..text.len() - 1], 1_000_000),
            Some(b'G') => (&text[..text.len() - 1], 1_000_000_000),
            _ => (text, 1),
        };
        let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        number.map(Bytes).ok_or_else(|| "write a number, or one with K, M or G after it, like 50M".to_owned())
    }
}

impl Size {
    /// Writes the first edition of all files of every app, and commits that.
    pub(in crate::bench) async fn commit_to(self, origin: &Origin) -> Result<(), Failure> {
        for app in &origin.apps {
            for number in 0..self.files {
                origin.write(&path(&Origin::folder_of(app), number), self.text(number, 0).as_bytes())?;
            }
        }
        origin.commit(".", "Begin").await?;
        Ok(())
    }

    /// Writes an edition of a file of the first app, and gives its path. Editions are spread over the files.
    pub(in crate::bench) fn change(self, origin: &Origin, edition: u32) -> Result<String, Failure> {
        let number = edition.wrapping_mul(SPREAD) % self.files;
        let path = path(&Origin::folder_of(&origin.apps[0]), number);
        origin.write(&path, self.text(number, edition).as_bytes())?;
        Ok(path)
    }

    /// The text of a file: about as long as every other one.
    fn text(self, number: u32, edition: u32) -> String {
        let length = usize::try_from(self.bytes.0 / u64::from(self.files)).unwrap_or(usize::MAX);
        let mut dice = Dice(u64::from(number));
        let mut text = format!("# Settings of unit {number}; the same in every run.\nedition = {edition:010}\n");
        while text.len() < length {
            let section = format!("{}-{}-{:04}", dice.word(), dice.word(), dice.below(10_000));
            writeln!(text, "\n[{section}]").expect("strings can be written to");
            for _ in 0..4 + dice.below(8) {
                let key = format!("{}_{}", dice.word(), dice.word());
                match dice.below(4) {
                    0 => writeln!(text, "{key} = {}", dice.below(30_000)),
                    1 => writeln!(
                        text,
                        "{key} = \"{}.{}.example.internal:{}\"",
                        dice.word(),
                        dice.word(),
                        dice.below(65_536)
                    ),
                    2 => writeln!(text, "{key} = {}", dice.below(2) == 0),
                    _ => writeln!(text, "{key} = [\"{}\", \"{}\", \"{}\"]", dice.word(), dice.word(), dice.word()),
                }
                .expect("strings can be written to");
            }
        }
        text.truncate(length.max(FIRST_LINES));
        text.push('\n');
        text
    }
}

/// Hundred files to a folder.
fn path(app: &str, number: u32) -> String {
    format!("{app}/group-{:03}/unit-{number:05}.conf", number / 100)
}

/// A prime, so that one edition after another is in a file far from the one before.
const SPREAD: u32 = 7919;
/// What is never cut off: the line in which editions differ.
const FIRST_LINES: usize = 80;

const WORDS: [&str; 32] = [
    "accept", "address", "backend", "buffer", "cache", "client", "connect", "cookie", "deadline", "default", "error",
    "filter", "header", "health", "host", "idle", "limit", "listen", "local", "match", "pool", "probe", "queue",
    "rate", "retry", "route", "server", "shadow", "shard", "timeout", "upstream", "weight",
];

/// Numbers that look like chance, and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_differ_in_one_line() {
        let size = Size { files: 10, bytes: Bytes(50_000) };
        let (first, second) = (size.text(3, 0), size.text(3, 12));
        assert!((4_900..5_100).contains(&first.len()), "{}", first.len());
        let different = first.lines().zip(second.lines()).filter(|(one, other)| one != other).count();
        assert_eq!((different, first.lines().count()), (1, second.lines().count()));
        assert_eq!(first, size.text(3, 0));
    }

    #[test]
    fn numbers_of_bytes_have_units() {
        let read = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!((read("50M"), read("7"), read("2K")), (Ok(50_000_000), Ok(7), Ok(2_000)));
        for wrong in ["", "M", "5 M", "-1", "99999999999999999999", "99999999999G"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
