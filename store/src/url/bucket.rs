//! The part of a store's URL behind `s3://`.
//!
//! In: `bucket/prefix?option=value&…`. Out: a [`BucketUrl`] whose parts need no escaping anywhere. Escapes such as `%2f`
//! are not a part of the grammar, so one bucket has one spelling.

use std::fmt;
use std::str::FromStr;

use super::InvalidStoreUrl;

/// Which bucket, which part of it, and how to reach it. What is `None` was not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketUrl {
    pub(crate) bucket: String,
    /// Names joined by `/`, without one at either end; may be empty.
    pub(crate) prefix: String,
    /// `http://` or `https://`, a host and perhaps a port.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) virtual_host: Option<bool>,
}

impl FromStr for BucketUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let (path, options) = text.split_once('?').unwrap_or((text, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        // First of all, so that no later message repeats a secret.
        if text.contains('@') || bucket.contains(':') {
            return Err(InvalidStoreUrl::Credentials);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_bucket(bucket) {
            return Err(InvalidStoreUrl::Bucket(bucket.chars().take(64).collect()));
        }
        if !is_prefix(prefix) {
            return Err(InvalidStoreUrl::Prefix(prefix.chars().take(128).collect()));
        }
        let mut url = BucketUrl {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: None,
            virtual_host: None,
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            url.set(option)?;
        }
        Ok(url)
    }
}

impl BucketUrl {
    fn set(&mut self, option: &str) -> Result<(), InvalidStoreUrl> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let wrong = |option, expected| Err(InvalidStoreUrl::Value { option, expected });
        match name {
            "endpoint" if self.endpoint.is_none() => {
                let value = value.strip_suffix('/').unwrap_or(value);
                if !is_endpoint(value) {
                    return wrong("endpoint", "`http://` or `https://` with a host and perhaps a port");
                }
                self.endpoint = Some(value.to_owned());
            }
            "region" if self.region.is_none() => {
                if !is_region(value) {
                    return wrong("region", "a region such as eu-west-1");
                }
                self.region = Some(value.to_owned());
            }
            "virtual_host" if self.virtual_host.is_none() => match value.parse() {
                Ok(value) => self.virtual_host = Some(value),
                Err(_) => return wrong("virtual_host", "`true` or `false`"),
            },
            _ => return Err(InvalidStoreUrl::Option(name.chars().take(64).collect())),
        }
        Ok(())
    }
}

fn is_bucket(name: &str) -> bool {
    let at_ends = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|character| at_ends(character) || matches!(character, '.' | '-'))
        && name.starts_with(at_ends)
        && name.ends_with(at_ends)
}

fn is_prefix(path: &str) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    path.is_empty() || (path.len() <= 512 && path.split('/').all(is_name))
}

fn is_region(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_endpoint(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        (1..=255).contains(&host.len())
            && !host.starts_with(':')
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'))
    })
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        let options = [
            self.endpoint.as_ref().map(|endpoint| format!("endpoint={endpoint}")),
            self.region.as_ref().map(|region| format!("region={region}")),
            self.virtual_host.map(|virtual_host| format!("virtual_host={virtual_host}")),
        ];
        for (option, mark) in options.into_iter().flatten().zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            write!(f, "{mark}{option}")?;
        }
        Ok(())
    }
}
