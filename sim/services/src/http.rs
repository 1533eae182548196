//! HTTP/1.1 over any stream: hyper on both sides, one request on each connection.

use crate::departure::{Departure, watched};
use crate::platform::Stream;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

/// Carries what the books need of a call from client to server: see [`Ticket`].
pub const TICKET: &str = "x-brownout-call";
/// The word for what ended a call's chance at a server, if it did not succeed.
pub const CAUSE: &str = "x-brownout-cause";

/// What a request says of its call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// The call; 0 for a health check.
    pub call: u64,
    /// The attempt of the call, from 1.
    pub attempt: u16,
    /// What is random about it.
    pub salt: u64,
    /// Under which the witness keeps the chance that this request gets the call executed; 0 if none.
    pub chance: u64,
}

impl Ticket {
    /// The ticket of a request.
    pub fn of<B>(request: &Request<B>) -> Option<Ticket> {
        let text = request.headers().get(TICKET)?.to_str().ok()?;
        let mut parts = text.split('.').map(|part| u64::from_str_radix(part, 16));
        let mut next = || parts.next()?.ok();
        Some(Ticket { call: next()?, attempt: u16::try_from(next()?).ok()?, salt: next()?, chance: next()? })
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}.{:x}.{:x}.{:x}", self.call, self.attempt, self.salt, self.chance)
    }
}

/// A stream as hyper wants it.
struct Io<S>(S);

impl<S: Stream> hyper::rt::Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut bytes = [0_u8; 2048];
        let room = buf.remaining().min(bytes.len());
        let mut part = ReadBuf::new(&mut bytes[..room]);
        match Pin::new(&mut self.0).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {
                buf.put_slice(part.filled());
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl<S: Stream> hyper::rt::Write for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The other side went away before it had answered.
    Ended,
    /// A reset came in the place of the answer.
    Reset,
}

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Broken {
        let mut cause = std::error::Error::source(&error);
        while let Some(at) = cause {
            let io = at.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            if io == Some(std::io::ErrorKind::ConnectionAborted) {
                return Broken::Reset;
            }
            cause = at.source();
        }
        Broken::Ended
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The word of [`CAUSE`], if there was one.
    pub cause: Option<String>,
}

fn request(method: Method, path: &str, ticket: Ticket) -> Result<Request<Empty<Bytes>>, Broken> {
    let request = Request::builder().method(method).uri(path).header("host", "brownout");
    request.header(TICKET, ticket.to_string()).body(Empty::new()).map_err(|_| Broken::Ended)
}

/// Sends one request over a stream and waits for the whole answer.
///
/// # Errors
/// [`Broken`] if the stream ends before.
pub async fn exchange<S: Stream>(mut stream: S, method: Method, path: &str, ticket: Ticket) -> Result<Reply, Broken> {
    let request = request(method, path, ticket)?;
    stream.carries(ticket.chance);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(Io(stream)).await?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let cause = response.headers().get(CAUSE).and_then(|c| c.to_str().ok()).map(str::to_string);
        response.into_body().collect().await?;
        Ok(Reply { status, cause })
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    let mut open = true;
    std::future::poll_fn(move |cx| {
        loop {
            if let Poll::Ready(result) = answer.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            // The connection moves the request and the answer on; when it ends, the answer is there or never will be.
            if !open || connection.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            open = false;
        }
    })
    .await
}

/// Says with an answer that its connection takes no more requests.
const LAST: &str = "x-brownout-last";

/// As [`exchange`], over a connection that may be kept: with the answer comes the stream, unless the other side closes it.
///
/// # Errors
/// [`Broken`] if the stream ends before.
pub async fn exchange_kept<S: Stream>(
    mut stream: S,
    method: Method,
    path: &str,
    ticket: Ticket,
) -> Result<(Reply, Option<S>), Broken> {
    let request = request(method, path, ticket)?;
    stream.carries(ticket.chance);
    let (mut sender, mut connection) = hyper::client::conn::http1::handshake(Io(stream)).await?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let last = response.headers().contains_key(LAST);
        let cause = response.headers().get(CAUSE).and_then(|c| c.to_str().ok()).map(str::to_string);
        response.into_body().collect().await?;
        Ok::<_, Broken>((Reply { status, cause }, last))
    };
    let mut open = true;
    let (reply, last) = {
        let mut answer = pin!(answer);
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = answer.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                // Not to its end: that would close the stream.
                if !open || connection.poll_without_shutdown(cx).is_pending() {
                    return Poll::Pending;
                }
                open = false;
            }
        })
        .await?
    };
    Ok((reply, (!last).then(|| connection.into_parts().io.0)))
}

