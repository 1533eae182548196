//! The protocol between servers and stores: frames of one kind each way, one after the other on a connection.
//!
//! A frame is its length (one byte) and its body. A server says hello, waits for `Ready`, and then asks one question at a
//! time. A store that says nothing has not answered; one that closes the connection has severed it.

use brownout_models::units::Ns;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a server asks of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Opens the connection, under this number.
    Hello(u64),
    /// A query.
    Query(Query),
}

/// A query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query {
    /// The call that it is for, if it writes; 0 otherwise.
    pub call: u64,
    /// Under which the witness keeps the chance that this query stores the call; 0 if none.
    pub chance: u64,
    /// What is random about the call.
    pub salt: u64,
    /// Which try in place of the server.
    pub asks: u32,
    /// The attempt of the call.
    pub attempt: u16,
    /// The fleet of the caller.
    pub fleet: u16,
    /// What that fleet does for the kind of call; one more than it has kinds: for a health check.
    pub plan: u16,
    /// Whether it writes.
    pub writes: bool,
    /// From when on what it stores counts as late.
    pub late_from: Ns,
}

/// What a store answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The connection is set up.
    Ready,
    /// There are too many connections.
    TooMany,
    /// The query was executed.
    Done,
    /// The query failed.
    Failed,
}

/// Marks the last answer of a connection.
const LAST: u8 = 0x80;

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn write(to: &mut (impl AsyncWriteExt + Unpin), body: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(body.len() + 1);
    frame.push(body.len() as u8);
    frame.extend_from_slice(body);
    to.write_all(&frame).await?;
    to.flush().await
}

async fn read<const N: usize>(from: &mut (impl AsyncReadExt + Unpin), body: &mut [u8; N]) -> io::Result<usize> {
    let length = usize::from(from.read_u8().await?);
    let part = body.get_mut(..length).ok_or_else(|| bad("a frame is too long"))?;
    from.read_exact(part).await?;
    Ok(length)
}

impl Ask {
    /// Sends it.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(self, to: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        let mut body = [0_u8; 43];
        let length = match self {
            Ask::Hello(number) => {
                body[1..9].copy_from_slice(&number.to_be_bytes());
                9
            }
            Ask::Query(query) => {
                body[0] = 1 + u8::from(query.writes);
                body[1..9].copy_from_slice(&query.call.to_be_bytes());
                body[9..17].copy_from_slice(&query.chance.to_be_bytes());
                body[17..25].copy_from_slice(&query.salt.to_be_bytes());
                body[25..29].copy_from_slice(&query.asks.to_be_bytes());
                body[29..31].copy_from_slice(&query.attempt.to_be_bytes());
                body[31..39].copy_from_slice(&query.late_from.0.to_be_bytes());
                body[39..41].copy_from_slice(&query.fleet.to_be_bytes());
                body[41..43].copy_from_slice(&query.plan.to_be_bytes());
                43
            }
        };
        write(to, &body[..length]).await
    }

    /// Receives one.
    ///
    /// # Errors
    /// If the connection is gone, or what comes is no question.
    pub async fn receive(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Ask> {
        let mut body = [0_u8; 43];
        let length = read(from, &mut body).await?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&body[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        match (body[0], length) {
            (0, 9) => Ok(Ask::Hello(number(1))),
            (kind @ (1 | 2), 43) => Ok(Ask::Query(Query {
                call: number(1),
                chance: number(9),
                salt: number(17),
                asks: u32::from_be_bytes([body[25], body[26], body[27], body[28]]),
                attempt: u16::from_be_bytes([body[29], body[30]]),
                writes: kind == 2,
                late_from: Ns(number(31)),
                fleet: u16::from_be_bytes([body[39], body[40]]),
                plan: u16::from_be_bytes([body[41], body[42]]),
            })),
            _ => Err(bad("no question of the protocol")),
        }
    }
}

impl Answer {
    /// Sends it.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(self, to: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        write(to, &[self as u8]).await
    }

    /// Sends it and says that the connection takes no more.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_as_last(self, to: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        write(to, &[self as u8 | LAST]).await
    }

    /// Receives one, and whether it is the last of its connection.
    ///
    /// # Errors
    /// If the connection is gone, or what comes is no answer.
    pub async fn receive_or_last(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<(Answer, bool)> {
        let mut body = [0_u8; 1];
        read(from, &mut body).await?;
        Ok((Answer::of(body[0] & !LAST)?, body[0] & LAST != 0))
    }

    /// Receives one.
    ///
    /// # Errors
    /// If the connection is gone, or what comes is no answer.
    pub async fn receive(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Answer> {
        Ok(Answer::receive_or_last(from).await?.0)
    }

    fn of(code: u8) -> io::Result<Answer> {
        match code {
            0 => Ok(Answer::Ready),
            1 => Ok(Answer::TooMany),
            2 => Ok(Answer::Done),
            3 => Ok(Answer::Failed),
            _ => Err(bad("no answer of the protocol")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_received_and_anything_else_is_an_error() {
        let (mut one, mut other) = tokio::io::duplex(1024);
        let query = Query {
            call: 7,
            chance: u64::MAX,
            salt: 9,
            asks: 3,
            attempt: 2,
            fleet: 1,
            plan: 300,
            writes: true,
            late_from: Ns::NEVER,
        };
        for ask in [Ask::Hello(5), Ask::Query(query), Ask::Query(Query { writes: false, ..query })] {
            ask.send(&mut one).await.unwrap();
            assert_eq!(Ask::receive(&mut other).await.unwrap(), ask);
        }
        for answer in [Answer::Ready, Answer::TooMany, Answer::Done, Answer::Failed] {
            answer.send(&mut other).await.unwrap();
            assert_eq!(Answer::receive(&mut one).await.unwrap(), answer);
        }
        one.write_all(&[3, 1, 2, 3]).await.unwrap();
        assert_eq!(Ask::receive(&mut other).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        one.write_all(&[200]).await.unwrap();
        assert_eq!(Ask::receive(&mut other).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(one);
        assert_eq!(Ask::receive(&mut other).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
