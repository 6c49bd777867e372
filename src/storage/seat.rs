//! Where callers of writes sleep until they are answered, or called to lead.
//!
//! Those whose writes go into one batch sleep on one word, so that one call into the system wakes them
//! all. Which batch a write goes into is known when it is queued, unless that batch is full: so there
//! are two words, for the batches in turn, and who is woken and was told nothing sleeps on.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::os;

/// The longest sleep of a caller without a deadline, which then looks again.
const PAUSE: Duration = Duration::from_secs(600);

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet.
    None = 0,
    /// To lead the next batch.
    Lead = 1,
    /// Its answer is there.
    Answered = 2,
}

/// The place of one caller.
pub struct Seat {
    told: AtomicU8,
    row: AtomicU8,
    /// Of the bits by which the system tells sleepers on one word apart.
    bit: AtomicU32,
    caller: usize,
}

impl Seat {
    /// Makes a seat for this thread.
    pub fn new() -> Seat {
        let (told, row) = (AtomicU8::new(Told::None as u8), AtomicU8::new(0));
        Seat { told, row, bit: AtomicU32::new(1), caller: os::this_thread() }
    }

    /// Puts it into the row of a batch, as its `place`th; before its caller sleeps and others see it.
    pub fn put(&self, batch: u64, place: usize) {
        self.row.store((batch & 1) as u8, Ordering::Relaxed);
        self.bit.store(1 << (place % 32), Ordering::Relaxed);
    }

    /// Returns whether the caller was told something that it has not heard yet.
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire) != Told::None as u8
    }

    fn row(&self) -> usize {
        self.row.load(Ordering::Relaxed).into()
    }

    /// Returns what the caller was told. A call to lead is taken: whoever leads and is not answered waits
    /// again.
    fn hear(&self) -> Told {
        match self.told.load(Ordering::Acquire) {
            told if told == Told::Lead as u8 => {
                self.told.store(Told::None as u8, Ordering::Release);
                Told::Lead
            }
            told if told == Told::Answered as u8 => Told::Answered,
            _ => Told::None,
        }
    }
}

/// The words on which callers sleep.
#[derive(Debug, Default)]
pub struct Seats {
    rows: [AtomicU32; 2],
}

impl Seats {
    /// Waits to be told something; `None` when it was not at the deadline.
    pub fn wait(&self, seat: &Seat, deadline: Option<Instant>) -> Told {
        let row = &self.rows[seat.row()];
        loop {
            // Before what was told is looked at: who tells changes it afterwards.
            let seen = row.load(Ordering::Acquire);
            match seat.hear() {
                Told::None => {}
                told @ (Told::Lead | Told::Answered) => return told,
            }
            let left = deadline.map_or(PAUSE, |it| it.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Told::None;
            }
            os::futex_wait_bits(row, seen, left, seat.bit.load(Ordering::Relaxed));
        }
    }

    /// Tells callers the same, and wakes those that sleep. This thread is awake.
    pub fn tell<'seat>(&self, seats: impl Iterator<Item = &'seat Seat>, told: Told) {
        let mut asleep = [0; 2];
        for seat in seats {
            let (row, bit) = (seat.row(), seat.bit.load(Ordering::Relaxed));
            seat.told.store(told as u8, Ordering::Release);
            if seat.caller != os::this_thread() {
                asleep[row] |= bit;
            }
        }
        for (row, bits) in self.rows.iter().zip(asleep).filter(|(_, bits)| *bits != 0) {
            row.fetch_add(1, Ordering::Release);
            os::futex_wake_bits(row, bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const FAR: Duration = Duration::from_secs(600);

    #[test]
    fn what_was_told_before_the_wait_is_heard_and_a_call_to_lead_once() {
        let (seats, seat) = (Seats::default(), Seat::new());
        assert_eq!(seats.wait(&seat, Some(Instant::now())), Told::None);
        seats.tell([&seat].into_iter(), Told::Lead);
        assert!(seat.is_told());
        assert_eq!(seats.wait(&seat, None), Told::Lead);
        assert_eq!(seats.wait(&seat, Some(Instant::now())), Told::None);
        seats.tell([&seat].into_iter(), Told::Answered);
        assert_eq!([(); 2].map(|()| seats.wait(&seat, None)), [Told::Answered; 2]);
    }

    /// More than there are bits, in both rows; the first is called to lead before.
    #[test]
    fn each_sleeper_hears_what_it_is_told() {
        let seats = Seats::default();
        let (made, taken) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            for place in 0..80 {
                let (seats, made) = (&seats, made.clone());
                scope.spawn(move || {
                    let seat = std::sync::Arc::new(Seat::new());
                    seat.put(place / 40, place as usize);
                    made.send((place, seat.clone())).unwrap();
                    let heard = seats.wait(&seat, Some(Instant::now() + FAR));
                    assert_eq!(heard, if place == 0 { Told::Lead } else { Told::Answered });
                    if place == 0 {
                        assert_eq!(seats.wait(&seat, None), Told::Answered);
                    }
                });
            }
            let mut asleep: Vec<_> = taken.iter().take(80).collect();
            asleep.sort_by_key(|(place, _)| *place);
            seats.tell([&*asleep[0].1].into_iter(), Told::Lead);
            while asleep[0].1.is_told() {
                thread::yield_now();
            }
            let (even, odd) = asleep.split_at(40);
            for row in [even, odd] {
                seats.tell(row.iter().map(|(_, seat)| &**seat), Told::Answered);
            }
        });
    }
}
