//! The real binary against servers that it reaches in other ways than plain TCP.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use tokio_rustls::rustls::version::TLS13;

use super::client::run;
use super::server::{Act, say};
use super::tls::{Authority, Worth, server};
use crate::support::{Run, World, number};

/// Requests that one connection may carry; more than the test sends in all.
const MANY: usize = 1000;

/// A server over TLS on a thread of its own, and its authority's file in `world`.
fn served(world: &World) -> SocketAddr {
    let authority = Authority::new();
    std::fs::copy(authority.file("ca.pem"), world.path("ca.pem")).expect("a file");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        run(async {
            let config = authority.config(Worth::Good, &[&TLS13], &[b"http/1.1"], false);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            let script = vec![[Act::Read, say(answer)]; MANY].concat();
            let address = server(config, script).await;
            tell.send(address).expect("somebody waits");
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("an address")
}

fn scenario(target: SocketAddr, tls: &str) -> String {
    format!(
        r#"name: over TLS
system:
  target: "https://{target}"
  identity: {{ path: /, body: hello }}
phases: {{ steady: 2s }}
seed: 1
transport: {{ connections: shared, tls: {{ {tls} }} }}
load:
  - executor: constant-arrival-rate
    rate: 20/s
    journey: look
journeys:
  look:
    - get: /
      expect: {{ status: 200, body: hello }}
objectives:
  - availability >= 99%
"#
    )
}

#[test]
fn a_run_over_tls_is_a_run_like_any_other() {
    let world = World::new();
    let address = served(&world);
    let ended = Run::new(&world, &scenario(address, "ca: ca.pem")).finish_sound(0);
    assert!(number(&ended.summary(), "/requests/total") >= 40.0, "{ended}");
    let plan = world.rehearsal(&["plan", "scenario.yaml"]).exits(0);
    assert!(plan.stdout.contains("connections shared by all users; trusts `"), "{plan}");
}

#[test]
fn a_server_that_is_not_trusted_is_not_loaded() {
    let world = World::new();
    let address = served(&world);
    let yaml = scenario(address, "insecure: false");
    Run::new(&world, &yaml).finish().exits(5).complains(&["signed by nobody who is trusted"]);
}
