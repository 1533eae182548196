//! One body for both platforms: a connect that is refused, one that a full backlog leaves unanswered, and what becomes of
//! it when there is room.

use brownout_models::units::Ns;
use brownout_services::platform::{Door, Handshake, Listener, Machine, Platform, Way};

const DOOR: Door = Door { machine: Machine(1), port: 80 };
const WAY: Way = Way { latency: Ns::micros(50), jitter: Ns::ZERO };

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
    use brownout_services::platform::mad::{Mad, STRETCH};
    use std::sync::{Arc, Mutex};

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
            client.cut(Machine(0), Machine(1), true).unwrap();
            drop(server);
            let connect = client.connect(DOOR, WAY, Handshake::Fresh);
            assert!(client.within(Ns::secs(5), connect).await.is_none(), "a cut link is silent");
            client.cut(Machine(0), Machine(1), false).unwrap();
            let connect = client.connect(DOOR, WAY, Handshake::Fresh);
            assert!(client.within(Ns::secs(1), connect).await.is_some_and(|c| c.is_err()), "healed: nobody listens");
        });
    }
}
