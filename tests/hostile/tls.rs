//! TLS: who is believed, who is not, and what is said of it.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rehearsal::scenario::Timeouts;
use rehearsal::transport::{Tls, TlsVersion, Transport};
use rehearsal_reports::outcome::{Cause, Outcome};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::client::{CODECS, Seen, User, patient, run, with};
use super::server::{Act, Server, perform, say};

/// An authority of the test's own, with its files.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// How a certificate is made.
#[derive(Clone, Copy)]
pub(crate) enum Worth {
    /// For 127.0.0.1 and `shop.test`.
    Good,
    /// For another name.
    OtherName,
    /// Out of date.
    Expired,
    /// Of the future.
    NotYet,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let directory = tempfile::tempdir().expect("a directory");
        // No two have one name.
        let name = directory.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let own = Self { issuer, directory };
        std::fs::write(own.file("ca.pem"), own.issuer.pem()).expect("a file");
        own
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A certificate and its key.
    fn certificate(&self, worth: Worth) -> (rcgen::Certificate, KeyPair) {
        let names = match worth {
            Worth::OtherName => vec!["other.test".to_owned()],
            _ => vec!["127.0.0.1".to_owned(), "shop.test".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("parameters");
        match worth {
            Worth::Expired => params.not_after = date_time_ymd(2001, 1, 1),
            Worth::NotYet => params.not_before = date_time_ymd(2999, 1, 1),
            Worth::Good | Worth::OtherName => {}
        }
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    /// A server's settings.
    pub(crate) fn config(
        &self,
        worth: Worth,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&[u8]],
        asks_back: bool,
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.certificate(worth);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("versions");
        let builder = if asks_back {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(self.issuer.der().to_vec())).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let mut config = builder.with_single_cert(chain, key).expect("a certificate");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// A transport that trusts this authority.
    pub(crate) fn trusted(&self, transport: Transport) -> Transport {
        let tls = Tls { ca: Some(self.file("ca.pem")), ..Tls::default() };
        Transport { tls, ..transport }
    }

    /// A certificate of a client, and its key, as files.
    fn identity(&self) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.certificate(Worth::Good);
        let paths = (self.file("client.pem"), self.file("client.key"));
        std::fs::write(&paths.0, certificate.pem()).expect("a file");
        std::fs::write(&paths.1, key.serialize_pem()).expect("a file");
        paths
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that speaks TLS with `config` and follows `script` on each connection.
pub(crate) async fn server(config: Arc<ServerConfig>, script: Vec<Act>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, script) = (TlsAcceptor::from(Arc::clone(&config)), script.clone());
            tokio::task::spawn_local(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let requests = RefCell::default();
                for act in script {
                    if matches!(act, Act::Reset) {
                        // Ends without the word by which TLS tells an end from a cut.
                        return;
                    }
                    if perform(&mut stream, act, &requests).await.is_err() {
                        return;
                    }
                }
                drop(stream.shutdown().await);
            });
        }
    });
    address
}

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

#[test]
fn requests_over_tls_are_like_any_other_and_the_handshake_is_measured() {
    run(async {
        let authority = Authority::new();
        for versions in [&BOTH[..1], &BOTH[1..]] {
            let config = authority.config(Worth::Good, versions, &[], false);
            let script = vec![Act::Read, say(OK), Act::Read, Act::Drip(OK.into()), Act::Hold];
            let address = server(config, script).await;
            for codec in CODECS {
                let transport = authority.trusted(with(codec));
                let mut user = User::new(&format!("https://{address}"), &transport, patient());
                let (seen, exchange) = user.ask("GET", "/").await;
                assert!(matches!(&seen, Seen::Answer(good) if good.body == "ok"), "{seen:?}");
                assert!(exchange.tls.is_some_and(|tls| Some(tls) <= exchange.connect));
                let (seen, exchange) = user.ask("GET", "/").await;
                assert!(matches!(&seen, Seen::Answer(good) if good.body == "ok"), "{seen:?}");
                assert_eq!((exchange.connect, exchange.tls), (None, None), "the same connection");
            }
        }
    });
}

#[test]
fn a_big_body_comes_whole_over_tls() {
    run(async {
        let authority = Authority::new();
        let config = authority.config(Worth::Good, &BOTH, &[], false);
        let length = 3 << 20;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let answer = [head.into_bytes(), vec![b'x'; length]].concat();
        let address = server(config, vec![Act::Read, Act::Say(answer), Act::Hold]).await;
        for codec in CODECS {
            let transport = authority.trusted(with(codec));
            let mut user = User::new(&format!("https://{address}"), &transport, patient());
            let (seen, _) = user.send("POST", "/", Some(&vec![b'y'; 1 << 20])).await;
            let Seen::Answer(good) = seen else { panic!("{seen:?}") };
            assert_eq!((good.bytes, good.body.len()), (length as u64, 1 << 20));
        }
    });
}

