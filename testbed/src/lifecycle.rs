//! How a role begins and ends.
//!
//! The end is announced before it happens: readiness turns false first, connections are still
//! accepted while load balancers notice, then the door is closed and what is under way is finished,
//! up to a bound. A role whose stdin closes has lost its parent and leaves at once.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::log::Log;

/// Where a role listens and how it ends.
#[derive(Args, Clone, Debug)]
pub(crate) struct Lifecycle {
    /// Address to listen on; port 0 takes a free one, told by the first line of the log
    #[arg(long, env = "TESTBED_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// After SIGTERM: how long to go on accepting while not ready, so that balancers notice
    #[arg(long, env = "TESTBED_DRAIN", default_value = "500ms", value_parser = humantime::parse_duration)]
    pub(crate) drain: Duration,

    /// After the drain: how long requests under way may still take
    #[arg(long, env = "TESTBED_GRACE", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,

    /// End when stdin closes, that is, when the parent is gone
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,
}

/// Whether the role has been told to end.
#[derive(Clone, Default)]
pub(crate) struct Draining(Arc<AtomicBool>);

impl Draining {
    /// True from SIGTERM on.
    pub(crate) fn begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serves `router` until the role is told to end. `role` is its name for the log.
pub(crate) async fn serve(
    role: &str,
    router: Router,
    draining: Draining,
    lifecycle: &Lifecycle,
    log: &Log,
) -> Result<(), Error> {
    let bind = |source| Error::Bind { address: lifecycle.listen, source };
    // Tokio sets SO_REUSEADDR, so a restart finds its port free in spite of old connections.
    let listener = TcpListener::bind(lifecycle.listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    log.line(&format!("listening role={role} address={address}"));

    let router = router.layer(from_fn_with_state(draining.clone(), say_goodbye));
    let (close_door, door_closed) = oneshot::channel::<()>();
    // An answer that waits for the client's delayed acknowledgement costs it 40 ms. A connection
    // that is gone already shows itself at the next read.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // Either way of ending the wait is the call to close.
        let _ = door_closed.await;
    });
    let ended = tokio::select! {
        ended = server.into_future() => ended.map_err(Error::from),
        ended = end(draining, close_door, lifecycle, log) => ended,
        () = parent_gone(lifecycle.exit_with_stdin) => Ok(()),
    };
    log.line(&format!("ended role={role}"));
    log.flush().await;
    ended
}

/// Tells clients of a draining instance to come back on a new connection.
async fn say_goodbye(State(draining): State<Draining>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if draining.begun() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Ready when the grace is used up; the server itself is ready earlier when all is finished.
async fn end(
    draining: Draining,
    close_door: oneshot::Sender<()>,
    lifecycle: &Lifecycle,
    log: &Log,
) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    draining.begin();
    log.line("draining");
    tokio::time::sleep(lifecycle.drain).await;
    // The server is gone already when nobody listens.
    let _ = close_door.send(());
    tokio::time::sleep(lifecycle.grace).await;
    log.line("cut off what was still under way");
    Ok(())
}

/// Ready when stdin is at its end; never when it is not `watched`.
async fn parent_gone(watched: bool) {
    if !watched {
        return std::future::pending().await;
    }
    let (gone, parent) = oneshot::channel::<()>();
    // A plain thread: the runtime would wait for a read of its own before the process could end.
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
        drop(gone);
    });
    // The sender is never used, only dropped.
    let _ = parent.await;
}
