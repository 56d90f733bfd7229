use std::sync::atomic::AtomicU64;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::compose::{Preamble, compose};
use crate::cookies::Cookies;
use crate::problem::{Problems, Source};
use crate::secret::Secrets;
use crate::template::{Pad, Values};
use crate::wire::Wire;

/// A scenario with this journey, in a directory with a few files.
fn read(journey: &str, more: &str) -> (tempfile::TempDir, Result<Read, Problems>) {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &[u8]| {
        std::fs::write(directory.path().join(name), text).expect("written");
    };
    write("people.csv", b"name,city\nAnn,Aachen\nBob,Bonn\n");
    write("bad.csv", b"name,city\nAnn\n");
    write("logo.png", b"\x89PNG\r\n");
    let text = format!(
        "name: a test\nsystem: {{ target: \"http://shop:80\" }}\nphases: {{ steady: 1s }}\n\
        let: {{ shop: north }}\n{more}journeys:\n  j:\n{journey}objectives: []\n"
    );
    let path = directory.path().join("test.yaml").display().to_string();
    let read = Read::text(Source { path, text, sets: Vec::new() });
    (directory, read)
}

fn compiled(journey: &str, more: &str) -> Journeys {
    let (_directory, read) = read(journey, more);
    let read = read.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(read.problems.is_empty(), "{}", Problems::new(&read.source, read.problems));
    compile(&read).unwrap_or_else(|problems| panic!("{}", Problems::new(&read.source, problems)))
}

/// All that is said of a journey that is wrong.
fn complaint(journey: &str, more: &str) -> String {
    let (_directory, read) = read(journey, more);
    let read = match read {
        Ok(read) => read,
        Err(problems) => return problems.to_string(),
    };
    let mut problems = read.problems.clone();
    problems.extend(compile(&read).err().unwrap_or_default());
    Problems::new(&read.source, problems).to_string()
}

/// The requests of a journey, composed with variables that are their own names.
fn sent(journeys: &Journeys) -> Vec<String> {
    let script = &journeys.scripts[0];
    let mut slots: Vec<String> = (0..script.slots).map(|slot| format!("<{slot}>")).collect();
    let secrets = journeys.secrets.iter().map(|secret| format!("${}", secret.name)).collect();
    let requests = script.steps.iter().filter_map(|step| match step {
        Step::Request(request) => Some(request),
        _ => None,
    });
    let mut compose_one = |request: &Request| {
        let mut values = Values {
            user: 7,
            iteration: 0,
            run: "r",
            slots: &mut slots,
            secrets: &Secrets::of(Vec::clone(&secrets)),
            counter: &AtomicU64::new(0),
            random: &mut Pcg64Mcg::seed_from_u64(1),
            pad: &mut Pad::default(),
        };
        let mut wire = Wire::default();
        let preamble = Preamble::new("shop:80", false, &[]);
        compose(&request.call, &preamble, &mut values, &Cookies::default(), &mut wire)
            .expect("a path");
        String::from_utf8_lossy(wire.bytes()).into_owned()
    };
    requests.map(|request| compose_one(request)).collect()
}

#[test]
fn requests_are_what_is_written() {
    let journey = r#"
    - post: "/a b/{{ user }}?x=1"
      query: { q: "{{ shop }} & co", tag: [a, "{{ user }}", 3] }
      headers: { X-Channel: web }
      json: { item: 1, who: "u\"{{ user }}", raw: "{{ user | raw }}", list: [true, null] }
    - post: /f
      form: { "a b": "{{ shop }}&", c: d }
      auth: { basic: { user: u, password: p } }
    - put: /t
      body: "text {{ user }}"
      headers: { content-type: text/csv }
      auth: { basic: { user: "u{{ user }}", password: "{{ env.PASSWORD }}" } }
    - patch: http://shop:80/own
      auth: { bearer: "{{ env.TOKEN }}" }
"#;
    let sent = sent(&compiled(journey, ""));
    assert_eq!(
        sent[0],
        "POST /a%20b/7?x=1&q=north%20%26%20co&tag=a&tag=7&tag=3 HTTP/1.1\r\n\
        host: shop:80\r\nX-Channel: web\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n\
        {\"item\":1,\"who\":\"u\\\"7\",\"raw\":7,\"list\":[true,null]}"
    );
    assert!(sent[1].ends_with("\r\n\r\na+b=north%26&c=d"), "{}", sent[1]);
    assert!(sent[1].contains("authorization: Basic dTpw\r\n"), "{}", sent[1]);
    assert!(sent[1].contains("content-type: application/x-www-form-urlencoded\r\n"), "{}", sent[1]);
    assert!(sent[2].contains("content-type: text/csv\r\n"), "{}", sent[2]);
    assert!(sent[2].contains("authorization: Basic dTc6JFBBU1NXT1JE\r\n"), "{}", sent[2]);
    assert!(sent[2].ends_with("\r\n\r\ntext 7"), "{}", sent[2]);
    assert!(sent[3].starts_with("PATCH /own HTTP/1.1\r\n"), "{}", sent[3]);
    assert!(sent[3].contains("authorization: Bearer $TOKEN\r\n"), "{}", sent[3]);
}

