//! Twenty ways to write a sealed file otherwise without touching what was signed, or to take its signature off.
//!
//! The stock tool accepts several of them. Ours has one spelling.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A sealed file in pieces: the payload line and the four lines of its only signature, without their newlines.
struct Sealed<'a> {
    payload: &'a str,
    block: [&'a str; 4],
}

/// A name, and what is done.
pub(crate) type Mangling = (&'static str, fn(&str) -> String);

/// All twenty.
pub(crate) const MANGLINGS: [Mangling; 20] = [
    ("every line ends in CRLF", |file| file.replace('\n', "\r\n")),
    ("the signature ends in CRLF", |file| of_block(file, |block| block.map(|line| format!("{line}\r")))),
    ("an extra line", |file| format!("{file}and one more\n")),
    ("an empty line at the end", |file| format!("{file}\n")),
    ("an empty line before the signature", |file| file.replacen('\n', "\n\n", 1)),
    ("no newline at the end", |file| file.trim_end_matches('\n').to_owned()),
    ("a zero byte at the end", |file| format!("{file}\0")),
    ("a byte order mark in front", |file| format!("\u{feff}{file}")),
    ("a blank after the signature", |file| line(file, 1, |line| format!("{line} "))),
    ("a blank before the signature", |file| line(file, 1, |line| format!(" {line}"))),
    ("a blank after the trusted comment", |file| line(file, 2, |line| format!("{line} "))),
    ("another untrusted comment", |file| line(file, 0, |_| "untrusted comment: trust me".to_owned())),
    ("another trusted comment", |file| line(file, 2, |line| line.replace(" g", " g1"))),
    ("no trusted comment", |file| line(file, 2, |_| "trusted comment: ".to_owned())),
    ("the legacy algorithm", |file| signature(file, |bytes| bytes[1] = b'd')),
    ("another key id", |file| signature(file, |bytes| bytes[5] ^= 0xff)),
    ("another spelling of the base64", |file| line(file, 3, other_spelling)),
    ("no global signature", |file| line(file, 3, |_| STANDARD.encode([0; 64]))),
    ("no signature at all", |file| format!("{}\n", split(file).payload)),
    ("seventeen times the same signature", |file| {
        let Sealed { payload, block } = split(file);
        format!("{payload}\n{}", format!("{}\n", block.join("\n")).repeat(17))
    }),
];

fn split(file: &str) -> Sealed<'_> {
    let mut lines = file.lines();
    let mut next = || lines.next().expect("a sealed file has five lines");
    Sealed { payload: next(), block: [next(), next(), next(), next()] }
}

fn of_block(file: &str, change: impl FnOnce([&str; 4]) -> [String; 4]) -> String {
    let Sealed { payload, block } = split(file);
    format!("{payload}\n{}\n", change(block).join("\n"))
}

/// Changes one of the four lines.
fn line(file: &str, number: usize, change: impl FnOnce(&str) -> String) -> String {
    of_block(file, |block| {
        let mut lines = block.map(str::to_owned);
        lines[number] = change(block[number]);
        lines
    })
}

/// Changes the bytes of the signature itself.
fn signature(file: &str, change: impl FnOnce(&mut [u8])) -> String {
    line(file, 1, |text| {
        let mut bytes = STANDARD.decode(text).expect("a signature is base64");
        change(&mut bytes);
        STANDARD.encode(bytes)
    })
}

/// Sets a bit that decoding drops: 64 bytes leave four of the last letter unused.
fn other_spelling(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = text.trim_end_matches('=');
    let (front, last) = letters.split_at(letters.len() - 1);
    let place = ALPHABET.iter().position(|letter| [*letter] == last.as_bytes()).expect("base64");
    let other = char::from(ALPHABET[place ^ 1]);
    format!("{front}{other}{}", &text[letters.len()..])
}
