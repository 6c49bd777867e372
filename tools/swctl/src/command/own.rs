//! What the tool says of itself: its version, its manual, completions for shells.

use std::io;

use clap::CommandFactory;

use super::Done;
use crate::cli::{Cli, Look};
use crate::door::build_info;
use crate::out::Out;

pub(super) fn version(look: &Look) -> Done {
    let mut out = Out::new(look);
    if out.is_json() {
        out.document(build_info())?;
        return Ok(out.flush()?);
    }
    let info: serde_json::Value = serde_json::from_str(build_info())?;
    let word = |key: &str| info[key].as_str().unwrap_or_default().to_string();
    out.line(&format!(
        "swctl {} with {} {} and SQLite {}",
        env!("CARGO_PKG_VERSION"),
        word("library"),
        word("version"),
        word("sqlite_version")
    ))?;
    Ok(out.flush()?)
}

/// The completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "swctl", &mut text);
    text
}

/// The manual: one page, in which each command has a section.
pub fn manual() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let command = Cli::command().disable_help_subcommand(true);
    let page = clap_mangen::Man::new(command.clone()).date("");
    page.render(&mut text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        section(sub, "swctl FILE", &mut text)?;
    }
    Ok(text)
}

fn section(command: &clap::Command, before: &str, text: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{before} {}", command.get_name());
    if command.has_subcommands() {
        for sub in command.get_subcommands() {
            section(sub, &name, text)?;
        }
        return Ok(());
    }
    let mut roff = clap_mangen::roff::Roff::new();
    roff.control("SH", [name.to_uppercase().as_str()]);
    roff.to_writer(text)?;
    let named = command.clone().bin_name(name);
    let page = clap_mangen::Man::new(named);
    page.render_synopsis_section(text)?;
    page.render_description_section(text)?;
    page.render_options_section(text)?;
    if command.get_after_help().is_some() || command.get_after_long_help().is_some() {
        page.render_extra_section(text)?;
    }
    Ok(())
}

/// Writes what was made to standard output.
pub(super) fn print(look: &Look, text: &[u8]) -> Done {
    let mut out = Out::new(look);
    out.text(&String::from_utf8_lossy(text))?;
    Ok(out.flush()?)
}
