//! One user's walk through one journey.
//!
//! A step is due when the one before it was done. The first step that is not ok ends the journey:
//! a user who could not log in does not go on to order.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request as HttpRequest, Uri};
use rehearsal_reports::outcome::{Cause, Outcome};
use serde_json::Value as Json;

use super::desk::Desk;
use super::user::User;
use crate::recorder::{Miss, Sample};
use crate::script::{
    Body, Capture, Expect, Request, Script, Step, header_value, json_at, json_text,
};
use crate::target::{Answer, Exchange};
use crate::template::Values;

/// The status by which a system says that it does not know the user.
const UNAUTHORIZED: u16 = 401;

/// How much of an answer that was not ok is kept to explain it.
const EXCERPT: usize = 300;

/// Walks through `script` for a journey that was due at `due`.
pub(crate) async fn walk(user: &mut User, place: usize, due: Duration, desk: &Desk) {
    let script = &desk.brief.plan.scripts[place];
    let mut walk =
        Walk { user, desk, place, due, slots: vec![String::new(); script.slots], bytes: 0 };
    let verdict = walk.steps(&script.steps).await;
    walk.finish(script, due, verdict);
}

struct Walk<'a> {
    user: &'a mut User,
    desk: &'a Desk,
    place: usize,
    /// When the next step is due.
    due: Duration,
    slots: Vec<String>,
    bytes: u64,
}

