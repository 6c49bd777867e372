//! What the tool says of itself: its version and its manual.

use std::io;

use clap::CommandFactory;

use super::Done;
use crate::cli::{Cli, Look};
use crate::door::build_info;
use crate::out::Out;
use crate::version;

pub(super) fn version(look: &Look) -> Done {
    let mut out = Out::new(look);
    match out.is_json() {
        true => out.document(build_info())?,
        false => out.line(&format!("swctl {}", version::words()))?,
    }
    Ok(out.flush()?)
}

/// The manual: one page, in which each command has a section.
pub(super) fn manual() -> io::Result<String> {
    let mut text = Vec::new();
    let command = Cli::command().disable_help_subcommand(true).bin_name("swctl");
    // Without that of SQLite, whose every step would be one of the manual.
    let command = command.version(env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).date("");
    page.render(&mut text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        section(sub, "swctl FILE", &mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
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
pub(super) fn print(look: &Look, text: &str) -> Done {
    let mut out = Out::new(look);
    out.text(text)?;
    Ok(out.flush()?)
}
