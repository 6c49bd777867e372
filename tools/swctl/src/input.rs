//! What comes in: JSON arguments, files, standard input, answers to questions.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::Path;

use crate::failure::Failure;
use crate::out;

/// A JSON argument: itself, `-` for standard input, or `@FILE`. Whether it is JSON says the library.
pub fn json(typed: &str) -> Result<String, Failure> {
    let text = match typed.strip_prefix('@') {
        Some(file) => fs::read_to_string(file)
            .map_err(|error| Failure::Environment(format!("{file} cannot be read: {error}")))?,
        None if typed == "-" => all_of_stdin()?,
        None => return Ok(typed.to_string()),
    };
    Ok(text.trim_end().to_string())
}

/// The text of a file, or of standard input for `-`.
pub fn file(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        return all_of_stdin();
    }
    fs::read_to_string(path).map_err(|error| {
        Failure::Environment(format!("{} cannot be read: {error}", path.display()))
    })
}

fn all_of_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::Environment(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}

/// Asks whether to go on. Without a terminal nobody can be asked, so `yes` must have been given.
pub fn is_sure(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!(
            "{question} There is no terminal to ask on: give --yes or --dry-run"
        )));
    }
    out::ask(&format!("{question} Go on? [y/N] "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" if read.is_ok() => Ok(()),
        _ => {
            out::say("nothing was done");
            Err(Failure::No)
        }
    }
}
