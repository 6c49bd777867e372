//! Which library this is.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use super::codes::{self, SW_ERR_UNSUPPORTED, SW_OK};
use super::constants::{
    SW_ABI_VERSION, SW_VERSION_MAJOR, SW_VERSION_MINOR, SW_VERSION_NUMBER, SW_VERSION_PATCH,
};
use super::guard::quiet;
use crate::storage::sqlite::vfs;

/// The version with a NUL.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

const _: () = {
    assert!(SW_VERSION_MAJOR == number(env!("CARGO_PKG_VERSION_MAJOR")));
    assert!(SW_VERSION_MINOR == number(env!("CARGO_PKG_VERSION_MINOR")));
    assert!(SW_VERSION_PATCH == number(env!("CARGO_PKG_VERSION_PATCH")));
    let parts = SW_VERSION_MAJOR << 16 | SW_VERSION_MINOR << 8 | SW_VERSION_PATCH;
    assert!(SW_VERSION_NUMBER == parts);
};

/// Reads a part of the version.
const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("a part of the version is no number"),
    }
}

/// Returns the version of the library, such as "0.1.0". Never blocks.
/// \return static text, NUL-terminated; never NULL and never freed
#[unsafe(no_mangle)]
pub extern "C" fn sw_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// Returns the version of the library as one number: major << 16 | minor << 8 | patch. Never
/// blocks.
/// \return such as 513 for 0.2.1
#[unsafe(no_mangle)]
pub extern "C" fn sw_version_number() -> u32 {
    SW_VERSION_NUMBER
}

/// Returns the ABI of the library, which SW_ABI_VERSION of the header it was built with names.
/// Never blocks.
/// \return 0 while in preview
#[unsafe(no_mangle)]
pub extern "C" fn sw_abi_version() -> u32 {
    SW_ABI_VERSION
}

/// Tells whether the library serves programs built with a header. Call it once after loading. Never
/// blocks.
/// \param header_abi  SW_ABI_VERSION of the header the program was built with
/// \retval SW_OK               it does
/// \retval SW_ERR_UNSUPPORTED  it does not: the library is of another ABI
#[unsafe(no_mangle)]
pub extern "C" fn sw_abi_check(header_abi: u32) -> i32 {
    if header_abi == SW_ABI_VERSION { SW_OK } else { SW_ERR_UNSUPPORTED }
}

/// Returns how the library was built, as a JSON object: library, version, abi_version,
/// sqlite_version, sqlite_source_id, sqlite_compile_options, durability, panic, target, is_debug.
/// Keys are only ever added. Never blocks.
/// \return static text, NUL-terminated; never NULL and never freed
#[unsafe(no_mangle)]
pub extern "C" fn sw_build_info() -> *const c_char {
    static INFO: OnceLock<CString> = OnceLock::new();
    // SAFETY: no pointer passes.
    unsafe { quiet(c"{}".as_ptr(), |_| INFO.get_or_init(build_info).as_ptr()) }
}

/// Writes what `sw_build_info` lends for the life of the process.
fn build_info() -> CString {
    let info = serde_json::json!({
        "library": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "abi_version": SW_ABI_VERSION,
        "sqlite_version": rusqlite::version(),
        "sqlite_source_id": vfs::source_id(),
        "sqlite_compile_options": compile_options(),
        "durability": { "default": "power", "commit": "normal", "sync": "wal, once per batch" },
        "panic": if cfg!(panic = "unwind") { "unwind" } else { "abort" },
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "is_debug": cfg!(debug_assertions),
    });
    CString::new(info.to_string()).unwrap_or_default()
}

/// Lists the options that SQLite was compiled with; they decide what a sync is, among others.
fn compile_options() -> Vec<String> {
    let option = |index| {
        // SAFETY: any index is allowed; beyond the last the answer is NULL.
        let option = unsafe { rusqlite::ffi::sqlite3_compileoption_get(index) };
        // SAFETY: what is not NULL is static text with a NUL.
        (!option.is_null()).then(|| unsafe { CStr::from_ptr(option) })
    };
    (0..).map_while(option).map(|option| option.to_string_lossy().into_owned()).collect()
}

/// Returns the name of a code, such as "SW_ERR_BUSY" for -40. Never blocks.
/// \param code  any integer
/// \return static text, NUL-terminated, never freed; "SW_UNKNOWN" for an integer that is no code
#[unsafe(no_mangle)]
pub extern "C" fn sw_code_name(code: i32) -> *const c_char {
    codes::name(code).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Reads static text.
    fn text(start: *const c_char) -> &'static str {
        // SAFETY: static text with a NUL.
        unsafe { CStr::from_ptr(start) }.to_str().unwrap()
    }

    #[test]
    fn the_version_is_the_packages_in_text_and_number() {
        assert_eq!(text(sw_version()), env!("CARGO_PKG_VERSION"));
        let number = sw_version_number();
        let parts = format!("{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
        assert_eq!(parts, text(sw_version()));
    }

    #[test]
    fn another_abi_is_not_served() {
        assert_eq!(sw_abi_check(sw_abi_version()), SW_OK);
        assert_eq!(sw_abi_check(sw_abi_version() + 1), SW_ERR_UNSUPPORTED);
    }

    #[test]
    fn the_build_says_that_panics_unwind_and_which_sqlite_it_holds() {
        let info: Value = serde_json::from_str(text(sw_build_info())).unwrap();
        assert_eq!(info["panic"], "unwind");
        assert_eq!(info["sqlite_version"], rusqlite::version());
        assert_eq!(info["sqlite_source_id"].as_str().map(|id| id.len() > 60), Some(true));
        let options = info["sqlite_compile_options"].as_array().unwrap();
        assert!(options.iter().any(|option| option == "THREADSAFE=1"), "{options:?}");
    }
}