#[test]
fn files_are_sent_alone_and_as_parts() {
    let journey = r#"
    - post: /file
      file: logo.png
    - post: /parts
      multipart:
        - { name: note, value: "hi {{ user }}" }
        - { name: 'a"b', file: logo.png, content-type: image/png, filename: x.png }
"#;
    let sent = sent(&compiled(journey, ""));
    assert!(sent[0].ends_with("content-length: 6\r\n\r\n\u{fffd}PNG\r\n"), "{}", sent[0]);
    let body = "--rehearsal-7d1f0c9b5e3a\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\n\
        hi 7\r\n--rehearsal-7d1f0c9b5e3a\r\ncontent-disposition: form-data; name=\"a%22b\"; \
        filename=\"x.png\"\r\ncontent-type: image/png\r\n\r\n\u{fffd}PNG\r\n\r\n\
        --rehearsal-7d1f0c9b5e3a--\r\n";
    assert!(sent[1].ends_with(body), "{}", sent[1]);
    let kind = "content-type: multipart/form-data; boundary=rehearsal-7d1f0c9b5e3a\r\n";
    assert!(sent[1].contains(kind), "{}", sent[1]);
}

#[test]
fn defaults_hold_where_a_step_says_nothing_else() {
    let more = "defaults: { headers: { x-a: all, x-b: all }, auth: { bearer: \"{{ token }}\" }, \
        expect: { status: 2xx, time: { at-most: 1s } } }\n";
    let journey = "
    defaults: { headers: { x-b: journey } }
    steps:
      - get: /login
        capture: { token: { json: token } }
      - get: /other
        headers: { X-A: own }
        expect: { status: 404 }
      - get: /free
        auth: {}
";
    let journeys = compiled(journey, more);
    let sent = sent(&journeys);
    assert_eq!(sent[0], "GET /login HTTP/1.1\r\nhost: shop:80\r\nx-b: journey\r\nx-a: all\r\n\r\n");
    assert!(sent[1].contains("X-A: own\r\nx-b: journey\r\n"), "{}", sent[1]);
    assert!(sent[1].contains("authorization: Bearer <0>\r\n"), "{}", sent[1]);
    assert!(!sent[2].contains("authorization"), "{}", sent[2]);
    let wants = journeys.scripts[0].steps.iter().filter_map(|step| match step {
        Step::Request(request) => Some((request.want.statuses.clone(), request.want.time)),
        _ => None,
    });
    let second = Some(std::time::Duration::from_secs(1));
    let wants: Vec<_> = wants.collect();
    assert_eq!(wants[0], (vec![(200, 299)], second));
    assert_eq!(wants[1], (vec![(404, 404)], second));
}

