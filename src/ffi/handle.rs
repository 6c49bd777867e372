//! Handles: what the opaque pointers of C really point to.
//!
//! Each starts with a tag that names its kind and is read on entry, so that a handle of the wrong
//! kind is an error and not a crash. `_free` overwrites the tag before the memory goes back; that
//! catches many a use after free, and promises nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::call::Call;
use crate::error::{Error, Result};
use crate::plant::{Place, panic_at};
use crate::process;

/// The tag of memory that was a handle.
const FREED: u64 = u64::from_le_bytes(*b"sw_freed");

/// The kinds of handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Store,
    Attempt,
    Step,
    Watch,
    Stop,
    Text,
    Error,
}

impl Kind {
    const ALL: [Kind; 7] =
        [Kind::Store, Kind::Attempt, Kind::Step, Kind::Watch, Kind::Stop, Kind::Text, Kind::Error];

    /// Returns the first eight bytes in memory.
    const fn tag(self) -> u64 {
        u64::from_le_bytes(*match self {
            Kind::Store => b"sw_store",
            Kind::Attempt => b"sw_attem",
            Kind::Step => b"sw_step.",
            Kind::Watch => b"sw_watch",
            Kind::Stop => b"sw_stop.",
            Kind::Text => b"sw_text.",
            Kind::Error => b"sw_error",
        })
    }

    /// Returns the name in C.
    const fn name(self) -> &'static str {
        match self {
            Kind::Store => "sw_store",
            Kind::Attempt => "sw_attempt",
            Kind::Step => "sw_step",
            Kind::Watch => "sw_watch",
            Kind::Stop => "sw_stop",
            Kind::Text => "sw_text",
            Kind::Error => "sw_error",
        }
    }
}

/// A kind of handle: the opaque type that C names, and what stands behind it.
pub(super) trait Handle: Sized {
    /// What the handle holds.
    type Body: Send + Sync + 'static;
    /// What C calls it.
    const KIND: Kind;
    /// Whether the body belongs to the process that made it: a child after a fork may not use it.
    const IS_OF_PROCESS: bool;
}

/// The memory of a handle. The order of fields is fixed: the tag is read before the kind is known.
#[repr(C)]
pub(super) struct Shell<B> {
    tag: AtomicU64,
    generation: u32,
    body: B,
}

/// Makes a handle, which the caller owns.
pub(super) fn put<H: Handle>(body: H::Body) -> *mut H {
    let generation = if H::IS_OF_PROCESS { process::generation() } else { 0 };
    let shell = Shell { tag: AtomicU64::new(H::KIND.tag()), generation, body };
    Box::into_raw(Box::new(shell)).cast()
}

/// Returns the shell behind a pointer, or what is wrong with the pointer.
///
/// # Safety
/// `handle` is NULL, misaligned, or points to a handle of any kind that is not freed yet.
unsafe fn shell<'a, H: Handle>(handle: *const H) -> Result<&'a Shell<H::Body>> {
    let shell = handle.cast::<Shell<H::Body>>();
    if shell.is_null() {
        return Err(Error::Misuse(format!("the {} is NULL", H::KIND.name()).into()));
    }
    if !shell.is_aligned() {
        return Err(Error::Misuse(
            format!("the {} is not an aligned pointer", H::KIND.name()).into(),
        ));
    }
    // SAFETY: by this function's contract the memory is a handle, and those start with their tag.
    let tag = unsafe { AtomicU64::from_ptr(shell.cast::<u64>().cast_mut()) };
    let tag = tag.load(Ordering::Relaxed);
    if tag != H::KIND.tag() {
        return Err(wrong_kind(H::KIND.name(), tag));
    }
    // SAFETY: the tag says that `put` made it with this body; nobody has an exclusive reference.
    Ok(unsafe { &*shell })
}

/// Says what was given where another kind belongs.
fn wrong_kind(wanted: &str, tag: u64) -> Error {
    let found = Kind::ALL.into_iter().find(|kind| kind.tag() == tag).map(Kind::name);
    Error::Misuse(match (found, tag) {
        (Some(found), _) => format!("a {found} was given where a {wanted} belongs").into(),
        (None, FREED) => format!("the {wanted} was freed").into(),
        (None, _) => format!("the pointer is not a {wanted}").into(),
    })
}

