//! The library is a good guest: `tests/manners/guest.c` loads it as a run-time of another language
//! does and looks at what it leaves behind in the process.

#![allow(clippy::print_stdout, reason = "the closing line is told")]

use std::process::Command;

#[path = "support/native.rs"]
mod native;

use native::{all_said, output, root, said, shared_library, strict};

#[test]
fn signals_descriptors_threads_and_loading_are_left_as_the_host_had_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("guest");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    said(
        Command::new(&compiler)
            .args(strict(&compiler))
            .args(["-std=gnu11", "-Wall", "-Wextra", "-g", "-pthread", "-I"])
            .arg(root("include"))
            .arg(root("tests/manners/guest.c"))
            .arg("-o")
            .arg(&program)
            .arg("-ldl"),
    );
    let end = output(Command::new(program).arg(shared_library()).arg(folder.path()));
    let printed = all_said(&end);
    println!("guest.c: {}", printed.lines().last().unwrap_or_default());
    assert!(end.status.success() && printed.ends_with(" 0 failed\n"), "{}\n{printed}", end.status);
}
