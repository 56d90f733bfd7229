//! From a name to a connected stream: look-up, source address, TCP, TLS.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use rehearsal_reports::outcome::Cause;
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::endpoint::{Endpoint, Scheme};
use super::exchange::Fault;
use super::stream::Stream;
use crate::clock::Clock;
use crate::transport::{DnsEvery, DnsWord, DnsWritten, Http, Ip, Transport};

/// The name of HTTP/2 in a TLS handshake.
const ALPN_TWO: &[u8] = b"h2";

/// The name of HTTP/1.1 in a TLS handshake.
const ALPN_ONE: &[u8] = b"http/1.1";

/// Why requests cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name is not known.
    #[error("`{host}` cannot be resolved: {error}; correct `system.target`")]
    Name {
        /// Whose address is wanted.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot speak TLS: {0}; correct `transport.tls`")]
    Tls(String),
}

/// A way to connect, shared by all connections of a thread.
#[derive(Debug)]
pub(super) struct Dial {
    endpoint: Endpoint,
    dns: DnsWritten,
    ip: Ip,
    known: RefCell<Option<Known>>,
    sources: Vec<IpAddr>,
    /// Whose turn it is among the sources.
    turn: Cell<usize>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    http: Http,
    clock: Clock,
}

/// The addresses of the name, as looked up.
#[derive(Clone, Debug)]
struct Known {
    addresses: Vec<SocketAddr>,
    since: Duration,
}

/// A connected stream, and how long that took.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// All of it.
    pub(super) connect: Duration,
    /// The TLS handshake.
    pub(super) tls: Option<Duration>,
}

impl Dial {
    pub(super) fn new(
        endpoint: &Endpoint,
        transport: &Transport,
        clock: Clock,
    ) -> Result<Self, ClientError> {
        let tls = match endpoint.scheme {
            Scheme::Https => Some(tls(endpoint, transport)?),
            Scheme::Http | Scheme::Unix => None,
        };
        let dial = Self {
            endpoint: endpoint.clone(),
            dns: transport.dns,
            ip: transport.ip,
            known: RefCell::default(),
            sources: transport.source_addresses.clone(),
            turn: Cell::new(0),
            tls,
            http: transport.http,
            clock,
        };
        if endpoint.scheme != Scheme::Unix && dial.dns == DnsWritten::Word(DnsWord::Once) {
            let addresses = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
            let addresses = addresses
                .map_err(|error| ClientError::Name { host: endpoint.host.clone(), error })?;
            dial.learn(addresses);
        }
        Ok(dial)
    }

    /// Connects within `limit`.
    pub(super) async fn connect(&self, limit: Duration) -> Result<Connected, Fault> {
        let begin = self.clock.now();
        let plain = timeout(limit, self.plain()).await;
        let plain =
            plain.map_err(|_| Fault::failed(Cause::ConnectTimeout, "not connected in time"))??;
        let connect = self.clock.now().saturating_sub(begin);
        match (&self.tls, plain) {
            (Some(tls), Stream::Tcp(tcp)) => {
                let stream = self.handshake(tls, tcp, limit.saturating_sub(connect)).await?;
                let whole = self.clock.now().saturating_sub(begin);
                let tls = Some(whole.saturating_sub(connect));
                Ok(Connected { stream, connect: whole, tls })
            }
            (_, stream) => Ok(Connected { stream, connect, tls: None }),
        }
    }

