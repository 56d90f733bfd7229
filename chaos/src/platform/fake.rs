//! A fake platform for tests: it remembers what was asked of it, and fails on order.
//!
//! Calls are kept as lines such as `pause was-1`. Its clock advances by one second with each change,
//! so that a test reads the same on each machine.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

use super::{Anchor, Change, Platform, PlatformError, fanout::Fanout};
use crate::{
    instance::{Instance, State, Status},
    signal::Signal,
};

/// What SIGKILL leaves behind as an exit code.
const KILLED: i64 = 137;

/// A platform without anything behind it.
#[derive(Debug, Default)]
pub struct Fake {
    world: Mutex<World>,
    changes: Fanout,
}

/// Sees each call before it takes effect.
struct Watch(Box<dyn FnMut(&str) + Send>);

#[derive(Default)]
struct World {
    instances: BTreeMap<String, Instance>,
    calls: Vec<String>,
    orders: Vec<(String, Order)>,
    watch: Option<Watch>,
    seconds: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("calls", &self.calls).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Fail,
    Ignore,
}

impl Fake {
    /// A platform on which `copies` of each service run.
    #[must_use]
    pub fn new(services: &[(&str, u32)]) -> Self {
        let fake = Self::default();
        for (service, copies) in services {
            for index in 1..=*copies {
                let instance = running(service, index);
                fake.world().instances.insert(instance.id.clone(), instance);
            }
        }
        fake
    }

    /// The verbs called so far, in order: `pause was-1`, `stop was-2 10s`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.world().calls.clone()
    }

    /// The next call that reads `call` fails and changes nothing. Once for each time it is ordered.
    pub fn fail(&self, call: &str) {
        self.world().orders.push((call.to_owned(), Order::Fail));
    }

    /// The next call that reads `call` reports success and changes nothing.
    pub fn ignore(&self, call: &str) {
        self.world().orders.push((call.to_owned(), Order::Ignore));
    }

    /// Shows each call to `watch` before it takes effect.
    pub fn watch(&self, watch: impl FnMut(&str) + Send + 'static) {
        self.world().watch = Some(Watch(Box::new(watch)));
    }

    /// Does something to an instance behind everybody's back, and tells of it as `action`.
    pub fn happen(&self, name: &str, action: &str, change: impl FnOnce(&mut State)) {
        let at = self.world().tick();
        if let Some(instance) = self.world().instances.get_mut(&id(name)) {
            change(&mut instance.state);
        }
        let exit_code = (action == "die").then_some(KILLED);
        self.changes.tell(&Change { id: id(name), action: action.to_owned(), exit_code, at });
    }

    /// Makes an instance be started anew, as by a restart policy.
    pub fn start_by_itself(&self, name: &str) {
        let started = self.world().seconds + 1;
        self.happen(name, "start", |state| run(state, started));
    }

    /// Removes an instance for good.
    pub fn remove(&self, name: &str) {
        self.happen(name, "destroy", |_| ());
        self.world().instances.remove(&id(name));
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One verb: remembered, shown, and done unless ordered otherwise.
    fn act(
        &self,
        id: &str,
        call: &str,
        act: impl FnOnce(&mut State, u64) -> Result<Vec<&'static str>, &'static str>,
    ) -> Result<(), PlatformError> {
        let mut world = self.world();
        let world = &mut *world;
        world.calls.push(call.to_owned());
        if let Some(Watch(watch)) = &mut world.watch {
            watch(call);
        }
        let refused =
            |why: &str| PlatformError::Refused { call: call.to_owned(), why: why.to_owned() };
        if let Some(place) = world.orders.iter().position(|(ordered, _)| ordered == call) {
            return match world.orders.remove(place).1 {
                Order::Fail => Err(refused("told to fail")),
                Order::Ignore => Ok(()),
            };
        }
        let at = world.tick();
        let instance = world.instances.get_mut(id).ok_or_else(|| refused("no such instance"))?;
        for action in act(&mut instance.state, world.seconds).map_err(refused)? {
            let exit_code = instance.state.exit_code.filter(|_| action == "die");
            let (id, action) = (id.to_owned(), action.to_owned());
            self.changes.tell(&Change { id, action, exit_code, at });
        }
        Ok(())
    }
}

impl World {
    fn tick(&mut self) -> SystemTime {
        self.seconds += 1;
        UNIX_EPOCH + Duration::from_secs(self.seconds)
    }
}

impl Platform for Fake {
    fn anchor(&self) -> Anchor {
        Anchor::Fake
    }

    async fn describe(&self) -> Result<String, PlatformError> {
        Ok("a fake platform".to_owned())
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        Ok(self.world().instances.values().cloned().collect())
    }

    async fn inspect(&self, id: &str) -> Result<State, PlatformError> {
        let world = self.world();
        Ok(world.instances.get(id).map(|instance| instance.state.clone()).unwrap_or_default())
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), PlatformError> {
        let call = format!("stop {} {}", name(id), humantime::format_duration(grace));
        self.act(id, &call, |state, _| {
            end(state, 0);
            Ok(vec!["die", "stop"])
        })
    }

    async fn kill(&self, id: &str, signal: Signal) -> Result<(), PlatformError> {
        let call = match signal {
            Signal::Kill => format!("kill {}", name(id)),
            other => format!("kill {} {other}", name(id)),
        };
        self.act(id, &call, |state, _| {
            end(state, KILLED);
            Ok(vec!["kill", "die"])
        })
    }

    async fn pause(&self, id: &str) -> Result<(), PlatformError> {
        self.act(id, &format!("pause {}", name(id)), |state, _| match state.status {
            Status::Running => {
                state.status = Status::Paused;
                Ok(vec!["pause"])
            }
            _ => Err("it does not run"),
        })
    }

    async fn resume(&self, id: &str) -> Result<(), PlatformError> {
        self.act(id, &format!("resume {}", name(id)), |state, _| match state.status {
            Status::Paused => {
                state.status = Status::Running;
                Ok(vec!["unpause"])
            }
            _ => Err("it is not paused"),
        })
    }

    async fn start(&self, id: &str) -> Result<(), PlatformError> {
        self.act(id, &format!("start {}", name(id)), |state, now| {
            run(state, now);
            Ok(vec!["start"])
        })
    }

    async fn restart(&self, id: &str, grace: Duration) -> Result<(), PlatformError> {
        let call = format!("restart {} {}", name(id), humantime::format_duration(grace));
        self.act(id, &call, |state, now| {
            run(state, now);
            Ok(vec!["die", "start", "restart"])
        })
    }

    async fn changes(&self) -> Result<mpsc::Receiver<Change>, PlatformError> {
        Ok(self.changes.subscribe())
    }
}

fn id(name: &str) -> String {
    format!("id-{name}")
}

fn name(id: &str) -> &str {
    id.strip_prefix("id-").unwrap_or(id)
}

fn running(service: &str, index: u32) -> Instance {
    let name = Instance::name_of(service, index);
    let mut state = State::default();
    run(&mut state, 0);
    Instance {
        service: service.to_owned(),
        index,
        id: id(&name),
        hostname: name.clone(),
        name,
        image: None,
        labels: BTreeMap::new(),
        ports: Vec::new(),
        state,
    }
}

fn run(state: &mut State, now: u64) {
    state.status = Status::Running;
    state.pid = Some(1);
    state.started_at = Some(format!("second {now}"));
    state.exit_code = None;
}

fn end(state: &mut State, exit_code: i64) {
    state.status = Status::Exited;
    state.pid = None;
    state.exit_code = Some(exit_code);
}
