//! One body for both platforms: a connect that is refused, one that a full backlog leaves unanswered, and what becomes of
//! it when there is room.

use brownout_models::units::Ns;
use brownout_services::platform::{Door, Handshake, LinkId, Listener, Machine, Platform, Way};

const DOOR: Door = Door { machine: Machine(1), port: 80 };
const WAY: Way = Way { latency: Ns::micros(50), jitter: Ns::ZERO, link: Some(LinkId::Server(0)) };

async fn connects<P: Platform>(client: P, server: P) {
    let connect = || client.connect(DOOR, WAY, Handshake::Fresh);
    // Nobody has ever listened, and nobody listens any more: refused at once.
    let refused = client.within(Ns::millis(200), connect()).await.expect("a refusal takes no time");
    assert_eq!(refused.err().map(|why| why.kind()), Some(std::io::ErrorKind::ConnectionRefused));
    let listener = server.listen(DOOR, 3, WAY).await.unwrap();
    // A backlog takes connections for a process that does not accept.
    let mut open = Vec::new();
    for n in 0..3 {
        open.push(client.within(Ns::millis(200), connect()).await.unwrap_or_else(|| panic!("{n} of 3")).unwrap());
    }
    // Full: the next goes unanswered, neither refused nor connected.
    assert!(client.within(Ns::millis(600), connect()).await.is_none(), "a full backlog is silent");
    // The connect is sent again after a second, and finds the room that there is by then.
    let begun = client.now();
    let waiting = client.within(Ns::millis(2500), connect());
    let accepting = async {
        client.sleep(Ns::millis(300)).await;
        open.push(listener.accept().await.unwrap());
        open.push(listener.accept().await.unwrap());
    };
    let (connected, ()) = both(waiting, accepting).await;
    connected.expect("the connect is sent again").unwrap();
    let took = client.now().minus(begun);
    assert!(took >= Ns::millis(800) && took < Ns::millis(2400), "first retransmission after a second: {took}");
    drop(listener);
    let refused = client.within(Ns::millis(200), connect()).await.expect("a refusal takes no time");
    assert_eq!(refused.err().map(|why| why.kind()), Some(std::io::ErrorKind::ConnectionRefused));
}

/// Both of two.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut x, mut y) = (None, None);
    std::future::poll_fn(|cx| {
        if x.is_none()
            && let std::task::Poll::Ready(value) = a.as_mut().poll(cx)
        {
            x = Some(value);
        }
        if y.is_none()
            && let std::task::Poll::Ready(value) = b.as_mut().poll(cx)
        {
            y = Some(value);
        }
        if x.is_some() && y.is_some() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    (x.unwrap(), y.unwrap())
}

#[test]
fn real_sockets_refuse_and_keep_silent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let platform = brownout_services::platform::real::Real::new(Ns::ZERO);
    runtime.block_on(connects(platform.clone(), platform));
}

#[cfg(madsim)]
mod simulated {
    use super::*;
    use brownout_models::fault::LinkKnobs;
    use brownout_models::ledger::Cause;
    use brownout_services::platform::mad::{Mad, MadStream, STRETCH};
    use brownout_services::platform::weather::Met;
    use brownout_services::platform::{Silence, Stream};
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const CUT: LinkKnobs =
        LinkKnobs { add: Ns::ZERO, jitter: Ns::ZERO, loss_outward: 1.0, loss_back: 1.0, resets: 0.0 };