#[test]
fn blocks_become_jumps() {
    let journey = "
    - once: [ { get: /login, capture: { token: { header: x-token } } } ]
    - loop: { times: 2 }
      do: [ { think: 1s } ]
    - if: { token: { exists: true } }
      then: [ { let: { a: b } } ]
      else: [ { let: { a: c } } ]
    - choose: [ { weight: 3, do: [ { think: 1s } ] }, { do: [] } ]
";
    let script = &compiled(journey, "").scripts[0];
    let shape = script.steps.iter().map(|step| match step {
        Step::Request(_) => "request".to_owned(),
        Step::Let(_) => "let".to_owned(),
        Step::Think(_) => "think".to_owned(),
        Step::Once { block, past } => format!("once {block} or {past}"),
        Step::Done(block) => format!("done {block}"),
        Step::If { otherwise, .. } => format!("if or {otherwise}"),
        Step::Choose { doors } => format!("choose {doors:?}"),
        Step::Goto(to) => format!("goto {to}"),
        Step::Begin { lap } => format!("begin {lap}"),
        Step::Round { lap, past, .. } => format!("round {lap} or {past}"),
    });
    let wanted = [
        "once 0 or 3",
        "request",
        "done 0",
        "begin 0",
        "round 0 or 7",
        "think",
        "goto 4",
        "if or 10",
        "let",
        "goto 11",
        "let",
        "choose [(3, 12), (4, 14)]",
        "think",
        "goto 15",
        "goto 15",
    ];
    assert_eq!(shape.collect::<Vec<_>>(), wanted);
    assert_eq!((script.slots, script.keeps.clone(), script.onces, script.laps), (2, vec![0], 1, 1));
}

#[test]
fn data_and_secrets_are_bound_by_name() {
    let more = "data: { people: { csv: people.csv, mode: unique } }\n";
    let journey = "    - get: \"/{{ people.city }}?t={{ env.TOKEN }}\"\n";
    let journeys = compiled(journey, more);
    assert_eq!(journeys.scripts[0].draws, [Draw { table: 0, cells: vec![(1, 0)] }]);
    assert_eq!(journeys.tables[0].words(), "people: 2 rows of people.csv, unique");
    assert_eq!(journeys.secrets[0].name, "TOKEN");
}

/// Steps that are wrong, and what is said of each.
const WRONG: &[(&str, &[&str])] = &[
    ("{ get: /, name: 'n {{ user }}' }", &["a name is the same for all users"]),
    ("{ get: /, post: / }", &["a step does one thing, and this one does 2"]),
    ("{ name: x }", &["this one does 0", "`choose`, `think`"]),
    ("{ get: a }", &["`a` does not begin with `/`"]),
    ("{ get: 'http://evil/a' }", &["`http://evil/a` is of another host", "every request goes to"]),
    ("{ get: '/{{ usr }}' }", &["unknown variable `usr`", "did you mean `user`?"]),
    (
        "{ get: '/{{ people.nme }}' }",
        &["unknown variable `people.nme`", "did you mean `people.name`?"],
    ),
    ("{ get: '/{{ shop | ulr }}' }", &["unknown filter `ulr`", "`base64`"]),
    ("{ get: '/{{ random(9, 1) }}' }", &["`random` takes two whole numbers"]),
    ("{ get: /, headers: { 'a b': c } }", &["`a b` cannot be the name of a header"]),
    ("{ get: /, headers: { Content-Length: '3' } }", &["`Content-Length` follows from the body"]),
    ("{ post: /, json: 1, body: x }", &["a request has one body", "`json` or `body`"]),
    ("{ post: /, file: none.bin }", &["none.bin", "relative to the scenario file"]),
    ("{ post: /, multipart: [ { name: a } ] }", &["a part has one content", "`value` or `file`"]),
    ("{ get: /, expect: { json: { 'a[': 1 } } }", &["not a path into JSON", "`[` is never closed"]),
    (
        "{ get: /, expect: { json: { a: { contians: x } } } }",
        &["unknown key `contians`", "did you mean `contains`?"],
    ),
    (
        "{ get: /, expect: { json: { a: { type: strng } } } }",
        &["`strng` is not a type", "did you mean `string`?"],
    ),
    ("{ get: /, expect: { json: { a: {} } } }", &["nothing is wanted of this value"]),
    ("{ get: /, expect: { regex: '(' } }", &["not a regular expression", "unclosed group"]),
    ("{ get: /, expect: { regex: '{{ user }}' } }", &["a pattern is not a template"]),
    ("{ get: /, expect: { status: 2x } }", &["`2x` does not fit", "`200-299`"]),
    (
        "{ get: /, expect: { size: { at-most: 3 apples } } }",
        &["`3 apples` does not fit", "`12 kB`"],
    ),
    ("{ get: /, expect: { size: { at-least: 9, at-most: 3 } } }", &["not a size"]),
    ("{ get: /, capture: { a: { json: x, header: y } } }", &["a variable is taken from one place"]),
    ("{ get: /, capture: { 'a.b': { json: x } } }", &["`a.b` cannot be the name of a variable"]),
    (
        "{ get: /, capture: { a: { regex: { pattern: x, group: 1 } } } }",
        &["the pattern has no group 1"],
    ),
    ("{ get: /, capture: { a: { css: { selector: '' } } } }", &["is not a selector"]),
    ("{ get: /, capture: { a: { json: x, index: 1, random: true } } }", &["`index` or `random`"]),
    ("{ get: /, then: [] }", &["`then` does not belong to `get`"]),
    ("{ loop: { times: 2 } }", &["a loop of nothing", "in `do`"]),
    ("{ loop: { times: 2, max: 3 }, do: [ { think: 1s } ] }", &["a loop has one bound"]),
    ("{ if: { nobody: x }, then: [] }", &["unknown variable `nobody`"]),
    ("{ if: { user: x } }", &["an `if` of nothing"]),
    ("{ choose: [ { weight: 0, do: [] } ] }", &["nothing to choose from"]),
    ("{ think: { uniform: [3s, 1s] } }", &["not a span of time"]),
    ("{ think: { uniform: [1s, 3s], exponential: 1s } }", &["drawn from one distribution"]),
    ("{ think: { lognormal: { median: 1s, sigma: 9 } } }", &["`sigma` from 0 to 3"]),
    ("{ think: soon }", &["`soon` does not fit", "a duration"]),
    ("{ get: /, auth: { baisc: {} } }", &["unknown key `baisc`", "did you mean `basic`?"]),
    ("{ get: /, auth: { bearer: x }, headers: { Authorization: y } }", &["`auth` beside a header"]),
    ("{ get: '/{{ late }}' }, { let: { late: x } }", &["`late` is set by a later step"]),
];