impl Walk<'_> {
    async fn steps(&mut self, steps: &[Step]) -> Result<(), Miss> {
        for step in steps {
            match step {
                Step::Request(request) => self.request(request).await?,
                Step::Let(set) => {
                    for (slot, template) in set {
                        let value = template.fill(&mut self.values()).into_owned();
                        self.slots[*slot] = value;
                    }
                }
                Step::Once(block, steps) if !self.user.done[self.place][*block] => {
                    Box::pin(self.steps(steps)).await?;
                    self.user.done[self.place][*block] = true;
                }
                Step::Once(..) => {}
            }
        }
        Ok(())
    }

    fn values(&mut self) -> Values<'_> {
        Values {
            user: self.user.number,
            iteration: self.user.iterations,
            run: &self.desk.brief.run,
            slots: &self.slots,
            random: &mut self.user.random,
        }
    }

    async fn request(&mut self, request: &Request) -> Result<(), Miss> {
        let due = self.due;
        let exchange = match self.compose(request) {
            Ok(http) => {
                let _on_the_way = self.desk.on_the_way();
                self.user.connection.exchange(http, request.reads_body()).await
            }
            Err(miss) => self.unsent(&miss),
        };
        self.due = exchange.done;
        self.bytes += exchange.bytes;
        let verdict = self.judged(request, &exchange);
        let answer = exchange.result.as_ref().ok();
        let served_by = answer.and_then(|answer| {
            let name = answer.headers.get(&self.desk.brief.plan.system.served_by)?;
            name.to_str().ok().map(str::to_owned)
        });
        self.desk.recorder().ended(Sample {
            series: request.series,
            user: self.user.number,
            due,
            sent: exchange.sent,
            first_byte: exchange.first_byte,
            done: exchange.done,
            connect: exchange.connect,
            bytes: exchange.bytes,
            status: answer.map(|answer| answer.status),
            served_by,
            verdict: verdict.clone(),
        });
        verdict
    }

    /// An exchange that never took place, because no request could be made of the journey's words.
    fn unsent(&self, miss: &Miss) -> Exchange {
        Exchange {
            connect: None,
            sent: None,
            first_byte: None,
            done: self.desk.brief.clock.now(),
            bytes: 0,
            result: Err(crate::target::Fault {
                outcome: miss.outcome,
                cause: miss.cause,
                message: miss.message.clone(),
            }),
        }
    }

    fn compose(&mut self, request: &Request) -> Result<HttpRequest<Full<Bytes>>, Miss> {
        let path = request.path.fill(&mut self.values()).into_owned();
        let uri: Uri = path.parse().map_err(|error| {
            let message = format!("`{path}` is not a path: {error}");
            Miss { outcome: Outcome::Failed, cause: Cause::CheckFailed, message }
        })?;
        let (body, kind) = self.body(&request.body);
        let mut http = HttpRequest::new(Full::new(body));
        *http.method_mut() = request.method.clone();
        *http.uri_mut() = uri;
        let headers = http.headers_mut();
        headers.insert(HOST, self.desk.authority.clone());
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        self.user.cookies.add_to(headers, &path);
        for (name, template) in &request.headers {
            let value = template.fill(&mut self.values());
            http.headers_mut().insert(name, header_value(&value));
        }
        Ok(http)
    }

    fn body(&mut self, body: &Body) -> (Bytes, Option<&'static str>) {
        match body {
            Body::Empty => (Bytes::new(), None),
            Body::Json(json) => {
                let json = json.fill(&mut self.values()).to_string();
                (json.into(), Some("application/json"))
            }
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, template) in fields {
                    form.append_pair(name, &template.fill(&mut self.values()));
                }
                (form.finish().into(), Some("application/x-www-form-urlencoded"))
            }
            Body::Text(text) => {
                let text = text.fill(&mut self.values()).into_owned();
                (text.into(), Some("text/plain; charset=utf-8"))
            }
        }
    }

    /// Whether the answer is what was expected; takes cookies and variables from it.
    fn judged(&mut self, request: &Request, exchange: &Exchange) -> Result<(), Miss> {
        let answer = exchange.result.as_ref().map_err(|fault| Miss {
            outcome: fault.outcome,
            cause: fault.cause,
            message: fault.message.clone(),
        })?;
        self.user.cookies.take(&answer.headers);
        if !good_status(&request.expect, answer.status) {
            let lost = answer.status == UNAUTHORIZED && self.user.has_begun();
            if lost {
                self.user.start_over();
            }
            let cause = if lost { Cause::SessionLost } else { Cause::Status(answer.status) };
            return Err(failed(cause, excerpt(&answer.body)));
        }
        let json = Self::json_of(request, answer)?;
        self.expected(&request.expect, answer, &json)?;
        for (slot, from) in &request.capture {
            self.slots[*slot] = self.captured(from, answer, &json)?;
        }
        Ok(())
    }

    fn json_of(request: &Request, answer: &Answer) -> Result<Json, Miss> {
        let captures = request.capture.iter().any(|(_, from)| matches!(from, Capture::Json(_)));
        if request.expect.json.is_empty() && !captures {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            failed(Cause::WrongContent, format!("not JSON: {error}: {}", excerpt(&answer.body)))
        })
    }

    fn expected(&mut self, expect: &Expect, answer: &Answer, json: &Json) -> Result<(), Miss> {
        for (path, wanted) in &expect.json {
            let wanted = wanted.fill(&mut self.values());
            let found = json_at(json, path).map(json_text);
            if found.as_deref() != Some(&wanted) {
                let found = found.unwrap_or_else(|| "nothing".to_owned());
                return Err(wrong(format!("`{path}` is {found}, not {wanted}")));
            }
        }
        for (name, wanted) in &expect.headers {
            let wanted = wanted.fill(&mut self.values());
            let found = answer.headers.get(name).and_then(|value| value.to_str().ok());
            if found != Some(&wanted) {
                let found = found.unwrap_or("missing");
                return Err(wrong(format!("header `{name}` is {found}, not {wanted}")));
            }
        }
        if let Some(wanted) = &expect.body {
            let wanted = wanted.fill(&mut self.values());
            if !String::from_utf8_lossy(&answer.body).contains(wanted.as_ref()) {
                let body = excerpt(&answer.body);
                return Err(wrong(format!("the body does not hold `{wanted}`: {body}")));
            }
        }
        Ok(())
    }

    fn captured(&self, from: &Capture, answer: &Answer, json: &Json) -> Result<String, Miss> {
        let (found, what) = match from {
            Capture::Json(path) => (json_at(json, path).map(json_text), path.as_str()),
            Capture::Header(name) => {
                let value = answer.headers.get(name).and_then(|value| value.to_str().ok());
                (value.map(str::to_owned), name.as_str())
            }
            Capture::Cookie(name) => {
                (self.user.cookies.get(name).map(str::to_owned), name.as_str())
            }
        };
        found.ok_or_else(|| failed(Cause::CheckFailed, format!("no `{what}` in the answer")))
    }

    fn finish(self, script: &Script, due: Duration, verdict: Result<(), Miss>) {
        let sample = Sample {
            series: script.series,
            user: self.user.number,
            due,
            sent: None,
            first_byte: None,
            // Steps follow each other without a gap, so the last one was done when the next
            // would be due.
            done: self.due,
            connect: None,
            bytes: self.bytes,
            status: None,
            served_by: None,
            verdict,
        };
        self.desk.recorder().walked(&sample);
    }
}

fn good_status(expect: &Expect, status: u16) -> bool {
    if expect.statuses.is_empty() { status < 400 } else { expect.statuses.contains(&status) }
}

fn failed(cause: Cause, message: String) -> Miss {
    Miss { outcome: Outcome::Failed, cause, message }
}

fn wrong(message: String) -> Miss {
    failed(Cause::WrongContent, message)
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]).into_owned()
}
