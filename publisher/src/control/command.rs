//! Reads a command from the bytes of a request, strictly.
//!
//! A misspelt `region` must not turn a freeze of one region into a freeze of the world, so every name has to be known.

use schema::control::{Command, What};
use schema::pointer::Cause;
use schema::text::one_line;
use serde_json::Value;

/// Says why bytes are no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidCommand {
    #[error("a command has at most {BODY_MAX_BYTES} bytes")]
    TooLarge,
    #[error("the body is not a JSON object with a `do`")]
    NoObject,
    #[error("there is no command `{}`", .0.escape_debug())]
    Unknown(String),
    #[error("command `{command}` has no `{}`", name.escape_debug())]
    Stray { command: String, name: String },
    #[error("command `{command}` is not as it must be: {wrong}")]
    Shape { command: String, wrong: String },
    #[error("`why` is empty")]
    NoReason,
}

/// Every command by the name that stands in `do`.
pub(super) const NAMES: [&str; 9] =
    ["pause", "resume", "promote", "abort", "confirm", "freeze", "unfreeze", "quarantine", "release"];

/// Reads the body of a `POST /v1/control/commands`.
pub(super) fn parse(body: &[u8]) -> Result<Command, InvalidCommand> {
    if body.len() > BODY_MAX_BYTES {
        return Err(InvalidCommand::TooLarge);
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| InvalidCommand::NoObject)?;
    let Some(name) = value.get("do").and_then(Value::as_str).map(str::to_owned) else {
        return Err(InvalidCommand::NoObject);
    };
    if !NAMES.contains(&name.as_str()) {
        return Err(InvalidCommand::Unknown(name.chars().take(64).collect()));
    }
    let read: Result<Command, serde_json::Error> = serde_json::from_value(value.clone());
    let command = read
        .map_err(|error| InvalidCommand::Shape { command: name.clone(), wrong: one_line(&error.to_string(), 200) })?;
    if let Some(stray) = stray(&value, &command) {
        return Err(InvalidCommand::Stray { command: name, name: stray });
    }
    if one_line(&command.why, Cause::WHY_MAX).is_empty() {
        return Err(InvalidCommand::NoReason);
    }
    Ok(command)
}

/// A name in `value` that means nothing to the command.
fn stray(value: &Value, command: &Command) -> Option<String> {
    let known = serde_json::to_value(command).expect("a command is JSON");
    let mut names = value.as_object()?.keys();
    names.find(|name| known.get(name.as_str()).is_none()).map(|name| name.chars().take(64).collect())
}

/// The command in words, for a log; every part is a checked name.
pub(super) fn in_words(what: &What) -> String {
    let everywhere = |one: Option<String>, all: &str| one.unwrap_or_else(|| all.to_owned());
    let scope = |app: &Option<schema::App>, region: &Option<schema::Region>| {
        let app = everywhere(app.as_ref().map(|app| format!("app `{app}`")), "every app");
        let region = everywhere(region.as_ref().map(|region| format!("region `{region}`")), "every region");
        format!("{app} in {region}")
    };
    match what {
        What::Pause { app } => format!("pause the rollout of app `{app}`"),
        What::Resume { app } => format!("resume the rollout of app `{app}`"),
        What::Promote { app } => format!("promote the rollout of app `{app}`"),
        What::Abort { app } => format!("abort the rollout of app `{app}`"),
        What::Confirm { app } => format!("confirm the rollout of app `{app}`"),
        What::Freeze { app, region } => format!("freeze {}", scope(app, region)),
        What::Unfreeze { app, region } => format!("unfreeze {}", scope(app, region)),
        What::Quarantine { app, region, agent } => format!("quarantine agent `{agent}` of app `{app}` in `{region}`"),
        What::Release { app, region, agent } => format!("release agent `{agent}` of app `{app}` in `{region}`"),
    }
}

/// What holds a command many times over.
const BODY_MAX_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        parse(body.as_bytes()).map(|command| in_words(&command.what)).expect_err(body).to_string()
    }

    #[test]
    fn every_command_is_read_and_none_is_missing_from_the_list() {
        for name in NAMES {
            let body = format!(r#"{{"do":"{name}","app":"web","region":"eu","agent":"web-1","why":"so"}}"#);
            let fewer = format!(r#"{{"do":"{name}","app":"web","why":"so"}}"#);
            let read = parse(body.as_bytes()).or_else(|_| parse(fewer.as_bytes()));
            let read = read.or_else(|_| parse(body.replace(r#","agent":"web-1""#, "").as_bytes()));
            assert!(in_words(&read.expect(name).what).starts_with(name), "{name}");
        }
        let unknown = serde_json::from_str::<What>(r#"{"do":"?"}"#).expect_err("no such command").to_string();
        assert_eq!(unknown.matches('`').count() / 2, NAMES.len() + 1, "one more than we know: {unknown}");
    }

    #[test]
    fn a_misspelt_scope_is_not_the_whole_world() {
        let whole = parse(br#"{"do":"freeze","why":"fire"}"#).expect("a freeze of all");
        assert_eq!(whole.what, What::Freeze { app: None, region: None });
        assert_eq!(refused(r#"{"do":"freeze","regoin":"eu","why":"fire"}"#), "command `freeze` has no `regoin`");
        assert!(refused(r#"{"do":"freeze","region":"EU!","why":"fire"}"#).contains("valid region"));
        assert!(refused(r#"{"do":"pause","app":"web","region":"eu","why":"x"}"#).contains("has no `region`"));
    }

    #[test]
    fn what_is_no_command_is_said_without_its_control_characters() {
        assert_eq!(refused(r#"{"do":"sudo\u001b[2J","why":"x"}"#), "there is no command `sudo\\u{1b}[2J`");
        assert_eq!(refused("nonsense"), "the body is not a JSON object with a `do`");
        assert_eq!(refused("[]"), "the body is not a JSON object with a `do`");
        assert_eq!(refused(r#"{"do":"freeze"}"#), "`why` is empty");
        assert_eq!(refused("{\"do\":\"freeze\",\"why\":\"\\u001b\\n \"}"), "`why` is empty");
        assert!(refused(r#"{"do":"pause","why":"x"}"#).contains("missing field `app`"));
        assert!(matches!(parse(&[b' '; BODY_MAX_BYTES + 1]), Err(InvalidCommand::TooLarge)));
    }
}
