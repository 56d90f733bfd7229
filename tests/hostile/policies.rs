//! Who keeps connections, how names and refusals are met, and what is done about answers that
//! lead elsewhere or come packed.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use rehearsal::scenario::Timeouts;
use rehearsal::transport::{BackOff, Compression, Connections, DnsWord, DnsWritten, Ip, Transport};
use rehearsal_reports::outcome::{Cause, Outcome};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::client::{CODECS, Seen, User, patient, run, with};
use super::server::{Act, Server, perform, say};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers this many requests of each connection.
fn answers(count: usize) -> Vec<Vec<Act>> {
    let mut script = vec![[Act::Read, say(OK)]; count].concat();
    script.push(Act::Hold);
    vec![script]
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

fn is_good(seen: &Seen) -> bool {
    matches!(seen, Seen::Answer(good) if good.status == 200 && good.body == "ok")
}

/// Connections after two users have walked through two iterations of two requests each.
async fn connections(transport: &Transport) -> usize {
    let server = Server::new(answers(9)).await;
    let mut one = User::new(&url(&server), transport, patient());
    let mut other = User::of(&one.client);
    for _ in 0..2 {
        for user in [&mut one, &mut other] {
            for _ in 0..2 {
                let (seen, _) = user.ask("GET", "/").await;
                assert!(is_good(&seen), "{seen:?}");
            }
            user.line.iteration_over();
        }
    }
    server.accepted()
}

#[test]
fn each_policy_keeps_its_own_number_of_connections() {
    run(async {
        for codec in CODECS {
            for (connections_are, expected) in [
                (Connections::PerUser, 2),
                (Connections::Shared, 1),
                (Connections::PerIteration, 4),
                (Connections::PerRequest, 8),
            ] {
                let transport = Transport { connections: connections_are, ..with(codec) };
                let found = connections(&transport).await;
                assert_eq!(found, expected, "{connections_are:?} by {codec:?}");
            }
            let twice = Transport { max_requests: Some(2), ..with(codec) };
            assert_eq!(connections(&twice).await, 4, "two requests each by {codec:?}");
            let young = Transport { max_age: Some(Duration::from_nanos(1)), ..with(codec) };
            assert_eq!(connections(&young).await, 8, "too old at once by {codec:?}");
        }
    });
}

#[test]
fn users_who_share_wait_for_a_connection_and_the_limit_of_the_whole_ends_the_wait() {
    run(async {
        for codec in CODECS {
            let shared = Transport {
                connections: Connections::Shared,
                max_connections: Some(1),
                ..with(codec)
            };
            let server = Server::new(answers(9)).await;
            let mut one = User::new(&url(&server), &shared, patient());
            let mut other = User::of(&one.client);
            let (one, other) = tokio::join!(one.ask("GET", "/"), other.ask("GET", "/"));
            assert!(is_good(&one.0) && is_good(&other.0));
            assert_eq!(server.accepted(), 1);

            let silent = Server::new(vec![vec![Act::Read, Act::Hold]]).await;
            let limits = Timeouts { total: Duration::from_millis(60), ..patient() };
            let mut one = User::new(&url(&silent), &shared, limits);
            let mut other = User::of(&one.client);
            let (one, other) = tokio::join!(one.ask("GET", "/"), other.ask("GET", "/"));
            assert_eq!(one.0, Seen::Fault(Outcome::Unknown, Cause::TotalTimeout));
            // The place may come free just before the limit of who waits for it.
            let possible = [
                Seen::Fault(Outcome::Failed, Cause::ConnectTimeout),
                Seen::Fault(Outcome::Unknown, Cause::TotalTimeout),
            ];
            assert!(possible.contains(&other.0), "{other:?}");
        }
    });
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced_and_one_that_broke_is_not() {
    run(async {
        for codec in CODECS {
            // Closed after the answer, without a word: the next request takes a new connection.
            let first = vec![Act::Read, say(OK)];
            let server = Server::new(vec![first, answers(1).remove(0)]).await;
            let mut user = User::new(&url(&server), &with(codec), patient());
            assert!(is_good(&user.ask("GET", "/").await.0));
            while server.accepted() < 2 {
                tokio::task::yield_now().await;
                let (seen, exchange) = user.ask("POST", "/").await;
                assert!(is_good(&seen) || seen == Seen::Fault(Outcome::Unknown, Cause::Reset));
                assert!(!is_good(&seen) || exchange.connect.is_some(), "on a new connection");
            }
            // Closed after the second request was read: who knows what the server did with it.
            let torn = vec![Act::Read, say(OK), Act::Read];
            let server = Server::new(vec![torn]).await;
            let mut user = User::new(&url(&server), &with(codec), patient());
            assert!(is_good(&user.ask("GET", "/").await.0));
            let (seen, _) = user.ask("POST", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Unknown, Cause::Reset), "{codec:?}");
            assert_eq!(server.accepted(), 1, "nothing is sent twice");
        }
    });
}

#[test]
fn a_request_that_was_given_up_leaves_nothing_behind_for_the_next() {
    run(async {
        for codec in CODECS {
            let late = vec![Act::Read, Act::Hold];
            let server = Server::new(vec![late, answers(1).remove(0)]).await;
            let mut user = User::new(&url(&server), &with(codec), patient());
            tokio::select! {
                _ = user.ask("GET", "/given-up") => panic!("nobody answers"),
                () = async {
                    while server.requests().is_empty() {
                        tokio::task::yield_now().await;
                    }
                } => {}
            }
            assert!(is_good(&user.ask("GET", "/next").await.0));
            assert_eq!(server.accepted(), 2, "{codec:?}");
        }
    });
}

#[test]
fn only_who_was_refused_waits() {
    run(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let url = format!("http://{}", socket.local_addr().expect("an address"));
        let wait = Duration::from_millis(80);
        let back_off = Some(BackOff { after_refused: wait, max: None });
        let transport = Transport { back_off, ..Transport::default() };
        let mut one = User::new(&url, &transport, patient());
        let mut other = User::of(&one.client);
        let refused = Seen::Fault(Outcome::Failed, Cause::Refused);
        let first = one.ask("GET", "/").await;
        let others = other.ask("GET", "/").await;
        let second = one.ask("GET", "/").await;
        assert_eq!((first.0, others.0, second.0), (refused.clone(), refused.clone(), refused));
        assert!(second.1.done >= first.1.done + wait, "the wait is part of the response time");
    });
}