    async fn handshake(
        &self,
        (config, name): &(Arc<ClientConfig>, ServerName<'static>),
        stream: TcpStream,
        limit: Duration,
    ) -> Result<Stream, Fault> {
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = timeout(limit, connector.connect(name.clone(), stream)).await;
        let stream = stream
            .map_err(|_| Fault::failed(Cause::ConnectTimeout, "no TLS handshake in time"))?
            .map_err(|error| Fault::not_connected(&error))?;
        if self.http == Http::Two && stream.get_ref().1.alpn_protocol() != Some(ALPN_TWO) {
            return Err(Fault::failed(Cause::Tls, "the server does not offer HTTP/2 (ALPN)"));
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn plain(&self) -> Result<Stream, Fault> {
        if self.endpoint.scheme == Scheme::Unix {
            let stream = UnixStream::connect(&self.endpoint.path).await;
            return stream.map(Stream::Unix).map_err(|error| Fault::not_connected(&error));
        }
        let mut last = Fault::failed(Cause::Unreachable, "the name has no address of this kind");
        for address in self.addresses().await? {
            match self.to(address).await {
                Ok(stream) => {
                    // Requests are small and each is waited for: without this, the kernel would
                    // hold back the second part of a request that was written in two.
                    stream.set_nodelay(true).map_err(|error| Fault::not_connected(&error))?;
                    return Ok(Stream::Tcp(stream));
                }
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    /// The addresses to try, in order.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Fault> {
        let now = self.clock.now();
        let fresh = |known: &Known| match self.dns {
            DnsWritten::Word(DnsWord::Once) => true,
            DnsWritten::Word(DnsWord::PerConnection) => false,
            DnsWritten::Every(DnsEvery { every }) => now.saturating_sub(known.since) < every,
        };
        let known = self.known.borrow().as_ref().filter(|known| fresh(known)).cloned();
        if let Some(known) = known {
            return Ok(known.addresses);
        }
        let found = lookup_host((self.endpoint.host.as_str(), self.endpoint.port)).await;
        let found = found.map_err(|error| Fault::failed(Cause::Unreachable, error))?;
        Ok(self.learn(found))
    }

    fn learn(&self, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let addresses: Vec<SocketAddr> =
            found.filter(|address| self.ip.allows(address.ip())).collect();
        let known = Known { addresses: addresses.clone(), since: self.clock.now() };
        *self.known.borrow_mut() = Some(known);
        addresses
    }

    /// Connects to `address`, from the next source address that has a port left.
    async fn to(&self, address: SocketAddr) -> Result<TcpStream, Fault> {
        let fitting = |source: &&IpAddr| source.is_ipv4() == address.is_ipv4();
        let sources: Vec<IpAddr> = self.sources.iter().filter(fitting).copied().collect();
        if sources.is_empty() {
            let stream = TcpStream::connect(address).await;
            return stream.map_err(|error| Fault::not_connected(&error));
        }
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let mut last = Fault::failed(Cause::NoPorts, "no port left");
        for step in 0..sources.len() {
            let source = sources[turn.wrapping_add(step) % sources.len()];
            match from(source, address).await {
                Err(fault) if fault.cause == Cause::NoPorts => last = fault,
                result => return result,
            }
        }
        Err(last)
    }
}

/// Connects from `source`, whose port the kernel chooses when it knows the other end: one port
/// then serves many connections, as long as no two of them have both ends in common.
async fn from(source: IpAddr, address: SocketAddr) -> Result<TcpStream, Fault> {
    let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| Fault::not_connected(&error))?;
    // Where the kernel knows no such options, fewer connections fit, and that shows by itself.
    drop(socket.set_reuseaddr(true));
    let _ = setsockopt(&socket, sockopt::IpBindAddressNoPort, &true);
    socket.bind(SocketAddr::new(source, 0)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            Fault::failed(Cause::Unreachable, "a source address that is not this machine's")
        }
        _ => Fault::not_connected(&error),
    })?;
    socket.connect(address).await.map_err(|error| Fault::not_connected(&error))
}

fn tls(
    endpoint: &Endpoint,
    transport: &Transport,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), ClientError> {
    let protocol = if transport.http == Http::Two { ALPN_TWO } else { ALPN_ONE };
    let config = transport.tls.config(protocol).map_err(ClientError::Tls)?;
    let name = transport.tls.server_name.as_deref().unwrap_or(&endpoint.host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| ClientError::Tls(format!("`{name}`: {error}")))?;
    Ok((Arc::new(config), name))
}
