//! What to type while a kept demo runs.

use std::process::Command;

use super::fleet::Fleet;
use super::world::World;
use crate::exit::Failure;
use crate::out;

/// Makes a clone to play in, and says what to type.
pub(super) fn tell(world: &World, fleet: &Fleet) -> Result<(), Failure> {
    let work = world.config_git().with_file_name("work");
    let cloned = Command::new("git").arg("clone").arg("--quiet").args([world.config_git(), work.clone()]).status();
    let cloned = cloned.map_err(Failure::unexpected)?.success();
    if cloned {
        let repository = git2::Repository::open(&work).map_err(Failure::unexpected)?;
        let mut config = repository.config().map_err(Failure::unexpected)?;
        let signer = world.home.key("signer").display().to_string();
        let settings = [
            ("user.name", "Robin Example"),
            ("user.email", "robin@example.com"),
            ("gpg.format", "ssh"),
            ("user.signingKey", &signer),
            ("commit.gpgSign", "true"),
        ];
        for (name, value) in settings {
            config.set_str(name, value).map_err(Failure::unexpected)?;
        }
    }
    let work = work.display();
    let root = world.home.root();
    out::talk("");
    out::talk("Still running. In another terminal:");
    out::talk(&format!("  driftless status --url {}", world.gateway));
    if cloned {
        out::talk(&format!(
            "  cd {work} && $EDITOR apps/rate-limits/limits.yaml && git commit -am 'Change a limit' && git push"
        ));
        out::talk(&format!("  git -C {work} revert --no-edit HEAD && git -C {work} push"));
    }
    out::talk(&format!("  ls -l {}/apps/edge-proxy/", fleet.first_state().display()));
    out::talk(&format!("  driftless history --home {} --app edge-proxy --region eu-west", world.home.dir().display()));
    out::talk(&format!("  curl -s {}v1/apps/edge-proxy/regions/eu-west/pointer", world.gateway));
    out::talk(&format!("  head -n1 {}", root.display()));
    out::talk("Ctrl-C ends it and removes the folder.");
    Ok(())
}