#[test]
fn connections_come_from_the_source_addresses_in_turn() {
    run(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let sources: Vec<Ipv4Addr> = (1..=3).map(|last| Ipv4Addr::new(127, 0, 0, last)).collect();
        let transport = Transport {
            source_addresses: sources.iter().map(|source| (*source).into()).collect(),
            connections: Connections::PerRequest,
            ..Transport::default()
        };
        let mut user = User::new(&url, &transport, patient());
        let mut seen = Vec::new();
        for _ in 0..4 {
            let accept = async {
                let (mut stream, peer) = listener.accept().await.expect("a connection");
                let requests = std::cell::RefCell::default();
                for act in [Act::Read, say(OK)] {
                    perform(&mut stream, act, &requests).await.expect("an act");
                }
                assert!(requests.borrow()[0].contains("connection: close\r\n"));
                peer.ip().to_string()
            };
            let (peer, (answer, _)) = tokio::join!(accept, user.ask("GET", "/"));
            assert!(is_good(&answer));
            seen.push(peer);
        }
        assert_eq!(seen, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
    });
}

#[test]
fn names_are_looked_up_by_every_policy_and_addresses_have_a_version() {
    run(async {
        let server = Server::new(answers(1)).await;
        let url = format!("http://localhost:{}", server.address.port());
        let every = rehearsal::transport::DnsEvery { every: Duration::from_secs(30) };
        for dns in [
            DnsWritten::Word(DnsWord::Once),
            DnsWritten::Word(DnsWord::PerConnection),
            DnsWritten::Every(every),
        ] {
            let transport = Transport { dns, ip: Ip::Four, ..Transport::default() };
            let (seen, _) = User::new(&url, &transport, patient()).ask("GET", "/").await;
            assert!(is_good(&seen), "{dns:?}: {seen:?}");
        }
        let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
        drop(listener.local_addr().map(|address| {
            let url = format!("http://{address}");
            assert!(url.starts_with("http://[::1]:"));
        }));
        let address = listener.local_addr().expect("an address");
        let accept = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let requests = std::cell::RefCell::default();
            for act in [Act::Read, say(OK)] {
                perform(&mut stream, act, &requests).await.expect("an act");
            }
            requests.into_inner()
        };
        let mut user = User::new(&format!("http://{address}"), &Transport::default(), patient());
        let (requests, (seen, _)) = tokio::join!(accept, user.ask("GET", "/"));
        assert!(is_good(&seen));
        assert!(requests[0].contains(&format!("host: [::1]:{}\r\n", address.port())));
    });
}

