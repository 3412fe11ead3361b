//! Where words go: data on standard output, talk on standard error. A closed pipe is no error.

use std::io::Write as _;

use serde::Serialize;

/// Prints one line of data.
pub(crate) fn data(line: &str) {
    // The reader may have seen enough (`| head`): that is its right, and nothing is lost.
    let _closed = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints a file's worth of data as it is.
pub(crate) fn raw(bytes: &[u8]) {
    let _closed = std::io::stdout().lock().write_all(bytes);
}

/// Prints a value as one JSON document.
pub(crate) fn json(value: &impl Serialize) {
    data(&serde_json::to_string_pretty(value).expect("our answers have string keys"));
}

/// Says something to whoever watches. Not every library escapes what it repeats of names in a store or a repository.
pub(crate) fn talk(line: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "{}", schema::text::printable(line));
}
