//! Where a store is, as people write it: a path, `file:///path`, or `s3://bucket/prefix?endpoint=…`.
//!
//! In: text from a configuration file or a command line. Out: a [`StoreUrl`], or what is wrong with the text. Knows
//! nothing of credentials: a URL that carries some is refused without being repeated, so that every URL may be logged.

mod bucket;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use self::bucket::BucketUrl;

/// Where a store is: a directory or a bucket.
///
/// | text | store |
/// | --- | --- |
/// | `/var/lib/driftless/store`, `./store`, `file:///srv/store` | that directory |
/// | `s3://bucket` or `s3://bucket/prefix` | a bucket on AWS, or the part of it below `prefix` |
/// | `s3://bucket?endpoint=http://127.0.0.1:9000` | a bucket on another server that speaks S3 |
///
/// Behind the `?` of a bucket, joined by `&`: `endpoint` (where the server is; the only way to plain `http`), `region`
/// (default: `AWS_REGION`, then `AWS_DEFAULT_REGION`, then `us-east-1`) and `virtual_host` (`true`: the bucket goes into
/// the host's name, the default on AWS; `false`: into the path, the default with an `endpoint`).
///
/// Credentials come from the usual `AWS_*` variables, never from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Directory(PathBuf),
    Bucket(BucketUrl),
}

impl StoreUrl {
    /// The store in the directory at `path`.
    pub fn directory(path: impl Into<PathBuf>) -> StoreUrl {
        StoreUrl(Place::Directory(path.into()))
    }

    /// The directory, or nothing for a bucket.
    pub fn local_path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Directory(path) => Some(path),
            Place::Bucket(_) => None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

/// Says why a text does not tell where a store is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStoreUrl {
    /// Nothing there, or a NUL byte.
    #[error("a store needs a path, `file:///path` or `s3://bucket`")]
    Empty,
    /// A scheme that is no store.
    #[error("`{}://` is no kind of store; use a path, `file:///path` or `s3://bucket`", .0.escape_debug())]
    Scheme(String),
    /// A `file` URL with a host, an escape or a query.
    #[error("a file URL is `file:///` and a path without `%`, `?` and `#`; write any other path plainly")]
    File,
    /// A user or password, which the message does not repeat.
    #[error("a store's URL must not carry credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")]
    Credentials,
    /// The name of the bucket.
    #[error("`{}` is not a bucket; use 3 to 63 of a-z, 0-9, `.` and `-`, a letter or digit at both ends", .0.escape_debug())]
    Bucket(String),
    /// The path below the bucket.
    #[error("`{}` is not a prefix; use names of letters, digits, `.`, `_` and `-` joined by `/`", .0.escape_debug())]
    Prefix(String),
    /// An option that does not exist, or a second time.
    #[error("`{}` is unknown or repeated; a bucket takes `endpoint`, `region` and `virtual_host`, once each", .0.escape_debug())]
    Option(String),
    /// The value of an option.
    #[error("the value of `{option}` is not {expected}")]
    Value {
        /// Which option.
        option: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        if text.is_empty() || text.contains('\0') {
            return Err(InvalidStoreUrl::Empty);
        }
        match text.split_once("://") {
            // A path may hold anything, even `://`.
            _ if text.starts_with(['/', '.']) => Ok(StoreUrl::directory(text)),
            None => Ok(StoreUrl::directory(text)),
            Some(("file", path)) if path.starts_with('/') && !path.contains(['%', '?', '#']) => {
                Ok(StoreUrl::directory(path))
            }
            Some(("file", _)) => Err(InvalidStoreUrl::File),
            Some(("s3", bucket)) => Ok(StoreUrl(Place::Bucket(bucket.parse()?))),
            Some((scheme, _)) => Err(InvalidStoreUrl::Scheme(scheme.chars().take(32).collect())),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = InvalidStoreUrl;

    fn try_from(text: String) -> Result<Self, InvalidStoreUrl> {
        text.parse()
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> String {
        url.to_string()
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Directory(path) => path.display().fmt(f),
            Place::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_directory_however_it_is_written() {
        for (text, path) in [
            ("/var/lib/driftless/store", "/var/lib/driftless/store"),
            ("./store", "./store"),
            ("store", "store"),
            ("../a://b", "../a://b"),
            ("file:///srv/store", "/srv/store"),
        ] {
            assert_eq!(text.parse(), Ok(StoreUrl::directory(path)), "{text}");
        }
    }

    #[test]
    fn a_url_reads_back_as_itself() {
        for text in [
            "/srv/store",
            "s3://driftless",
            "s3://driftless/eu/prod",
            "s3://driftless?endpoint=http://127.0.0.1:9000&region=us-east-1&virtual_host=false",
            "s3://my.bucket/x?region=eu-west-1&virtual_host=false",
        ] {
            let url: StoreUrl = text.parse().expect("a good URL");
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_store_is_refused() {
        use InvalidStoreUrl as No;
        for (text, no) in [
            ("", No::Empty),
            ("gs://bucket", No::Scheme("gs".into())),
            ("file://host/path", No::File),
            ("file:///a%20b", No::File),
            ("s3://AKIA:hush@bucket", No::Credentials),
            ("s3://AKIA:hush/bucket", No::Credentials),
            ("s3://bucket?endpoint=http://AKIA:hush@host", No::Credentials),
            ("s3://", No::Bucket("".into())),
            ("s3://Bucket", No::Bucket("Bucket".into())),
            ("s3://bucket/../x", No::Prefix("../x".into())),
            ("s3://bucket//x", No::Prefix("/x".into())),
            ("s3://bucket?secret_access_key=hush", No::Option("secret_access_key".into())),
            ("s3://bucket?region=a&region=b", No::Option("region".into())),
            ("s3://bucket?region=EU", No::Value { option: "region", expected: "a region such as eu-west-1" }),
        ] {
            let refused = text.parse::<StoreUrl>().expect_err(text);
            assert_eq!(refused, no, "{text}");
            assert!(!refused.to_string().contains("hush"), "{refused}");
        }
    }
}