#[test]
fn a_unix_socket_is_a_target_like_any_other() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("shop.sock");
        let url = format!("unix:{}", path.display());
        for codec in CODECS {
            let mut user = User::new(&url, &with(codec), patient());
            let (seen, _) = user.ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Refused));
            let listener = UnixListener::bind(&path).expect("a socket");
            let accept = async {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let requests = std::cell::RefCell::default();
                for act in [Act::Read, say(OK), Act::Read, say(OK)] {
                    perform(&mut stream, act, &requests).await.expect("an act");
                }
                requests.into_inner()
            };
            let ask = async {
                assert!(is_good(&user.ask("GET", "/a").await.0));
                assert!(is_good(&user.ask("GET", "/b").await.0));
            };
            let (requests, ()) = tokio::join!(accept, ask);
            assert!(requests[1].starts_with("GET /b HTTP/1.1\r\nhost: localhost\r\n"));
            std::fs::remove_file(&path).expect("the socket");
        }
    });
}

#[test]
fn redirects_are_followed_on_the_target_only_and_cookies_go_along() {
    run(async {
        for codec in CODECS {
            let to = |place: &str| {
                let cookie = "Set-Cookie: id=7; Path=/";
                let head = format!("HTTP/1.1 302 x\r\nlocation: {place}\r\n{cookie}\r\n");
                vec![Act::Read, Act::Say((head + "content-length: 0\r\n\r\n").into())]
            };
            let script = [to("/a"), to("b"), vec![Act::Read, say(OK), Act::Hold]].concat();
            let transport = Transport { redirects: 2, ..with(codec) };
            let server = Server::new(vec![script]).await;
            let mut user = User::new(&url(&server), &transport, patient());
            let (seen, exchange) = user.send("POST", "/login", Some(b"x")).await;
            assert!(is_good(&seen), "{seen:?}");
            assert!(exchange.sent < exchange.first_byte);
            let cookies: Vec<&[u8]> = user.answer.headers("set-cookie").collect();
            assert_eq!(cookies, [b"id=7; Path=/"; 2], "a browser keeps those of every answer");
            let requests = server.requests();
            assert!(requests[1].starts_with("GET /a HTTP/1.1\r\n"), "{}", requests[1]);
            assert!(requests[2].starts_with("GET /b HTTP/1.1\r\n"), "{}", requests[2]);
            assert!(requests[2].contains("cookie: id=7\r\n") && !requests[2].contains("length"));

            let elsewhere = [to("http://elsewhere.invalid/"), vec![Act::Hold]].concat();
            let server = Server::new(vec![elsewhere]).await;
            let (seen, _) = User::new(&url(&server), &transport, patient()).ask("GET", "/").await;
            assert!(matches!(&seen, Seen::Answer(good) if good.status == 302), "{seen:?}");

            let server = Server::new(vec![vec![to("/again"); 9].concat()]).await;
            let (seen, _) = User::new(&url(&server), &transport, patient()).ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::CheckFailed));
            assert_eq!(server.requests().len(), 3);

            let server = Server::new(vec![to("/a")]).await;
            let (seen, _) = User::new(&url(&server), &with(codec), patient()).ask("GET", "/").await;
            assert!(matches!(&seen, Seen::Answer(good) if good.status == 302), "not asked for");
        }
    });
}

#[test]
fn packed_answers_are_unpacked_for_checks_and_counted_as_received() {
    run(async {
        let mut encoder = GzEncoder::new(Vec::new(), Level::default());
        encoder.write_all(&b"ok".repeat(500)).expect("memory");
        let packed = encoder.finish().expect("memory");
        let answer = |body: &[u8]| {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
            );
            vec![vec![Act::Read, Act::Say([head.as_bytes(), body].concat()), Act::Hold]]
        };
        for codec in CODECS {
            let transport = Transport { compression: Compression::Gzip, ..with(codec) };
            let server = Server::new(answer(&packed)).await;
            let (seen, _) = User::new(&url(&server), &transport, patient()).ask("GET", "/").await;
            let Seen::Answer(good) = seen else { panic!("{seen:?}") };
            assert_eq!((good.body, good.bytes), ("ok".repeat(500), packed.len() as u64));
            assert!(server.requests()[0].contains("accept-encoding: gzip\r\n"));

            let server = Server::new(answer(b"not packed")).await;
            let (seen, _) = User::new(&url(&server), &transport, patient()).ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::WrongContent));
        }
    });
}
