//! A health check for images that hold no shell and no curl.

use std::time::Duration;

use clap::Args;

use crate::error::Error;

/// What to ask.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The URL to GET
    url: String,

    /// How long the answer may take
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub(crate) async fn run(args: CheckArgs) -> Result<(), Error> {
    let client = reqwest::Client::builder().timeout(args.timeout).no_proxy().build()?;
    let status = client.get(&args.url).send().await?.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Error::Unhealthy { url: args.url, status: status.as_u16() })
}