/// Whether nothing has come over a stream that lies idle: neither its end nor anything else.
pub fn is_idle<S: Stream>(stream: &mut S) -> bool {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut [0])).is_pending()
}

/// Serves the requests that a connection brings, one after the other, `most` of them, until it has lain idle for as long as `idle` waits;
/// then it is closed, which the other side sees after `trip`.
pub async fn serve_kept<S, H, F, I>(
    mut stream: S,
    most: Option<u32>,
    idle: impl Fn() -> I,
    trip: impl Future<Output = ()>,
    handle: H,
) where
    S: Stream,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
    I: Future<Output = ()>,
{
    let mut served = 0;
    loop {
        served += 1;
        let (last, begun) = (most.is_some_and(|most| served >= most), AtomicBool::new(false));
        let service = service_fn(|request| {
            begun.store(true, Ordering::Relaxed);
            let answer = handle(request);
            Box::pin(async move {
                let mut response = answer.await;
                if last {
                    response.headers_mut().insert(LAST, hyper::header::HeaderValue::from_static("1"));
                }
                Ok::<_, Infallible>(response)
            })
        });
        let mut connection = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .keep_alive(false)
            .auto_date_header(false)
            .serve_connection(Io(stream), service);
        let mut limit = pin!(idle());
        let waits = served > 1;
        let served_well = std::future::poll_fn(|cx| {
            if let Poll::Ready(end) = connection.poll_without_shutdown(cx) {
                return Poll::Ready(Some(end.is_ok()));
            }
            if waits && !begun.load(Ordering::Relaxed) && limit.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await;
        let Some(served_well) = served_well else {
            // Idle for too long. What comes from now on is not read; the platform's ends of a stream see a close at once.
            trip.await;
            return;
        };
        if !served_well || last || !begun.load(Ordering::Relaxed) {
            return;
        }
        stream = connection.into_parts().io.0;
    }
}

/// Serves the one request that a connection brings. A client that leaves does not end the work: as in most servers, it
/// goes on, in vain.
pub async fn serve_one<S, H, F>(stream: S, handle: H)
where
    S: Stream,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    serve(stream, true, handle).await;
}

/// As [`serve_one`]; the handler may look whether the client has left, if `looks`.
pub async fn serve_seeing<S, H, F>(stream: S, looks: bool, handle: H)
where
    S: Stream,
    H: Fn(Request<Incoming>, Departure) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    if !looks {
        return serve_one(stream, |request| handle(request, Departure::default())).await;
    }
    let (stream, departure) = watched(stream);
    serve_one(stream, |request| handle(request, departure.clone())).await;
}

/// As [`serve_one`], but the handler is dropped when the client leaves.
pub async fn serve_while_wanted<S, H, F>(stream: S, handle: H)
where
    S: Stream,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    serve(stream, false, handle).await;
}

async fn serve<S, H, F>(stream: S, goes_on: bool, handle: H)
where
    S: Stream,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(move |request| {
        let answer = handle(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // How a connection ends is seen where the answer is waited for.
    let _ = hyper::server::conn::http1::Builder::new()
        .half_close(goes_on)
        .keep_alive(false)
        .auto_date_header(false)
        .serve_connection(Io(stream), service)
        .await;
}

/// An answer without a body.
pub fn answer(status: u16, cause: Option<&str>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    if let Ok(status) = hyper::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    if let Some(cause) = cause.and_then(|cause| hyper::header::HeaderValue::from_str(cause).ok()) {
        response.headers_mut().insert(CAUSE, cause);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_as_it_was_written() {
        let ticket = Ticket { call: 7, attempt: 2, salt: u64::MAX, chance: 0 };
        let request = Request::builder().header(TICKET, ticket.to_string()).body(()).unwrap();
        assert_eq!(Ticket::of(&request), Some(ticket));
        for bad in ["", "1.2.3", "1.2.x.4", "1.fffff.3.4"] {
            assert_eq!(Ticket::of(&Request::builder().header(TICKET, bad).body(()).unwrap()), None, "{bad}");
        }
    }
}
