//! Writes a quick run as the scenario that it stands for.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Body, Content, Pace, Part, Quick, Request, Transport, yaml};
use crate::duration::show;

/// The longest that connecting may take when only a limit for the whole request is said: the
/// default of scenarios.
const CONNECT: Duration = Duration::from_secs(2);

/// The name of the one journey; several are numbered.
const ONE: &str = "request";

pub(super) fn scenario(quick: &Quick) -> String {
    let requests = &quick.asked.requests;
    let mut root = Map::new();
    let mut put = |key: &str, value: Value| root.insert(key.to_owned(), value);
    put("name", name(quick).into());
    put("system", json!({ "target": quick.asked.origin }));
    let mut phases = Map::new();
    if let Some(warm_up) = quick.warm_up {
        phases.insert("warm-up".to_owned(), show(warm_up).into());
    }
    phases.insert("run".to_owned(), show(quick.lasting).into());
    put("phases", phases.into());
    let (journeys, turns) = journeys(quick);
    put("load", json!([load(quick, &turns)]));
    put("journeys", journeys);
    if let Some(timeouts) = timeouts(&quick.asked.transport) {
        put("timeouts", timeouts);
    }
    if let Some(transport) = transport(quick) {
        put("transport", transport);
    }
    put("prober", json!({ "path": probe(quick, requests) }));
    put("objectives", quick.objectives.clone().into());
    yaml::text(&root.into())
}

/// `GET 127.0.0.1:8080/path, 500/s`. A query may hold what nobody else should see.
fn name(quick: &Quick) -> String {
    let host = quick.asked.origin.split("://").nth(1).unwrap_or_default();
    let pace = match &quick.pace {
        Pace::Rate(rate) => rate.clone(),
        Pace::Users(users) => format!("{users} users"),
        Pace::Iterations { users, count } => format!("{count} requests by {users} users"),
    };
    match quick.asked.requests.as_slice() {
        [one] => format!("{} {host}{}, {pace}", one.method, path(one)),
        several => format!("{} targets of {host}, {pace}", several.len()),
    }
}

fn path(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or("/")
}

/// The journeys by name, and their names in turn: the same request twice is one journey.
fn journeys(quick: &Quick) -> (Value, Vec<String>) {
    let requests = &quick.asked.requests;
    let mut journeys = Map::new();
    let mut turns: Vec<String> = Vec::new();
    for (place, request) in requests.iter().enumerate() {
        let first = requests.iter().position(|other| other == request).unwrap_or(place);
        let name = match turns.get(first) {
            Some(name) => name.clone(),
            None if requests.len() == 1 => ONE.to_owned(),
            None => format!("target-{}", journeys.len() + 1),
        };
        journeys.entry(name.clone()).or_insert_with(|| json!([step(request, &quick.statuses)]));
        turns.push(name);
    }
    (journeys.into(), turns)
}

fn load(quick: &Quick, turns: &[String]) -> Value {
    let mut load = match &quick.pace {
        Pace::Rate(rate) => json!({ "executor": "constant-arrival-rate", "rate": rate }),
        Pace::Users(users) => json!({ "executor": "constant-vus", "vus": users }),
        Pace::Iterations { users, count } => {
            json!({ "executor": "shared-iterations", "vus": users, "iterations": count })
        }
    };
    match turns {
        [one] => load["journey"] = one.as_str().into(),
        several => load["journeys"] = several.into(),
    }
    load
}

fn step(request: &Request, statuses: &[String]) -> Value {
    let mut step = Map::new();
    let mut put = |key: &str, value: Value| step.insert(key.to_owned(), value);
    put(&request.method.to_lowercase(), request.target.clone().into());
    if !request.headers.is_empty() {
        let headers =
            request.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        put("headers", Value::Object(headers.collect()));
    }
    if let Some((user, password)) = &request.user {
        put("auth", json!({ "basic": { "user": user, "password": password } }));
    }
    match &request.body {
        Body::Empty => {}
        Body::Text(text) => drop(put("body", text.clone().into())),
        Body::File(path) => drop(put("file", path.display().to_string().into())),
        Body::Parts(parts) => drop(put("multipart", parts.iter().map(part).collect())),
    }
    match statuses {
        [] => {}
        [one] => drop(put("expect", json!({ "status": status(one) }))),
        several => {
            let several: Vec<Value> = several.iter().map(|one| status(one)).collect();
            put("expect", json!({ "status": several }));
        }
    }
    step.into()
}

/// A status as a number; `2xx` and `200-299` stay texts.
fn status(text: &str) -> Value {
    text.parse::<u16>().map_or_else(|_| text.into(), Value::from)
}

fn part(part: &Part) -> Value {
    let mut value = json!({ "name": part.name });
    match &part.content {
        Content::Text(text) => value["value"] = text.as_str().into(),
        Content::File(path, name) => {
            value["file"] = path.display().to_string().into();
            if let Some(name) = name {
                value["filename"] = name.as_str().into();
            }
        }
    }
    if let Some(media_type) = &part.media_type {
        value["content-type"] = media_type.as_str().into();
    }
    value
}

/// A limit of the whole request bounds its parts too.
fn timeouts(transport: &Transport) -> Option<Value> {
    let connect = transport.connect.or(transport.total.map(|total| total.min(CONNECT)));
    let mut timeouts = Map::new();
    if let Some(connect) = connect {
        timeouts.insert("connect".to_owned(), show(connect).into());
    }
    if let Some(total) = transport.total {
        timeouts.insert("first-byte".to_owned(), show(total).into());
        timeouts.insert("total".to_owned(), show(total).into());
    }
    (!timeouts.is_empty()).then_some(timeouts.into())
}

