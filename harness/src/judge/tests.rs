use std::sync::atomic::AtomicU64;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use regex::bytes::Regex;
use serde_json::{Value as Json, json};

use super::*;
use crate::cookies::Site;
use crate::json::Kind;
use crate::secret::Secrets;
use crate::template::{Pad, Scope};

const BODY: &str = r#"{"total": 3, "name": "Ann", "tags": ["a", "b", "c"], "paid": true, "none": null, "id": "7"}"#;

fn answer(body: &str) -> Answer {
    let mut answer = Answer::default();
    answer.status = 200;
    answer.body.extend_from_slice(body.as_bytes());
    answer.push_header(b"X-Served-By", b"was-1");
    answer.push_header(b"set-cookie", b"s=tasty");
    answer
}

/// Judges `answer`; the verdict and the two slots.
fn judged(want: &Want, answer: &Answer) -> (Result<(), Wrong>, Vec<String>) {
    let site = Site { host: "shop".to_owned(), secure: false };
    let mut cookies = Cookies::default();
    cookies.take(answer, "/", &site, Duration::ZERO);
    let mut slots = ["Ann".to_owned(), "old".to_owned()];
    let mut values = Values {
        user: 1,
        iteration: 0,
        run: "r",
        slots: &mut slots,
        secrets: &Secrets::of(vec!["tok-4711".to_owned()]),
        counter: &AtomicU64::new(0),
        random: &mut Pcg64Mcg::seed_from_u64(1),
        pad: &mut Pad::default(),
    };
    let bytes = answer.body.len() as u64;
    let seen = Seen { answer, bytes, service: Duration::from_millis(40) };
    (judge(want, seen, &cookies, &mut values), slots.to_vec())
}

fn template(text: &str) -> Template {
    let mut scope = Scope::default();
    scope.slot("who");
    Template::compile(text, &mut scope).expect("a template")
}

fn text(text: &str) -> Literal {
    Literal::Text(template(text))
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}

/// What is said of the value at `at` in [`BODY`].
fn of_json(at: &str, test: Test) -> Result<(), String> {
    let want = Want { json: vec![(path(at), Matcher(vec![test]))], ..Want::default() };
    judged(&want, &answer(BODY)).0.map_err(|wrong| wrong.message)
}

