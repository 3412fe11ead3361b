use std::path::Path;

use schema::{Epoch, Timestamp};

use super::*;

fn role(threshold: usize, keys: &[&SecretKey]) -> RoleKeys {
    RoleKeys::new(threshold, keys.iter().map(|key| key.public().clone()).collect()).expect("a role")
}

fn eu() -> Region {
    "eu-west".parse().expect("a region")
}

fn root(other: &SecretKey, keys: &Keys) -> TrustRoot {
    TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::from_unix_millis(1),
        release_floor: 0,
        revoked: Vec::new(),
        root: role(1, &[other]),
        release: role(1, &[other, &keys.release[0]]),
        pointer: role(1, &[other]),
        pointer_of_region: [(eu(), role(1, &[&keys.pointer[0]]))].into(),
    }
}

fn keys() -> Keys {
    let one = || vec![SecretKey::generate()];
    Keys { release: one(), pointer: one(), ..Keys::default() }
}

#[test]
fn keys_fit_a_root_that_takes_them_somewhere() {
    let (keys, other) = (keys(), SecretKey::generate());
    let fitting = root(&other, &keys);
    assert!(keys.fit(&fitting, Duty::Everything).is_ok());
    assert!(keys.for_pointer(&fitting, &eu()).is_some());
    assert!(keys.for_pointer(&fitting, &"mars".parse().expect("a region")).is_none());
    let two_needed = TrustRoot { release: role(2, &[&other, &keys.release[0]]), ..fitting.clone() };
    assert!(keys.fit(&two_needed, Duty::Everything).is_ok(), "another may sign, too");
    let gone = TrustRoot { release: role(1, &[&other]), ..fitting.clone() };
    let refused = keys.fit(&gone, Duty::Everything).expect_err("no such release key");
    assert!(refused.role == Role::Release && refused.to_string().contains(&keys.release[0].public().to_string()));
    assert!(keys.fit(&gone, Duty::Pointer).is_ok(), "a role that it does not have needs no key");
    let nowhere = TrustRoot { pointer_of_region: [].into(), ..fitting };
    assert_eq!(keys.fit(&nowhere, Duty::Pointer).expect_err("no region takes it").role, Role::Pointer);
    assert!(keys.fit(&nowhere, Duty::Release).is_ok());
}

#[test]
fn several_keys_of_one_process_sign_where_several_are_needed() {
    let mut keys = keys();
    let other = SecretKey::generate();
    let second = SecretKey::generate();
    let fitting = root(&other, &keys);
    let both = [(eu(), role(2, &[&keys.pointer[0], &second]))].into();
    let two_needed = TrustRoot { pointer_of_region: both, ..fitting };
    assert!(keys.for_pointer(&two_needed, &eu()).is_none());
    // A19: the same key twice is one.
    let text = keys.pointer[0].to_file_text();
    keys.pointer.push(SecretKey::from_file_text(&text).expect("our own file"));
    assert!(keys.for_pointer(&two_needed, &eu()).is_none());
    keys.pointer_of_region.insert(eu(), vec![second]);
    assert_eq!(keys.for_pointer(&two_needed, &eu()).map(|keys| keys.len()), Some(2));
}

/// The keys that the configuration `yaml` names, with its paths in `folder`.
fn load(folder: &Path, yaml: &str, duty: Duty) -> Result<Keys, KeyError> {
    let mut section: KeySection =
        schema::yaml::from_str("publisher.yaml", yaml, &schema::Limits::DEFAULT).expect("a section");
    section.resolve(folder);
    Keys::load(&section, duty)
}

#[test]
fn keys_come_from_files_programs_and_behind_passwords() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writable");
    let open = SecretKey::generate();
    let (protected, public) = SecretKey::generate_protected("correct horse");
    write("open.key", &open.to_file_text());
    write("protected.key", &protected);
    write("password", "correct horse\n");
    let cat = folder.path().join("open.key").display().to_string();
    let yaml = format!(
        "release: [open.key, {{ file: protected.key, password: {{ file: password }} }}]\npointer: {{ command: [cat, {cat}] }}\n"
    );
    let keys = load(folder.path(), &yaml, Duty::Everything).expect("all are there");
    let publics: Vec<&PublicKey> = keys.release.iter().map(SecretKey::public).collect();
    assert_eq!((publics, keys.pointer[0].public()), (vec![open.public(), &public], open.public()));

    // A role that the process does not have is not read at all.
    std::fs::remove_file(folder.path().join("password")).expect("it was there");
    let keys = load(folder.path(), &yaml, Duty::Pointer).expect("the password is not needed");
    assert!(keys.release.is_empty() && keys.pointer.len() == 1);
    assert!(matches!(
        load(folder.path(), "release: open.key\n", Duty::Pointer),
        Err(KeyError::Missing { role: Role::Pointer })
    ));
    let wrong = "release: { file: protected.key, password: { command: [echo, battery] } }\n";
    let refused = load(folder.path(), wrong, Duty::Release).expect_err("another password");
    let said = crate::causes(&refused).join(": ");
    assert!(said.contains("protected.key") && said.contains("password") && !said.contains("battery"), "{said}");
}

#[test]
fn what_is_no_key_is_named_and_not_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("release.key"), "hush").expect("the folder is writable");
    for yaml in ["release: release.key\n", "release: { command: [sh, -c, echo hush] }\n"] {
        let refused = crate::causes(&load(folder.path(), yaml, Duty::Release).expect_err("no key")).join(": ");
        assert!(!refused.contains("hush") && (refused.contains("release.key") || refused.contains("sh")), "{refused}");
    }
    let keys = keys();
    let shown = format!("{keys:?}");
    let text = keys.release[0].to_file_text();
    let secret = text.lines().nth(1).expect("two lines");
    assert!(!shown.contains(&secret[60..100]), "{shown}");
}
