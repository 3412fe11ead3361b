//! Reads YAML strictly: duplicate keys, merge keys, alias bombs and oversized files are refused with line and column.

use serde::de::DeserializeOwned;

use crate::limits::Limits;

pub use serde_saphyr::{Location, Spanned};

/// Parses `text`, the content of the file `name`, as one document.
///
/// Reads at most [`Limits::yaml_max_bytes`]. Unknown keys are the type's business (`deny_unknown_fields`).
///
/// # Errors
/// [`InvalidYaml`] with the place and what is wrong there.
pub fn from_str<T: DeserializeOwned>(name: &str, text: &str, limits: &Limits) -> Result<T, InvalidYaml> {
    if text.len() as u64 > limits.yaml_max_bytes {
        let wrong = format!("it has {} bytes, the limit is {}", text.len(), limits.yaml_max_bytes);
        return Err(InvalidYaml { file: name.to_owned(), place: None, wrong });
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 1_000_000, max_events: 4_000_000, max_documents: 1 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| InvalidYaml {
        file: name.to_owned(),
        place: error.location().map(|location| (location.line(), location.column())),
        wrong: one_line(&error),
    })
}

/// Says where a YAML file is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidYaml {
    /// The file as it was named by the caller.
    pub file: String,
    /// Line and column, counting from one.
    pub place: Option<(u64, u64)>,
    /// What is wrong there.
    pub wrong: String,
}

impl InvalidYaml {
    /// A rule of the caller's own that the value at `location` breaks.
    pub fn at(name: &str, location: Location, wrong: impl Into<String>) -> InvalidYaml {
        InvalidYaml { file: name.to_owned(), place: Some((location.line(), location.column())), wrong: wrong.into() }
    }
}

impl std::fmt::Display for InvalidYaml {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.wrong)
    }
}

/// The parser's message on one line, without the place, which is told before it.
fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    // The parser also tells programmers how to switch its checks off; that is no use to whoever wrote the file.
    let text =
        text.replace(", set DuplicateKeyPolicy in Options if acceptable", "").replace(" by configured policy", "");
    let text = text.replace("; use Option<String>", "");
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its parsing matters")]
        port: u16,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        map: BTreeMap<String, String>,
    }

    fn read(text: &str) -> Result<Sample, InvalidYaml> {
        from_str("sample.yaml", text, &Limits::DEFAULT)
    }

    #[test]
    fn mistakes_are_located() {
        let mistakes = [
            "port: 1\nprot: 2\n",
            "port: 1\nmap: {a: b, a: c}\n",
            "port: many\n",
            "port: 1\non: yes\n",
            "port: 1\nmap: {<<: {a: b}}\n",
            "port: [\n",
        ];
        let told: Vec<String> = mistakes.iter().map(|text| read(text).expect_err(text).to_string()).collect();
        let expected = [
            "sample.yaml:2:1: unknown field `prot`, expected one of port, on, map",
            "sample.yaml:2:13: duplicate mapping key: a",
            "sample.yaml:1:7: invalid u16",
            "sample.yaml:2:5: invalid boolean (strict mode expects true/false)",
            "sample.yaml:2:7: YAML merge keys are not allowed",
            "sample.yaml:1:7: expected string scalar",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn alias_bombs_and_oversized_files_are_refused() {
        let mut bomb = "port: 1\nmap:\n  a0: &a0 xxxxxxxxxx\n".to_owned();
        for level in 1..9 {
            let row = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push_str(&format!("  a{level}: &a{level} [{row}]\n"));
        }
        assert!(read(&bomb).is_err());
        assert!(read(&format!("port: 1 # {}\n", "x".repeat(1 << 20))).is_err());
        let read = read("port: 1\non: true\nmap: {a: b}\n").expect("plain YAML");
        assert!(read.on && read.map.len() == 1);
    }
}
