use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn a(digit: char) -> Digest {
    digit.to_string().repeat(64).parse().expect("64 hex digits")
}

fn any_digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes))
}

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        any_digest().prop_map(Part::Manifest),
        (any_digest(), any_digest()).prop_map(|(digest, base)| Part::Patch { digest, base }),
    ]
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

proptest! {
    #[test]
    fn what_was_joined_is_split_again(pointer in any_bytes(), parts in btree_map(any_part(), any_bytes(), 0..=PARTS_MAX)) {
        let split = Split { pointer, parts: parts.into_iter().collect() };
        let (contents, body) = split.join().expect("parts that differ");
        let read: Contents = contents.to_string().parse().expect("a list of parts");
        prop_assert_eq!(&read, &contents);
        prop_assert_eq!(read.body_bytes(), body.len() as u64);
        prop_assert_eq!(read.split(body).expect("what the list says"), split);
    }

    #[test]
    fn a_list_that_is_read_has_one_spelling(text in "(pointer=[0-9]{0,3}(, )?)?(,| |manifest/|patch/|[0-9a-f]{2}|=[0-9]{1,3}|, ){0,8}") {
        if let Ok(contents) = text.parse::<Contents>() {
            prop_assert_eq!(contents.to_string(), text);
        }
    }

    #[test]
    fn a_body_of_another_length_is_refused(sizes in vec(0u64..100, 1..4), length in 0usize..400) {
        let parts = sizes[1..].iter().zip(['a', 'b', 'c']).map(|(size, digit)| (Part::Manifest(a(digit)), *size)).collect();
        let contents = Contents { pointer: sizes[0], parts };
        let split = contents.split(Bytes::from(vec![0; length]));
        prop_assert_eq!(split.is_ok(), sizes.iter().sum::<u64>() == length as u64);
    }
}

#[test]
fn the_text_is_the_documented_one() {
    let text = format!("pointer=1046, manifest/{0}=812, patch/{0}.from.{1}=5522", a('a'), a('b'));
    let contents: Contents = text.parse().expect("a list of parts");
    let parts = vec![(Part::Manifest(a('a')), 812), (Part::Patch { digest: a('a'), base: a('b') }, 5522)];
    assert_eq!(contents, Contents { pointer: 1046, parts });
    assert_eq!((contents.pointer_bytes(), contents.body_bytes()), (1046, 1046 + 812 + 5522));
}

#[test]
fn hostile_lists_are_refused() {
    use InvalidContents::*;
    let (one, other) = (a('a'), a('b'));
    let most = u64::MAX;
    let many: String = "0123456789".chars().map(|digit| format!(", manifest/{}=1", a(digit))).collect();
    for (text, expected) in [
        (String::new(), PointerNotFirst),
        (format!("manifest/{one}=1, pointer=1"), PointerNotFirst),
        ("Pointer=1".to_owned(), PointerNotFirst),
        (" pointer=1".to_owned(), PointerNotFirst),
        ("pointer=".to_owned(), Unreadable(0)),
        ("pointer=-1".to_owned(), Unreadable(0)),
        ("pointer=+1".to_owned(), Unreadable(0)),
        ("pointer=01".to_owned(), Unreadable(0)),
        ("pointer=1 ".to_owned(), Unreadable(0)),
        ("pointer=18446744073709551616".to_owned(), Unreadable(0)),
        ("pointer=1, pointer=1".to_owned(), Unreadable(1)),
        ("pointer=1, ".to_owned(), Unreadable(1)),
        (format!("pointer=1,manifest/{one}=1"), Unreadable(0)),
        (format!("pointer=1, manifest/{one}"), Unreadable(1)),
        (format!("pointer=1, manifest/{one}=1x"), Unreadable(1)),
        (format!("pointer=1, manifest/{}=1", &one.to_string()[1..]), Unreadable(1)),
        (format!("pointer=1, manifest/{}=1", one.to_string().to_uppercase()), Unreadable(1)),
        (format!("pointer=1, manifest/../{one}=1"), Unreadable(1)),
        (format!("pointer=1, bundle/{one}=1"), Unreadable(1)),
        (format!("pointer=1, patch/{one}=1"), Unreadable(1)),
        (format!("pointer=1, patch/{one}.from.{other}.from.{one}=1"), Unreadable(1)),
        (format!("pointer=1, manifest/{one}=1, manifest/{other}=2, manifest/{one}=1"), Twice(3)),
        (format!("pointer=1, manifest/{one}={most}"), Overflow),
        (format!("pointer={most}, manifest/{one}=1"), Overflow),
        (format!("pointer=1, manifest/{one}={}, manifest/{other}=1", most - 1), Overflow),
        (format!("pointer=1{many}"), TooMany),
        ("x".repeat(TEXT_MAX_BYTES + 1), TooLong(TEXT_MAX_BYTES + 1)),
    ] {
        assert_eq!(text.parse::<Contents>(), Err(expected), "{text:?}");
    }
}

#[test]
fn the_longest_list_that_is_written_can_be_read() {
    let patch = |digit| (Part::Patch { digest: a(digit), base: a('f') }, Bytes::new());
    let split = Split { pointer: Bytes::new(), parts: "01234567".chars().map(patch).collect() };
    let (mut contents, _) = split.join().expect("eight parts");
    contents.parts.iter_mut().for_each(|(_, length)| *length = u64::MAX / 16);
    assert_eq!(contents.to_string().parse(), Ok(contents));
    let twice = Split { parts: vec![patch('0'), patch('0')], ..split.clone() };
    assert_eq!(twice.join(), Err(InvalidContents::Twice(2)));
    let nine = Split { parts: "012345678".chars().map(patch).collect(), ..split };
    assert_eq!(nine.join(), Err(InvalidContents::TooMany));
}
