//! Starting over after a sync that failed: all that was acknowledged is written anew.
//!
//! What a failed sync was to bring to the disk, Linux may believe clean: no later sync brings it, and
//! what is read may be what was meant, or, once memory was short, what the disk has. PostgreSQL and
//! WiredTiger answer with a stop and a replay of their log; but the log itself may be what failed. So
//! here the log is read again, each frame against its checksum, as far as its index says, and written
//! back byte for byte, which makes it dirty, and synced. That changes nothing that anybody can see, and
//! a loss of power in the midst finds the old bytes or the same ones. Only then is the database looked
//! at: it may lack pages that were copied from this log, so the count of those is set to none and the
//! next checkpoints copy all of them. Its first page, without which SQLite would throw the log away, is
//! written back too. A log of an earlier round is of no concern: SQLite begins a new round only behind a
//! sync of the database that succeeded.
//!
//! Whoever has the turn to write may do this, while others read and have the file open: the write lock
//! keeps the log as it is, the checkpoint lock the database.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::vfs::{Checkpoints, INDEX_WORDS, Opened};
use crate::error::{Error, Result};

/// Sleep between two looks whether a checkpoint of another process is done.
const CHECKPOINT_SLICE: Duration = Duration::from_millis(1);

// Words of the index, and the log, as in SQLite's walformat.html.
const FRAMES_WORD: usize = 4;
const LAST_SUM_WORD: usize = 6;
const SALT_WORD: usize = 8;
const MOVED_WORD: usize = 24;
const _: () = assert!(MOVED_WORD < INDEX_WORDS);
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC: u32 = 0x377F_0682;
const DB_HEADER_BYTES: usize = 100;

/// Writes the log anew and has all of it copied into the database again, of a connection that holds the
/// write lock. `frames` is how many the log had, as far as is known. Returns how many it has.
///
/// # Errors
/// `WalLost` when frames cannot be read any more, with what that means; `Busy` while another process
/// moves the log for longer than until the deadline; `Io` and `Full`.
pub fn start_over(conn: &Connection, frames: u32, deadline: Instant) -> Result<u32> {
    let (Some(log), Some(db)) = (Opened::log(conn)?, Opened::database(conn)?) else { return Ok(0) };
    let _checkpoints = hold_checkpoints(&db, deadline)?;
    let index = db.index()?;
    let word = |at: usize| index[at].load(Ordering::SeqCst);
    let said = word(FRAMES_WORD);
    let found = rewrite(&log, said, [word(SALT_WORD), word(SALT_WORD + 1)])?;
    let is_whole = found.frames == said
        && (said == 0 || found.sum == Sum(word(LAST_SUM_WORD), word(LAST_SUM_WORD + 1)));
    if !is_whole || said < frames {
        return Err(lost(if is_whole { said } else { found.frames }, said.max(frames)));
    }
    log.sync()?;
    rewrite_first_page(&db)?;
    db.sync()?;
    index[MOVED_WORD].store(0, Ordering::SeqCst);
    Ok(said)
}

fn hold_checkpoints<'db>(db: &'db Opened<'db>, deadline: Instant) -> Result<Checkpoints<'db>> {
    loop {
        if let Some(held) = db.hold_checkpoints()? {
            return Ok(held);
        }
        if Instant::now() >= deadline {
            return Err(Error::Busy(
                "a sync of the store has failed, and a checkpoint of another process kept it from \
                 being started over"
                    .into(),
            ));
        }
        // The lock is SQLite's: nobody rings when it is free.
        std::thread::sleep(CHECKPOINT_SLICE);
    }
}

/// How far the log could be read, and the checksum there.
struct Found {
    frames: u32,
    sum: Sum,
}

/// Writes each frame back to where it stands, as far as they are whole and of the index's round.
fn rewrite(log: &Opened<'_>, frames: u32, salt: [u32; 2]) -> Result<Found> {
    let mut found = Found { frames: 0, sum: Sum(0, 0) };
    let mut header = [0; HEADER_BYTES];
    if frames == 0 || !log.read(&mut header, 0)? {
        return Ok(found);
    }
    let is_big = number(&header, 0) == MAGIC | 1;
    found.sum = found.sum.add(&header[..24], is_big);
    let is_ours = number(&header, 0) & !1 == MAGIC
        && header[16..24] == salt_bytes(salt)
        && found.sum == Sum(number(&header, 24), number(&header, 28));
    if !is_ours {
        return Ok(found);
    }
    log.write(&header, 0)?;
    let page_bytes = number(&header, 8) as usize;
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    while found.frames < frames {
        let at = HEADER_BYTES as u64 + u64::from(found.frames) * frame.len() as u64;
        if !log.read(&mut frame, at)? {
            break;
        }
        let sum = found.sum.add(&frame[..8], is_big).add(&frame[FRAME_HEADER_BYTES..], is_big);
        let is_whole =
            frame[8..16] == salt_bytes(salt) && sum == Sum(number(&frame, 16), number(&frame, 20));
        if !is_whole {
            break;
        }
        log.write(&frame, at)?;
        found = Found { frames: found.frames + 1, sum };
    }
    Ok(found)
}

/// Writes the first page of the database back, if it has one.
fn rewrite_first_page(db: &Opened<'_>) -> Result<()> {
    let mut header = [0; DB_HEADER_BYTES];
    if !db.read(&mut header, 0)? {
        return Ok(());
    }
    let page_bytes = usize::from(u16::from_be_bytes([header[16], header[17]]));
    let mut page = vec![0; if page_bytes == 1 { 65_536 } else { page_bytes }];
    if db.read(&mut page, 0)? { db.write(&page, 0) } else { Ok(()) }
}

fn lost(found: u32, said: u32) -> Error {
    Error::WalLost(
        format!(
            "of {said} pages in the write-ahead log {found} can be read after a sync that failed: \
             what SW_DURABILITY_POWER acknowledged is there, what SW_DURABILITY_PROCESS \
             acknowledged after it may be lost; once every process has closed the store it opens \
             with what is left"
        )
        .into(),
    )
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The index has the salts as the bytes of the log.
fn salt_bytes(salt: [u32; 2]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&salt[0].to_ne_bytes());
    bytes[4..].copy_from_slice(&salt[1].to_ne_bytes());
    bytes
}

/// SQLite's running checksum of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn add(self, bytes: &[u8], is_big: bool) -> Sum {
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        let read = if is_big { u32::from_be_bytes } else { u32::from_le_bytes };
        pairs.iter().fold(self, |sum, [first, second]| {
            let one = sum.0.wrapping_add(read(*first)).wrapping_add(sum.1);
            Sum(one, sum.1.wrapping_add(read(*second)).wrapping_add(one))
        })
    }
}
