//! A curl command as people have it in their notes, or as a browser copies it.
//!
//! Options that change the request are followed, those that change what curl prints are passed
//! over, and any other is an error that names it: a request that is silently another one would be
//! measured in vain.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use super::url::Url;
use super::words::split;
use super::{Asked, Body, Content, Files, Part, QuickError, Request, known_method};

mod data;
mod show;

use data::{no_field, one_datum, part};
pub(super) use show::show;

/// How many redirects curl follows with `-L`.
const REDIRECTS: u32 = 50;

/// The longest time limit that is meant: a day, in seconds.
const LONGEST: f64 = 86_400.0;

/// The options of curl that are followed, and those that may be passed over.
#[derive(Parser, Debug)]
#[command(name = "curl", disable_help_flag = true, disable_version_flag = true)]
#[command(args_override_self = true)]
#[expect(clippy::struct_excessive_bools, reason = "curl has as many switches")]
struct Line {
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    #[arg(long)]
    url: Option<String>,
    #[arg(short = 'X', long)]
    request: Option<String>,
    #[arg(short = 'H', long = "header", allow_hyphen_values = true)]
    headers: Vec<String>,
    #[arg(short = 'd', long, alias = "data-ascii", allow_hyphen_values = true)]
    data: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    data_raw: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    data_binary: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    data_urlencode: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    json: Vec<String>,
    #[arg(short = 'F', long, allow_hyphen_values = true)]
    form: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    form_string: Vec<String>,
    #[arg(short = 'u', long, allow_hyphen_values = true)]
    user: Option<String>,
    #[arg(long)]
    oauth2_bearer: Option<String>,
    #[arg(short = 'b', long = "cookie")]
    cookies: Vec<String>,
    #[arg(short = 'A', long)]
    user_agent: Option<String>,
    #[arg(short = 'e', long)]
    referer: Option<String>,
    #[arg(short = 'k', long)]
    insecure: bool,
    #[arg(short = 'G', long)]
    get: bool,
    #[arg(short = 'I', long)]
    head: bool,
    #[arg(short = 'L', long)]
    location: bool,
    #[arg(long)]
    max_redirs: Option<u32>,
    #[arg(long)]
    compressed: bool,
    #[arg(long = "http1.1")]
    http1: bool,
    #[arg(long)]
    http2: bool,
    #[arg(long)]
    http2_prior_knowledge: bool,
    #[arg(short = 'm', long)]
    max_time: Option<f64>,
    #[arg(long)]
    connect_timeout: Option<f64>,
    #[command(flatten)]
    passed_over: PassedOver,
}

/// What says how curl prints, which nobody sees here.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "curl has as many switches")]
struct PassedOver {
    #[arg(short = 's', long)]
    silent: bool,
    #[arg(short = 'S', long)]
    show_error: bool,
    #[arg(short = 'v', long)]
    verbose: bool,
    #[arg(short = 'i', long, alias = "show-headers")]
    include: bool,
    #[arg(short = 'f', long)]
    fail: bool,
    #[arg(short = 'g', long)]
    globoff: bool,
    #[arg(short = 'N', long)]
    no_buffer: bool,
    #[arg(short = '#', long)]
    progress_bar: bool,
    #[arg(long)]
    no_progress_meter: bool,
    #[arg(short = 'o', long)]
    output: Option<String>,
    #[arg(short = 'w', long, allow_hyphen_values = true)]
    write_out: Option<String>,
}

pub(super) fn read(line: &str, files: Files<'_>) -> Result<Asked, QuickError> {
    let words = split(line).ok_or_else(|| {
        let help = "close the quote, or copy the command anew";
        QuickError::new("a quote in the curl command is never closed", help)
    })?;
    let named = words.first().is_some_and(|word| word == "curl" || word.ends_with("/curl"));
    if !named {
        let help = "begin with `curl`, as a shell would have it";
        return Err(QuickError::new(format!("`{line}` is no curl command"), help));
    }
    let matches = Line::command().try_get_matches_from(&words).map_err(|error| wrong(&error))?;
    let line = Line::from_arg_matches(&matches).map_err(|error| wrong(&error))?;
    line.asked(&matches, files)
}

