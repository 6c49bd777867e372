//! What comes in: names, keys, JSON and paths, checked at the call.
//!
//! The rules are those of the header's first page. What passes is valid UTF-8 within its limit;
//! what the text means is for the layers below.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::call::Call;
use super::constants::SW_NTS;
pub(super) use crate::domain::input::absent;
use crate::domain::input::{self, check_payload, check_word};
use crate::error::{Error, Result};
use crate::{id, json, limits};

/// One text argument as C gives it: name in the header, pointer, length.
#[derive(Clone, Copy)]
pub(super) struct Raw<'n> {
    what: &'n str,
    start: *const c_char,
    len: usize,
}

/// What a host makes of -1 whose numbers are floating point, LuaJIT on x86: its processor's answer to
/// a conversion out of range. Never the length of a text, and read as SW_NTS.
const NTS_OF_A_FLOAT: usize = 1 << 63;

/// Puts the three parts of a text argument together.
pub(super) fn raw(what: &str, start: *const c_char, len: usize) -> Raw<'_> {
    Raw { what, start, len: if len == NTS_OF_A_FLOAT { SW_NTS } else { len } }
}

impl Call {
    /// Takes an id that must be given.
    pub(super) fn id(&self, raw: Raw<'_>) -> Result<&str> {
        self.optional_id(raw)?.ok_or_else(|| absent(raw.what))
    }

    /// Takes an id that may be absent. A text too long for one is the id of nothing.
    pub(super) fn optional_id(&self, raw: Raw<'_>) -> Result<Option<&str>> {
        match self.word(raw, limits::ID_CAP - 1) {
            Ok(id) => Ok(id),
            Err(Error::TooBig(sentence)) => Err(Error::NotFound(sentence)),
            Err(error) => Err(error),
        }
    }

    /// Takes a name that must be given.
    pub(super) fn name(&self, raw: Raw<'_>) -> Result<&str> {
        self.optional_name(raw)?.ok_or_else(|| absent(raw.what))
    }

    /// Takes the prefix of an id. A good one needs no look at whether it is UTF-8, and is most of them.
    pub(super) fn id_prefix(&self, raw: Raw<'_>) -> Result<&[u8]> {
        match self.bytes(raw, limits::NAME_BYTES_MAX) {
            Ok(Some(bytes)) if id::is_prefix(bytes) => Ok(bytes),
            _ => {
                let name = self.name(raw)?;
                id::check_prefix(name).map(|()| name.as_bytes())
            }
        }
    }

    /// Takes a name that may be absent.
    pub(super) fn optional_name(&self, raw: Raw<'_>) -> Result<Option<&str>> {
        self.word(raw, limits::NAME_BYTES_MAX)
    }

    /// Takes a name that may be absent, or empty, which no name is.
    pub(super) fn optional_name_or_empty(&self, raw: Raw<'_>) -> Result<Option<&str>> {
        match self.text(raw, limits::NAME_BYTES_MAX)? {
            Some("") => Ok(Some("")),
            _ => self.optional_name(raw),
        }
    }

    /// Takes a cursor that may be absent. A text too long for one is none of ours.
    pub(super) fn cursor(&self, raw: Raw<'_>) -> Result<Option<&str>> {
        match self.optional_key(raw) {
            Err(Error::TooBig(sentence)) => Err(Error::Invalid(sentence)),
            taken => taken,
        }
    }

    /// Takes a key that must be given.
    pub(super) fn key(&self, raw: Raw<'_>) -> Result<&str> {
        self.optional_key(raw)?.ok_or_else(|| absent(raw.what))
    }

    /// Takes a key that may be absent.
    pub(super) fn optional_key(&self, raw: Raw<'_>) -> Result<Option<&str>> {
        self.word(raw, limits::KEY_BYTES_MAX)
    }

