//! The timeline: who is broken when, with names and instances. Its text is `rehearsal plan`.

use std::fmt;
use std::time::Duration;

use rehearsal_chaos::fault::Fault;
use rehearsal_chaos::instance::Instance;
use rehearsal_reports::run::PlannedFault;

use crate::duration;
use crate::plan::{Plan, Strike};
use crate::problem::{Problem, Problems, did_you_mean, or_list};
use crate::scenario::Read;
use crate::yaml::Seg;

/// What is known of the system before the run.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The services that it has; `None` when nobody could be asked.
    pub services: Option<Vec<String>>,
    /// Its running instances; `None` when it is not up or cannot be asked.
    pub instances: Option<Vec<Instance>>,
    /// What was found, in a sentence.
    pub words: String,
}

/// One fault with its instances.
#[derive(Clone, Debug)]
pub struct Blow {
    /// Its place among the planned faults.
    pub number: usize,
    /// What is done.
    pub fault: Fault,
    /// To whom; empty while nothing is known of the instances.
    pub instances: Vec<Instance>,
    /// When.
    pub begin: Duration,
    /// When it is undone.
    pub end: Option<Duration>,
}

/// All that will happen, in order.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    plan: &'a Plan,
    words: String,
    /// The faults as the record names them.
    pub faults: Vec<PlannedFault>,
    /// The same with instances.
    pub blows: Vec<Blow>,
}

impl<'a> Timeline<'a> {
    /// Binds the faults of `plan` to the instances of `inventory`.
    pub fn of(plan: &'a Plan, read: &Read, inventory: &Inventory) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let (mut faults, mut blows) = (Vec::new(), Vec::new());
        for (number, strike) in plan.strikes.iter().enumerate() {
            let instances = match chosen(strike, read, inventory) {
                Ok(instances) => instances,
                Err(problem) => {
                    problems.push(*problem);
                    continue;
                }
            };
            faults.push(planned(strike, &instances));
            let (fault, begin, end) = (strike.fault.clone(), strike.begin, strike.end);
            blows.push(Blow { number, fault, instances, begin, end });
        }
        check_overlaps(plan, read, &faults, &mut problems);
        for (place, service) in plan.prober.instances.iter().enumerate() {
            let path = [Seg::from("prober"), Seg::from("instances"), Seg::Index(place)];
            problems.extend(unknown_service(service, read, inventory, &path));
        }
        if !problems.is_empty() {
            return Err(Problems::new(&read.source, problems));
        }
        Ok(Self { plan, words: inventory.words.clone(), faults, blows })
    }
}

/// The instances that a fault is done to; none when nothing is known of them.
fn chosen(
    strike: &Strike,
    read: &Read,
    inventory: &Inventory,
) -> Result<Vec<Instance>, Box<Problem>> {
    let path = |key: &str| {
        [Seg::from("faults"), Seg::Index(strike.place), Seg::from("on"), Seg::from(key)]
    };
    if let Some(problem) = unknown_service(&strike.on.service, read, inventory, &path("service")) {
        return Err(Box::new(problem));
    }
    let Some(instances) = &inventory.instances else {
        return Ok(Vec::new());
    };
    strike.on.select(instances, strike.seed).map_err(|error| {
        let key = if strike.on.index.is_some() { "index" } else { "pick" };
        Box::new(read.problem(&path(key), error.to_string(), "nobody to break"))
    })
}

/// The problem of naming a service that the system does not have.
fn unknown_service(
    service: &str,
    read: &Read,
    inventory: &Inventory,
    path: &[Seg],
) -> Option<Problem> {
    let known = inventory.services.as_ref().filter(|known| known.iter().all(|it| it != service))?;
    let names = known.iter().map(String::as_str);
    let message = format!("unknown service `{service}`");
    let expected = format!("services of this system: {}", or_list(names.clone()));
    let mut problem = read.problem(path, message, expected);
    problem.help = did_you_mean(service, names);
    Some(problem)
}

fn planned(strike: &Strike, instances: &[Instance]) -> PlannedFault {
    let names: Vec<String> = instances.iter().map(|instance| instance.name.clone()).collect();
    let on = if names.is_empty() { strike.on.to_string() } else { names.join(", ") };
    PlannedFault {
        name: strike.name.clone().unwrap_or_else(|| strike.fault.on(&on)),
        action: strike.fault.to_string(),
        instances: names,
        begin: strike.begin,
        end: strike.end,
        planned: strike.planned,
    }
}

/// Two faults at once in one instance cannot both be proven, nor told apart in what users felt.
fn check_overlaps(plan: &Plan, read: &Read, faults: &[PlannedFault], problems: &mut Vec<Problem>) {
    for (place, fault) in faults.iter().enumerate() {
        for earlier in &faults[..place] {
            let until = earlier.end.unwrap_or(earlier.begin);
            let shared = fault.instances.iter().find(|name| earlier.instances.contains(name));
            if let Some(name) = shared
                && fault.begin < until.max(earlier.begin + Duration::from_nanos(1))
            {
                let path = [Seg::from("faults"), Seg::Index(plan.strikes[place].place)];
                let message = format!("`{name}` has another fault at that time: {}", earlier.name);
                let expected = format!("free again from {}", duration::show(until));
                problems.push(read.problem(&path, message, expected));
            }
        }
    }
}

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        writeln!(f, "{}", plan.name)?;
        writeln!(f, "  system   {}", self.words)?;
        writeln!(f, "  seed     {}", plan.seed)?;
        writeln!(f, "  users    {}", plan.users.count())?;
        for profile in &plan.profiles {
            writeln!(f, "  load     {}", profile.words)?;
        }
        writeln!(f, "  requests {}", plan.transport.words())?;
        for table in &plan.tables {
            writeln!(f, "  data     {}", table.words())?;
        }
        for secret in &plan.secrets {
            writeln!(f, "  secret   {} from the environment", secret.name)?;
        }
        let prober = &plan.prober;
        let (period, limit) = (duration::show(prober.period), duration::show(prober.timeout));
        writeln!(f, "  prober   GET {} every {period}, within {limit}", prober.path)?;
        writeln!(f)?;
        for (at, _, words) in self.entries() {
            writeln!(f, "  {:>9}  {words}", offset(at))?;
        }
        writeln!(f)?;
        for objective in &plan.objectives {
            writeln!(f, "  objective  {objective}")?;
        }
        Ok(())
    }
}

impl Timeline<'_> {
    /// Moments in order; at one moment, what ends comes before what begins.
    fn entries(&self) -> Vec<(Duration, u8, String)> {
        let mut entries = Vec::new();
        for phase in &self.plan.phases {
            let length = duration::show(phase.end.saturating_sub(phase.begin));
            entries.push((phase.begin, 1, format!("phase {}, {length}", phase.name)));
        }
        for (fault, strike) in self.faults.iter().zip(&self.plan.strikes) {
            let chosen = if fault.instances.is_empty() {
                format!("{} (chosen when the system is up)", strike.on)
            } else {
                fault.instances.join(", ")
            };
            let kind = if fault.planned { " (planned work)" } else { "" };
            entries.push((fault.begin, 2, format!("{} {chosen}{kind}", fault.action)));
            if let Some(end) = fault.end {
                entries.push((end, 0, format!("heal {chosen}")));
            }
        }
        entries.push((self.plan.length(), 3, "end".to_owned()));
        entries.sort_by_key(|entry| (entry.0, entry.1));
        entries
    }
}

fn offset(at: Duration) -> String {
    let (minutes, seconds) = (at.as_secs() / 60, at.as_secs_f64() % 60.0);
    format!("{minutes}:{seconds:04.1}")
}
