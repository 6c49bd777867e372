//! Text that can be lent to C.

use std::ffi::c_char;
use std::fmt;
use std::sync::Arc;

/// What an empty text points to.
const EMPTY: &str = "\0";

/// An immutable UTF-8 text that is followed by a NUL in memory.
///
/// The pointer stays the same for as long as the text or any clone of it lives, so that a view of
/// it may cross the C door. Clones share the bytes. A text may hold a NUL within; its length is
/// what counts.
#[derive(Clone, Default)]
pub struct Text {
    /// The text with its NUL; `None` when empty, which costs no allocation.
    terminated: Option<Arc<String>>,
}

impl Text {
    /// Returns the text without its NUL.
    pub fn as_str(&self) -> &str {
        let terminated = self.terminated();
        &terminated[..terminated.len() - 1]
    }

    /// Returns the length in bytes, without the NUL.
    pub fn len(&self) -> usize {
        self.terminated().len() - 1
    }

    /// Returns whether there is nothing before the NUL.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a pointer to the bytes: `len()` of them and a NUL. Never null; valid while this text
    /// or a clone of it lives.
    pub fn as_ptr(&self) -> *const c_char {
        self.terminated().as_ptr().cast()
    }

    fn terminated(&self) -> &str {
        self.terminated.as_ref().map_or(EMPTY, |text| text.as_str())
    }
}

/// A text on loan: like [`Text`], but it lies within something larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRef<'text> {
    /// The text with its NUL.
    terminated: &'text str,
}

impl<'text> TextRef<'text> {
    /// Takes a text whose last character is its NUL; `None` when it has none.
    pub fn new(terminated: &'text str) -> Option<TextRef<'text>> {
        terminated.ends_with('\0').then_some(TextRef { terminated })
    }

    /// Returns the text without its NUL.
    pub fn as_str(self) -> &'text str {
        &self.terminated[..self.len()]
    }

    /// Returns the length in bytes, without the NUL.
    pub fn len(self) -> usize {
        self.terminated.len() - 1
    }

    /// Returns whether there is nothing before the NUL.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns a pointer to the bytes: `len()` of them and a NUL. Never null.
    pub fn as_ptr(self) -> *const c_char {
        self.terminated.as_ptr().cast()
    }
}

impl<'text> From<&'text Text> for TextRef<'text> {
    fn from(text: &'text Text) -> TextRef<'text> {
        text.lend()
    }
}

impl Text {
    /// Lends the text.
    pub fn lend(&self) -> TextRef<'_> {
        TextRef { terminated: self.terminated() }
    }
}

impl From<String> for Text {
    fn from(mut text: String) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        // Exact, since the usual growth would double a payload of many megabytes for one byte.
        text.reserve_exact(1);
        text.push('\0');
        Text { terminated: Some(Arc::new(text)) }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        let mut owned = String::with_capacity(text.len() + 1);
        owned.push_str(text);
        Text::from(owned)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Returns a JSON string of so many letters that is like no other and does not pack.
#[cfg(test)]
pub(crate) fn noise(letters: usize) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEED: AtomicU64 = AtomicU64::new(0);
    let seed = SEED.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    let mut bytes = vec![0; letters];
    blake3::Hasher::new().update(&seed).finalize_xof().fill(&mut bytes);
    // Between the quotation mark and the backslash.
    let letters: String = bytes.iter().map(|byte| char::from(b'#' + byte % 57)).collect();
    format!("\"{letters}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_without_its_nul() {
        for text in ["", "a", "grüße", "a\0b"] {
            assert_eq!(Text::from(text).as_str(), text);
            assert_eq!(Text::from(text.to_owned()).as_str(), text);
            assert_eq!(Text::from(text).len(), text.len());
            assert_eq!(Text::from(text).is_empty(), text.is_empty());
        }
    }

    #[test]
    fn the_byte_after_the_text_is_nul() {
        for text in ["", "a", "a longer text than fits a word"] {
            let text = Text::from(text);
            assert_eq!(text.terminated().as_bytes()[text.len()], 0);
            assert!(!text.as_ptr().is_null());
            assert_eq!(text.as_ptr().cast(), text.as_str().as_ptr());
        }
    }

    #[test]
    fn a_clone_shares_the_bytes_and_outlives_the_first() {
        let first = Text::from("payload");
        let pointer = first.as_ptr();
        let second = first.clone();
        drop(first);
        assert_eq!(second.as_ptr(), pointer);
        assert_eq!(second.as_str(), "payload");
    }

    #[test]
    fn the_default_equals_the_empty_text() {
        assert_eq!(Text::default(), Text::from(""));
        assert_ne!(Text::default(), Text::from("a"));
    }

    #[test]
    fn a_text_prints_as_its_string() {
        assert_eq!(format!("{0} {0:?}", Text::from("a\"b")), "a\"b \"a\\\"b\"");
    }

    #[test]
    fn a_text_crosses_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Text>();
    }
}
