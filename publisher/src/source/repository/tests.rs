use super::*;

#[test]
fn a36_hostile_places_are_refused() {
    let hostile = [
        "",
        "-",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=touch /tmp/x",
        "ext::sh -c touch% /tmp/x",
        "fd::7",
        "file:///srv/config.git",
        "file:/srv/config.git",
        "http://git.example.com/config.git",
        "git://git.example.com/config.git",
        "ftp://git.example.com/config.git",
        "HTTPS://git.example.com/config.git",
        "git+ssh://git.example.com/config.git",
        "https://",
        "https://git.example.com",
        "https://git.example.com/",
        "https://user:secret@git.example.com/config.git",
        "https://git.example.com\n.evil.com/config.git",
        "https://git.example.com/config.git%0ahost=evil.com",
        "https://git.example.com/config%00.git",
        "https://git.example.com/..%2f..%2fconfig.git",
        "https://git.example.com/../config.git",
        "https://git.example.com/config.git?x=y",
        "https://git.example.com/config.git#x",
        "https://git.example.com:0/config.git",
        "https://git.example.com:+80/config.git",
        "https://git.example.com:99999/config.git",
        "https://-git.example.com/config.git",
        "https://git..example.com/config.git",
        "https://git.example.com /config.git",
        "https://[::1%eth0]/config.git",
        "https://evil.com\\@git.example.com/config.git",
        "ssh://-oProxyCommand=touch/config.git",
        "ssh://-oProxyCommand=touch@git.example.com/config.git",
        "ssh://git@-oProxyCommand=touch/config.git",
        "ssh://git:secret@git.example.com/config.git",
        "ssh://a@b@git.example.com/config.git",
        "ssh://git@git.example.com/-config.git",
        "ssh://git@git.example.com/$(touch x)",
        "ssh://git@git.example.com/`touch x`",
        "git@git.example.com:",
        "git@git.example.com:-config.git",
        "git@git.example.com:config.git;touch x",
        "git@-git.example.com:config.git",
        "-git@git.example.com:config.git",
        "git@[::1]:x y",
        "git.example.com:config.git",
        "C:config",
        "~/config.git",
        "conf\u{1b}[2Jig",
        "conf\0ig",
    ];
    for bad in hostile {
        assert!(bad.parse::<RepositoryUrl>().is_err(), "{bad:?}");
    }
}

#[test]
fn ordinary_places_are_kept_as_they_are() {
    let remote = [
        ("https://git.example.com/team/config.git", Protocol::Https),
        ("https://git.example.com:8443/team/my%20config", Protocol::Https),
        ("https://[2001:db8::1]:8443/config.git", Protocol::Https),
        ("ssh://git@git.example.com/team/config.git", Protocol::Ssh),
        ("ssh://git.example.com:2222/~git/config.git", Protocol::Ssh),
        ("git@git.example.com:team/config.git", Protocol::Ssh),
        ("git@git.example.com:/srv/config.git", Protocol::Ssh),
        ("deploy_1@host-2:config.git", Protocol::Ssh),
    ];
    for (text, protocol) in remote {
        let url: RepositoryUrl = text.parse().expect(text);
        assert_eq!(url.remote(), Some((protocol, text)));
        assert_eq!((url.local_path(), url.clone().relative_to(Path::new("/etc")) == url), (None, true));
    }
    for (text, path) in [
        ("/srv/config.git", "/srv/config.git"),
        ("config", "/etc/driftless/config"),
        ("../config", "/etc/driftless/../config"),
        ("./odd:name", "/etc/driftless/./odd:name"),
        (".", "/etc/driftless/."),
        ("with blank/and é", "/etc/driftless/with blank/and é"),
    ] {
        let url: RepositoryUrl = text.parse().expect(text);
        assert_eq!(url.relative_to(Path::new("/etc/driftless")).local_path(), Some(Path::new(path)));
    }
}

#[test]
fn a_refusal_shows_no_password_and_no_escape_sequence() {
    let refused = "https://user:secret@git.example.com/c".parse::<RepositoryUrl>().expect_err("credentials");
    assert!(!refused.to_string().contains("secret") && refused.to_string().contains("git.example.com"), "{refused}");
    let refused = "a\u{1b}[2Jb".parse::<RepositoryUrl>().expect_err("control characters");
    assert!(!refused.to_string().contains('\u{1b}'));
}
