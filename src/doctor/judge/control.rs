//! Commands: who may give them, who could steal a token, and who could hear one.

use crate::doctor::facts::{ControlFacts, Facts, Listener, TokenFile, Transport};
use crate::doctor::finding::Finding;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(control) = &facts.control else {
        return vec![Finding::ok("control", "nobody may command rollouts: the configuration has no `control`")];
    };
    vec![access(control), tokens(&control.tokens), heard(facts.listener.as_ref())]
}

fn access(ControlFacts { path, mode, access, .. }: &ControlFacts) -> Finding {
    match access {
        Err(why) => {
            Finding::broken("control", why, "mend the file named as `control:`, or the publisher does not start")
        }
        Ok(()) if mode & WRITABLE_BY_OTHERS != 0 => {
            let says =
                format!("{} has mode {:04o}: others can make themselves operators", path.display(), mode & 0o7777);
            Finding::weak("control", says, format!("chmod go-w {}", path.display()))
        }
        Ok(()) => Finding::ok("control", "who may command can be read, and changed by its owner alone"),
    }
}

fn tokens(tokens: &[TokenFile]) -> Finding {
    let open: Vec<&TokenFile> = tokens.iter().filter(|token| token.mode & OTHERS != 0).collect();
    if open.is_empty() {
        let noun = if tokens.len() == 1 { "token file" } else { "token files" };
        return Finding::ok("control.tokens", format!("{} {noun}, for their owner alone", tokens.len()));
    }
    let say = |token: &&TokenFile| format!("{} has mode {:04o}", token.path.display(), token.mode & 0o7777);
    let says: Vec<String> = open.iter().map(say).collect();
    let paths: Vec<String> = open.iter().map(|token| token.path.display().to_string()).collect();
    Finding::weak("control.tokens", says.join("; "), format!("chmod 600 {}", paths.join(" ")))
}

fn heard(listener: Option<&Listener>) -> Finding {
    match listener {
        Some(Listener { address, transport: Ok(Transport::Plain) }) if !address.ip().is_loopback() => {
            let mend = "whoever hears a token may command rollouts; configure `tls` in the file named as `entrance:`";
            Finding::weak("control.transport", format!("tokens are taken over plain HTTP on {address}"), mend)
        }
        _ => Finding::ok("control.transport", "no token travels where others can read it"),
    }
}

/// Whether anybody but the owner may do anything with a file.
const OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;
