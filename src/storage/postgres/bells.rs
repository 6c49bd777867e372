//! What those who share a store tell each other: counters of this process to sleep on, and notifications
//! that carry news from process to process.
//!
//! A notification is sent after the commit that it tells of, in a transaction of its own that waits for
//! no disk. It is a bell and no more: whoever misses it looks twice a second.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::connect::Connection;
use crate::domain::news::{News, Queues};
use crate::error::Result;
use crate::lock::Unpoisoned;
use crate::stop::Stop;
use crate::storage::sqlite::side::Side;

/// How long a waiter sleeps before it listens again.
const LISTEN_EVERY: Duration = Duration::from_millis(20);

/// The bells of one store in this process.
#[derive(Debug)]
pub(super) struct Bells {
    /// Counters that no other process reaches.
    own: Side,
    /// What tells the notifications of this process from those of others.
    tag: String,
    /// News that nobody has sent yet.
    unsent: Mutex<News>,
    /// Held by whoever sends.
    sending: Mutex<()>,
}

impl Bells {
    /// Makes bells that have not rung.
    pub(super) fn new() -> Result<Bells> {
        Ok(Bells {
            own: Side::in_memory()?,
            tag: format!("{:x}", crate::id::new_id().token()),
            unsent: Mutex::default(),
            sending: Mutex::default(),
        })
    }

    /// Returns the counters of this process.
    pub(super) fn own(&self) -> &Side {
        &self.own
    }

    /// Rings for news of this process, and notes it to be sent.
    pub(super) fn ring(&self, news: News) {
        self.own.publish(news);
        let mut unsent = self.unsent.lock().unpoisoned();
        *unsent = unsent.and(news);
    }

    /// Returns what is to be told others with a commit, if anything is.
    pub(super) fn payload(&self, news: News) -> Option<String> {
        (news != News::default()).then(|| written(&self.tag, news))
    }

    /// Sends what is unsent. Whoever finds another sending leaves it to that one, who looks again after.
    pub(super) fn send(&self, conn: &mut Connection) -> Result<()> {
        while *self.unsent.lock().unpoisoned() != News::default() {
            let Ok(_turn) = self.sending.try_lock() else { return Ok(()) };
            let news = std::mem::take(&mut *self.unsent.lock().unpoisoned());
            conn.command(&self.notification(conn.schema(), news))?;
        }
        Ok(())
    }

    fn notification(&self, schema: &str, news: News) -> String {
        let payload = written(&self.tag, news);
        format!("BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {schema}, '{payload}'; COMMIT")
    }

    /// Rings for what another process tells.
    pub(super) fn hear(&self, payload: &str) {
        if let Some((tag, news)) = read(payload)
            && tag != self.tag
        {
            self.own.publish(news);
        }
    }

    /// Rings everything: something may have been told while nobody listened.
    pub(super) fn ring_all(&self) {
        let all = News { is_recalled: true, ..News::claimable(Queues::ALL) };
        self.own.publish(all);
    }

    /// Sleeps until `is_over`, the stop fires or the time is over, and listens now and then.
    pub(super) fn wait(
        timeout: Duration,
        stop: Option<&Stop>,
        is_over: impl Fn() -> bool,
        sleep: impl Fn(Duration),
        listen: impl Fn(),
    ) {
        let started = Instant::now();
        loop {
            listen();
            let left = timeout.saturating_sub(started.elapsed());
            if is_over() || left.is_zero() || stop.is_some_and(Stop::is_fired) {
                return;
            }
            sleep(left.min(LISTEN_EVERY));
        }
    }
}

/// Writes news as a notification carries it.
fn written(tag: &str, news: News) -> String {
    let bits = |queues: Queues| queues.bells().fold(0_u64, |bits, bell| bits | 1 << bell);
    let flags = u8::from(news.is_recalled) | u8::from(news.is_changed) << 1;
    format!("{tag} {:x} {:x} {flags}", bits(news.claimable), bits(news.due_earlier))
}

/// Reads it; `None` for what another version, or somebody else, has sent.
fn read(payload: &str) -> Option<(&str, News)> {
    let mut parts = payload.split(' ');
    let (tag, claimable, due, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let queues = |part| u64::from_str_radix(part, 16).ok().map(Queues::of_bits);
    let flags: u8 = flags.parse().ok()?;
    Some((
        tag,
        News {
            claimable: queues(claimable)?,
            due_earlier: queues(due)?,
            is_recalled: flags & 1 != 0,
            is_changed: flags & 2 != 0,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_heard_as_it_was_told_and_not_by_who_told_it() {
        let news = News::claimable(Queues::named("a")).and(News::due_earlier(Queues::ALL));
        assert_eq!(read(&written("tag", news)), Some(("tag", news)));
        assert_eq!(read(&written("t", News::RECALLED)), Some(("t", News::RECALLED)));
        assert_eq!(read("something else"), None);
        let (one, other) = (Bells::new().unwrap(), Bells::new().unwrap());
        let told = written(&one.tag, News::RECALLED);
        one.hear(&told);
        other.hear(&told);
        assert_eq!((one.own().changes(), other.own().changes()), (0, 1));
    }
}
