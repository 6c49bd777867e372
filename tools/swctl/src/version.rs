//! Which version this is, and of what library.

use std::sync::OnceLock;

use crate::door::build_info;

/// What comes after the name of the program, for `version` and `--version`.
pub fn words() -> &'static str {
    static WORDS: OnceLock<String> = OnceLock::new();
    WORDS.get_or_init(|| {
        let info: serde_json::Value = serde_json::from_str(build_info()).unwrap_or_default();
        let word = |key: &str| info[key].as_str().unwrap_or_default();
        format!(
            "{} with {} {} and SQLite {}",
            env!("CARGO_PKG_VERSION"),
            word("library"),
            word("version"),
            word("sqlite_version")
        )
    })
}
