//! HTTP/2, in plain text and over TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use h2::Reason;
use rehearsal::scenario::Timeouts;
use rehearsal::transport::{Connections, Http, Transport};
use rehearsal_reports::outcome::{Cause, Outcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::version::TLS13;

use super::client::{Seen, User, patient, run};
use super::server::{Act, Server, say};
use super::tls::{Authority, Worth};

/// Answers by path; counts connections in the answer's header.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, connection: usize) {
    let Ok(mut server) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = server.accept().await {
        let head = |status: u16| {
            let head = hyper::Response::builder().status(status);
            head.header("x-connection", connection).body(()).expect("a head")
        };
        let path = request.uri().path().to_owned();
        assert!(request.uri().authority().is_some() && !request.headers().contains_key("host"));
        match path.as_str() {
            "/refused" => respond.send_reset(Reason::REFUSED_STREAM),
            "/reset" => respond.send_reset(Reason::INTERNAL_ERROR),
            "/goaway" => server.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            "/cut" => {
                let mut body = respond.send_response(head(200), false).expect("a head");
                body.send_data("hal".into(), false).expect("data");
                tokio::task::spawn_local(async move {
                    // A reset overtakes what was not yet written.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    body.send_reset(Reason::INTERNAL_ERROR);
                });
            }
            "/hang" => std::mem::forget(respond),
            _ => {
                let mut body = respond.send_response(head(200), false).expect("a head");
                body.send_data(path.into(), true).expect("data");
            }
        }
    }
}

/// A server of HTTP/2; over TLS with `config`.
async fn server(config: Option<Arc<ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::task::spawn_local(async move {
        for connection in 1.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let config = config.clone();
            tokio::task::spawn_local(async move {
                match config {
                    None => serve(stream, connection).await,
                    Some(config) => {
                        let stream = TlsAcceptor::from(config).accept(stream).await;
                        if let Ok(stream) = stream {
                            serve(stream, connection).await;
                        }
                    }
                }
            });
        }
    });
    address
}

fn clear() -> Transport {
    Transport { http: Http::TwoClear, ..Transport::default() }
}

fn is_good(seen: &Seen, path: &str) -> bool {
    matches!(seen, Seen::Answer(good) if good.body == path && good.bytes == path.len() as u64)
}

#[test]
fn requests_in_plain_text_are_answered_on_one_connection() {
    run(async {
        let address = server(None).await;
        let mut user = User::new(&format!("http://{address}"), &clear(), patient());
        for path in ["/a", "/b"] {
            let (seen, exchange) = user.ask("GET", path).await;
            assert!(is_good(&seen, path), "{seen:?}");
            assert_eq!(user.answer.header("x-connection"), Some(&b"1"[..]));
            assert!(exchange.sent <= exchange.first_byte);
        }
    });
}

#[test]
fn every_end_of_a_stream_has_its_cause() {
    run(async {
        let address = server(None).await;
        let limits = Timeouts { first_byte: Duration::from_millis(500), ..patient() };
        for (path, outcome, cause) in [
            ("/refused", Outcome::Failed, Cause::Reset),
            ("/reset", Outcome::Unknown, Cause::Reset),
            ("/goaway", Outcome::Unknown, Cause::Reset),
            ("/cut", Outcome::Unknown, Cause::BodyCut),
            ("/hang", Outcome::Unknown, Cause::FirstByteTimeout),
        ] {
            let mut user = User::new(&format!("http://{address}"), &clear(), limits);
            let (seen, exchange) = user.ask("GET", path).await;
            assert_eq!(seen, Seen::Fault(outcome, cause), "{path}: {exchange:?}");
            let (seen, _) = user.ask("GET", "/after").await;
            assert!(is_good(&seen, "/after"), "{path}: {seen:?}");
        }
    });
}

#[test]
fn a_server_of_the_first_version_is_malformed_and_a_closed_one_reset() {
    run(async {
        let one = Server::new(vec![vec![say("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::Hold]]).await;
        let url = format!("http://{}", one.address);
        let (seen, exchange) = User::new(&url, &clear(), patient()).ask("GET", "/").await;
        assert!(matches!(seen, Seen::Fault(_, Cause::Malformed | Cause::Reset)), "{exchange:?}");
        let closing = Server::new(vec![Vec::new()]).await;
        let url = format!("http://{}", closing.address);
        let (seen, _) = User::new(&url, &clear(), patient()).ask("GET", "/").await;
        assert!(matches!(seen, Seen::Fault(_, Cause::Reset)), "{seen:?}");
    });
}

#[test]
fn users_who_share_send_over_as_many_connections_as_are_allowed() {
    run(async {
        for (most, expected) in [(None, vec!["1"]), (Some(2), vec!["1", "2"])] {
            let address = server(None).await;
            let transport =
                Transport { connections: Connections::Shared, max_connections: most, ..clear() };
            let one = User::new(&format!("http://{address}"), &transport, patient());
            let mut users: Vec<User> = (0..6).map(|_| User::of(&one.client)).collect();
            let asked = users.iter_mut().map(|user| async {
                let (seen, _) = user.ask("GET", "/x").await;
                assert!(is_good(&seen, "/x"), "{seen:?}");
                let connection = user.answer.header("x-connection").expect("a header");
                String::from_utf8_lossy(connection).into_owned()
            });
            let mut seen = Vec::new();
            for connection in futures_util::future::join_all(asked).await {
                seen.push(connection);
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen, expected);
        }
    });
}

#[test]
fn the_version_is_agreed_on_in_tls() {
    run(async {
        let authority = Authority::new();
        let two = Transport { http: Http::Two, ..Transport::default() };
        let transport = authority.trusted(two);
        let config = authority.config(Worth::Good, &[&TLS13], &[b"h2"], false);
        let address = server(Some(config)).await;
        let url = format!("https://{address}");
        let (seen, exchange) = User::new(&url, &transport, patient()).ask("GET", "/a").await;
        assert!(is_good(&seen, "/a"), "{seen:?}");
        assert!(exchange.tls.is_some());
        let config = authority.config(Worth::Good, &[&TLS13], &[], false);
        let address = server(Some(config)).await;
        let url = format!("https://{address}");
        let (seen, exchange) = User::new(&url, &transport, patient()).ask("GET", "/a").await;
        assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Tls), "{exchange:?}");
    });
}
