//! Writes the C header and its plain form into `OUT_DIR`, and names the shared library for the
//! linker. Never writes into the source tree: `tests/header.rs` compares what is committed with
//! what is made here, and rewrites it when asked to.

#![allow(clippy::print_stdout, reason = "how a build script speaks to Cargo")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "build/cdef.rs"]
mod cdef;
#[path = "build/header.rs"]
mod header;

fn main() -> Result<(), Box<dyn Error>> {
    for watched in ["build.rs", "build", "cbindgen.toml", "src/ffi"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    name_library();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let header = header(Path::new(&env::var("CARGO_MANIFEST_DIR")?))?;
    fs::write(out.join("smolwf.cdef"), cdef::plain(&header))?;
    fs::write(out.join("smolwf.h"), header)?;
    Ok(())
}

/// Gives the shared library its name, by which programs find it, and pins it in memory: a library
/// with thread-locals and fork handlers cannot be unloaded soundly.
fn name_library() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsmolwf.so.0");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Makes the header. Each source is read alone, without asking Cargo about the package: the
/// exported functions do not depend on features.
fn header(package: &Path) -> Result<String, Box<dyn Error>> {
    let door = package.join("src/ffi");
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    builder = builder.with_src(door.join("options.rs"));
    let mut texts = Vec::new();
    for part in header::PARTS {
        let source = door.join(format!("{}.rs", part.source));
        texts.push(fs::read_to_string(&source).map_err(|it| format!("{source:?}: {it}"))?);
        builder = builder.with_src(source);
    }
    let mut written = Vec::new();
    builder.generate()?.write(&mut written);
    let page = fs::read_to_string(door.join("page.txt"))?;
    Ok(header::arrange(&String::from_utf8(written)?, &texts, &page)?)
}