/// What clap found, in our words.
fn wrong(error: &clap::Error) -> QuickError {
    let named = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    if error.kind() == ErrorKind::UnknownArgument {
        let known = Line::command();
        let known = known.get_arguments().filter_map(clap::Arg::get_long).map(|l| format!("--{l}"));
        let known: Vec<String> = known.collect();
        let near = crate::problem::nearest(&named, known.iter().map(String::as_str));
        let help = near.map_or_else(
            || "leave it out, or write a scenario that says what it is for".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return QuickError::new(format!("curl's option `{named}` is not known here"), help);
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or("").trim_start_matches("error: ");
    QuickError::new(format!("the curl command cannot be read: {first}"), "see `man curl`")
}

impl Line {
    fn asked(&self, matches: &ArgMatches, files: Files<'_>) -> Result<Asked, QuickError> {
        let mut url = self.the_url()?;
        let mut request = Request::default();
        for line in &self.headers {
            add_header(&mut request, line)?;
        }
        self.add_named_headers(&mut request)?;
        let data = self.data(matches, files)?;
        let sends = data.is_some() || !self.form.is_empty() || !self.form_string.is_empty();
        if !self.get && !self.json.is_empty() {
            default_header(&mut request, "content-type", "application/json");
            default_header(&mut request, "accept", "application/json");
        }
        match data {
            Some(Body::Text(text)) if self.get => {
                let joint = if url.target.contains('?') { '&' } else { '?' };
                url.target.push(joint);
                url.target.push_str(&text);
            }
            Some(_) if self.get => {
                let help = "leave `-G` out, or write the parameters into the URL";
                return Err(QuickError::new("a file cannot be a part of the URL", help));
            }
            Some(body) => {
                let form = "application/x-www-form-urlencoded";
                default_header(&mut request, "content-type", form);
                request.body = body;
            }
            None => request.body = self.parts(files)?,
        }
        let method = match &self.request {
            Some(method) => method.as_str(),
            None if self.head => "HEAD",
            None if sends && !self.get => "POST",
            None => "GET",
        };
        request.method = known_method(method)?;
        request.target = url.target;
        request.user = self.user.as_deref().map(user).or(url.user);
        let mut asked = Asked { origin: url.origin, requests: vec![request], ..Asked::default() };
        self.set_transport(&mut asked)?;
        Ok(asked)
    }

    fn the_url(&self) -> Result<Url, QuickError> {
        let mut urls = self.urls.iter().chain(&self.url);
        let (Some(url), None) = (urls.next(), urls.next()) else {
            let help = "one request is made, to one URL; `--targets` takes a list";
            let count = self.urls.len() + usize::from(self.url.is_some());
            return Err(QuickError::new(format!("the curl command has {count} URLs"), help));
        };
        // As curl does, a URL may go without its scheme.
        if url.contains("://") { Url::parse(url) } else { Url::parse(&format!("http://{url}")) }
    }

    /// Headers that have an option of their own.
    fn add_named_headers(&self, request: &mut Request) -> Result<(), QuickError> {
        for cookie in &self.cookies {
            if !cookie.contains('=') {
                let help = "write the cookies themselves, `-b 'name=value'`";
                let what = format!("`-b {cookie}` names a file of cookies, which is not read");
                return Err(QuickError::new(what, help));
            }
            request.set_header("cookie", cookie);
        }
        if let Some(token) = &self.oauth2_bearer {
            request.set_header("authorization", &format!("Bearer {token}"));
        }
        if let Some(agent) = &self.user_agent {
            request.set_header("user-agent", agent);
        }
        if let Some(referer) = &self.referer {
            request.set_header("referer", referer);
        }
        Ok(())
    }

    /// The data of all options that carry some, in the order of the line and joined by `&`.
    fn data(&self, matches: &ArgMatches, files: Files<'_>) -> Result<Option<Body>, QuickError> {
        let of = |id: &'static str, values: &[String]| {
            let places = matches.indices_of(id).into_iter().flatten();
            places.zip(values.to_vec()).map(move |(place, value)| (place, id, value))
        };
        let mut all: Vec<(usize, &str, String)> = of("data", &self.data)
            .chain(of("data_raw", &self.data_raw))
            .chain(of("data_binary", &self.data_binary))
            .chain(of("data_urlencode", &self.data_urlencode))
            .chain(of("json", &self.json))
            .collect();
        all.sort_by_key(|(place, ..)| *place);
        if let [(_, "data_binary" | "json", value)] = all.as_slice()
            && let Some(path) = value.strip_prefix('@')
        {
            return Ok(Some(Body::File(PathBuf::from(path))));
        }
        let joint = if self.json.is_empty() { "&" } else { "" };
        let texts: Result<Vec<String>, QuickError> =
            all.iter().map(|(_, id, value)| one_datum(id, value, files)).collect();
        Ok((!all.is_empty()).then_some(Body::Text(texts?.join(joint))))
    }

    /// The parts of a form; nothing when there is none.
    fn parts(&self, files: Files<'_>) -> Result<Body, QuickError> {
        let mut parts = Vec::new();
        for field in &self.form {
            parts.push(part(field, files)?);
        }
        for field in &self.form_string {
            let (name, text) = field.split_once('=').ok_or_else(|| no_field(field))?;
            let content = Content::Text(text.to_owned());
            parts.push(Part { name: name.to_owned(), content, media_type: None });
        }
        Ok(if parts.is_empty() { Body::Empty } else { Body::Parts(parts) })
    }

    fn set_transport(&self, asked: &mut Asked) -> Result<(), QuickError> {
        let transport = &mut asked.transport;
        transport.insecure = self.insecure;
        transport.compressed = self.compressed;
        transport.redirects = self.location.then(|| self.max_redirs.unwrap_or(REDIRECTS));
        let http = [(self.http2_prior_knowledge, "h2c"), (self.http2, "2"), (self.http1, "1")];
        transport.http =
            http.iter().find(|(said, _)| *said).map(|(_, version)| (*version).to_owned());
        transport.total = self.max_time.map(seconds).transpose()?;
        transport.connect = self.connect_timeout.map(seconds).transpose()?;
        Ok(())
    }
}

fn seconds(count: f64) -> Result<Duration, QuickError> {
    let fits = count > 0.0 && count <= LONGEST;
    fits.then(|| Duration::from_secs_f64(count)).ok_or_else(|| {
        QuickError::new(format!("{count} s is no time limit"), "give seconds, up to a day")
    })
}

/// `user:password` as `-u` has it, which is not encoded as in a URL.
fn user(text: &str) -> (String, String) {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    (user.to_owned(), password.to_owned())
}

/// curl's ways to write a header: `Name:` asks for none, `Name;` for an empty one.
fn add_header(request: &mut Request, line: &str) -> Result<(), QuickError> {
    if line.starts_with('@') {
        let help = "write each header with a `-H` of its own";
        return Err(QuickError::new(format!("`-H {line}` names a file of headers"), help));
    }
    if let Some(name) = line.strip_suffix(';').filter(|name| !name.contains(':')) {
        request.set_header(name, "");
        return Ok(());
    }
    let (name, value) = super::header(line)?;
    if !value.is_empty() {
        request.set_header(name, value);
    }
    Ok(())
}

fn default_header(request: &mut Request, name: &str, value: &str) {
    if !request.has_header(name) {
        request.set_header(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    fn file(path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("body.txt") => Ok(b"a=1\r\n&b=2\n".to_vec()),
            Some("body.json") => Ok(b"{\n}".to_vec()),
            Some("body.bin") => Ok(vec![0xff]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn asked(line: &str) -> Asked {
        read(line, &file).expect(line)
    }

    fn error(line: &str) -> String {
        read(line, &file).expect_err(line).to_string()
    }

    /// Method, target, headers and body in one line.
    fn short(line: &str) -> String {
        let asked = asked(line);
        let request = &asked.requests[0];
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = match &request.body {
            Body::Empty => String::new(),
            Body::Text(text) => format!(" {text:?}"),
            Body::File(path) => format!(" @{}", path.display()),
            Body::Parts(parts) => format!(" {} parts", parts.len()),
        };
        let url = format!("{}{}", asked.origin, request.target);
        format!("{} {url} [{}]{body}", request.method, headers.join(", "))
    }

    const FORM: &str = "content-type=application/x-www-form-urlencoded";

    #[test]
    fn commands_are_read_as_curl_reads_them() {
        let cases = [
            ("curl h:80", "GET http://h:80/ []".to_owned()),
            ("curl https://h/a?b=c", "GET https://h/a?b=c []".to_owned()),
            ("curl --url http://h/", "GET http://h/ []".to_owned()),
            ("curl -XDELETE http://h/", "DELETE http://h/ []".to_owned()),
            ("curl -I http://h/", "HEAD http://h/ []".to_owned()),
            ("curl -sSv -i -o /dev/null http://h/", "GET http://h/ []".to_owned()),
            ("curl -H 'A: b' -H 'C:d' http://h/", "GET http://h/ [A=b, C=d]".to_owned()),
            ("curl -H 'Accept:' -H 'X;' http://h/", "GET http://h/ [X=]".to_owned()),
            ("curl -d a=1 -d b=2 http://h/", format!("POST http://h/ [{FORM}] \"a=1&b=2\"")),
            ("curl -d @body.txt http://h/", format!("POST http://h/ [{FORM}] \"a=1&b=2\"")),
            ("curl --data-raw '@x' http://h/", format!("POST http://h/ [{FORM}] \"@x\"")),
            ("curl --data-binary @b http://h/", format!("POST http://h/ [{FORM}] @b")),
            ("curl -G -d a=1 -d b=2 'h/?c=3'", "GET http://h/?c=3&a=1&b=2 []".to_owned()),
            (
                "curl --data-urlencode 'a=b c&d' --data-raw x=y h",
                format!("POST http://h/ [{FORM}] \"a=b+c%26d&x=y\""),
            ),
            (
                "curl -X PUT -H 'Content-Type: text/plain' -d 'hi' http://h/",
                "PUT http://h/ [Content-Type=text/plain] \"hi\"".to_owned(),
            ),
            (
                r#"curl --json '{"a":1}' http://h/"#,
                r#"POST http://h/ [content-type=application/json, accept=application/json] "{\"a\":1}""#
                    .to_owned(),
            ),
            ("curl -F a=b -F 'f=@x.png;type=image/png' h", "POST http://h/ [] 2 parts".to_owned()),
            ("curl -b 'a=1; b=2' -b c=3 h", "GET http://h/ [cookie=a=1; b=2; c=3]".to_owned()),
            (
                "curl -A me -e http://r/ h",
                "GET http://h/ [user-agent=me, referer=http://r/]".to_owned(),
            ),
            ("curl --oauth2-bearer t h", "GET http://h/ [authorization=Bearer t]".to_owned()),
            (r"curl $'http://h/\u0061' \
                -H $'x: it\'s'", "GET http://h/a [x=it's]".to_owned()),
        ];
        for (line, wanted) in cases {
            assert_eq!(short(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_browser_s_copy_is_read() {
        let line = r#"curl 'http://127.0.0.1:8080/orders' \
  -H 'Accept: */*' \
  -H 'Content-Type: application/json' \
  -b 'sid=4711' \
  --data-raw $'{"item":1,"note":"it\'s\u0021"}' \
  --compressed --insecure"#;
        let asked = asked(line);
        let request = &asked.requests[0];
        assert_eq!(request.body, Body::Text(r#"{"item":1,"note":"it's!"}"#.to_owned()));
        assert_eq!(request.headers.len(), 3, "{asked:?}");
        assert!(asked.transport.compressed && asked.transport.insecure);
    }

    #[test]
    fn the_way_that_a_request_travels_is_kept() {
        let transport =
            asked("curl -kL -m 2.5 --connect-timeout 1 --http2 --compressed h").transport;
        let wanted = super::super::Transport {
            http: Some("2".to_owned()),
            insecure: true,
            connections: None,
            redirects: Some(50),
            compressed: true,
            connect: Some(Duration::from_secs(1)),
            total: Some(Duration::from_millis(2500)),
        };
        assert_eq!(transport, wanted);
        let http = |line| asked(line).transport.http;
        assert_eq!(http("curl --http2-prior-knowledge h").as_deref(), Some("h2c"));
        assert_eq!(http("curl --http1.1 h").as_deref(), Some("1"));
    }

    #[test]
    fn parts_of_a_form_keep_their_files_types_and_texts() {
        let asked = asked(
            "curl -F 'f=@x.png;type=image/png;filename=\"y.png\"' -F 't=a;b' -F 'j=<body.json' --form-string 's=@x;type=y' h",
        );
        let Body::Parts(parts) = &asked.requests[0].body else { panic!("{asked:?}") };
        let file = Content::File(PathBuf::from("x.png"), Some("y.png".to_owned()));
        assert_eq!((&parts[0].content, parts[0].media_type.as_deref()), (&file, Some("image/png")));
        let texts = parts[1..].iter().map(|part| match &part.content {
            Content::Text(text) => text.as_str(),
            Content::File(..) => "a file",
        });
        assert_eq!(texts.collect::<Vec<_>>(), ["a;b", "{\n}", "@x;type=y"]);
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let cases = [
            ("curl --frobnicate http://h/", "`--frobnicate` is not known"),
            ("curl --compresed http://h/", "did you mean `--compressed`?"),
            ("curl -x proxy:80 http://h/", "`-x` is not known"),
            ("curl", "has 0 URLs"),
            ("curl http://a/ http://b/", "has 2 URLs"),
            ("curl 'http://h/", "never closed"),
            ("wget http://h/", "no curl command"),
            ("curl -X BREW http://h/", "`BREW` is no method"),
            ("curl -d @nowhere http://h/", "cannot read `nowhere`"),
            ("curl -d @body.bin http://h/", "`body.bin` is not a text"),
            ("curl -d @- http://h/", "standard input"),
            ("curl -b jar.txt http://h/", "names a file of cookies"),
            ("curl -H @file http://h/", "names a file of headers"),
            ("curl -H nonsense http://h/", "`nonsense` is no header"),
            ("curl -F nonsense http://h/", "`nonsense` is no field"),
            ("curl -G --data-binary @b http://h/", "a file cannot be a part of the URL"),
            ("curl -m 0 http://h/", "no time limit"),
            ("curl -m soon http://h/", "cannot be read"),
            ("curl ftp://h/", "only `http` and `https`"),
        ];
        for (line, part) in cases {
            let error = error(line);
            assert!(error.contains(part), "`{part}` is missing from: {error}");
            assert!(error.contains("; "), "no way out: {error}");
        }
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        let lines = [
            "curl -X PUT -H 'A: it'\\''s' -H 'B;' -u 'ann:a:b c' --data-raw '{\"x\": \"$y\"}' https://h:1/a?b=c",
            "curl -kL --max-redirs 3 --compressed --http2 -m 1.5 --connect-timeout 2 h/x",
            "curl -F 'a=b;type=text/plain' -F 'f=@x;type=y;filename=z' --form-string 's=@;' h",
            "curl --data-binary @file -H 'Content-Type: x' h",
            "curl -I h",
        ];
        for line in lines {
            let first = asked(line);
            assert_eq!(asked(&show(&first)), first, "{}", show(&first));
        }
    }
}
