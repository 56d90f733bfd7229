//! One GET by each user, again and again. `GOOSE_WAIT` is the pause between two, in seconds.

use std::time::Duration;

use goose::prelude::*;

async fn ask(user: &mut GooseUser) -> TransactionResult {
    let answer = user.get("/").await?;
    if let Ok(response) = answer.response {
        let well = response.status() == 200;
        let body = response.text().await.unwrap_or_default();
        assert!(well && body.contains("xxxx"), "the server of the benchmarks answers well");
    }
    Ok(())
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), GooseError> {
    let mut scenario = scenario!("ask").register_transaction(transaction!(ask));
    if let Some(wait) = std::env::var("GOOSE_WAIT").ok().and_then(|text| text.parse().ok()) {
        let wait = Duration::from_secs(wait);
        scenario = scenario.set_wait_time(wait, wait)?;
    }
    GooseAttack::initialize()?.register_scenario(scenario).execute().await?;
    Ok(())
}
