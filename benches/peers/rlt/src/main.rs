//! One GET by each worker, again and again.

use anyhow::{Result, ensure};
use async_trait::async_trait;
use clap::Parser;
use reqwest::{Client, Url};
use rlt::{BenchSuite, IterInfo, IterReport, bench_cli, bench_cli_run};
use tokio::time::Instant;

bench_cli!(Ask, {
    /// Whom to ask.
    #[clap(long)]
    pub url: Url,
});

#[async_trait]
impl BenchSuite for Ask {
    type WorkerState = Client;

    async fn state(&self, _: u32) -> Result<Client> {
        Ok(Client::new())
    }

    async fn bench(&mut self, client: &mut Client, _: &IterInfo) -> Result<IterReport> {
        let begin = Instant::now();
        let answer = client.get(self.url.clone()).send().await?;
        let status = answer.status().into();
        let body = answer.text().await?;
        ensure!(body.contains("xxxx"), "another body");
        Ok(IterReport { duration: begin.elapsed(), status, bytes: body.len() as u64, items: 1 })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    bench_cli_run!(Ask).await
}
