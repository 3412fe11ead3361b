use zeroize::Zeroizing;

use super::*;

fn read(files: &[&str]) -> Result<Registry, String> {
    let content = |(number, text): (usize, &&str)| {
        let bytes = Zeroizing::new(text.as_bytes().to_vec());
        Content { path: PathBuf::from(format!("agents-{number}.yaml")), bytes }
    };
    let contents: Vec<Content> = files.iter().enumerate().map(content).collect();
    RegistryFiles(PathBuf::from("agents.yaml")).parse(&contents).map_err(|error| error.to_string())
}

fn name(text: &str) -> AgentId {
    text.parse().expect("a name")
}

fn hash(token: &str) -> TokenHash {
    TokenHash(Digest::of(token.as_bytes()))
}

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

#[test]
fn everybody_is_found_by_name_key_and_token() {
    let (one, two) = (hash("one").0, hash("two").0);
    let registry = read(&[
        &format!("agents:\n  web-1: {{ key: {KEY}, token_sha256: {one}, token_expires: 2027-01-01T00:00:00.000Z }}\n  web-2: {{}}\n"),
        &format!("gateways:\n  gw-1: {{ token_sha256: {two} }}\nreaders:\n  prometheus: {{}}\n"),
    ])
    .expect("a registry");
    assert_eq!(registry.role(&name("web-1")), Some(Role::Agent));
    assert_eq!(registry.role(&name("gw-1")), Some(Role::Gateway));
    assert_eq!(registry.role(&name("prometheus")), Some(Role::Reader));
    assert_eq!(registry.role(&name("web-3")), None);
    assert_eq!(registry.key(&name("web-1")).flatten().map(ToString::to_string), Some(KEY.to_owned()));
    assert_eq!((registry.key(&name("web-2")), registry.key(&name("gw-1"))), (Some(None), None));
    let expires = "2027-01-01T00:00:00.000Z".parse().ok();
    assert_eq!(registry.holder(hash("one")), Some((&name("web-1"), expires)));
    assert_eq!(registry.holder(hash("two")), Some((&name("gw-1"), None)));
    assert_eq!(registry.holder(hash("three")), None);
}

#[test]
fn half_a_hash_is_no_token() {
    let known = hash("one").0.to_string();
    let registry = read(&[&format!("agents: {{ web-1: {{ token_sha256: {known} }} }}\n")]).expect("a registry");
    let same_half = format!("{}{}", &known[..32], "0".repeat(32)).parse().expect("a sha256");
    assert_eq!(registry.holder(TokenHash(same_half)), None);
}

#[test]
fn a46_nobody_is_in_it_twice_and_nothing_is_shared() {
    let one = hash("one").0;
    for (files, wrong) in [
        (vec!["agents: { web-1: {} }\n", "agents: { web-1: {} }\n"], "`web-1` is there twice"),
        (vec!["agents: { web-1: {} }\nreaders: { web-1: {} }\n"], "`web-1` is there twice"),
        (
            vec![&*format!("agents: {{ web-1: {{ key: {KEY} }}, web-2: {{ key: {KEY} }} }}\n")],
            "`web-1` and `web-2` have the same key",
        ),
        (
            vec![&*format!(
                "agents: {{ web-1: {{ token_sha256: {one} }} }}\ngateways: {{ gw: {{ token_sha256: {one} }} }}\n"
            )],
            "`web-1` and `gw` have the same token",
        ),
        (
            vec![&*format!("agents: {{ web-1: {{ token_sha256: {} }} }}\n", Digest::of(b""))],
            "the token of `web-1` is empty",
        ),
    ] {
        assert_eq!(read(&files).expect_err(wrong), wrong);
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for text in [
        "agents: { ../up: {} }\n",
        "agents: { web-1: { token: secret } }\n",
        "agents: { web-1: { token_sha256: secret } }\n",
        "agents: { web-1: { key: RW } }\n",
        "agents: { web-1: {}, web-1: {} }\n",
        "gateways: { gw-1: { key: x } }\n",
        "agent: {}\n",
    ] {
        assert!(read(&[text]).is_err(), "{text}");
    }
    assert!(
        RegistryFiles(PathBuf::from("a"))
            .parse(&[Content { path: "a".into(), bytes: Zeroizing::new(vec![0xff]) }])
            .is_err()
    );
}
