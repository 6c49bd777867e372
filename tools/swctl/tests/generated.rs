//! The manual and the completions that are committed are those that the program writes.
//! `SW_UPDATE_TOOL=1 cargo test --test generated` writes them anew.

mod support;

use std::fs;
use std::path::Path;

use support::swctl;

/// Files below this package, and what is typed to get them.
const GENERATED: [(&str, &[&str]); 4] = [
    ("man/swctl.1", &["man"]),
    ("completions/swctl.bash", &["completions", "bash"]),
    ("completions/_swctl", &["completions", "zsh"]),
    ("completions/swctl.fish", &["completions", "fish"]),
];

#[test]
fn the_committed_manual_and_completions_are_what_the_program_writes() {
    for (path, args) in GENERATED {
        let made = swctl().args(args).output().expect("it runs");
        assert!(made.status.success(), "{args:?}: {}", String::from_utf8_lossy(&made.stderr));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("SW_UPDATE_TOOL").is_some() {
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(&file, &made.stdout).expect("it can be written");
        }
        let kept = fs::read(&file).unwrap_or_default();
        assert!(
            kept == made.stdout,
            "{path} is not what the program writes: run with SW_UPDATE_TOOL=1"
        );
    }
}
