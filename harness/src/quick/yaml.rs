//! JSON values as the YAML that a person would write.

use serde_json::Value;

/// The widest line that is still written as `{ a: 1, b: 2 }`.
const WIDEST: usize = 88;

/// `value` as a YAML document; what is short stands on one line.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let lead = format!("{pad}{}:", scalar(key));
                entry(&lead, value, indent, out);
            }
        }
        Value::Array(list) => {
            for value in list {
                item(value, indent, out);
            }
        }
        value => line(&pad, &flow(value), out),
    }
}

fn line(begin: &str, rest: &str, out: &mut String) {
    out.push_str(begin);
    out.push_str(rest);
    out.push('\n');
}

/// One line of a map, with what stands below it. At the top, maps and lists stand below.
fn entry(lead: &str, value: &Value, indent: usize, out: &mut String) {
    let one_line = format!(" {}", flow(value));
    let too_wide = depth(value) > 0 && lead.len() + one_line.len() > WIDEST;
    if too_wide || depth(value) > 2 || value.as_array().is_some_and(|_| depth(value) > 1) {
        line(lead, "", out);
        block(value, indent + 2, out);
    } else {
        line(lead, &one_line, out);
    }
}

/// One item of a list: a map begins on the line of its dash.
fn item(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    let mut inner = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, indent + 2, &mut inner),
        value => inner = format!("{pad}  {}\n", flow(value)),
    }
    out.push_str(&pad);
    out.push_str("- ");
    out.push_str(inner.get(indent + 2..).unwrap_or(""));
}

/// How many maps and lists stand in one another; those of more than two are hard to read in a line.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Object(map) => map.values().map(depth).max(),
        Value::Array(list) => list.iter().map(depth).max(),
        _ => None,
    };
    deepest.map_or(0, |inner| inner + 1)
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entries =
                map.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => scalar(text),
        value => value.to_string(),
    }
}

/// `text` as it stands where that is the same text in YAML, else in quotes. JSON's quotation is
/// one of YAML's.
fn scalar(text: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || " /_.%<>=?&+-".contains(c);
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || c == '/');
    let means_else = matches!(text, "true" | "false" | "null") || is_number(text);
    if begins && text.chars().all(fits) && !text.ends_with(' ') && !means_else {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

fn is_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::Node;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({
            "name": "GET 127.0.0.1:8080/, 500/s", "empty": {}, "none": [], "rate": "500/s",
            "texts": ["true", "5", "1e3", "", " a ", "- a", "a: b", "a #b", "\"q\"", "\\n\n", "{{ x }}",
                "null", "~", "*a", "&a", "!a", "한글", "%x", "@x", "'x'", "p99 <= 300ms", "a,b"],
            "deep": [{ "get": "/", "headers": { "a": "x: y", "b": "z" }, "list": [[1, 2], [3]] }, {}],
            "long": { "a": "x".repeat(100), "b": { "c": { "d": "y".repeat(100) } } },
        });
        let text = text(&value);
        assert_eq!(Node::read(&text).expect(&text).to_json(), value, "{text}");
    }

    #[test]
    fn it_looks_as_a_person_writes_it() {
        let value = json!({
            "system": { "target": "http://h" },
            "load": [{ "executor": "constant-vus", "vus": 3 }],
            "journeys": { "request": [{ "get": "/" }] },
        });
        let wanted = "\
system: { target: \"http://h\" }
load:
  - executor: constant-vus
    vus: 3
journeys:
  request:
    - get: /
";
        assert_eq!(text(&value), wanted);
    }
}
