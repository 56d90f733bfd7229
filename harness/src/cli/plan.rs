//! `rehearsal plan`

use std::path::Path;

use clap::Args;
use rehearsal_reports::verdict::Exit;

use super::subject::Subject;
use super::{complain, complain_of_scenario, print};
use crate::plan::Plan;
use crate::problem::Problems;
use crate::run::{Options, embedded_inventory};
use crate::run_dir::new_seed;
use crate::scenario::ScenarioError;
use crate::system::{self, Project, SystemError};
use crate::timeline::{Inventory, Timeline};

#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    subject: Subject,
}

pub(super) fn main(args: PlanArgs) -> Exit {
    let options = match args.subject.options() {
        Ok(options) => options,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    match text(&options) {
        Ok(text) => {
            print(&text);
            Exit::Pass
        }
        Err(PlanError::Scenario(error)) => {
            complain_of_scenario(&error);
            Exit::Usage
        }
        Err(PlanError::System(error)) => {
            complain(&error);
            Exit::Usage
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    System(SystemError),
}

impl From<Problems> for PlanError {
    fn from(problems: Problems) -> Self {
        Self::Scenario(problems.into())
    }
}

fn text(options: &Options) -> Result<String, PlanError> {
    let read = options.read()?;
    let plan = Plan::of(&read, read.scenario.seed.unwrap_or_else(new_seed))?;
    let inventory = inventory(&plan)?;
    let timeline = Timeline::of(&plan, &read, &inventory)?;
    let text = timeline.to_string();
    if read.scenario.seed.is_some() {
        return Ok(text);
    }
    Ok(format!(
        "{text}\n  the seed is new each time; `--set seed={}` repeats this choice\n",
        plan.seed
    ))
}

/// What can be learnt of the system by looking at it.
fn inventory(plan: &Plan) -> Result<Inventory, PlanError> {
    if let Some(embedded) = &plan.system.embedded {
        return Ok(embedded_inventory(system::embedded_instances(embedded)));
    }
    let target = plan.target.as_ref().map(ToString::to_string).unwrap_or_default();
    let Some(file) = &plan.system.compose else {
        let words = format!("{target}, of which nothing else is known");
        return Ok(Inventory { words, ..Inventory::default() });
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let looked = match runtime {
        Ok(runtime) => runtime.block_on(look(plan, file)),
        Err(error) => Err(SystemError::Embedded(error)),
    };
    match looked {
        Ok(inventory) => Ok(inventory),
        Err(error) if error.is_usage() => Err(PlanError::System(error)),
        Err(error) => {
            complain(&error);
            let words = format!("{} at {target}, instances unresolved", file.display());
            Ok(Inventory { words, ..Inventory::default() })
        }
    }
}

async fn look(plan: &Plan, file: &Path) -> Result<Inventory, SystemError> {
    let project = Project::find(&plan.system, file).await?;
    let services = Some(project.compose.services().await?);
    let instances = project.running().await?;
    let name = project.compose.project();
    let words = match &instances {
        Some(instances) => format!("the compose project `{name}`, {} instances", instances.len()),
        None => format!("the compose project `{name}`, not up; `run` would bring it up"),
    };
    Ok(Inventory { services, instances, words })
}
