use std::collections::HashSet;

use super::craft::{Header, archive, long, pax, record};
use super::*;
use crate::archive::reader::Reader;
use crate::archive::writer::tests::pack;

#[test]
fn a42_every_hostile_archive_is_refused_for_its_own_fault() {
    let corpus = corpus();
    for hostile in &corpus {
        match Reader::new(hostile.bytes.as_slice(), LIMITS).finish() {
            Ok(summary) => panic!("{}: accepted as {summary:?}", hostile.name),
            Err(refused) => assert!(hostile.is_refused_by(&refused.wrong), "{}: {refused:?}", hostile.name),
        }
    }
    let names: HashSet<&str> = corpus.iter().map(|hostile| hostile.name).collect();
    assert!(names.len() == corpus.len() && names.len() >= 40, "{} archives", names.len());
}

#[test]
fn the_builders_of_the_corpus_are_sound() {
    let (path, cut) = long();
    let directory = "n".repeat(110);
    let parts = [
        pax(&record(&format!("{directory}/"))),
        Header::new(&cut).kind(b'5').mode("0000755").bytes(),
        pax(&record(&path)),
        Header::new(&cut).holding(b"content"),
        Header::new("o").bytes(),
    ];
    assert_eq!(archive(&parts), pack(&[(&format!("{directory}/"), b""), (&path, b"content"), ("o", b"")]).0);
}
