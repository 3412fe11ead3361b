//! The bearer token.
//!
//! In: a file with one line. Out: the value of an `Authorization` header, which never shows itself and is wiped from memory
//! with its last user. What the HTTP library copies to its send buffer is out of our hands.

use std::path::Path;

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::{CredentialFile, CredentialsError, file};

/// More than any token is, and less than servers take of a head.
const MAX_BYTES: usize = 4096;

/// Reads the token at `path`, with or without a line end after it.
pub(super) fn bearer(path: &Path) -> Result<HeaderValue, CredentialsError> {
    let unusable = |wrong| CredentialsError::Unusable { file: CredentialFile::Token, path: path.to_owned(), wrong };
    let text = file::read(CredentialFile::Token, path, MAX_BYTES)?;
    let token = text.trim_ascii();
    if token.is_empty() {
        return Err(unusable("it is empty"));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(unusable("it must be one line of visible ASCII characters without blanks"));
    }
    // Of exactly the length that is needed: a vector that grows leaves copies behind, and so does one that is shrunk.
    let mut value = Zeroizing::new(Vec::with_capacity(SCHEME.len() + token.len()));
    value.extend_from_slice(SCHEME);
    value.extend_from_slice(token);
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).expect("visible ASCII and one blank");
    value.set_sensitive(true);
    Ok(value)
}

const SCHEME: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use std::{fs, io};

    use super::*;

    fn bearer_of(text: &[u8]) -> io::Result<Result<HeaderValue, CredentialsError>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("token");
        fs::write(&path, text)?;
        Ok(bearer(&path))
    }

    #[test]
    fn a_token_is_one_line() -> io::Result<()> {
        for text in ["hunter2", "hunter2\n", "hunter2\r\n", " hunter2 "] {
            assert_eq!(bearer_of(text.as_bytes())?.expect("a token"), "Bearer hunter2");
        }
        let longest = "a".repeat(MAX_BYTES);
        assert!(bearer_of(longest.as_bytes())?.is_ok());
        for bad in
            ["", "\n", "two words", "two\nlines", "two\r\nx-more: lines", "nul\0", "hünter2", &format!("{longest}a")]
        {
            assert!(bearer_of(bad.as_bytes())?.is_err(), "{bad:?}");
        }
        Ok(())
    }

    #[test]
    fn a_token_is_never_shown() -> io::Result<()> {
        let shown = format!("{:?}", bearer_of(b"hunter2")?.expect("a token"));
        assert!(!shown.contains("hunter2"), "{shown}");
        let refused = bearer_of(b"hunter2 hunter2")?.expect_err("two words");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");
        Ok(())
    }
}