#[test]
fn who_cannot_be_believed_is_told_by_the_reason() {
    run(async {
        let (authority, stranger) = (Authority::new(), Authority::new());
        for (worth, trusted, words) in [
            (Worth::Good, &stranger, "signed by nobody who is trusted"),
            (Worth::OtherName, &authority, "for another name"),
            (Worth::Expired, &authority, "has expired"),
            (Worth::NotYet, &authority, "not valid yet"),
        ] {
            let config = authority.config(worth, &BOTH, &[], false);
            let address = server(config, vec![Act::Read, say(OK), Act::Hold]).await;
            let url = format!("https://{address}");
            for codec in CODECS {
                let transport = trusted.trusted(with(codec));
                let (seen, exchange) = User::new(&url, &transport, patient()).ask("GET", "/").await;
                assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Tls), "{words}");
                let message = exchange.result.expect_err("a fault").message;
                assert!(message.contains(words), "{message}");
                assert_eq!(exchange.sent, None);
            }
            let tls = Tls { insecure: true, ..Tls::default() };
            let transport = Transport { tls, ..Transport::default() };
            let (seen, _) = User::new(&url, &transport, patient()).ask("GET", "/").await;
            assert!(matches!(seen, Seen::Answer(_)), "insecure believes anybody: {seen:?}");
        }
    });
}

#[test]
fn the_name_and_the_version_can_be_asked_for() {
    run(async {
        let authority = Authority::new();
        let config = authority.config(Worth::Good, &BOTH[..1], &[], false);
        let address = server(config, vec![Act::Read, say(OK), Act::Hold]).await;
        let url = format!("https://{address}");
        let named = |name: &str| {
            let mut transport = authority.trusted(Transport::default());
            transport.tls.server_name = Some(name.to_owned());
            transport
        };
        let (seen, _) = User::new(&url, &named("shop.test"), patient()).ask("GET", "/").await;
        assert!(matches!(seen, Seen::Answer(_)), "{seen:?}");
        let (seen, _) = User::new(&url, &named("other.test"), patient()).ask("GET", "/").await;
        assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Tls));
        let mut new = authority.trusted(Transport::default());
        new.tls.min_version = TlsVersion::OneThree;
        let (seen, _) = User::new(&url, &new, patient()).ask("GET", "/").await;
        assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Tls), "the server speaks 1.2 only");
    });
}

#[test]
fn a_server_that_asks_back_gets_the_client_certificate() {
    run(async {
        let authority = Authority::new();
        let config = authority.config(Worth::Good, &BOTH, &[], true);
        let address = server(config, vec![Act::Read, say(OK), Act::Hold]).await;
        let url = format!("https://{address}");
        for codec in CODECS {
            let mut transport = authority.trusted(with(codec));
            let (seen, _) = User::new(&url, &transport, patient()).ask("GET", "/").await;
            // In TLS 1.3 the client has done its part before the server refuses it.
            assert!(matches!(seen, Seen::Fault(_, Cause::Tls | Cause::Reset)), "{seen:?}");
            transport.tls.identity = Some(authority.identity());
            let (seen, _) = User::new(&url, &transport, patient()).ask("GET", "/").await;
            assert!(matches!(seen, Seen::Answer(_)), "{seen:?}");
        }
    });
}

#[test]
fn a_plain_server_on_a_tls_port_and_a_silent_one_are_told_apart() {
    run(async {
        let authority = Authority::new();
        for codec in CODECS {
            let transport = authority.trusted(with(codec));
            let plain = Server::new(vec![vec![say("HTTP/1.1 400 x\r\n\r\n"), Act::Hold]]).await;
            let url = format!("https://{}", plain.address);
            let (seen, _) = User::new(&url, &transport, patient()).ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Tls));

            let silent = Server::new(vec![vec![Act::Hold]]).await;
            let url = format!("https://{}", silent.address);
            let limits = Timeouts { connect: Duration::from_millis(60), ..patient() };
            let (seen, _) = User::new(&url, &transport, limits).ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::ConnectTimeout));

            let closing = Server::new(vec![Vec::new()]).await;
            let url = format!("https://{}", closing.address);
            let (seen, _) = User::new(&url, &transport, patient()).ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Reset));
        }
    });
}

#[test]
fn a_body_to_the_close_that_is_cut_within_tls_is_not_taken_for_whole() {
    run(async {
        let authority = Authority::new();
        let config = authority.config(Worth::Good, &BOTH, &[], false);
        let text = "HTTP/1.1 200 OK\r\n\r\nall";
        let whole = server(Arc::clone(&config), vec![Act::Read, say(text)]).await;
        let cut = server(config, vec![Act::Read, say(text), Act::Reset]).await;
        for codec in CODECS {
            let transport = authority.trusted(with(codec));
            let ask = async |address: SocketAddr| {
                let url = format!("https://{address}");
                User::new(&url, &transport, patient()).ask("GET", "/").await.0
            };
            assert!(matches!(ask(whole).await, Seen::Answer(good) if good.body == "all"));
            assert_eq!(ask(cut).await, Seen::Fault(Outcome::Unknown, Cause::BodyCut), "{codec:?}");
        }
    });
}