    /// Takes free text of at most `max` bytes, which may hold NULs.
    pub(super) fn text(&self, raw: Raw<'_>, max: usize) -> Result<Option<&str>> {
        let Some(bytes) = self.bytes(raw, max)? else { return Ok(None) };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let offset = error.valid_up_to();
            Error::invalid(format!("{} is not UTF-8 at byte {offset}", raw.what))
        })?;
        Ok(Some(text))
    }

    /// Takes a JSON text of at most `max` bytes, without looking who may have made it.
    pub(super) fn document(&self, raw: Raw<'_>, max: usize) -> Result<Option<&str>> {
        let text = self.text(raw, max)?;
        if let Some(text) = text {
            json::check(text).map_err(|fault| fault.of(raw.what))?;
        }
        Ok(text)
    }

    /// Takes a JSON text that must be given.
    pub(super) fn needed_document(&self, raw: Raw<'_>, max: usize) -> Result<&str> {
        self.document(raw, max)?.ok_or_else(|| absent(raw.what))
    }

    /// Takes a JSON payload of the host: not an error of the engine's own.
    pub(super) fn payload(&self, raw: Raw<'_>, max: usize) -> Result<Option<String>> {
        let text = self.document(raw, max)?;
        text.map_or(Ok(()), |text| check_payload(raw.what, text))?;
        text.map(owned).transpose()
    }

    /// Takes a JSON array of names.
    pub(super) fn names(&self, raw: Raw<'_>, max: usize) -> Result<Option<Vec<String>>> {
        let Some(text) = self.text(raw, max)? else { return Ok(None) };
        input::names(raw.what, text).map(Some)
    }

    /// Takes the path of a file: bytes up to a NUL, as the system takes them.
    pub(super) fn path(&self, path: *const c_char) -> Result<&Path> {
        let raw = raw("path", path, SW_NTS);
        let bytes = match self.bytes(raw, limits::PATH_BYTES_MAX - 1) {
            Ok(None) => return Err(Error::Misuse("path is NULL".into())),
            Ok(Some([])) => return Err(Error::invalid("path is empty")),
            Ok(Some(bytes)) => bytes,
            Err(Error::TooBig(sentence)) => return Err(Error::Invalid(sentence)),
            Err(error) => return Err(error),
        };
        Ok(Path::new(OsStr::from_bytes(bytes)))
    }

    /// Takes a word: present ones are not empty and hold no NUL.
    fn word(&self, raw: Raw<'_>, max: usize) -> Result<Option<&str>> {
        let text = self.text(raw, max)?;
        text.map_or(Ok(()), |text| check_word(raw.what, text, max))?;
        Ok(text)
    }

    /// Takes the bytes of a text; None when it is absent.
    fn bytes(&self, raw: Raw<'_>, max: usize) -> Result<Option<&[u8]>> {
        let Raw { what, start, len } = raw;
        if start.is_null() {
            return if len == 0 || len == SW_NTS {
                Ok(None)
            } else {
                Err(Error::Misuse(format!("{what} is NULL with a length of {len}").into()))
            };
        }
        let len = if len == SW_NTS {
            // SAFETY: the C caller vouches for a NUL.
            unsafe { CStr::from_ptr(start) }.count_bytes()
        } else {
            len
        };
        check_len(what, len, max)?;
        // SAFETY: the C caller vouches for `len` bytes, which stay as they are during the call.
        Ok(Some(unsafe { std::slice::from_raw_parts(start.cast(), len) }))
    }
}

/// Copies a text; running out of memory is an error and not the end of the process.
fn owned(text: &str) -> Result<String> {
    let mut copy = String::new();
    // One byte more, so that a NUL can follow without another copy.
    copy.try_reserve_exact(text.len() + 1).map_err(|_| Error::NoMem)?;
    copy.push_str(text);
    Ok(copy)
}

