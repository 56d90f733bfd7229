//! A server that does exactly what its script says.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done next on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads one request, with its body.
    Read,
    /// Writes bytes.
    Say(Vec<u8>),
    /// Writes bytes one by one, and lets others work in between.
    Drip(Vec<u8>),
    /// Writes the bytes again and again, as long as somebody takes them.
    Flood(Vec<u8>),
    /// Closes the sending side only, and reads to the end.
    HalfClose,
    /// Does nothing until the other side closes.
    Hold,
    /// Closes so that the other side sees a reset.
    Reset,
}

/// `Say`, from text.
pub(crate) fn say(text: &str) -> Act {
    Act::Say(text.as_bytes().to_vec())
}

/// A server on a port of its own.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Rc<Cell<usize>>,
    requests: Rc<RefCell<Vec<String>>>,
}

impl Server {
    /// Follows `scripts`, one for each connection in its turn; the last is used again.
    pub(crate) async fn new(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Self { address, accepted: Rc::default(), requests: Rc::default() };
        let own = server.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let turn = own.accepted.replace(own.accepted.get() + 1);
                let script = scripts[turn.min(scripts.len() - 1)].clone();
                let requests = Rc::clone(&own.requests);
                tokio::task::spawn_local(async move {
                    stream.set_nodelay(true).expect("an option");
                    drop(follow(stream, script, &requests).await);
                });
            }
        });
        server
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// Heads and bodies of the requests that were read.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }
}

async fn follow(
    mut stream: TcpStream,
    script: Vec<Act>,
    requests: &RefCell<Vec<String>>,
) -> std::io::Result<()> {
    for act in script {
        if let Act::Reset = act {
            return stream.set_zero_linger();
        }
        perform(&mut stream, act, requests).await?;
    }
    Ok(())
}

/// One act on whatever stream.
pub(crate) async fn perform<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    act: Act,
    requests: &RefCell<Vec<String>>,
) -> std::io::Result<()> {
    match act {
        Act::Read => {
            let request = read(stream).await?;
            requests.borrow_mut().push(request);
        }
        Act::Say(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        Act::Drip(bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                stream.flush().await?;
                tokio::task::yield_now().await;
            }
        }
        Act::Flood(bytes) => loop {
            stream.write_all(&bytes).await?;
        },
        Act::HalfClose => {
            stream.shutdown().await?;
            drop(stream.read_to_end(&mut Vec::new()).await);
        }
        Act::Hold => drop(stream.read_to_end(&mut Vec::new()).await),
        Act::Reset => {}
    }
    Ok(())
}

/// One request, as text.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).await?;
    Ok(head + &String::from_utf8_lossy(&body))
}
