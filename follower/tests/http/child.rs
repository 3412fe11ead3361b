//! What depends on the environment is tested in a process of its own, since an environment cannot be changed safely under
//! threads: the test starts this binary again, for itself alone, and looks at what came of it.

use std::env;
use std::ffi::OsStr;

use tokio::process::Command;

/// Whether this process was started by [`run`]: then the test does the child's part.
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs the test `name` in a child, with more in its environment; it must pass.
pub(crate) async fn run(name: &str, environment: &[(&str, &OsStr)]) {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([name, "--exact", "--nocapture"]).env(CHILD, "1").envs(environment.iter().copied()).kill_on_drop(true);
    let ran = test.output().await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("1 passed"), "{name} did not run: {said}");
}

/// What the parent said in its environment.
pub(crate) fn told(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set by the test that starts this one"))
}

const CHILD: &str = "FOLLOWER_CHILD";