impl Call {
    /// Lends the body of a handle for the call.
    pub(super) fn body<'d, H: Handle>(&'d self, handle: *const H) -> Result<&'d H::Body> {
        panic_at(Place::Entry);
        // SAFETY: the C caller vouches that the handle is not freed during the call.
        let shell: &'d Shell<H::Body> = unsafe { shell(handle) }?;
        if H::IS_OF_PROCESS && shell.generation != process::generation() {
            return Err(Error::Forked);
        }
        Ok(&shell.body)
    }

    /// Lends the body of a handle to an accessor, which reads memory only: after a fork as before.
    pub(super) fn peek<'d, H: Handle>(&'d self, handle: *const H) -> Option<&'d H::Body> {
        // SAFETY: as above.
        let shell: Result<&'d Shell<H::Body>> = unsafe { shell(handle) };
        shell.ok().map(|shell| &shell.body)
    }

    /// Takes a handle back to free it. None for NULL, for what is no such handle, and for a handle
    /// of the parent in its child: that one leaks, since its locks and descriptors are not ours.
    pub(super) fn take<H: Handle>(&self, handle: *mut H) -> Option<Box<Shell<H::Body>>> {
        self.body::<H>(handle).ok()?;
        let shell = handle.cast::<Shell<H::Body>>();
        // SAFETY: `body` found a live handle of this kind, and the C caller gives it up now.
        let shell = unsafe { Box::from_raw(shell) };
        shell.tag.store(FREED, Ordering::Relaxed);
        // The compiler may not drop the write to memory that is about to be freed.
        std::hint::black_box(&shell.tag);
        Some(shell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::guard::quiet;
    use crate::ffi::stop::sw_stop;
    use crate::ffi::text::sw_text;
    use crate::text::Text;

    /// Says what `body` answers for a pointer taken as a text.
    fn fault(handle: *const sw_text) -> String {
        // SAFETY: each test gives NULL, a misaligned pointer or a live handle.
        unsafe { quiet(String::new(), |call| call.body(handle).unwrap_err().to_string()) }
    }

    #[test]
    fn a_pointer_that_is_no_such_handle_is_named() {
        assert_eq!(fault(std::ptr::null()), "the sw_text is NULL");
        assert_eq!(
            fault(std::ptr::without_provenance(0x1001)),
            "the sw_text is not an aligned pointer"
        );
        // Where a host could write: a tag is read as what other threads may change.
        let mut junk = [0x55u64; 8];
        assert_eq!(fault(junk.as_mut_ptr().cast()), "the pointer is not a sw_text");
        let mut freed = [FREED; 8];
        assert_eq!(fault(freed.as_mut_ptr().cast()), "the sw_text was freed");
    }

    #[test]
    fn a_handle_of_another_kind_is_named() {
        let stop = put::<sw_stop>(std::sync::Arc::new(crate::stop::Stop::new()));
        assert_eq!(fault(stop.cast()), "a sw_stop was given where a sw_text belongs");
        // SAFETY: the handle is live and freed once.
        assert!(unsafe { quiet(None, |call| call.take(stop)) }.is_some());
    }

    #[test]
    fn taking_a_handle_returns_its_body_once_and_overwrites_the_tag() {
        let text = put::<sw_text>(Text::from("hello"));
        // SAFETY: the handle is live and given up here.
        let shell = unsafe { quiet(None, |call| call.take(text)) }.unwrap();
        assert_eq!(shell.body.as_str(), "hello");
        assert_eq!(shell.tag.load(Ordering::Relaxed), FREED);
    }

    #[test]
    fn every_kind_has_a_tag_and_a_name_of_its_own() {
        let mut tags: Vec<u64> = Kind::ALL.into_iter().map(Kind::tag).collect();
        tags.push(FREED);
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), Kind::ALL.len() + 1);
    }
}
