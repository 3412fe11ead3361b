//! `driftless up` behind TLS and admission, with an agent and people that show who they are.

use std::fs;
use std::process::{Command, Output};

use crate::world::{Up, World, assert_ok, curl, eventually, stderr};

/// An authority, a certificate for 127.0.0.1, and a token, made by the stock openssl.
fn credentials(world: &World) {
    let openssl = |args: &[&str]| {
        let made =
            Command::new("openssl").current_dir(world.path("")).args(args).output().expect("openssl is installed");
        assert_ok(&made, &format!("openssl {args:?}"));
    };
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let with_ec = |args: &[&str]| openssl(&[&args[..2], &ec, &args[2..]].concat());
    with_ec(&["req", "-x509", "-days", "2", "-subj", "/CN=our gateways", "-keyout", "ca.key", "-out", "ca.pem"]);
    with_ec(&["req", "-new", "-subj", "/CN=up", "-keyout", "up.key", "-out", "up.csr"]);
    fs::write(world.path("up.ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        .expect("a small file");
    let authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    openssl(&[&["x509", "-req", "-in", "up.csr", "-extfile", "up.ext", "-out", "up.pem"], &authority[..]].concat());
    fs::write(world.path("web-1.token"), "token-of-web-1\n").expect("a small file");
    let hash = schema::Digest::of(b"token-of-web-1");
    let agents = format!("agents:\n  web-1: {{ token_sha256: {hash} }}\n");
    fs::write(world.path("agents.yaml"), agents).expect("a small file");
    let entrance = "tls: { certificate: ../up.pem, key: ../up.key }\nadmit: [token]\nagents: ../agents.yaml\n";
    fs::write(world.home().join("entrance.yaml"), entrance).expect("a small file");
    world.configure("state: state\n", "state: state\nentrance: entrance.yaml\n");
}

fn status(world: &World, up: &Up, more: &[&str]) -> Output {
    world.run(&[&["status", "--url", &up.url, "--json"], more].concat())
}

#[test]
fn a14_behind_tls_and_tokens_everything_works_for_those_who_are_known_and_nothing_for_others() {
    let world = World::new();
    credentials(&world);
    let up = world.up();
    assert!(up.url.starts_with("https://"), "{}", up.url);
    let config = world.agent_yaml("web-1", "eu-west", &[&up.url], "  web: {}\n");
    let with_files = format!(
        "{}token: web-1.token\ntls: {{ ca: ca.pem }}\n",
        fs::read_to_string(&config).expect("it was just written")
    );
    fs::write(&config, with_files).expect("a small file");
    let agent = world.agent_with("web-1", &config);
    world.commit("apps/web/settings.yaml", "greeting: in private\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: in private\n");

    let known = ["--ca", "ca.pem", "--token", "web-1.token"];
    eventually("its ack is counted under its name", || {
        let told = status(&world, &up, &known);
        assert_ok(&told, "driftless status");
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
        let regions = told["regions"].as_array().cloned().unwrap_or_default();
        regions.iter().any(|region| region["agents"]["known"] == 1)
    });

    fs::write(world.path("guessed.token"), "guess\n").expect("a small file");
    for (who, more) in [
        ("nobody", &["--ca", "ca.pem"][..]),
        ("who guesses", &["--ca", "ca.pem", "--token", "guessed.token"]),
        ("who trusts another authority", &["--token", "web-1.token"]),
    ] {
        let refused = status(&world, &up, more);
        assert_eq!(refused.status.code(), Some(5), "{who}: {}", stderr(&refused));
        assert!(!stderr(&refused).contains("token-of-web-1"), "no token is ever shown: {}", stderr(&refused));
    }
    let ca = world.path("ca.pem").display().to_string();
    let refused =
        curl(&["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", &ca, &up.pointer_url("web", "eu-west")]);
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "401");
}