#[test]
fn what_is_wrong_with_a_journey_is_told_with_its_place_and_the_way_out() {
    let more = "data: { people: { csv: people.csv } }\n";
    for (step, parts) in WRONG {
        let said = complaint(&format!("    [ {step} ]\n"), more);
        for part in *parts {
            assert!(said.contains(part), "`{part}` is missing for {step}:\n{said}");
        }
        assert!(said.contains("test.yaml:8:"), "the place of {step}:\n{said}");
    }
}

#[test]
fn what_is_wrong_with_data_is_told_with_its_place() {
    for (data, parts) in [
        ("{ csv: none.csv }", vec!["none.csv", "relative to the scenario file"]),
        ("{ csv: bad.csv }", vec!["bad.csv`, line 2: 1 cells"]),
        ("{ csv: people.csv, delimiter: ';;' }", vec!["`;;` is not one character"]),
        ("{ csv: people.csv, mode: unique, on-end: recycle }", vec!["`unique` has no `recycle`"]),
        ("{ csv: people.csv, mode: sequental }", vec!["did you mean `sequential`?"]),
    ] {
        let said = complaint("    [ { get: / } ]\n", &format!("data: {{ people: {data} }}\n"));
        for part in parts {
            assert!(said.contains(part), "`{part}` is missing for {data}:\n{said}");
        }
        assert!(said.contains("test.yaml:5:"), "the place of {data}:\n{said}");
    }
}

#[test]
fn constants_are_values_and_no_templates() {
    let (_directory, read) = read("    [ { get: / } ]\n", "");
    let mut read = read.expect("a scenario");
    read.scenario.constants.insert("token".to_owned(), "{{ env.TOKEN }}".into());
    read.scenario.constants.insert("a b".to_owned(), 1.into());
    let problems = compile(&read).expect_err("two problems");
    let said: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(said, ["a constant is not a template", "`a b` cannot be the name of a constant"]);
}

#[test]
fn a_step_is_named_by_its_own_name_or_by_what_it_asks_for() {
    let journey = "    - { get: '/a/{{ user }}?b=c' }\n    - { get: '/a/{{ user }}' }\n    \
        - { post: /, name: 'order in the {{ shop }}' }\n";
    let names = compiled(journey, "").series.into_iter().filter_map(|series| series.step);
    let wanted = ["GET /a/{{ user }}", "GET /a/{{ user }} (2)", "order in the north"];
    assert_eq!(names.collect::<Vec<_>>(), wanted);
}
