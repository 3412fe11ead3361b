//! Who may sign commits of the repository that is being set up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::Repository;
use publisher::committer::Committer;

use crate::exit::Failure;
use crate::home::{self, Home};

/// The signers of a fresh policy.
pub(super) struct Signer {
    lines: Vec<String>,
    origin: Origin,
}

enum Origin {
    /// Public keys that were named, or that git signs with already.
    Yours { from: Vec<PathBuf> },
    /// A key made here, because there was none.
    Fresh(Box<Fresh>),
}

struct Fresh {
    committer: Committer,
    public: String,
    private: String,
    name: String,
    email: String,
}

impl Signer {
    /// The keys in `files`; or git's own signing key; or a fresh one.
    pub(super) fn choose(files: &[PathBuf], repository: &Repository) -> Result<Signer, Failure> {
        let settings = GitSettings::of(repository);
        if !files.is_empty() {
            return Signer::yours(files.to_vec(), &settings.email);
        }
        match &settings.signing_key {
            Some(SigningKey::File(file)) => return Signer::yours(vec![file.clone()], &settings.email),
            Some(SigningKey::Literal(key)) => {
                let lines = vec![policy_line(comment_of(key).unwrap_or(&settings.email), key)];
                return Ok(Signer { lines, origin: Origin::Yours { from: vec!["git's user.signingKey".into()] } });
            }
            None => {}
        }
        let committer = Committer::generate(&settings.name, &settings.email).map_err(Failure::unexpected)?;
        let public = committer.public_line().map_err(Failure::unexpected)?;
        let private = committer.private_openssh_text().map_err(Failure::unexpected)?;
        let lines = vec![policy_line(&settings.email, &public)];
        let GitSettings { name, email, .. } = settings;
        Ok(Signer { lines, origin: Origin::Fresh(Box::new(Fresh { committer, public, private, name, email })) })
    }

    fn yours(from: Vec<PathBuf>, email: &str) -> Result<Signer, Failure> {
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
            text.and_then(|text| {
                public_key_of(&text).ok_or_else(|| format!("{} is not an SSH public key", path.display()))
            })
        };
        let keys = from.iter().map(read).collect::<Result<Vec<String>, String>>();
        let keys =
            keys.map_err(|wrong| Failure::usage(wrong).hint("name files like ~/.ssh/id_ed25519.pub with --signer"))?;
        let lines = keys.iter().map(|key| policy_line(comment_of(key).unwrap_or(email), key)).collect();
        Ok(Signer { lines, origin: Origin::Yours { from } })
    }

    /// The committer, where the key was made here and can sign here.
    pub(super) fn fresh(&self) -> Option<&Committer> {
        self.made_here().map(|fresh| &fresh.committer)
    }

    fn made_here(&self) -> Option<&Fresh> {
        match &self.origin {
            Origin::Fresh(fresh) => Some(fresh),
            Origin::Yours { .. } => None,
        }
    }

    pub(super) fn policy_lines(&self) -> &[String] {
        &self.lines
    }

    /// Writes a fresh key into the home.
    pub(super) fn keep(&self, home: &Home) -> io::Result<()> {
        let Some(fresh) = self.made_here() else { return Ok(()) };
        home::write_secret(&home.key("signer"), &fresh.private)?;
        fs::write(home.key("signer.pub"), format!("{}\n", fresh.public))
    }

    pub(super) fn in_words(&self) -> String {
        match &self.origin {
            Origin::Yours { from } => from.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
            Origin::Fresh(_) => "a fresh SSH key in keys/signer (name your own with --signer)".to_owned(),
        }
    }

    /// The commands that make git sign with the fresh key.
    pub(super) fn git_configuration(&self, repository: &str, home: &Home) -> Option<Vec<String>> {
        self.made_here()?;
        let settings = git_settings(home);
        Some(settings.iter().map(|(name, value)| format!("git -C {repository} config {name} {value}")).collect())
    }

    /// Makes git sign with the fresh key in a repository that was made here.
    pub(super) fn configure(&self, repository: &Repository, home: &Home) -> Result<(), git2::Error> {
        let Some(fresh) = self.made_here() else { return Ok(()) };
        let mut config = repository.config()?;
        for (name, value) in git_settings(home) {
            config.set_str(name, &value)?;
        }
        // Whoever has no identity of their own gets the one of the key, so that the next commit works.
        for (name, value) in [("user.name", &fresh.name), ("user.email", &fresh.email)] {
            if config.get_string(name).is_err() {
                config.set_str(name, value)?;
            }
        }
        Ok(())
    }
}

fn git_settings(home: &Home) -> [(&'static str, String); 4] {
    [
        ("gpg.format", "ssh".to_owned()),
        ("user.signingKey", home.key("signer").display().to_string()),
        ("commit.gpgSign", "true".to_owned()),
        ("gpg.ssh.allowedSignersFile", home.allowed_signers().display().to_string()),
    ]
}

struct GitSettings {
    name: String,
    email: String,
    signing_key: Option<SigningKey>,
}

/// What git's `user.signingKey` is.
enum SigningKey {
    /// A file with the public half.
    File(PathBuf),
    /// The public half itself.
    Literal(String),
}

impl GitSettings {
    fn of(repository: &Repository) -> GitSettings {
        let read = |name: &str| repository.config().and_then(|config| config.get_string(name)).ok();
        let is_ssh = read("gpg.format").as_deref() == Some("ssh");
        GitSettings {
            name: read("user.name").unwrap_or_else(|| "Driftless".to_owned()),
            email: read("user.email").unwrap_or_else(|| "signer@localhost".to_owned()),
            signing_key: read("user.signingKey").filter(|_| is_ssh).and_then(|key| SigningKey::parse(&key)),
        }
    }
}

impl SigningKey {
    /// git takes a file, or the key itself, with or without `key::` before it.
    fn parse(text: &str) -> Option<SigningKey> {
        match public_key_of(text.strip_prefix("key::").unwrap_or(text)) {
            Some(key) => Some(SigningKey::Literal(key)),
            None => public_file_of(text).map(SigningKey::File),
        }
    }
}

/// git lets `user.signingKey` name either half of the key; the public one is wanted.
fn public_file_of(key: &str) -> Option<PathBuf> {
    let key = match key.strip_prefix("~/") {
        Some(rest) => Path::new(&std::env::var_os("HOME")?).join(rest),
        None => PathBuf::from(key),
    };
    let mut public = key.clone().into_os_string();
    public.push(".pub");
    [PathBuf::from(public), key]
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "pub") && path.exists())
}

fn public_key_of(text: &str) -> Option<String> {
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim();
    ssh_key::PublicKey::from_openssh(line).ok().map(|_| line.to_owned())
}

fn comment_of(key: &str) -> Option<&str> {
    key.splitn(3, ' ').nth(2).filter(|comment| comment.contains('@') && !comment.contains(char::is_whitespace))
}

fn policy_line(principal: &str, key: &str) -> String {
    let bare: Vec<&str> = key.split(' ').take(2).collect();
    format!("{principal} namespaces=\"git\" {}", bare.join(" "))
}
