//! `rehearsal testbed`: the one file that knows the testbed.

use rehearsal_reports::verdict::Exit;
use rehearsal_testbed::Role;

use super::complain;

pub(super) fn main(role: Role) -> Exit {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ran = runtime.map_err(rehearsal_testbed::Error::from);
    match ran.and_then(|runtime| runtime.block_on(rehearsal_testbed::run(role))) {
        Ok(()) => Exit::Pass,
        Err(error) => {
            complain(&error);
            Exit::Missed
        }
    }
}