fn transport(quick: &Quick) -> Option<Value> {
    let transport = &quick.asked.transport;
    let mut written = Map::new();
    if let Some(connections) = &transport.connections {
        written.insert("connections".to_owned(), connections.as_str().into());
    }
    if let Some(http) = &transport.http {
        // The schema knows `1` and `2` as numbers.
        let http = http.parse::<u8>().map_or_else(|_| http.as_str().into(), Value::from);
        written.insert("http".to_owned(), http);
    }
    if let Some(redirects) = transport.redirects {
        written.insert("redirects".to_owned(), redirects.into());
    }
    if transport.compressed {
        written.insert("compression".to_owned(), "gzip".into());
    }
    // In plain text there is no certificate to believe.
    if transport.insecure && quick.asked.origin.starts_with("https:") {
        written.insert("tls".to_owned(), json!({ "insecure": true }));
    }
    (!written.is_empty()).then_some(written.into())
}

/// Where the prober asks: what is only read may be asked more often.
fn probe<'a>(quick: &'a Quick, requests: &'a [Request]) -> &'a str {
    let is_safe = |request: &&Request| request.method == "GET" && !request.target.contains("{{");
    let first = requests.iter().find(is_safe).map(|request| request.target.as_str());
    quick.probe.as_deref().or(first).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::super::Asked;
    use super::*;

    fn quick(asked: Asked, pace: Pace) -> Quick {
        Quick {
            asked,
            pace,
            lasting: Duration::from_secs(30),
            warm_up: None,
            statuses: Vec::new(),
            objectives: Vec::new(),
            probe: None,
        }
    }

    fn curl(line: &str) -> Asked {
        Asked::curl(line, &|_| Ok(Vec::new())).expect(line)
    }

    #[test]
    fn a_url_becomes_a_scenario_that_a_person_would_write() {
        let asked = Asked::url("http://127.0.0.1:8080/", None, Body::Empty).expect("a URL");
        let mut quick = quick(asked, Pace::Rate("500/s".to_owned()));
        quick.objectives = vec!["p99 <= 300ms".to_owned()];
        quick.statuses = vec!["200".to_owned()];
        let wanted = "\
name: \"GET 127.0.0.1:8080/, 500/s\"
system: { target: \"http://127.0.0.1:8080\" }
phases: { run: 30s }
load:
  - executor: constant-arrival-rate
    rate: 500/s
    journey: request
journeys:
  request:
    - get: /
      expect: { status: 200 }
prober: { path: / }
objectives: [p99 <= 300ms]
";
        assert_eq!(quick.scenario(), wanted);
    }

    #[test]
    fn everything_that_a_curl_command_says_is_in_the_scenario() {
        let asked = curl(
            "curl -kL -m 1 --http2 --compressed -u ann:pw -X PUT -H 'A: b' --data-binary @f https://h/x?y=z",
        );
        let mut quick = quick(asked, Pace::Users(8));
        quick.warm_up = Some(Duration::from_secs(5));
        quick.statuses = vec!["2xx".to_owned(), "304".to_owned()];
        let text = quick.scenario();
        for part in [
            "phases: { warm-up: 5s, run: 30s }",
            "executor: constant-vus\n    vus: 8",
            "put: /x?y=z",
            "headers: { A: b, content-type: application/x-www-form-urlencoded }",
            "auth: { basic: { user: ann, password: pw } }",
            "file: f",
            "expect: { status: [2xx, 304] }",
            "timeouts: { connect: 1s, first-byte: 1s, total: 1s }",
            "transport: { http: 2, redirects: 50, compression: gzip, tls: { insecure: true } }",
            "prober: { path: / }",
            "objectives: []",
        ] {
            assert!(text.contains(part), "`{part}` is missing from:\n{text}");
        }
    }

    #[test]
    fn certificates_are_no_matter_without_tls() {
        let text = quick(curl("curl -k http://h/"), Pace::Users(1)).scenario();
        assert!(!text.contains("insecure"), "{text}");
    }

    #[test]
    fn targets_are_journeys_in_turn_and_the_same_twice_is_one() {
        let list = "GET http://h/a\nGET http://h/b\nGET http://h/a\n";
        let asked = Asked::targets("t", list).expect("targets");
        let text = quick(asked, Pace::Iterations { users: 2, count: 9 }).scenario();
        for part in [
            "name: \"3 targets of h, 9 requests by 2 users\"",
            "executor: shared-iterations\n    vus: 2\n    iterations: 9",
            "journeys: [target-1, target-2, target-1]",
            "  target-2:\n    - get: /b\n",
            "prober: { path: /a }",
        ] {
            assert!(text.contains(part), "`{part}` is missing from:\n{text}");
        }
        assert!(!text.contains("target-3"), "{text}");
    }

    #[test]
    fn a_form_with_files_keeps_its_parts() {
        let asked = curl("curl -F a=b -F 'f=@x.png;type=image/png;filename=y' h");
        let text = quick(asked, Pace::Users(1)).scenario();
        assert!(text.contains("- name: a\n          value: b\n"), "{text}");
        let file = "- name: f\n          file: x.png\n          filename: y\n          content-type: image/png\n";
        assert!(text.contains(file), "{text}");
    }
}
