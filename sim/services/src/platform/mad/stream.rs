//! A connection on madsim, with a latency of its own, and what faults of its link do to its messages.
//!
//! Each flush is a message. It travels as one of madsim's, with a head that says whether the link has lost it: then the
//! other side, for which it is there and yet is not, works out when it was sent again and got through (`weather`). madsim
//! delivers in order, so what comes after it waits.

use super::Mad;
use crate::platform::weather::{Fate, Lost, Met, Parcel};
use crate::platform::{LinkId, Platform, Stream};
use brownout_models::fault::LinkKnobs;
use brownout_models::units::Ns;
use bytes::{Buf, BufMut, BytesMut};
use madsim::net::TcpStream;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What both ends of a connection know of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Line {
    pub link: Option<LinkId>,
    /// What is random about it.
    pub salt: u64,
    /// Whether the first message outward has counted as the connect: then it is not lost once more.
    pub first_is_connect: bool,
}

impl Line {
    pub fn parcel(&self, number: u32, outward: bool) -> Parcel {
        Parcel { salt: self.salt, number, outward }
    }

    /// Whether a message back is an answer, in whose place a reset may arrive: what a store says first is a greeting.
    fn is_answer(&self, number: u32) -> bool {
        number > 0 || !matches!(self.link, Some(LinkId::Store(..)))
    }
}

/// What precedes each message.
#[derive(Clone, Copy)]
struct Head {
    length: u32,
    /// Whether it was lost when it was first sent.
    lost: bool,
    /// Whether it is a reset.
    reset: bool,
    sent: Ns,
    number: u32,
    /// What it carries of a call.
    chance: u64,
}

impl Head {
    const LENGTH: usize = 25;

    fn put(&self, to: &mut BytesMut) {
        to.put_u32(self.length);
        to.put_u8(u8::from(self.lost) | u8::from(self.reset) << 1);
        to.put_u64(self.sent.0);
        to.put_u32(self.number);
        to.put_u64(self.chance);
    }

    fn take(from: &mut BytesMut) -> Option<Head> {
        if from.len() < Head::LENGTH {
            return None;
        }
        let (length, flags) = (from.get_u32(), from.get_u8());
        let (lost, reset) = (flags & 1 > 0, flags & 2 > 0);
        Some(Head { length, lost, reset, sent: Ns(from.get_u64()), number: from.get_u32(), chance: from.get_u64() })
    }
}

