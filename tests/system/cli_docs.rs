//! `docs/cli.md` is what `--help` prints.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The subcommands, as `--help` lists them, each before its own.
fn commands() -> Vec<Vec<String>> {
    let commands = commands_of(&[]);
    for known in [&["up"][..], &["keys", "new"]] {
        assert!(commands.len() > 10 && commands.iter().any(|command| command == known), "{commands:?}");
    }
    commands
}

fn commands_of(parent: &[String]) -> Vec<Vec<String>> {
    let help = help(parent);
    // A command of its own begins its line two blanks in; what it does may go on below, further in.
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help");
    let commands = names.map(|name| [parent, &[name.to_owned()]].concat());
    commands.flat_map(|command| [vec![command.clone()], commands_of(&command)].concat()).collect()
}

#[test]
fn the_documented_help_is_the_printed_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let mut text =
        "# Commands\n\nWhat `driftless --help` prints, subcommand by subcommand; made by `just cli-docs`.\n".to_owned();
    write!(text, "\n## driftless\n\n```text\n{}\n```\n", help(&[])).expect("strings can be written to");
    for command in &commands() {
        write!(text, "\n## driftless {}\n\n```text\n{}\n```\n", command.join(" "), help(command))
            .expect("strings can be written to");
    }
    if std::env::var_os("DRIFTLESS_WRITE_CLI_DOCS").is_some() {
        fs::write(&file, &text).expect("docs/cli.md can be written");
    }
    let documented = fs::read_to_string(&file).unwrap_or_default();
    assert!(documented == text, "docs/cli.md is not what --help prints; run `just cli-docs`");
}

#[test]
fn every_subcommand_has_a_man_page_and_every_shell_a_script() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let man = driftless(&["man", "--dir", &folder.path().display().to_string()]);
    assert!(man.status.success());
    for command in commands() {
        let page = format!("driftless-{}.1", command.join("-"));
        assert!(folder.path().join(&page).exists(), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = driftless(&["completions", shell]);
        assert!(script.status.success() && String::from_utf8_lossy(&script.stdout).contains("driftless"), "{shell}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for command in ["completions bash", "man"] {
        let script = format!("'{}' {command} | :; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_driftless"));
        let run = Command::new("bash").args(["-c", &script]).output().expect("bash is installed");
        assert!(run.status.success() && run.stderr.is_empty(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

fn help(command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
    let run = driftless(&words);
    assert!(run.status.success(), "{command:?} --help");
    let text = String::from_utf8(run.stdout).expect("help is text");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn driftless(args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    command.args(args).env_remove("DRIFTLESS_LOG").env_remove("DRIFTLESS_URL").env("COLUMNS", "110");
    command.output().expect("driftless starts")
}
