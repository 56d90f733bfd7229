//! A request as a curl command: the other way round.

use std::time::Duration;

use crate::quick::words::quoted;
use crate::quick::{Asked, Body, Content, Part};

/// The command that [`super::read`] reads as `asked`, whose one request it is.
pub(in crate::quick) fn show(asked: &Asked) -> String {
    let Some(request) = asked.requests.first() else { return String::new() };
    let mut words = vec!["curl".to_owned(), "-X".to_owned(), request.method.clone()];
    let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
    for (name, value) in &request.headers {
        let line = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        add("-H", line);
    }
    if let Some((user, password)) = &request.user {
        add("-u", format!("{user}:{password}"));
    }
    match &request.body {
        Body::Empty => {}
        Body::Text(text) => add("--data-raw", text.clone()),
        Body::File(path) => add("--data-binary", format!("@{}", path.display())),
        Body::Parts(parts) => {
            for part in parts {
                let (option, value) = shown_part(part);
                add(option, value);
            }
        }
    }
    let transport = &asked.transport;
    let as_seconds = |limit: Duration| limit.as_secs_f64().to_string();
    for (option, value) in [
        ("-m", transport.total.map(as_seconds)),
        ("--connect-timeout", transport.connect.map(as_seconds)),
        ("--max-redirs", transport.redirects.map(|most| most.to_string())),
    ] {
        if let Some(value) = value {
            add(option, value);
        }
    }
    let http = match transport.http.as_deref() {
        Some("h2c") => Some("--http2-prior-knowledge"),
        Some("2") => Some("--http2"),
        Some(_) => Some("--http1.1"),
        None => None,
    };
    let switches = [
        transport.insecure.then_some("-k"),
        transport.compressed.then_some("--compressed"),
        transport.redirects.map(|_| "-L"),
        http,
    ];
    words.extend(switches.into_iter().flatten().map(str::to_owned));
    words.push(format!("{}{}", asked.origin, request.target));
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn shown_part(part: &Part) -> (&'static str, String) {
    let media_type =
        part.media_type.as_ref().map_or_else(String::new, |text| format!(";type={text}"));
    match &part.content {
        Content::Text(text) if part.media_type.is_none() => {
            ("--form-string", format!("{}={text}", part.name))
        }
        Content::Text(text) => ("-F", format!("{}={text}{media_type}", part.name)),
        Content::File(path, name) => {
            let name = name.as_ref().map_or_else(String::new, |name| format!(";filename={name}"));
            ("-F", format!("{}=@{}{media_type}{name}", part.name, path.display()))
        }
    }
}
