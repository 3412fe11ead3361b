//! Has the command rebuilt when the embedded example repository changes.

fn main() {
    println!("cargo:rerun-if-changed=examples-repo");
}
