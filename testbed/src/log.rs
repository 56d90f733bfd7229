//! The log: one line per event, on stdout, each with the UTC time to the microsecond.
//!
//! A service must never wait for the reader of its log. Lines go to a writer thread through a
//! bounded queue; when the reader has stopped reading, lines are lost, not requests.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

/// Lines that may wait for the writer: some seconds of full load.
const QUEUE_MAX: usize = 16_384;

/// How long the end of the process waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// The writing end of the log; clones share one writer.
#[derive(Clone)]
pub(crate) struct Log {
    lines: SyncSender<Line>,
}

enum Line {
    Text(String),
    /// Everything before this is to be written before the sender is answered.
    Flush(oneshot::Sender<()>),
}

impl Log {
    /// Starts the writer.
    pub(crate) fn open() -> Self {
        let (lines, queue) = sync_channel(QUEUE_MAX);
        std::thread::spawn(move || write_all(&queue));
        Self { lines }
    }

    /// Puts `words`, which are `key=value` pairs, behind the time of now.
    pub(crate) fn line(&self, words: &str) {
        let now = Timestamp::now();
        // A full queue means nobody reads: the line is given up, as the rule above says.
        let _ = self.lines.try_send(Line::Text(format!("{now:.6} {words}\n")));
    }

    /// Waits, but not for long, until all lines so far are written.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.lines.try_send(Line::Flush(done)).is_ok() {
            // Time over or writer gone: there is nobody left to tell.
            let _ = tokio::time::timeout(FLUSH_MAX, written).await;
        }
    }
}

fn write_all(queue: &Receiver<Line>) {
    let mut out = std::io::BufWriter::new(std::io::stdout());
    loop {
        let next = match queue.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                if out.flush().is_err() {
                    return;
                }
                let Ok(line) = queue.recv() else { return };
                line
            }
        };
        let written = match next {
            Line::Text(line) => out.write_all(line.as_bytes()),
            Line::Flush(done) => {
                let flushed = out.flush();
                // Who asked may have stopped waiting.
                let _ = done.send(());
                flushed
            }
        };
        if written.is_err() {
            return;
        }
    }
}
