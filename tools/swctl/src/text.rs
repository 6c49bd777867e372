//! Text as a terminal shows it: width in cells, control characters made visible.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for what was cut off.
pub const CUT: &str = "\u{2026}";

/// Cells that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text with control characters as escapes, so that no payload moves the cursor, sets a colour or
/// breaks a line; characters that turn the direction of writing are shown the same way.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hidden(c) => write!(out, "\\u{:04x}", u32::from(c)).expect("a String grows"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether a character is not seen, or turns or moves what stands beside it.
pub fn is_hidden(c: char) -> bool {
    let has_no_shape = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}');
    c.is_control() || has_no_shape
}

/// A document as a terminal may be given it: what is hidden is escaped as JSON has it, so that it says
/// the same. Outside of its strings JSON has ASCII alone.
pub fn document_seen(document: &str) -> Cow<'_, str> {
    let is_moving = |c: char| is_hidden(c) && !matches!(c, '\n' | '\r' | '\t');
    if !document.chars().any(is_moving) {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len() + 8);
    for c in document.chars() {
        if !is_moving(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}").expect("a String grows");
        }
    }
    Cow::Owned(out)
}

/// The beginning of a text that takes at most `cells`, with a mark where something was cut off.
pub fn cut(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += c.width().unwrap_or(0);
        taken > cells - 1
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}{CUT}", &text[..end]))
}

/// Lines of at most so many cells, broken between words.
pub fn wrapped(sentence: &str, cells: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split(' ') {
        let line = lines.last_mut().expect("there is one line at least");
        if !line.is_empty() && width(line) + 1 + width(word) > cells {
            lines.push(word.to_string());
        } else {
            let space = if line.is_empty() { "" } else { " " };
            *line += &format!("{space}{word}");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_the_cursor_is_shown_as_an_escape() {
        assert_eq!(visible("a\x1b[31m\nb\u{202e}"), "a\\u001b[31m\\nb\\u202e");
        assert_eq!(visible("plain \u{e9}"), "plain \u{e9}");
        assert_eq!(visible("\u{ad}\u{61c}\u{feff}\u{e0041}"), "\\u00ad\\u061c\\ufeff\\ue0041");
    }

    #[test]
    fn a_document_on_a_terminal_says_the_same_and_moves_no_cursor() {
        let document = "{\"k\u{9b}2J\": \"\u{7f}\u{202e}\u{e0041} \u{e9}\"}\n";
        let seen = document_seen(document);
        assert!(!seen.trim_end().chars().any(is_hidden), "{seen}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&seen), read(document));
        assert_eq!(document_seen("{\"a\": 1}"), "{\"a\": 1}");
    }

    #[test]
    fn a_cut_text_takes_no_more_cells_than_it_may() {
        assert_eq!(cut("abcdef", 4), "abc\u{2026}");
        assert_eq!(cut("\u{4e2d}\u{6587}\u{5b57}", 4), "\u{4e2d}\u{2026}");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
        assert!((0..12).all(|cells| width(&cut("\u{4e2d}a\u{6587}bc\u{5b57}", cells)) <= cells));
    }
}
