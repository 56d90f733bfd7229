//! What `run` and `plan` are about: a scenario file, or a URL, a curl command or a list of targets
//! with a few flags.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::duration;
use crate::quick::{self, Asked, Body, Pace, Quick, QuickError, Secrets};
use crate::rate::Rate;
use crate::run::Options;

/// What the scenario is called that no file holds.
const NAME: &str = "(command line)";

#[derive(Args, Debug)]
pub(super) struct Subject {
    /// The scenario file, or the URL to load
    #[arg(value_name = "FILE|URL", required_unless_present_any = ["curl", "targets"])]
    #[arg(conflicts_with_all = ["curl", "targets"])]
    named: Option<String>,
    /// Put VALUE in the place of the file's own, such as `phases.steady=5s`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Without a file")]
struct Flags {
    /// Load what this curl command asks for
    #[arg(long, value_name = "COMMAND", conflicts_with = "targets")]
    curl: Option<String>,
    /// Load the targets of this file in turn; vegeta's `http` or `json` format
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// So many requests begin, whatever the system does: `500/s` [default: 10/s]
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with_all = ["vus", "iterations"])]
    rate: Option<String>,
    /// So many users, each asking anew when it has its answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    vus: Option<u32>,
    /// So many requests in all, shared by the users
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// How long [default: 10s]
    #[arg(long = "for", value_name = "DURATION", value_parser = length)]
    lasting: Option<Duration>,
    /// How long before that objectives do not look
    #[arg(long, value_name = "DURATION", value_parser = length)]
    warm_up: Option<Duration>,
    /// GET, POST, PUT, PATCH, DELETE or HEAD [default: GET, with a body POST]
    #[arg(long, short = 'X', conflicts_with_all = ["curl", "targets"])]
    method: Option<String>,
    /// A header of every request
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// User and password of basic authentication
    #[arg(long, short = 'u', value_name = "USER:PASSWORD")]
    user: Option<String>,
    /// The body of every request
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["curl", "targets", "body_file"])]
    body: Option<String>,
    /// The file whose bytes are the body of every request
    #[arg(long, value_name = "FILE", conflicts_with_all = ["curl", "targets"])]
    body_file: Option<PathBuf>,
    /// Good statuses, such as `200` or `200,404` [default: all below 400]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    expect_status: Vec<String>,
    /// The time limit of a request
    #[arg(long, value_name = "DURATION", value_parser = length)]
    timeout: Option<Duration>,
    /// What must hold, such as `p99 <= 300ms`
    #[arg(long = "objective", value_name = "OBJECTIVE")]
    objectives: Vec<String>,
    /// The path that the prober asks beside the load [default: that of the first GET]
    #[arg(long, value_name = "PATH")]
    probe: Option<String>,
    /// The version of HTTP: 1, 2 or h2c
    #[arg(long, value_name = "VERSION", value_parser = ["1", "2", "h2c"])]
    http: Option<String>,
    /// Believe any certificate
    #[arg(long)]
    insecure: bool,
    /// Who keeps connections
    #[arg(long, value_parser = ["per-user", "shared", "per-iteration", "per-request"])]
    connections: Option<String>,
    /// Keep the scenario that this is in FILE too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

impl Subject {
    /// How the run is asked for. May start this program over again: see [`start_over`].
    pub(super) fn options(self) -> Result<Options, QuickError> {
        let options = Options { sets: self.sets, ..Options::default() };
        match self.named {
            Some(file) if !quick::is_url(&file) => {
                if self.flags != Flags::default() {
                    let help =
                        "a file says such things itself; `--set load.0.rate=500/s` changes it";
                    let what = format!("`{file}` is a file, and the flags are for a URL");
                    return Err(QuickError::new(what, help));
                }
                Ok(Options { file: file.into(), ..options })
            }
            url => {
                let text = self.flags.scenario(url.as_deref())?;
                Ok(Options { file: NAME.into(), text: Some(text), ..options })
            }
        }
    }
}

impl Flags {
    fn scenario(&self, url: Option<&str>) -> Result<String, QuickError> {
        let mut asked = self.asked(url)?;
        self.set_transport(&mut asked);
        for line in &self.headers {
            asked.add_header(line)?;
        }
        if let Some(user) = &self.user {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            for request in &mut asked.requests {
                request.user = Some((user.to_owned(), password.to_owned()));
            }
        }
        // First those of the command line, whose numbers the one that starts over finds there.
        let mut secrets = Secrets::default();
        let masks = self.masks(url, &mut secrets)?;
        secrets.hide(&mut asked);
        if secrets.iter().any(|(name, value)| std::env::var(name).as_deref() != Ok(value)) {
            return Err(start_over(&secrets, &masks));
        }
        let quick = Quick {
            asked,
            pace: self.pace(),
            lasting: self.lasting.unwrap_or(Duration::from_secs(10)),
            warm_up: self.warm_up,
            statuses: self.expect_status.clone(),
            objectives: self.objectives.clone(),
            probe: self.probe.clone(),
        };
        let text = quick.scenario();
        self.save(&text)?;
        Ok(text)
    }

