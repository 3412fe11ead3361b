//! Who may come in, and what each of them may say.

use std::path::PathBuf;

use gateway::{Admit, Presence};
use schema::Digest;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::authority::{Authority, Validity};
use crate::client::{Client, Reply};
use crate::publication::Publication;
use crate::running::{Running, of_store, until};
use crate::tls::{curl, path, tls, with};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

/// An `agents` file in a folder of its own.
struct Registry {
    folder: TempDir,
}

impl Registry {
    fn new(text: &str) -> Registry {
        let registry = Registry { folder: tempfile::tempdir().expect("a folder") };
        registry.write(text);
        registry
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("agents.yaml")
    }

    fn write(&self, text: &str) {
        let aside = self.folder.path().join("aside");
        std::fs::write(&aside, text).expect("a write");
        std::fs::rename(&aside, self.path()).expect("a rename");
    }
}

fn hash(token: &str) -> Digest {
    Digest::of(token.as_bytes())
}

/// A gateway on plain HTTP that lets in by token.
async fn by_token(publication: &Publication, registry: &Registry) -> Running {
    let mut config = of_store(publication);
    config.entrance.admit = Admit::Token;
    config.entrance.agents = Some(registry.path());
    Running::start(config)
}

async fn get(gateway: &Running, target: &str, token: &str) -> Reply {
    gateway.get(target, &[("Authorization", &format!("Bearer {token}"))]).await
}

async fn post(gateway: &Running, target: &str, token: &str, body: &[u8]) -> Reply {
    let mut client = gateway.client().await;
    client.send_with_body("POST", target, &[("Authorization", &format!("Bearer {token}"))], body).await;
    client.reply_to("POST").await
}

async fn until_ready(gateway: &Running, token: &str) {
    until("ready", async || get(gateway, "/readyz", token).await.status == 200).await;
}

#[tokio::test]
async fn a46_certificates_and_tokens_as_curl_shows_them() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let registry = Registry::new(&format!(
        "agents:\n  web-1: {{ token_sha256: {} }}\n  web-2: {{ token_sha256: {}, token_expires: 2020-01-01T00:00:00.000Z }}\n",
        hash("right"),
        hash("expired"),
    ));
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), Some((&authority, Presence::Optional)));
    config.entrance.admit = Admit::CertificateOrToken;
    config.entrance.agents = Some(registry.path());
    let gateway = Running::start(config);

    let ca = authority.certificate();
    let bearer = |token: &str| ["-H".to_owned(), format!("Authorization: Bearer {token}")].to_vec();
    let show = |issued: &crate::authority::Issued| with(issued).map(str::to_owned).to_vec();
    let (right, unlisted, nameless) = (
        authority.client("web-1"),
        authority.client("web-9"),
        authority.issue("web-1", "extendedKeyUsage=clientAuth", Validity::Now),
    );
    let two_names =
        authority.issue("web-1", "subjectAltName=DNS:web-1,DNS:web-2\nextendedKeyUsage=clientAuth", Validity::Now);
    let expired = authority.client_with("web-1", Validity::Past);
    let foreign = stranger.client("web-1");
    until("ready", async || {
        curl(&gateway, "/readyz", &["--cacert", path(&ca), "-H", "Authorization: Bearer right"]).await.status == 200
    })
    .await;
    for (shown, status) in [
        (bearer("right"), 200),
        (show(&right), 200),
        ([show(&right), bearer("wrong")].concat(), 200),
        (vec![], 401),
        (bearer("wrong"), 401),
        (bearer("expired"), 401),
        (vec!["-u".to_owned(), "web-1:right".to_owned()], 401),
        (show(&unlisted), 403),
        ([show(&unlisted), bearer("right")].concat(), 403),
        (show(&nameless), 403),
        (show(&two_names), 403),
        // These do not get past the handshake, whatever else they bring along.
        ([show(&expired), bearer("right")].concat(), 0),
        ([show(&foreign), bearer("right")].concat(), 0),
    ] {
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        for target in [POINTER, "/v1/status", "/metrics", "/readyz", "/nothing"] {
            let answer = curl(&gateway, target, &[&["--cacert", path(&ca)], &shown[..]].concat()).await;
            let expected = if (target, status) == ("/nothing", 200) { 404 } else { status };
            assert_eq!(answer.status, expected, "{target} {shown:?}: {answer:?}");
            if status == 401 {
                assert!(answer.text.contains("www-authenticate: Bearer"), "{answer:?}");
                // curl agrees on HTTP/2, which hangs up without a header for it.
                assert!(answer.text.starts_with("HTTP/2 401") && answer.text.contains("\"hint\""), "{answer:?}");
            }
        }
        if status != 0 {
            let alive = curl(&gateway, "/healthz", &[&["--cacert", path(&ca)], &shown[..]].concat()).await;
            assert_eq!(alive.status, 200, "{shown:?}: {alive:?}");
        }
    }
}

