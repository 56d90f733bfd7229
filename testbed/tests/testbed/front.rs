//! The front from outside: who is asked, and what users see when an instance dies.

use std::net::SocketAddr;

use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Process, Shared, eventually, login, served_by, user};

/// So long between checks that only the first one falls into a test.
const CHECKED_ONCE: [&str; 2] = ["--check-every", "1h"];

#[tokio::test]
async fn instances_take_turns() {
    let shared = Shared::new();
    let (a, b) = (shared.was("a", &[]), shared.was("b", &[]));
    let front = front(&[&a.address(), &b.address()], &[]).await;

    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(served_by(&user().get(front.url("/version")).send().await.unwrap()));
    }
    assert!(seen == ["a", "b", "a", "b"] || seen == ["b", "a", "b", "a"], "{seen:?}");
}

#[tokio::test]
async fn with_retries_nobody_feels_an_instance_that_died_between_requests() {
    let shared = Shared::new();
    let (mut a, b) = (shared.was("a", &[]), shared.was("b", &[]));
    let front = front(&[&a.address(), &b.address()], &CHECKED_ONCE).await;
    let user = user();
    login(&user, &front).await;
    // Leaves connections to both in the pool.
    order_all(&user, &front, 0..4).await;

    a.kill();
    let statuses = order_all(&user, &front, 4..12).await;
    assert_eq!(statuses, [StatusCode::CREATED; 8]);
    front.logs(&[&format!("upstream={} down", a.address())]).await;
}

#[tokio::test]
async fn without_retries_one_request_finds_out_that_an_instance_died() {
    let shared = Shared::new();
    let (mut a, b) = (shared.was("a", &[]), shared.was("b", &[]));
    let args = [&CHECKED_ONCE[..], &["--retries", "off"]].concat();
    let front = front(&[&a.address(), &b.address()], &args).await;
    let user = user();
    login(&user, &front).await;
    order_all(&user, &front, 0..4).await;

    a.kill();
    let mut statuses = order_all(&user, &front, 4..12).await;
    statuses.sort();
    assert_eq!(statuses[..7], [StatusCode::CREATED; 7]);
    assert_eq!(statuses[7], StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn what_was_sent_is_repeated_only_when_twice_is_once() {
    let shared = Shared::new();
    let hangs_up = stub(AfterRequest::HangUp).await;
    for (method, status) in [("GET", StatusCode::OK), ("POST", StatusCode::BAD_GATEWAY)] {
        let was = shared.was("was", &[]);
        let front = front(&[&was.address(), &hangs_up.to_string()], &CHECKED_ONCE).await;
        let method: reqwest::Method = method.parse().unwrap();
        let (mut worst, path) = (StatusCode::OK, "/version");
        for _ in 0..2 {
            let answer = user().request(method.clone(), front.url(path)).send().await.unwrap();
            // The order service itself has no POST here; that it was asked is what counts.
            if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
                worst = worst.max(answer.status());
            }
        }
        assert_eq!(worst, status, "{method}");
    }
}

#[tokio::test]
async fn an_instance_that_does_not_answer_is_a_timeout() {
    let silent = stub(AfterRequest::Silence).await;
    let args = [&CHECKED_ONCE[..], &["--response-timeout", "100ms"]].concat();
    let front = front(&[&silent.to_string()], &args).await;
    let answer = user().get(front.url("/version")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn an_instance_that_is_back_is_asked_again() {
    let shared = Shared::new();
    let mut was = shared.was("was", &[]);
    let front = front(&[&was.address()], &["--check-every", "50ms"]).await;

    was.kill();
    front.logs(&["upstream", "down"]).await;
    let answer = user().get(front.url("/version")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);

    let _was = shared.was_at(&was.address(), "was", &[]);
    eventually("the instance is asked again", async || {
        user().get(front.url("/version")).send().await.unwrap().status() == StatusCode::OK
    })
    .await;
}

/// A front that has found all `upstreams` ready.
async fn front(upstreams: &[&str], args: &[&str]) -> Process {
    let upstreams = upstreams.join(",");
    let front = Process::start("front", &[&["--upstream", &upstreams], args].concat());
    for upstream in upstreams.split(',') {
        front.logs(&[&format!("upstream={upstream} up")]).await;
    }
    front
}

/// Orders one after the other, by POST; what each was answered.
async fn order_all(user: &Client, front: &Process, items: std::ops::Range<u32>) -> Vec<StatusCode> {
    let mut statuses = Vec::new();
    for item in items {
        let order = json!({ "id": format!("a{item}"), "item": item });
        let answer = user.post(front.url("/orders")).json(&order).send().await.unwrap();
        statuses.push(answer.status());
    }
    statuses
}

#[derive(Clone, Copy)]
enum AfterRequest {
    HangUp,
    Silence,
}

/// An upstream that is always ready but answers nothing else.
async fn stub(after: AfterRequest) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(connection, after));
        }
    });
    address
}

async fn answer(mut connection: TcpStream, after: AfterRequest) {
    let mut request = [0; 4096];
    let length = connection.read(&mut request).await.unwrap();
    if request[..length].starts_with(b"GET /ready") {
        let ready = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        connection.write_all(ready).await.unwrap();
        return;
    }
    match after {
        AfterRequest::HangUp => {}
        AfterRequest::Silence => std::future::pending().await,
    }
}