    fn asked(&self, url: Option<&str>) -> Result<Asked, QuickError> {
        if let Some(line) = &self.curl {
            return Asked::curl(line, &|path| fs::read(path));
        }
        if let Some(path) = &self.targets {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).map_err(|error| {
                let what = format!("cannot read the targets `{name}`: {error}");
                QuickError::new(what, "a file of lines such as `GET http://127.0.0.1:8080/`")
            })?;
            return Asked::targets(&name, &text);
        }
        let body = match (&self.body, &self.body_file) {
            (Some(text), _) => Body::Text(text.clone()),
            (None, Some(path)) => Body::File(path.clone()),
            (None, None) => Body::Empty,
        };
        Asked::url(url.unwrap_or_default(), self.method.as_deref(), body)
    }

    fn set_transport(&self, asked: &mut Asked) {
        let transport = &mut asked.transport;
        transport.http = self.http.clone().or(transport.http.take());
        transport.insecure |= self.insecure;
        transport.connections.clone_from(&self.connections);
        transport.total = self.timeout.or(transport.total);
    }

    fn pace(&self) -> Pace {
        match (self.vus, self.iterations) {
            (users, Some(count)) => Pace::Iterations { users: users.unwrap_or(1), count },
            (Some(users), None) => Pace::Users(users),
            (None, None) => Pace::Rate(self.rate.clone().unwrap_or_else(|| "10/s".to_owned())),
        }
    }

    /// Words of the command line that hold secrets, and what they become.
    fn masks(
        &self,
        url: Option<&str>,
        secrets: &mut Secrets,
    ) -> Result<Vec<(String, String)>, QuickError> {
        let mut masks = Vec::new();
        masks.extend(url.map(|url| (url.to_owned(), secrets.url(url))));
        if let Some(line) = &self.curl {
            let mut asked = self.asked(url)?;
            let before = asked.clone();
            secrets.hide(&mut asked);
            if asked != before {
                masks.push((line.clone(), asked.to_curl()));
            }
        }
        masks.extend(self.headers.iter().map(|line| (line.clone(), secrets.header(line))));
        masks.extend(self.user.iter().map(|user| (user.clone(), secrets.user(user))));
        masks.extend(self.body.iter().map(|body| (body.clone(), secrets.body(body))));
        masks.retain(|(word, masked)| word != masked);
        Ok(masks)
    }

    fn save(&self, text: &str) -> Result<(), QuickError> {
        let Some(path) = &self.save else { return Ok(()) };
        let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            let what = format!("cannot write the scenario `{}`: {error}", path.display());
            QuickError::new(what, "name a file that is not there yet, in a directory that is")
        })
    }
}

/// Starts this program anew with the secrets in its environment, where scenarios look for them, and
/// with their names in the command line: who lists processes, and the record, sees no more.
/// Returns only when that fails.
fn start_over(secrets: &Secrets, masks: &[(String, String)]) -> QuickError {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "rehearsal".into());
    let words = words.map(|word| masked(word, masks));
    // Its file may have been replaced meanwhile.
    let file = std::env::current_exe().ok().filter(|file| file.exists());
    let mut program = Command::new(file.unwrap_or_else(|| "/proc/self/exe".into()));
    let error = program.arg0(name).args(words).envs(secrets.iter()).exec();
    let help = "put the secret into the environment yourself and write `{{ env.NAME }}`";
    QuickError::new(format!("cannot start over with the secrets hidden: {error}"), help)
}

/// `word` with what it ends in masked: flag and value may be one word.
fn masked(word: OsString, masks: &[(String, String)]) -> OsString {
    let Some(text) = word.to_str() else { return word };
    let mask = masks.iter().find_map(|(plain, masked)| {
        let flag = text.strip_suffix(plain.as_str())?;
        let is_flag = flag.is_empty() || flag.starts_with('-');
        is_flag.then(|| format!("{flag}{masked}"))
    });
    mask.map_or_else(|| word.clone(), OsString::from)
}

/// A rate, kept as it is written.
fn rate(text: &str) -> Result<String, String> {
    let rate: Rate = text.parse().map_err(|error| format!("{error}; write it as `500/s`"))?;
    if rate.count > 0.0 {
        return Ok(rate.to_string());
    }
    Err("nobody ever arrives; write it as `500/s`".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    let length = duration::parse(text).map_err(|error| format!("{error}; write it as `30s`"))?;
    if length.is_zero() { Err("of no length; write it as `30s`".to_owned()) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_masked_alone_and_behind_its_flag() {
        let masks = [("a: s".to_owned(), "a: m".to_owned())];
        for (word, wanted) in [
            ("a: s", "a: m"),
            ("--header=a: s", "--header=a: m"),
            ("-Ha: s", "-Ha: m"),
            ("b: s", "b: s"),
        ] {
            assert_eq!(masked(word.into(), &masks), OsString::from(wanted));
        }
    }

    #[test]
    fn rates_and_lengths_of_nothing_are_refused() {
        assert_eq!(rate("500/s"), Ok("500/s".to_owned()));
        assert!(rate("0/s").is_err() && rate("x").is_err() && rate("-1/s").is_err());
        assert!(length("0s").is_err() && length("soon").is_err());
        assert_eq!(length("30s"), Ok(Duration::from_secs(30)));
    }
}
