use http::header::AUTHORIZATION;

use super::*;
use crate::reload::Files as _;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A registry that is read from a real file.
fn door(admit: Admit, registry: Option<&str>) -> Door {
    let registry = registry.map(|text| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("agents.yaml");
        std::fs::write(&path, text).expect("a write");
        Arc::new(Reloaded::read(RegistryFiles(path)).expect("a registry"))
    });
    Door { admit, registry }
}

fn peer(certificate: Option<Result<&str, Unnamed>>) -> Peer {
    let certificate = certificate.map(|named| named.map(|name| name.parse().expect("a name")));
    Peer { address: "192.0.2.1".parse().expect("an address"), certificate }
}

fn with_token(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().expect("a header value"))])
}

fn registry() -> String {
    let hash = |token: &str| schema::Digest::of(token.as_bytes());
    format!(
        "agents:\n  web-1: {{ token_sha256: {} }}\n  web-2: {{ token_sha256: {}, token_expires: 1970-01-01T00:00:00.000Z }}\n\
         gateways:\n  gw-1: {{ token_sha256: {} }}\nreaders:\n  prometheus: {{ token_sha256: {} }}\n",
        hash("one"),
        hash("two"),
        hash("three"),
        hash("four"),
    )
}

fn named(caller: Result<Caller, TurnedAway>) -> Result<String, String> {
    match caller {
        Ok(Caller::Known(identity)) => Ok(identity.name().to_string()),
        Ok(Caller::Anyone(_)) => Ok("anyone".to_owned()),
        Err(turned_away) => Err(turned_away.to_string()),
    }
}

#[test]
fn a46_every_way_lets_in_whom_it_should_and_nobody_else() {
    let registry = registry();
    let (none, one, two, wrong) = (HeaderMap::new(), with_token("one"), with_token("two"), with_token("1"));
    let (web_1, stranger) = (Some(Ok("web-1")), Some(Ok("stranger")));
    let wants = Err("this gateway wants to know who asks");
    let unknown = Err("nobody has this token");
    let unregistered = Err("`stranger` is not registered");
    let expired = Err("the token of `web-2` expired at 1970-01-01T00:00:00.000Z");
    use Admit::{Anyone, Certificate, CertificateOrToken, Token};
    for (admit, certificate, headers, expected) in [
        (Anyone, None, &none, Ok("anyone")),
        (Anyone, web_1.clone(), &wrong, Ok("anyone")),
        (Certificate, None, &none, wants),
        (Certificate, None, &one, wants),
        (Certificate, web_1.clone(), &none, Ok("web-1")),
        (Certificate, stranger.clone(), &none, unregistered),
        (
            Certificate,
            Some(Err(Unnamed::NoName)),
            &one,
            Err("the certificate has no DNS name among its subject alternative names"),
        ),
        (Token, None, &none, wants),
        (Token, web_1.clone(), &none, wants),
        (Token, None, &one, Ok("web-1")),
        (Token, None, &two, expired),
        (Token, None, &wrong, unknown),
        (CertificateOrToken, None, &one, Ok("web-1")),
        (CertificateOrToken, Some(Ok("gw-1")), &none, Ok("gw-1")),
        (CertificateOrToken, Some(Ok("gw-1")), &wrong, Ok("gw-1")),
        (CertificateOrToken, stranger, &one, unregistered),
        (CertificateOrToken, None, &none, wants),
    ] {
        let found = named(door(admit, Some(&registry)).admit(&peer(certificate.clone()), headers, NOW));
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{admit:?} {certificate:?} {headers:?}");
    }
}

#[test]
fn without_a_registry_a_certificate_names_and_a_token_does_not() {
    let (by_certificate, by_token) = (door(Admit::Certificate, None), door(Admit::Token, None));
    let caller = by_certificate.admit(&peer(Some(Ok("web-9"))), &HeaderMap::new(), NOW).expect("a caller");
    assert_eq!((caller.may_ack(), caller.may_summarize()), (Ok(()), Ok(())));
    assert!(caller.may_speak_for(&"web-9".parse().expect("a name")).is_ok());
    assert!(caller.may_speak_for(&"web-8".parse().expect("a name")).is_err());
    assert_eq!(by_token.admit(&peer(None), &with_token("one"), NOW), Err(TurnedAway::UnknownToken));
}

#[test]
fn a45_a46_each_role_says_what_it_is_for_and_in_its_own_name() {
    let door = door(Admit::Token, Some(&registry()));
    let caller = |token| door.admit(&peer(None), &with_token(token), NOW).expect("a caller");
    let (agent, gateway, reader) = (caller("one"), caller("three"), caller("four"));
    assert_eq!((agent.may_ack().is_ok(), agent.may_summarize().is_ok()), (true, false));
    assert_eq!((gateway.may_ack().is_ok(), gateway.may_summarize().is_ok()), (false, true));
    assert_eq!((reader.may_ack().is_ok(), reader.may_summarize().is_ok()), (false, false));
    let other = agent.may_speak_for(&"web-2".parse().expect("a name")).expect_err("another name");
    assert_eq!(other.to_string(), "`web-1` speaks for `web-2`");
}

#[test]
fn a_registry_without_files_lets_nobody_in() {
    let empty = RegistryFiles("agents".into()).parse(&[]).expect("an empty registry");
    assert_eq!(by_certificate("web-1".parse().expect("a name"), Some(&empty)).ok(), None);
}