fn check_len(what: &str, len: usize, max: usize) -> Result<()> {
    if len <= max {
        return Ok(());
    }
    Err(Error::TooBig(format!("{what} has {len} bytes, at most {max} are allowed").into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::guard::quiet;
    use std::ffi::CString;
    use std::ptr::null;

    /// Runs a body with a call.
    fn call<T>(body: impl FnOnce(&Call) -> T) -> T {
        // SAFETY: each test passes NULL, texts of its own, or lengths that are refused unread.
        unsafe { quiet(None, |call| Some(body(call))) }.unwrap()
    }

    fn name(text: &[u8]) -> Result<String> {
        call(|call| call.name(raw("queue", text.as_ptr().cast(), text.len())).map(str::to_owned))
    }

    fn payload(text: &[u8]) -> Result<Option<String>> {
        call(|call| call.payload(raw("args", text.as_ptr().cast(), text.len()), 1_000))
    }

    #[test]
    fn null_with_no_length_is_absent_and_with_a_length_misuse() {
        for len in [0, SW_NTS, NTS_OF_A_FLOAT] {
            assert!(call(|call| call.optional_name(raw("q", null(), len)).unwrap().is_none()));
            let error = call(|call| call.name(raw("queue", null(), len)).unwrap_err());
            assert_eq!(error, Error::invalid("queue is absent, it must be given"));
        }
        for len in [1, SW_NTS - 1] {
            let error = call(|call| call.optional_name(raw("q", null(), len)).unwrap_err());
            assert_eq!(error.code(), -1);
        }
    }

    #[test]
    fn a_name_is_taken_by_length_or_up_to_its_nul() {
        assert_eq!(name(b"mail").as_deref(), Ok("mail"));
        let text = c"mail";
        for len in [SW_NTS, NTS_OF_A_FLOAT] {
            let taken = call(|call| call.name(raw("q", text.as_ptr(), len)).map(str::to_owned));
            assert_eq!(taken.as_deref(), Ok("mail"));
        }
    }

    #[test]
    fn a_name_is_neither_empty_nor_long_nor_holds_a_nul() {
        assert_eq!(name(b""), Err(Error::invalid("queue is empty")));
        assert_eq!(name(b"a\0b"), Err(Error::invalid("queue has a NUL at byte 1")));
        assert!(name(&[b'a'; 255]).is_ok());
        let error = Error::TooBig("queue has 256 bytes, at most 255 are allowed".into());
        assert_eq!(name(&[b'a'; 256]), Err(error));
    }

    #[test]
    fn an_id_that_is_too_long_is_not_found_and_a_path_invalid() {
        let long = [b'a'; 5_000];
        let raw = raw("run_id", long.as_ptr().cast(), 64);
        assert_eq!(call(|call| call.id(raw).unwrap_err()).code(), -3);
        let long = CString::new(long).unwrap();
        assert_eq!(call(|call| call.path(long.as_ptr()).unwrap_err()).code(), -2);
    }

    #[test]
    fn an_absurd_length_is_refused_unread() {
        let text = c"a";
        for len in [SW_NTS - 1, NTS_OF_A_FLOAT + 1, NTS_OF_A_FLOAT - 1] {
            let error = call(|call| call.name(raw("q", text.as_ptr(), len)).unwrap_err());
            assert_eq!(error.code(), -5);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_named_by_their_offset() {
        assert_eq!(name(b"gr\xfc\xdfe"), Err(Error::invalid("queue is not UTF-8 at byte 2")));
        assert_eq!(payload(b"\"\xff\""), Err(Error::invalid("args is not UTF-8 at byte 1")));
    }

    #[test]
    fn a_payload_is_json_within_its_limit_and_comes_as_it_was() {
        let text = b" {\"a\" : [1, 2.50] } ";
        assert_eq!(payload(text).unwrap().unwrap().as_bytes(), text);
        assert_eq!(payload(b"").unwrap_err().code(), -2);
        assert_eq!(payload(b"{\"a\":}").unwrap_err().code(), -2);
        assert_eq!(payload(b"1\0").unwrap_err().code(), -2);
        assert_eq!(payload(&[b' '; 1_001]).unwrap_err().code(), -5);
    }

    #[test]
    fn a_payload_does_not_pose_as_an_error_of_the_engine() {
        assert_eq!(payload(b"{\"$smolwf\":\"tries\"}").unwrap_err().code(), -2);
        assert!(payload(b"{\"a\":{\"$smolwf\":\"tries\"}}").is_ok());
    }

    #[test]
    fn names_in_a_list_follow_the_rules_of_names() {
        let names = |text: &str| {
            call(|call| call.names(raw("workflows", text.as_ptr().cast(), text.len()), 1_000))
        };
        assert_eq!(names("[\"a\",\"b\"]"), Ok(Some(vec!["a".into(), "b".into()])));
        assert_eq!(names("[\"a\",\"\"]"), Err(Error::invalid("workflows[1] is empty")));
        assert_eq!(names("[\"\\u0000\"]"), Err(Error::invalid("workflows[0] has a NUL at byte 0")));
    }

    #[test]
    fn a_path_is_given_and_not_empty() {
        assert_eq!(call(|call| call.path(null()).unwrap_err()).code(), -1);
        assert_eq!(call(|call| call.path(c"".as_ptr()).unwrap_err()).code(), -2);
        let path = c"/tmp/\xff.db";
        assert_eq!(
            call(|call| call.path(path.as_ptr()).unwrap().as_os_str().as_bytes().to_owned()),
            path.to_bytes()
        );
    }
}
