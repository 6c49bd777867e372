//! The store's changes, as server-sent events: its change counter whenever the watch says that it moved.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::sleep;

use crate::door::{Error, Watch, code};

/// How often a stream says that it is still there, so that one whose reader is gone is found.
const STILL_THERE: Duration = Duration::from_secs(15);

/// Tells the streams of each change, for as long as the watch does.
pub async fn watch(watch: &Watch<'_>, counter: &watch::Sender<u64>) -> Result<(), Error> {
    let failed = |error: io::Error| Error::new(code::SW_ERR_IO, error.to_string());
    // The descriptor is one end of a pair of sockets, which is all that a stream is.
    let stream = UnixStream::from_std(watch.fd()?.into()).map_err(failed)?;
    counter.send_replace(watch.drain()?);
    loop {
        stream.readable().await.map_err(failed)?;
        let mut now = Ok(0);
        // Drained where the runtime expects a read, so that what comes after is heard anew.
        let _ = stream.try_io(Interest::READABLE, || -> io::Result<()> {
            now = watch.drain();
            Err(io::ErrorKind::WouldBlock.into())
        });
        counter.send_replace(now?);
    }
}

/// One stream: it tells the newest count alone, so a slow reader misses none that matters and keeps
/// nothing waiting. It ends with its reader.
pub async fn follow(
    mut counter: watch::Receiver<u64>,
    pieces: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
) {
    let mut text = "retry: 1000\n\n".to_string();
    loop {
        let now = *counter.borrow_and_update();
        text.push_str(&format!("event: change\nid: {now}\ndata: {now}\n\n"));
        if pieces.send(std::mem::take(&mut text).into()).await.is_err() {
            return;
        }
        while let Some(said) = next(&mut counter, &pieces).await {
            if pieces.send(said).await.is_err() {
                return;
            }
        }
        if pieces.is_closed() || counter.has_changed().is_err() {
            return;
        }
    }
}

/// A sign of life, or None once something changed or the reader is gone.
async fn next(counter: &mut watch::Receiver<u64>, pieces: &mpsc::Sender<Bytes>) -> Option<Bytes> {
    tokio::select! {
        _ = counter.changed() => None,
        () = pieces.closed() => None,
        () = sleep(STILL_THERE) => Some(Bytes::from_static(b": still there\n\n")),
    }
}
