//! The order service from outside, with `SQLite` behind it.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Process, Shared, command, eventually, login, served_by, user};

#[tokio::test]
async fn a_user_is_known_after_login_and_not_before() {
    let shared = Shared::new();
    let was = shared.was("was-1", &[]);
    let user = user();

    let stranger = user.get(was.url("/whoami")).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);

    let wrong = [("user", "u1"), ("password", "guessed")];
    let wrong = user.post(was.url("/login")).form(&wrong).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);

    assert_eq!(login(&user, &was).await.status(), StatusCode::OK);
    let known = user.get(was.url("/whoami")).send().await.unwrap();
    assert_eq!(served_by(&known), "was-1");
    assert_eq!(known.json::<Value>().await.unwrap(), json!({ "user": "u1" }));
}

#[tokio::test]
async fn an_order_is_stored_once_under_its_id() {
    let shared = Shared::new();
    let was = shared.was("was-1", &[]);
    let user = user();
    let order = json!({ "id": "a1", "item": 7 });

    let refused = user.post(was.url("/orders")).json(&order).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    login(&user, &was).await;
    let added = user.post(was.url("/orders")).json(&order).send().await.unwrap();
    assert_eq!(added.status(), StatusCode::CREATED);
    let again = user.post(was.url("/orders")).json(&order).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CONFLICT);

    let stored = json!({ "id": "a1", "user": "u1", "item": 7 });
    let one = user.get(was.url("/orders/a1")).send().await.unwrap();
    assert_eq!(one.json::<Value>().await.unwrap(), stored);
    let all = user.get(was.url("/orders")).send().await.unwrap();
    assert_eq!(all.json::<Value>().await.unwrap(), json!([stored]));
    let none = user.get(was.url("/orders/b2")).send().await.unwrap();
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_newest_orders_come_first_and_are_twenty_at_most() {
    let shared = Shared::new();
    let was = shared.was("was-1", &[]);
    let user = user();
    login(&user, &was).await;
    for item in 1..=21 {
        let order = json!({ "id": format!("a{item}"), "item": item });
        user.post(was.url("/orders")).json(&order).send().await.unwrap();
    }

    let all = user.get(was.url("/orders")).send().await.unwrap().json::<Vec<Value>>().await;
    let items: Vec<i64> = all.unwrap().iter().map(|one| one["item"].as_i64().unwrap()).collect();
    assert_eq!(items, (2..=21).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn instances_that_start_at_once_share_sessions_orders_and_uploads() {
    let shared = Shared::new();
    let shared = &shared;
    let instances: Vec<Process> = std::thread::scope(|scope| {
        let start = |name| scope.spawn(move || shared.was(name, &[]));
        let starting = ["was-1", "was-2", "was-3"].map(start);
        starting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let user = user();
    login(&user, &instances[0]).await;

    let order = json!({ "id": "a1", "item": 1 });
    let added = user.post(instances[1].url("/orders")).json(&order).send().await.unwrap();
    assert_eq!(added.status(), StatusCode::CREATED);
    let read = user.get(instances[2].url("/orders/a1")).send().await.unwrap();
    assert_eq!(read.status(), StatusCode::OK);

    let raw = user.post(instances[0].url("/uploads")).body("content").send().await.unwrap();
    let part = reqwest::multipart::Part::text("content").file_name("a.txt");
    let form = reqwest::multipart::Form::new().part("file", part);
    let form = user.post(instances[1].url("/uploads")).multipart(form).send().await.unwrap();
    for upload in [raw, form] {
        assert_eq!(upload.status(), StatusCode::CREATED);
        let told: Value = upload.json().await.unwrap();
        assert_eq!(
            told["sha256"],
            "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
        );
        let path = format!("/uploads/{}", told["name"].as_str().unwrap());
        let download = user.get(instances[2].url(&path)).send().await.unwrap();
        assert_eq!(download.text().await.unwrap(), "content");
    }
}

#[tokio::test]
async fn a_draining_instance_is_not_ready_but_answers_until_the_door_is_closed() {
    let shared = Shared::new();
    let mut was = shared.was("was-1", &["--drain", "1s"]);
    let user = user();
    assert_eq!(user.get(was.url("/ready")).send().await.unwrap().status(), StatusCode::OK);

    was.signal(Signal::SIGTERM);
    was.logs(&["draining"]).await;
    let ready = user.get(was.url("/ready")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let version = user.get(was.url("/version")).send().await.unwrap();
    assert_eq!(version.status(), StatusCode::OK);
    assert_eq!(version.headers()["connection"], "close");
    assert!(was.ended().await.success());
}

#[tokio::test]
async fn a_request_under_way_is_finished_after_the_door_is_closed() {
    let shared = Shared::new();
    let partner = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", partner.local_addr().unwrap());
    let mut was =
        shared.was("was-1", &["--partner", &url, "--partner-timeout", "20s", "--drain", "0s"]);
    let under_way = tokio::spawn(user().get(was.url("/quote")).send());
    let (mut call, _) = partner.accept().await.unwrap();
    assert!(call.read(&mut [0; 1024]).await.unwrap() > 0);

    was.signal(Signal::SIGTERM);
    eventually("the door is closed", async || {
        tokio::net::TcpStream::connect(was.address()).await.is_err()
    })
    .await;
    call.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"price\":1}").await.unwrap();
    assert_eq!(under_way.await.unwrap().unwrap().status(), StatusCode::OK);
    assert!(was.ended().await.success());
}

#[tokio::test]
async fn a_partner_that_is_late_or_gone_is_told_apart() {
    let shared = Shared::new();
    let partner = Process::start("partner", &[]);
    let was = shared.was("was-1", &["--partner", &partner.url(""), "--partner-timeout", "500ms"]);
    let user = user();

    let quote = user.get(was.url("/quote?item=3")).send().await.unwrap();
    assert_eq!(quote.json::<Value>().await.unwrap(), json!({ "item": 3, "price": 1075 }));
    user.put(partner.url("/delay")).body("20s").send().await.unwrap();
    let late = user.get(was.url("/quote")).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    drop(partner);
    let gone = user.get(was.url("/quote")).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn each_request_leaves_one_line_with_its_time() {
    let shared = Shared::new();
    let was = shared.was("was-1", &[]);
    user().get(was.url("/orders/none?x=1")).send().await.unwrap();
    was.logs(&["Z method=GET path=/orders/none status=404 ms="]).await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_a_clear_error() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let output = command("partner").args(["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.starts_with(&format!("error: cannot listen on `{address}`: ")), "{words}");
}

#[tokio::test]
async fn a_role_ends_with_its_parent() {
    let mut partner = Process::start("partner", &[]);
    partner.orphan();
    assert!(partner.ended().await.success());
}

#[tokio::test]
async fn a_port_is_free_again_after_its_holder_died_with_connections_open() {
    let shared = Shared::new();
    let mut was = shared.was("was-1", &[]);
    let holder = user();
    holder.get(was.url("/version")).send().await.unwrap();
    was.kill();
    let again = shared.was_at(&was.address(), "was-1", &[]);
    let answer = user().get(again.url("/version")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_check_succeeds_as_the_answer_does() {
    let partner = Process::start("partner", &[]);
    let check = |path| command("check").arg(partner.url(path)).output().unwrap().status.code();
    assert_eq!(check("/health"), Some(0));
    assert_eq!(check("/nothing"), Some(1));
}
