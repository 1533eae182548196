//! Whether the other side of a connection has left, for a worker that looks before it begins to work for it.
//!
//! It is what a read that does not wait tells (`recv` with `MSG_PEEK`): the end of the stream after all that was sent. What
//! a look takes in is kept for the next reader.

use crate::platform::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose reader may look, at any time, whether the other side has left.
struct Watched<S> {
    stream: S,
    /// What a look has found and has not been read.
    found: VecDeque<u8>,
    ended: bool,
}

impl<S: Stream> Watched<S> {
    /// Whether the other side has closed the connection. Takes in what there is to be read, so that the end can be seen.
    fn has_left(&mut self) -> bool {
        // A look does not wait: the next reader says again that it wants to be woken.
        let mut cx = Context::from_waker(Waker::noop());
        while !self.ended {
            let mut bytes = [0_u8; 256];
            let mut part = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(&mut cx, &mut part) {
                Poll::Ready(Ok(())) if !part.filled().is_empty() => self.found.extend(part.filled()),
                Poll::Ready(_) => self.ended = true,
                Poll::Pending => break,
            }
        }
        self.ended
    }
}

/// Looks whether the sender of a request has left. Clones look at the same connection.
#[derive(Clone, Default)]
pub struct Departure(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Departure {
    /// Whether they have left; never, where it is not looked for.
    pub fn is_seen(&self) -> bool {
        self.0.as_ref().is_some_and(|look| look())
    }
}

/// A stream that several hold.
pub struct Shared<S>(Arc<Mutex<Watched<S>>>);

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, Watched<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Stream> AsyncRead for Shared<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let mut watched = self.lock();
        if watched.found.is_empty() && !watched.ended {
            return Pin::new(&mut watched.stream).poll_read(cx, buf);
        }
        let n = watched.found.len().min(buf.remaining());
        watched.found.drain(..n).for_each(|byte| buf.put_slice(&[byte]));
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Shared<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.lock().stream).poll_write(cx, buf)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_shutdown(cx)
    }
}

impl<S: Stream> Stream for Shared<S> {
    fn carries(&mut self, chance: u64) {
        self.lock().stream.carries(chance);
    }
}

/// A stream to be read and written as before, and who may look at it.
pub fn watched<S: Stream>(stream: S) -> (Shared<S>, Departure) {
    let watched = Arc::new(Mutex::new(Watched { stream, found: VecDeque::new(), ended: false }));
    let look = Shared(watched.clone());
    (Shared(watched), Departure(Some(Arc::new(move || look.lock().has_left()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Stream for tokio::io::DuplexStream {}

    #[tokio::test]
    async fn a_departure_is_seen_and_nothing_that_was_sent_before_is_lost() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut client, stream) = tokio::io::duplex(1024);
        let (mut server, departure) = watched(stream);
        let has_left = || departure.is_seen();
        client.write_all(b"before a look, ").await.unwrap();
        assert!(!has_left());
        client.write_all(b"and after it").await.unwrap();
        let mut first = [0; 10];
        server.read_exact(&mut first).await.unwrap();
        assert!(!has_left());
        server.write_all(b"an answer").await.unwrap();
        let mut answer = [0; 9];
        client.read_exact(&mut answer).await.unwrap();
        drop(client);
        assert!(has_left() && has_left());
        let mut rest = String::new();
        server.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&first, rest.as_str()), (b"before a l", "ook, and after it"));
        assert!(!Departure::default().is_seen(), "it is not looked for");
    }
}
