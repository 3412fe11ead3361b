//! A check that is a query to Prometheus: numbers other than zero, or it is no yes.

use std::fmt::Write as _;

use follower::{BaseUrl, Mirrors, Settings};
use serde::Deserialize;

use crate::blocking::blocking;
use crate::rollout::CheckVerdict;

/// The most bytes of an answer that are read. A yes is one number, or a few.
const ANSWER_MAX_BYTES: u64 = 256 * 1024;

/// Asks for the value of `query` right now.
pub(super) async fn ask(url: &BaseUrl, query: &str) -> CheckVerdict {
    let unknown = |why: String| CheckVerdict::Unknown { why };
    let base = url.clone();
    let mirrors = match blocking(move || Mirrors::new(vec![base], Settings::default())).await {
        Ok(mirrors) => mirrors,
        Err(error) => return unknown(crate::causes(&error).join(": ")),
    };
    match mirrors.ask(&format!("api/v1/query?query={}", escaped(query)), ANSWER_MAX_BYTES).await {
        Ok(answer) => judge(&answer),
        Err(error) => unknown(format!("Prometheus did not answer: {}", crate::causes(&error).join(": "))),
    }
}

/// What an answer says. A query that finds nothing says nothing, so it is no yes: nor is one that compares without `bool`.
fn judge(answer: &[u8]) -> CheckVerdict {
    let unknown = |why: &str| CheckVerdict::Unknown { why: why.to_owned() };
    let Ok(Answer { data, .. }) = serde_json::from_slice::<Answer>(answer) else {
        return unknown("Prometheus answered something that is no value");
    };
    let values: Vec<&str> = match &data {
        Data::Scalar { result: (_, value) } => vec![value],
        Data::Vector { result } => result.iter().map(|sample| sample.value.1.as_str()).collect(),
    };
    if values.is_empty() {
        return unknown("the query found nothing; `bool` after a comparison makes it answer 0 or 1");
    }
    let values: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
    match values {
        Some(values) if values.iter().all(|value| value.is_finite() && *value != 0.0) => CheckVerdict::Yes,
        Some(values) if values.iter().all(|value| value.is_finite()) => {
            CheckVerdict::No { why: "the query answered 0".to_owned() }
        }
        _ => unknown("the query answered something that is not a number"),
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "status")]
    _status: Success,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Success {
    Success,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", tag = "resultType")]
enum Data {
    Scalar { result: (f64, String) },
    Vector { result: Vec<Sample> },
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

/// `text` as one value of a URL's query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => write!(escaped, "%{byte:02X}").expect("a string takes all"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(values: &[&str]) -> String {
        let samples: Vec<String> =
            values.iter().map(|value| format!(r#"{{"metric":{{}},"value":[1735689600.123,"{value}"]}}"#)).collect();
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, samples.join(","))
    }

    #[test]
    fn only_numbers_other_than_zero_are_a_yes() {
        for yes in [&["1"][..], &["0.5", "3"], &["-1"]] {
            assert_eq!(judge(vector(yes).as_bytes()), CheckVerdict::Yes, "{yes:?}");
        }
        for no in [&["0"][..], &["1", "0"], &["-0"]] {
            assert!(matches!(judge(vector(no).as_bytes()), CheckVerdict::No { .. }), "{no:?}");
        }
        for unknown in [&[][..], &["NaN"], &["+Inf"], &["1", "NaN"], &["0", "NaN"], &["yes"], &[""]] {
            assert!(matches!(judge(vector(unknown).as_bytes()), CheckVerdict::Unknown { .. }), "{unknown:?}");
        }
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1735689600,"1"]}}"#;
        assert_eq!(judge(scalar.as_bytes()), CheckVerdict::Yes);
        for garbage in [
            "",
            "1",
            "<html>",
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            r#"{"status":"error","data":{"resultType":"scalar","result":[0,"1"]}}"#,
            r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
        ] {
            assert!(matches!(judge(garbage.as_bytes()), CheckVerdict::Unknown { .. }), "{garbage}");
        }
    }

    #[test]
    fn a_query_stays_one_value_of_the_url() {
        assert_eq!(
            escaped("sum(a{b=\"ü\"}) < bool 5&x=#"),
            "sum%28a%7Bb%3D%22%C3%BC%22%7D%29%20%3C%20bool%205%26x%3D%23"
        );
    }
}
