//! A gateway whose upstream is in the wrong hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use follower::Credentials;
use gateway::{Admit, Followed, Presence};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::agent::Agent;
use crate::authority::Authority;
use crate::client::{Client, Reply};
use crate::proxy::Proxy;
use crate::publication::{Publication, name};
use crate::running::{Running, behind_url, of_store, until};
use crate::tls::tls;

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

fn is_pointer(target: &str) -> bool {
    target.starts_with(POINTER)
}

/// A gateway behind `proxy`, which shows it these credentials and follows one pointer.
fn below(proxy: &Proxy, scheme: &str, credentials: Credentials, publication: &Publication) -> Running {
    let base = format!("{scheme}://{}/", proxy.address).parse().expect("a base URL");
    let mut config = behind_url(base, credentials, publication);
    config.follow = vec![Followed { app: name("edge-proxy"), region: name("eu-west") }];
    Running::start(config)
}

#[tokio::test]
async fn a13_a_redirect_is_not_followed_and_takes_no_token_along() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let proxy = Proxy::start(top.address, None).await;
    // Somebody else, who is never to be asked anything.
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = elsewhere.local_addr().expect("an address").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&asked);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while elsewhere.accept().await.is_ok() {
            counting.fetch_add(1, Ordering::Relaxed);
        }
    });

    let locations = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://127.0.0.1:{port}{POINTER}"),
        format!("https://127.0.0.1:{port}{POINTER}"),
        format!("//127.0.0.1:{port}{POINTER}"),
        format!("http://localhost:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://user:password@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}@elsewhere.invalid/"),
        format!("gopher://127.0.0.1:{port}/"),
        POINTER.to_owned(),
        String::new(),
    ];
    let (number, sent) = (locations.len(), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&sent);
    proxy.lies(move |target, reply| {
        if !is_pointer(target) {
            return reply;
        }
        let turn = counting.fetch_add(1, Ordering::Relaxed);
        let status = [301, 302, 303, 307, 308][turn % 5];
        let location = locations[turn % locations.len()].clone();
        Reply { status, headers: vec![("location".to_owned(), location)], body: Default::default() }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").expect("a write");
    let credentials = Credentials { token: Some(token), ..Credentials::default() };
    // Several, because each of them waits the longer the more often it is sent elsewhere.
    let gateways: Vec<Running> = (0..4).map(|_| below(&proxy, "http", credentials.clone(), &publication)).collect();
    let gateway = &gateways[0];
    until("every location", async || sent.load(Ordering::Relaxed) >= number).await;
    let status = gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert!(status.source.problem.is_some_and(|problem| problem.contains("redirects to")));
    assert_eq!(asked.load(Ordering::Relaxed), 0, "nobody else was asked");
    assert!(proxy.heads().iter().all(|head| head.to_lowercase().contains("authorization: bearer secret")));

    proxy.lies(|_, reply| reply);
    gateway.until_generation("edge-proxy", 1).await;
    assert_eq!(gateway.get(POINTER, &[]).await.body, *pointer.bytes());
}

#[tokio::test]
async fn a14_whoever_opens_tls_can_delay_and_that_is_seen() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    // Trusted, and in the wrong hands.
    let authority = Authority::new("wrong hands");
    let proxy = Proxy::start(top.address, Some(&authority.server())).await;
    let credentials = Credentials { ca: Some(authority.certificate()), ..Credentials::default() };
    let gateway = below(&proxy, "https", credentials, &publication);
    gateway.until_generation("edge-proxy", 1).await;
    let first = gateway.get(POINTER, &[]).await.body;

    let flip = |target: &str, mut reply: Reply| {
        if is_pointer(target) && reply.status == 200 {
            let mut body = reply.body.to_vec();
            let at = body.len() / 3;
            body[at] ^= 1;
            reply.body = body.into();
        }
        reply
    };
    proxy.lies(flip);
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    top.until_generation("edge-proxy", 2).await;
    gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert_eq!(gateway.get(POINTER, &[]).await.body, first);
    proxy.lies(|_, reply| reply);
    gateway.until_generation("edge-proxy", 2).await;
    assert_eq!(gateway.get(POINTER, &[]).await.body, *second.bytes());
    gateway.until("no problem", |status| status.source.problem.is_none()).await;
}

