//! What can be sealed: a JSON document that knows its type and its trusted comment.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits::Limits;

/// A format that travels sealed.
pub trait Document: Serialize + DeserializeOwned {
    /// The `type` in the payload, like `driftless/pointer/1`. The number after the last slash is the format's major.
    const TYPE: &'static str;

    /// How large the sealed file may be.
    fn max_bytes(limits: &Limits) -> u64;

    /// The text that every signer must have signed beside the payload. `payload` is the payload line's digest.
    fn trusted_comment(&self, payload: Digest) -> String;

    /// Checks the rules that the shape alone does not express.
    ///
    /// # Errors
    /// A lower-case fragment that says what is wrong.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Says why a payload is not the document it was taken for.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Not JSON, or not of the expected shape.
    #[error("not a {expected}")]
    Shape {
        /// The expected type.
        expected: &'static str,
        /// What the JSON parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Another document, or another major of it.
    #[error("its type is `{}`, expected `{expected}`", found.escape_debug())]
    Type {
        /// The type in the payload, cut to 64 characters.
        found: String,
        /// The expected type.
        expected: &'static str,
    },
    /// The shape is right, the content contradicts itself.
    #[error("{expected}: {rule}")]
    Rule {
        /// The expected type.
        expected: &'static str,
        /// What is wrong.
        rule: String,
    },
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
}

/// Parses a payload line whose signatures were checked. Unknown fields are ignored, unknown types and majors are not.
pub(super) fn parse<T: Document>(payload: &[u8]) -> Result<T, Rejected> {
    let shape = |source| Rejected::Shape { expected: T::TYPE, source };
    let head: Head = serde_json::from_slice(payload).map_err(shape)?;
    if head.kind != T::TYPE {
        return Err(Rejected::Type { found: head.kind.chars().take(64).collect(), expected: T::TYPE });
    }
    let document: T = serde_json::from_slice(payload).map_err(shape)?;
    document.check().map_err(|rule| Rejected::Rule { expected: T::TYPE, rule })?;
    Ok(document)
}

/// Writes a document as its payload line, newline included.
#[cfg(feature = "sign")]
pub(super) fn encode<T: Document>(document: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Typed<'a, T> {
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(flatten)]
        document: &'a T,
    }
    let mut line = serde_json::to_vec(&Typed { kind: T::TYPE, document }).expect("our documents have string keys");
    line.push(b'\n');
    line
}
