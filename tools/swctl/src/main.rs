//! The program: reads what was typed, does it, and ends with the code that says what came of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    swctl::command::main()
}
