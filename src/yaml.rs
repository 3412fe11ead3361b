//! YAML that we write.

/// A scalar that means exactly `text`: as it is where nobody can take it for anything else, else quoted.
pub(crate) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    // JSON strings are YAML.
    if is_plain { text.to_owned() } else { serde_json::to_string(text).expect("a string is JSON") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schema::Limits;

    use super::*;

    #[test]
    fn a_scalar_reads_back_as_the_text_that_it_was() {
        for text in [
            "web",
            "apps/web",
            "no",
            "True",
            "123",
            "1e5",
            "0x1f",
            "a b: #c",
            "",
            "~",
            "-",
            ".",
            "ünïcode",
            "\"",
            "/srv/a",
        ] {
            let yaml = format!("{0}: {0}\n", scalar(text));
            let read: BTreeMap<String, String> = schema::yaml::from_str("it", &yaml, &Limits::DEFAULT).expect(&yaml);
            assert_eq!(read.get(text).map(String::as_str), Some(text), "{yaml}");
        }
    }
}