#[test]
fn a_json_value_is_as_wanted() {
    let plain = |json: Json| Test::Equals(Literal::Plain(json));
    for (at, test) in [
        ("total", plain(json!(3))),
        ("total", plain(json!(3.0))),
        ("total", Test::Equals(text("3"))),
        ("total", Test::Equals(text("3.0"))),
        ("name", Test::Equals(text("{{ who }}"))),
        ("paid", plain(json!(true))),
        ("none", plain(Json::Null)),
        ("none", Test::Exists(true)),
        ("nothing", Test::Exists(false)),
        ("tags", Test::Equals(Literal::Structure(template(r#"[ "a","b" ,"c"]"#)))),
        ("tags", Test::Contains(template("b"))),
        ("tags", Test::NotContains(template("d"))),
        ("tags", Test::Length(3, 3)),
        ("tags[-1]", Test::Equals(text("c"))),
        ("name", Test::Contains(template("nn"))),
        ("name", Test::Matches(pattern("^A"))),
        ("name", Test::OneOf(vec![text("Bob"), text("Ann")])),
        ("name", Test::Length(1, 3)),
        ("name", Test::Is(Kind::Text)),
        ("total", Test::AtLeast(3.0)),
        ("total", Test::AtMost(3.0)),
    ] {
        assert_eq!(of_json(at, test.clone()), Ok(()), "{at} {test:?}");
    }
}

#[test]
fn a_json_value_that_is_not_as_wanted_is_told_with_what_was() {
    let plain = |json: Json| Test::Equals(Literal::Plain(json));
    for (at, test, wanted) in [
        ("total", plain(json!(4)), "`total` is 3, wanted 4"),
        ("id", plain(json!(7)), "`id` is 7, wanted 7"),
        ("name", Test::Equals(text("Bob")), "`name` is Ann, wanted Bob"),
        ("paid", plain(json!(false)), "`paid` is true, wanted false"),
        ("nothing", Test::Exists(true), "`nothing` is nothing, wanted anything"),
        ("none", Test::Exists(false), "`none` is null, wanted nothing"),
        (
            "tags",
            Test::Contains(template("d")),
            r#"`tags` is ["a", "b", "c"], wanted a value that holds `d`"#,
        ),
        ("name", Test::Matches(pattern("^B")), "`name` is Ann, wanted a match of `^B`"),
        ("name", Test::Is(Kind::Number), "`name` is Ann, wanted one of type number"),
        ("total", Test::AtLeast(4.0), "`total` is 3, wanted at least 4"),
        ("name", Test::AtLeast(4.0), "`name` is Ann, wanted at least 4"),
        (
            "tags",
            Test::Length(4, u64::MAX),
            r#"`tags` is ["a", "b", "c"], wanted a length of at least 4"#,
        ),
        ("total", Test::OneOf(vec![text("1"), text("2")]), "`total` is 3, wanted one of 1, 2"),
    ] {
        assert_eq!(of_json(at, test), Err(wanted.to_owned()), "{at}");
    }
}

#[test]
fn whole_numbers_are_compared_exactly() {
    let body = answer(r#"{"id": 9007199254740993}"#);
    let of = |id: u64| {
        let test = Test::Equals(Literal::Plain(json!(id)));
        let want = Want { json: vec![(path("id"), Matcher(vec![test]))], ..Want::default() };
        judged(&want, &body).0.is_ok()
    };
    assert!(of(9_007_199_254_740_993));
    assert!(!of(9_007_199_254_740_992));
}

#[test]
fn headers_body_size_hash_and_time_are_looked_at() {
    let is = |literal| Some(Matcher(vec![Test::Equals(literal)]));
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let good = Want {
        headers: vec![("x-served-by".to_owned(), Matcher(vec![Test::Equals(text("was-1"))]))],
        body: is(text("hello")),
        sha256: Some(template(&hash.to_uppercase())),
        size: Some((5, 5)),
        time: Some(Duration::from_millis(40)),
        ..Want::default()
    };
    assert_eq!(judged(&good, &answer("hello")).0, Ok(()));
    let said = |want: Want| {
        let wrong = judged(&want, &answer("hello")).0.expect_err("wrong");
        (wrong.cause, wrong.message)
    };
    let content = |message: &str| (Cause::WrongContent, message.to_owned());
    let header = vec![("x-none".to_owned(), Matcher(vec![Test::Exists(true)]))];
    let missing = content("header `x-none` is nothing, wanted anything");
    assert_eq!(said(Want { headers: header, ..Want::default() }), missing);
    let long = content("the body has 5 bytes, wanted at least 6");
    assert_eq!(said(Want { size: Some((6, u64::MAX)), ..Want::default() }), long);
    let other = said(Want { sha256: Some(template("00")), ..Want::default() });
    assert_eq!(other, content(&format!("the SHA-256 of the body is {hash}, wanted 00")));
    let slow = said(Want { time: Some(Duration::from_millis(39)), ..Want::default() });
    assert_eq!(slow, (Cause::CheckFailed, "the answer took 40ms, wanted at most 39ms".to_owned()));
    let json = said(Want { json: vec![(path("a"), Matcher(vec![]))], ..Want::default() });
    assert_eq!(json, content("not JSON at byte 0: hello"));
}

#[test]
fn secrets_and_long_values_do_not_reach_a_message() {
    let body = answer(&format!(r#"{{"a": "tok-4711{}"}}"#, "x".repeat(5000)));
    let test = Matcher(vec![Test::Equals(text("y"))]);
    let want = Want { json: vec![(path("a"), test)], ..Want::default() };
    let message = judged(&want, &body).0.expect_err("wrong").message;
    assert!(message.starts_with("`a` is ***x") && message.len() < 300, "{message}");
}

fn capture(origin: Origin) -> Capture {
    Capture { slot: 1, origin, pick: Pick::At(0), default: None }
}

fn captured(capture: Capture, body: &str) -> Result<String, String> {
    let want = Want { captures: vec![capture], ..Want::default() };
    let (verdict, mut slots) = judged(&want, &answer(body));
    verdict.map(|()| slots.remove(1)).map_err(|wrong| wrong.message)
}

#[test]
fn variables_are_taken_from_every_part_of_an_answer() {
    let css = Css::new("a.next", Some("href")).expect("a selector");
    let page = "<a href='/one'>1</a><a class=next href='/two?a=1&amp;b=2'>2</a> id=4711; id=4712";
    for (origin, body, wanted) in [
        (Origin::Json(path("tags[1]")), BODY, "b"),
        (Origin::Header("X-Served-By".to_owned()), BODY, "was-1"),
        (Origin::Cookie("s".to_owned()), BODY, "tasty"),
        (Origin::Status, BODY, "200"),
        (Origin::Regex(pattern(r"id=(\d+)"), 1), page, "4711"),
        (Origin::Regex(pattern(r"id=(\d+)"), 0), page, "id=4711"),
        (Origin::Css(css), page, "/two?a=1&b=2"),
    ] {
        let words = format!("{origin:?}");
        assert_eq!(captured(capture(origin), body), Ok(wanted.to_owned()), "{words}");
    }
}

#[test]
fn one_of_several_matches_is_taken() {
    let each = || capture(Origin::Json(path("tags[*]")));
    let last = Capture { pick: Pick::At(2), ..each() };
    assert_eq!(captured(last, BODY), Ok("c".to_owned()));
    let beyond = Capture { pick: Pick::At(3), ..each() };
    assert_eq!(captured(beyond, BODY), Err("no `tags[*]` in the answer".to_owned()));
    let any = captured(Capture { pick: Pick::Random, ..each() }, BODY).expect("one");
    assert!(["a", "b", "c"].contains(&any.as_str()), "{any}");
}

#[test]
fn what_is_not_there_is_told_unless_there_is_a_default() {
    let token = || capture(Origin::Json(path("token")));
    assert_eq!(captured(token(), BODY), Err("no `token` in the answer".to_owned()));
    assert_eq!(captured(token(), "<html>"), Err("not JSON at byte 0: <html>".to_owned()));
    let with = || Capture { default: Some(template("{{ who }}!")), ..token() };
    assert_eq!(captured(with(), BODY), Ok("Ann!".to_owned()));
    assert_eq!(captured(with(), "<html>"), Ok("Ann!".to_owned()));
}

#[test]
fn a_condition_looks_at_variables() {
    let values_holds = |test: Test| {
        let condition = Condition(vec![(template("{{ who }}"), Matcher(vec![test]))]);
        let mut values = Values {
            user: 1,
            iteration: 0,
            run: "r",
            slots: &mut ["12".to_owned()],
            secrets: &Secrets::default(),
            counter: &AtomicU64::new(0),
            random: &mut Pcg64Mcg::seed_from_u64(1),
            pad: &mut Pad::default(),
        };
        condition.holds(&mut values)
    };
    assert!(values_holds(Test::AtLeast(12.0)));
    assert!(values_holds(Test::Equals(Literal::Plain(json!(12)))));
    assert!(values_holds(Test::Length(2, 2)));
    assert!(!values_holds(Test::AtMost(11.5)));
}

#[test]
fn a_body_is_kept_only_where_somebody_looks_into_it() {
    assert_eq!(Want::default().keep(), Keep::Nothing);
    let sized = Want { size: Some((0, 1)), ..Want::default() };
    assert_eq!(sized.keep(), Keep::Nothing);
    let header = Want { captures: vec![capture(Origin::Status)], ..Want::default() };
    assert_eq!(header.keep(), Keep::Nothing);
    let json = Want { captures: vec![capture(Origin::Json(path("a")))], ..Want::default() };
    assert_eq!(json.keep(), Keep::Body);
    assert!(Want::default().good_status(302) && !Want::default().good_status(400));
    let made = Want { statuses: vec![(201, 204), (404, 404)], ..Want::default() };
    assert!(made.good_status(204) && made.good_status(404) && !made.good_status(200));
}
