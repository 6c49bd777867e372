//! Where answers go: into memory of the C caller, on success only.
//!
//! Every place is checked before anything is done, so that no work is lost for want of a place.
//! Writes are unaligned-safe: a host's foreign-function layer may pack its cells.

use std::ffi::c_char;
use std::marker::PhantomData;

use super::call::Call;
use super::handle::{self, Handle};
use crate::error::{Error, Result};
use crate::limits;
use crate::plant::{Place, panic_at};

/// A place for one number, or for one handle; good for as long as the call.
pub(super) struct Out<'d, T>(*mut T, PhantomData<&'d Call>);

/// Places for handles, one after the other.
pub(super) struct OutHandles<'d, H: Handle> {
    places: Out<'d, *mut H>,
    max: u32,
}

/// A place for an id.
pub(super) struct OutId<'d>(Out<'d, c_char>);

impl Call {
    /// Takes a place for a number.
    pub(super) fn out<T>(&self, what: &str, place: *mut T) -> Result<Out<'_, T>> {
        panic_at(Place::Entry);
        self.place(what, place)
    }

    fn place<T>(&self, what: &str, place: *mut T) -> Result<Out<'_, T>> {
        if place.is_null() {
            return Err(Error::Misuse(format!("{what} is NULL").into()));
        }
        Ok(Out(place, PhantomData))
    }

    /// Takes a place for a handle and sets it to NULL, before anything else is looked at.
    pub(super) fn out_handle<H: Handle>(&self, place: *mut *mut H) -> Result<Out<'_, *mut H>> {
        let place = self.place("out", place)?;
        // SAFETY: the C caller gave a place for a pointer.
        unsafe { place.0.write_unaligned(std::ptr::null_mut()) };
        panic_at(Place::Entry);
        Ok(place)
    }

    /// Takes places for `max` handles and sets them to NULL.
    pub(super) fn out_handles<H: Handle>(
        &self,
        place: *mut *mut H,
        max: u32,
    ) -> Result<OutHandles<'_, H>> {
        let place = self.place("out", place)?;
        for at in 0..max as usize {
            // SAFETY: the C caller gave places for `max` pointers.
            let one = unsafe { place.0.add(at) };
            // SAFETY: as above.
            unsafe { one.write_unaligned(std::ptr::null_mut()) };
        }
        panic_at(Place::Entry);
        Ok(OutHandles { places: place, max })
    }

    /// Takes a place for an id, with room for every id there can be.
    pub(super) fn out_id(&self, what: &str, place: *mut c_char, cap: usize) -> Result<OutId<'_>> {
        let place = self.out(what, place)?;
        if cap < limits::ID_CAP {
            return Err(Error::invalid(format!(
                "{what} has room for {cap} bytes, an id needs {}",
                limits::ID_CAP
            )));
        }
        Ok(OutId(place))
    }

    /// Writes the length of a view; a caller who does not ask for it gives NULL.
    pub(super) fn set_len(&self, out_len: *mut usize, len: usize) {
        panic_at(Place::Answer);
        if !out_len.is_null() {
            // SAFETY: the C caller gave a place for a length.
            unsafe { out_len.write_unaligned(len) };
        }
    }
}

impl<T> Out<'_, T> {
    /// Writes a number.
    pub(super) fn set(self, value: T) {
        panic_at(Place::Answer);
        self.write(value);
    }

    fn write(self, value: T) {
        // SAFETY: the C caller gave a place for such a value; the call is still going on.
        unsafe { self.0.write_unaligned(value) };
    }
}

impl<H: Handle> Out<'_, *mut H> {
    /// Makes a handle and gives it to the caller.
    pub(super) fn give(self, body: H::Body) {
        panic_at(Place::Answer);
        self.write(handle::put(body));
    }
}

impl<H: Handle> OutHandles<'_, H> {
    /// Makes handles, as many as there are places at most, and gives them to the caller.
    pub(super) fn give(self, bodies: Vec<H::Body>) -> u32 {
        panic_at(Place::Answer);
        let mut given = 0;
        for body in bodies.into_iter().take(self.max as usize) {
            // SAFETY: the C caller gave places for `max` pointers.
            let one = unsafe { self.places.0.add(given as usize) };
            // SAFETY: as above.
            unsafe { one.write_unaligned(handle::put(body)) };
            given += 1;
        }
        given
    }
}

impl OutId<'_> {
    /// Writes an id and its NUL.
    pub(super) fn set(self, id: impl AsRef<[u8]>) -> Result<()> {
        panic_at(Place::Answer);
        let id = id.as_ref();
        if id.len() >= limits::ID_CAP {
            return Err(Error::internal(format!("an id has {} bytes", id.len())));
        }
        let place = self.0.0;
        // SAFETY: the place has room for ID_CAP bytes, the id is shorter, and they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(id.as_ptr().cast(), place, id.len()) };
        // SAFETY: id.len() is below ID_CAP, so it stays inside the place.
        let end = unsafe { place.add(id.len()) };
        // SAFETY: as above, one byte at the end.
        unsafe { end.write(0) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::guard::quiet;
    use crate::ffi::text::sw_text;

    /// Runs a body with a call.
    fn call<T>(body: impl FnOnce(&Call) -> T) -> T {
        // SAFETY: each test passes NULL or places of its own.
        unsafe { quiet(None, |call| Some(body(call))) }.unwrap()
    }

    #[test]
    fn a_missing_place_is_misuse() {
        let error = call(|call| call.out::<u32>("out_applied", std::ptr::null_mut()).err());
        assert_eq!(error, Some(Error::Misuse("out_applied is NULL".into())));
    }

    #[test]
    fn a_place_for_a_handle_is_null_from_the_start() {
        let mut place = std::ptr::dangling_mut::<sw_text>();
        assert!(call(|call| call.out_handle(&raw mut place).is_ok()));
        assert!(place.is_null());
    }

    #[test]
    fn a_place_for_an_id_needs_room_for_any_id() {
        let mut place = [1 as c_char; limits::ID_CAP];
        let start = place.as_mut_ptr();
        let error = call(|call| call.out_id("out_id", start, limits::ID_CAP - 1).err());
        let sentence = "out_id has room for 63 bytes, an id needs 64";
        assert_eq!(error, Some(Error::invalid(sentence)));
        assert!(place.iter().all(|byte| *byte == 1));
    }

    #[test]
    fn an_id_is_written_with_its_nul_and_nothing_more() {
        let mut place = [1 as c_char; limits::ID_CAP];
        let start = place.as_mut_ptr();
        call(|call| call.out_id("out_id", start, limits::ID_CAP).unwrap().set("ab").unwrap());
        assert_eq!(place[..4], [97, 98, 0, 1]);
    }

    #[test]
    fn an_unaligned_place_is_written_to() {
        let mut bytes = [0u8; 9];
        let place = bytes[1..].as_mut_ptr().cast::<u64>();
        call(|call| call.out("out", place).unwrap().set(u64::MAX));
        assert_eq!(bytes, [0, 255, 255, 255, 255, 255, 255, 255, 255]);
    }
}