#[tokio::test]
async fn a15_a45_everybody_speaks_in_their_own_name_only() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let registry = Registry::new(&format!(
        "agents:\n  web-1: {{ token_sha256: {} }}\n  web-2: {{ token_sha256: {} }}\n\
         gateways:\n  below: {{ token_sha256: {} }}\nreaders:\n  prometheus: {{ token_sha256: {} }}\n",
        hash("one"),
        hash("two"),
        hash("three"),
        hash("four"),
    ));
    let gateway = by_token(&publication, &registry).await;
    until_ready(&gateway, "one").await;
    let (mut one, mut other) = (Agent::new("web-1"), Agent::new("web-2"));
    let said = one.applied(&pointer);
    for (token, status) in [("two", 403), ("three", 403), ("four", 403), ("five", 401), ("one", 202)] {
        assert_eq!(post(&gateway, "/v1/acks", token, &said).await.status, status, "{token}");
    }
    assert_eq!(post(&gateway, "/v1/acks", "one", &other.applied(&pointer)).await.status, 403);
    // A token vouches for the key, so a host that was set up anew has a new one.
    assert_eq!(post(&gateway, "/v1/acks", "one", &Agent::new("web-1").applied(&pointer)).await.status, 202);

    let summary = |name: &str| format!(r#"{{"gateway":"{name}","at":"2026-08-01T09:30:00.250Z","regions":[]}}"#);
    for (token, name, status) in
        [("one", "web-1", 403), ("four", "prometheus", 403), ("three", "elsewhere", 403), ("three", "below", 202)]
    {
        assert_eq!(
            post(&gateway, "/v1/summaries", token, summary(name).as_bytes()).await.status,
            status,
            "{token} {name}"
        );
    }
    let status = get(&gateway, "/v1/status", "four").await.json();
    assert_eq!(status["regions"][0]["agents"]["known"], 1);
}

#[tokio::test]
async fn a15_a_registered_key_is_the_only_one_and_strangers_have_none() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let (mut listed, mut stranger, mut liar) = (Agent::new("web-1"), Agent::new("web-2"), Agent::new("web-1"));
    let registry = Registry::new(&format!("agents:\n  web-1: {{ key: {} }}\n", listed.key.public()));
    let mut config = of_store(&publication);
    config.entrance.agents = Some(registry.path());
    let gateway = Running::start(config);
    gateway.until_ready().await;
    for (agent, status) in [(&mut stranger, 403), (&mut liar, 403), (&mut listed, 202)] {
        let reply = gateway.post("/v1/acks", &agent.applied(&pointer)).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
    assert_eq!(gateway.status().await.regions[0].agents.known, 1);
    // A host that was set up anew: its new key is listed, and counts as soon as that was read.
    registry.write(&format!("agents:\n  web-1: {{ key: {} }}\n", liar.key.public()));
    until("the new key", async || gateway.post("/v1/acks", &liar.applied(&pointer)).await.status == 202).await;
    assert_eq!(gateway.post("/v1/acks", &listed.applied(&pointer)).await.status, 403);
}

#[tokio::test]
async fn a46_a_flood_in_one_name_uses_up_that_name_alone() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let registry = Registry::new(&format!(
        "agents:\n  web-1: {{ token_sha256: {} }}\n  web-2: {{ token_sha256: {} }}\n",
        hash("one"),
        hash("two"),
    ));
    let gateway = by_token(&publication, &registry).await;
    until("the quota is used up", async || post(&gateway, "/v1/acks", "one", b"rubbish").await.status == 429).await;
    assert_eq!(post(&gateway, "/v1/acks", "two", b"rubbish").await.status, 400);
}

#[tokio::test]
async fn a_token_that_is_taken_off_the_list_is_worth_nothing() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let registry = Registry::new(&format!("agents: {{ web-1: {{ token_sha256: {} }} }}\n", hash("one")));
    let gateway = by_token(&publication, &registry).await;
    until_ready(&gateway, "one").await;
    // A connection that is open already is asked again with every request.
    let mut client = gateway.client().await;
    assert_eq!(client.get(POINTER, &[("Authorization", "Bearer one")]).await.status, 200);
    registry.write(&format!("agents: {{ web-1: {{ token_sha256: {} }} }}\n", hash("another")));
    until("the new token", async || get(&gateway, POINTER, "another").await.status == 200).await;
    assert_eq!(client.get(POINTER, &[("Authorization", "Bearer one")]).await.status, 401);
    // A file that cannot be read changes nothing, and says so.
    registry.write("agents: [web-1]\n");
    let complaint = async || get(&gateway, "/v1/status", "another").await.json()["source"]["problem"].clone();
    until("a complaint", async || !complaint().await.is_null()).await;
    assert_eq!(get(&gateway, POINTER, "another").await.status, 200);
    let metrics = String::from_utf8(get(&gateway, "/metrics", "another").await.body.to_vec()).expect("text");
    for line in [
        "driftless_gateway_reloads_total{what=\"agents\",outcome=\"replaced\"} 1",
        "driftless_gateway_reloads_total{what=\"agents\",outcome=\"refused\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in:\n{metrics}");
    }
}

#[tokio::test]
async fn a_certificate_alone_lets_in_and_names() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), Some((&authority, Presence::Optional)));
    config.entrance.admit = Admit::Certificate;
    let gateway = Running::start(config);
    let ca = authority.certificate();
    let mut nobody = Client::connect_tls(gateway.address, &ca, None).await;
    let refused = nobody.get(POINTER, &[]).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (403, None));
    assert!(nobody.rest().await.is_empty(), "who may not come in does not keep a place");
    let own = authority.client("web-1");
    let mut client = Client::connect_tls(gateway.address, &ca, Some(&own)).await;
    until("ready", async || client.get("/readyz", &[]).await.status == 200).await;
    assert_eq!(client.post("/v1/acks", &Agent::new("web-1").applied(&pointer)).await.status, 202);
    assert_eq!(client.post("/v1/acks", &Agent::new("web-2").applied(&pointer)).await.status, 403);
}
