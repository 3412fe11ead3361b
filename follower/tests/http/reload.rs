//! Credentials that change while they are in use.

use std::fs;

use follower::{BaseUrl, Credentials};

use crate::certificates::{Authority, Clients, Pair, Validity, der};
use crate::credentials::{fetch, with};
use crate::server::{Server, ok};

const GOOD: &[u8] = b"the signed bytes";

#[tokio::test]
async fn a_new_token_is_told_with_the_next_request_and_a_broken_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let (token, new) = (folder.path().join("token"), folder.path().join("new"));
    let server = Server::serving(GOOD).await;
    fs::write(&token, "first").unwrap();
    let mirrors = with(&[&server.base], Credentials { token: Some(token.clone()), ..Credentials::default() });
    fetch(&mirrors).await.unwrap();
    for broken in ["", "two words", &"long".repeat(2000)] {
        fs::write(&token, broken).unwrap();
        fetch(&mirrors).await.unwrap();
    }
    fs::remove_file(&token).unwrap();
    fetch(&mirrors).await.unwrap();
    fs::write(&new, "secnd").unwrap();
    fs::rename(&new, &token).unwrap();
    // Clones share it.
    fetch(&mirrors.clone()).await.unwrap();
    let told: Vec<_> = server.asked().into_iter().map(|asked| asked.headers["authorization"].clone()).collect();
    assert_eq!(told[..5], ["Bearer first"; 5]);
    assert_eq!(told[5], "Bearer secnd");
}

#[tokio::test]
async fn a_new_certificate_is_shown_once_its_key_is_there_too() {
    let authority = Authority::new();
    let tls = authority.server("server", Validity::ThisCentury, Clients::Of(&authority));
    let server = Server::start_tls(tls, |_| async { ok(GOOD) }).await;
    let pair = authority.issue("agent", Validity::ThisCentury);
    let next = authority.issue("agent-next", Validity::ThisCentury);
    let (first, second) = (der(&pair.certificate).to_vec(), der(&next.certificate).to_vec());
    let Pair { certificate, key } = pair;
    let ca = Some(authority.certificate());
    let credentials = Credentials { ca, certificate: Some(certificate.clone()), key: Some(key.clone()), token: None };
    let mirrors = with(&[&server.base], credentials);
    fetch(&mirrors).await.unwrap();
    fs::copy(&next.certificate, &certificate).unwrap();
    fetch(&mirrors).await.unwrap();
    fs::copy(&next.key, &key).unwrap();
    fetch(&mirrors).await.unwrap();
    let shown: Vec<_> = server.asked().into_iter().map(|asked| asked.certificate.unwrap()).collect();
    assert_eq!(shown, [first.clone(), first, second]);
    assert_eq!(server.connections(), 2, "a connection made with the old certificate is not used with the new one");
}

#[tokio::test]
async fn a_new_authority_counts_at_once_and_the_old_one_no_more() {
    let (old, new) = (Authority::new(), Authority::new());
    let serve = |authority: &Authority| {
        let tls = authority.server("server", Validity::ThisCentury, Clients::Anybody);
        Server::start_tls(tls, |_| async { ok(GOOD) })
    };
    let (of_old, of_new) = (serve(&old).await, serve(&new).await);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::copy(old.certificate(), &ca).unwrap();
    let believing = |base: &BaseUrl| with(&[base], Credentials { ca: Some(ca.clone()), ..Credentials::default() });
    let (to_old, to_new) = (believing(&of_old.base), believing(&of_new.base));
    fetch(&to_old).await.unwrap();
    fetch(&to_new).await.unwrap_err();
    fs::copy(new.certificate(), &ca).unwrap();
    // Not over the connection that is still open, either.
    fetch(&to_old).await.unwrap_err();
    fetch(&to_new).await.unwrap();
    fs::write(&ca, "no authority at all").unwrap();
    fetch(&to_new).await.unwrap();
}