#[tokio::test]
async fn a14_an_upstream_of_another_authority_is_not_spoken_to() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let proxy = Proxy::start(top.address, Some(&wrong.server())).await;
    let credentials = Credentials { ca: Some(right.certificate()), ..Credentials::default() };
    let gateway = below(&proxy, "https", credentials, &publication);
    gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert!(proxy.heads().is_empty(), "{:?}", proxy.heads());
}

#[tokio::test]
async fn a45_an_upstream_that_serves_old_and_forged_pointers_changes_nothing() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let proxy = Proxy::start(top.address, None).await;
    let gateway = below(&proxy, "http", Credentials::default(), &publication);
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    gateway.until_generation("edge-proxy", 2).await;

    // Signed by keys of its own, and far ahead.
    let stranger = Publication::new();
    let forged = stranger.pointer("edge-proxy", "eu-west", 9, first.stable);
    let elsewhere = publication.pointer("edge-proxy", "us-east", 3, first.stable);
    for (lie, complaint) in [
        (first.bytes().clone(), "rollback"),
        (forged.bytes().clone(), "does not verify"),
        (elsewhere.bytes().clone(), "us-east"),
    ] {
        proxy.lies(move |target, reply| {
            let body = lie.clone();
            if is_pointer(target) { Reply { status: 200, headers: Vec::new(), body } } else { reply }
        });
        gateway
            .until(complaint, |status| status.source.problem.as_ref().is_some_and(|it| it.contains(complaint)))
            .await;
        assert_eq!(gateway.get(POINTER, &[]).await.body, *second.bytes());
    }
    // An upstream that drops what is said to it makes nobody healthier, and is seen as well.
    proxy.lies(|_, reply| reply);
    let third = publication.publish("edge-proxy", "eu-west", 3).await;
    gateway.until_generation("edge-proxy", 3).await;
    assert_eq!(gateway.get(POINTER, &[]).await.body, *third.bytes());
    let said = Agent::new("web-1").applied(&third);
    assert_eq!(gateway.post("/v1/acks", &said).await.status, 202);
    gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert_eq!(top.status().await.regions[0].agents.known, 0);
}

#[tokio::test]
async fn a45_a_gateway_shows_its_certificate_and_reports_in_no_other_name() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.name = name("top");
    config.entrance.tls = tls(&authority.server(), Some((&authority, Presence::Required)));
    config.entrance.admit = Admit::Certificate;
    let top = Running::start(config);
    let own = authority.client("below");
    let start = |called: &str| {
        let base = format!("https://{}/", top.address).parse().expect("a base URL");
        let credentials = Credentials {
            ca: Some(authority.certificate()),
            certificate: Some(own.certificate.clone()),
            key: Some(own.key.clone()),
            token: None,
        };
        let mut config = behind_url(base, credentials, &publication);
        config.name = name(called);
        Running::start(config)
    };
    let (honest, liar) = (start("below"), start("another"));
    for (gateway, agent) in [(&honest, "web-1"), (&liar, "web-2")] {
        let said = Agent::new(agent).applied(&pointer);
        until("a report is taken", async || gateway.post("/v1/acks", &said).await.status == 202).await;
    }
    let mut client = Client::connect_tls(top.address, &authority.certificate(), Some(&own)).await;
    let mut status = async || client.get("/v1/status", &[]).await.json();
    until("a report", async || status().await["below"] != serde_json::Value::Null).await;
    let problem = liar.until("a problem", |status| status.source.problem.is_some()).await.source.problem;
    assert!(problem.as_ref().is_some_and(|problem| problem.contains("403")), "{problem:?}");
    // What the agents behind it signed themselves counts all the same: it is not its to lie about.
    until("two agents", async || status().await["regions"][0]["agents"]["known"] == 2).await;
    let below = status().await["below"].clone();
    let names: Vec<&str> = below.as_array().expect("a list").iter().filter_map(|it| it["gateway"].as_str()).collect();
    assert_eq!(names, ["below"]);
}