    /// Runs a body on the machine of a client, with a handle of the server's.
    fn simulate<R: Future<Output = ()> + Send + 'static>(body: impl FnOnce(Mad, Mad) -> R + Send + 'static) {
        let run = move || {
            let runtime = madsim::runtime::Runtime::with_seed_and_config(1, madsim::Config::default());
            runtime.block_on(async move {
                let world = Mad::new(STRETCH, Ns::ZERO);
                let done = Arc::new(tokio::sync::Notify::new());
                let server: Arc<Mutex<Option<Mad>>> = Arc::default();
                let kept = server.clone();
                world.start(Machine(1), move |server| {
                    *kept.lock().unwrap() = Some(server);
                    std::future::pending::<()>()
                });
                let server = server.lock().unwrap().clone().unwrap();
                let told = done.clone();
                world.start(Machine(0), move |client| async move {
                    body(client, server).await;
                    told.notify_one();
                });
                done.notified().await;
            });
        };
        std::thread::spawn(run).join().unwrap();
    }

    #[test]
    fn simulated_sockets_refuse_and_keep_silent() {
        simulate(connects);
    }

    #[test]
    fn a_cut_link_is_silent_until_it_heals() {
        simulate(|client, server| async move {
            client.weather(LinkId::Server(0), CUT).unwrap();
            drop(server);
            let connect = client.connect(DOOR, WAY, Handshake::Fresh);
            assert!(client.within(Ns::secs(5), connect).await.is_none(), "a cut link is silent");
            client.weather(LinkId::Server(0), LinkKnobs::default()).unwrap();
            let connect = client.connect(DOOR, WAY, Handshake::Fresh);
            assert!(client.within(Ns::secs(1), connect).await.is_some_and(|c| c.is_err()), "healed: nobody listens");
        });
    }

    /// Both ends of a connection over a link that has been made like this before.
    async fn connected(client: &Mad, server: &Mad, knobs: LinkKnobs) -> (MadStream, MadStream) {
        let listener = server.listen(DOOR, 3, WAY).await.unwrap();
        client.weather(LinkId::Server(0), knobs).unwrap();
        let (one, other) = both(client.connect(DOOR, WAY, Handshake::Fresh), listener.accept()).await;
        (one.unwrap(), other.unwrap())
    }

    #[test]
    fn a_lost_connect_is_sent_again_after_a_second() {
        simulate(|client, server| async move {
            let listener = server.listen(DOOR, 3, WAY).await.unwrap();
            client.weather(LinkId::Server(0), LinkKnobs { loss_back: 1.0, ..LinkKnobs::default() }).unwrap();
            let silence = Silence::default();
            let connect = client.connect_noting(DOOR, WAY, Handshake::Fresh, &silence);
            let heals = async {
                client.sleep(Ns::millis(900)).await;
                client.weather(LinkId::Server(0), LinkKnobs::default()).unwrap();
            };
            let (opened, ()) = both(connect, heals).await;
            opened.unwrap();
            assert!(client.now() >= Ns::secs(1) && client.now() < Ns::millis(1001), "{}", client.now());
            assert_eq!(silence.cause(), Cause::Unreachable);
            drop(listener);
        });
    }

    #[test]
    fn lost_data_arrives_late_and_in_order() {
        simulate(|client, server| async move {
            let (mut one, mut other) = connected(&client, &server, LinkKnobs::default()).await;
            client.weather(LinkId::Server(0), CUT).unwrap();
            let sent = client.now();
            one.write_all(b"first ").await.unwrap();
            one.flush().await.unwrap();
            client.sleep(Ns::millis(50)).await;
            client.weather(LinkId::Server(0), LinkKnobs::default()).unwrap();
            one.write_all(b"second").await.unwrap();
            one.flush().await.unwrap();
            let mut read = [0; 12];
            other.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"first second");
            let took = client.now().minus(sent);
            assert!(took >= Ns::millis(200) && took < Ns::millis(201), "sent again after 0.2 s: {took}");
            // What was sent before its sender left arrives all the same, and then the end.
            client.weather(LinkId::Server(0), CUT).unwrap();
            one.write_all(b"last").await.unwrap();
            one.flush().await.unwrap();
            drop(one);
            client.weather(LinkId::Server(0), LinkKnobs::default()).unwrap();
            let mut rest = Vec::new();
            other.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"last");
        });
    }

    #[test]
    fn a_slow_link_makes_connect_accept_and_answer_late_each_for_itself() {
        simulate(|client, server| async move {
            let slow = LinkKnobs { add: Ns::millis(100), ..LinkKnobs::default() };
            let begun = client.now();
            let near = |now: Ns, ms: u64| {
                let took = now.minus(begun);
                assert!(took >= Ns::millis(ms) && took < Ns::millis(ms + 1), "{took} and not {ms} ms");
            };
            let listener = server.listen(DOOR, 3, WAY).await.unwrap();
            client.weather(LinkId::Server(0), slow).unwrap();
            let asks = async {
                let mut stream = client.connect(DOOR, WAY, Handshake::Fresh).await.unwrap();
                near(client.now(), 200);
                stream.write_all(b"?").await.unwrap();
                stream.flush().await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), b'!');
                near(client.now(), 400);
            };
            let answers = async {
                let mut stream = listener.accept().await.unwrap();
                near(client.now(), 300);
                assert_eq!(stream.read_u8().await.unwrap(), b'?');
                near(client.now(), 300);
                stream.write_all(b"!").await.unwrap();
                stream.flush().await.unwrap();
            };
            both(asks, answers).await;
        });
    }

    #[test]
    fn a_reset_takes_the_place_of_an_answer_and_of_nothing_else() {
        simulate(|client, server| async move {
            let resets = LinkKnobs { resets: 1.0, ..LinkKnobs::default() };
            let (mut one, mut other) = connected(&client, &server, resets).await;
            one.write_all(b"?").await.unwrap();
            one.flush().await.unwrap();
            assert_eq!(other.read_u8().await.unwrap(), b'?');
            other.write_all(b"!").await.unwrap();
            other.flush().await.unwrap();
            let reset = one.read_u8().await.unwrap_err();
            assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionAborted);
        });
    }

    #[test]
    fn what_is_lost_for_good_ends_its_connection_and_is_told() {
        simulate(|client, server| async move {
            let told: Arc<Mutex<Vec<Met>>> = Arc::default();
            let hears = told.clone();
            client.tell(Arc::new(move |met| hears.lock().unwrap().push(met)));
            let (mut one, mut other) = connected(&client, &server, LinkKnobs::default()).await;
            client.weather(LinkId::Server(0), CUT).unwrap();
            one.carries(7);
            one.write_all(b"lost").await.unwrap();
            one.flush().await.unwrap();
            assert!(other.read_u8().await.is_err());
            assert!(client.now() > Ns::secs(800), "fifteen times: {}", client.now());
            let told = told.lock().unwrap();
            assert_eq!(told.iter().filter(|met| matches!(met, Met::Lost(LinkId::Server(0), Some(true)))).count(), 16);
            assert_eq!(told.last(), Some(&Met::Undeliverable(7)));
        });
    }
}