/// What is being read.
enum Inward {
    /// The next head.
    Head,
    /// A message that is not there yet: lost, or late after that.
    Held(Head, Option<Lost>, Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The rest of a message.
    Body(usize),
    /// The other side has closed, and this side knows it at that time.
    Ending(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It has ended.
    Ended,
    /// It was reset.
    Reset,
}

/// A connection on madsim.
pub struct MadStream {
    stream: TcpStream,
    mad: Mad,
    latency: Range<Duration>,
    line: Line,
    /// Whether this side has opened it: that is the side nearer to the clients.
    opener: bool,
    /// What was written since the last flush.
    written: BytesMut,
    /// Messages sent.
    sent: u32,
    carries: u64,
    /// What has been received and not been read.
    received: BytesMut,
    inward: Inward,
}

impl MadStream {
    pub(super) fn new(mad: &Mad, stream: TcpStream, latency: Range<Duration>, line: Line, opener: bool) -> MadStream {
        MadStream {
            stream,
            mad: mad.clone(),
            latency,
            line,
            opener,
            written: BytesMut::new(),
            sent: 0,
            carries: 0,
            received: BytesMut::new(),
            inward: Inward::Head,
        }
    }

    /// What the link does to the next message: its head, and how much longer it takes.
    fn send_off(&mut self) -> (Head, Ns) {
        let (number, now) = (self.sent, self.mad.now());
        self.sent += 1;
        let mut head = Head {
            length: self.written.len() as u32,
            lost: false,
            reset: false,
            sent: now,
            number,
            chance: std::mem::take(&mut self.carries),
        };
        let Some(link) = self.line.link else { return (head, Ns::ZERO) };
        let knobs = self.mad.weather_on(Some(link));
        if knobs == LinkKnobs::default() {
            return (head, Ns::ZERO);
        }
        let parcel = self.line.parcel(number, self.opener);
        head.reset = !self.opener && self.line.is_answer(number) && parcel.is_reset(&knobs);
        if head.reset {
            self.mad.met(Met::Reset(link));
        }
        let counted = self.opener && number == 0 && self.line.first_is_connect;
        head.lost = !counted && parcel.is_lost(&knobs, 0);
        if head.lost {
            self.mad.met(Met::Lost(link, Some(self.opener)));
            return (head, Ns::ZERO);
        }
        (head, self.mad.delayed(Some(link), parcel, &knobs, 0))
    }

    /// A head has come: what of its message is to be done next.
    fn received(&self, head: Head) -> Inward {
        if head.lost {
            let lost = Lost::new(self.line.parcel(head.number, !self.opener), head.sent);
            return Inward::Held(head, Some(lost), Box::pin(std::future::ready(())));
        }
        MadStream::there(head)
    }

    fn there(head: Head) -> Inward {
        if head.reset { Inward::Reset } else { Inward::Body(head.length as usize) }
    }

    /// What has become of a message by now that was lost.
    fn look_after(&self, head: Head, mut lost: Lost) -> Inward {
        let Some(link) = self.line.link else { return MadStream::there(head) };
        let mut met = Vec::new();
        let fate = lost.fate(&self.mad.ports().weather, link, self.mad.now(), |m| met.push(m));
        met.into_iter().for_each(|m| self.mad.met(m));
        match fate {
            Fate::Again(at) => Inward::Held(head, Some(lost), Box::pin(self.mad.sleep_until(at))),
            Fate::Sent(at, late) => {
                let way = Ns(self.latency.start.as_nanos() as u64 / self.mad.stretch);
                Inward::Held(head, None, Box::pin(self.mad.sleep_until(at.plus(way).plus(late))))
            }
            Fate::Never => {
                self.mad.met(Met::Undeliverable(head.chance));
                Inward::Reset
            }
        }
    }

    /// The other side has closed; that is a message too, if no more than its time is kept.
    fn ends(&self) -> Inward {
        let knobs = self.mad.weather_on(self.line.link);
        let Some(link) = self.line.link.filter(|_| knobs != LinkKnobs::default()) else { return Inward::Ended };
        let parcel = self.line.parcel(u32::MAX, !self.opener);
        let now = self.mad.now();
        if !parcel.is_lost(&knobs, 0) {
            let late = parcel.late(&knobs, 0);
            return Inward::Ending(Box::pin(self.mad.sleep_until(now.plus(late))));
        }
        // Looked at again each time that it would be sent.
        let (mad, mut lost) = (self.mad.clone(), Lost::new(parcel, now));
        Inward::Ending(Box::pin(async move {
            loop {
                let fate = lost.fate(&mad.ports().weather, link, mad.now(), |_| ());
                match fate {
                    Fate::Again(at) => mad.sleep_until(at).await,
                    Fate::Sent(at, late) => return mad.sleep_until(at.plus(late)).await,
                    Fate::Never => return,
                }
            }
        }))
    }
}

impl Stream for MadStream {
    fn carries(&mut self, chance: u64) {
        self.carries = chance;
    }
}

impl AsyncRead for MadStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.inward {
                Inward::Body(0) => this.inward = Inward::Head,
                Inward::Body(left) if !this.received.is_empty() => {
                    let part = (*left).min(this.received.len()).min(buf.remaining());
                    buf.put_slice(&this.received[..part]);
                    this.received.advance(part);
                    *left -= part;
                    return Poll::Ready(Ok(()));
                }
                Inward::Head => {
                    if let Some(head) = Head::take(&mut this.received) {
                        this.inward = this.received(head);
                        continue;
                    }
                }
                Inward::Held(head, lost, until) => {
                    ready!(until.as_mut().poll(cx));
                    let head = *head;
                    this.inward = match lost.take() {
                        Some(lost) => this.look_after(head, lost),
                        None => MadStream::there(head),
                    };
                    continue;
                }
                Inward::Ending(until) => {
                    ready!(until.as_mut().poll(cx));
                    this.inward = Inward::Ended;
                }
                Inward::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                Inward::Body(_) | Inward::Ended => {}
            }
            if matches!(this.inward, Inward::Ended) {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0_u8; 2048];
            let mut more = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut more))?;
            if more.filled().is_empty() {
                this.inward = this.ends();
            } else {
                this.received.extend_from_slice(more.filled());
            }
        }
    }
}

impl AsyncWrite for MadStream {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // An empty flush would be a message.
        if this.written.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let (head, late) = this.send_off();
        let mut message = BytesMut::with_capacity(Head::LENGTH + this.written.len());
        head.put(&mut message);
        message.extend_from_slice(&this.written);
        this.written.clear();
        ready!(Pin::new(&mut this.stream).poll_write(cx, &message))?;
        let late = this.mad.stretched(late);
        let latency = this.latency.start + late..this.latency.end + late;
        this.mad.net.update_config(|config| config.send_latency = latency);
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
