//! Compiles a journey's steps into a list with jumps.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use rehearsal_reports::run::Series;

use super::think::Think;
use super::{NAME, Request, Rounds, Script, SecretNamed, Shared, Step, at, is_name};
use crate::journey::{
    BranchWritten, DefaultsWritten, JourneyWritten, LoopWritten, StepWritten, Wanted,
};
use crate::judge::Condition;
use crate::problem::{did_you_mean, or_list};
use crate::template::{Template, TemplateError};
use crate::yaml::Seg;

/// Rounds of a `while` when nothing says how many there may be.
const ROUNDS: u32 = 100;

/// More rounds than this are a slip of the pen: nothing else of the thread gets on meanwhile.
const MOST_ROUNDS: u32 = 1_000_000;

/// What a step can do, as the file says it.
const DEEDS: &str = "one of `get`, `post`, `put`, `patch`, `delete`, `head`, `let`, `once`, `loop`, \
    `if`, `choose`, `think`";

/// One journey on its way into a script.
pub(super) struct Compiler<'a, 'r> {
    pub(super) shared: &'a mut Shared<'r>,
    pub(super) journey: &'a str,
    written: &'a JourneyWritten,
    /// What holds for all requests and where it is written, the nearer first.
    pub(super) defaults: Vec<(&'a DefaultsWritten, Vec<Seg>)>,
    /// Every variable that some step of the journey sets.
    sets: BTreeSet<&'a str>,
    program: Vec<Step>,
    /// In how many `once` blocks we are.
    inside_once: usize,
    keeps: Vec<usize>,
    onces: usize,
    laps: usize,
    names: BTreeSet<String>,
}

impl<'a, 'r> Compiler<'a, 'r> {
    pub(super) fn new(
        shared: &'a mut Shared<'r>,
        journey: &'a str,
        written: &'a JourneyWritten,
    ) -> Self
    where
        'r: 'a,
    {
        let mut defaults = Vec::new();
        if let Some(own) = written.defaults() {
            defaults.push((own, vec!["journeys".into(), journey.into(), "defaults".into()]));
        }
        defaults.push((&shared.read.scenario.defaults, vec!["defaults".into()]));
        let mut sets = BTreeSet::new();
        collect_sets(written.steps(), &mut sets);
        Self {
            shared,
            journey,
            written,
            defaults,
            sets,
            program: Vec::new(),
            inside_once: 0,
            keeps: Vec::new(),
            onces: 0,
            laps: 0,
            names: BTreeSet::new(),
        }
    }

    /// The whole journey.
    pub(super) fn script(mut self) -> Script {
        let series = self.add_series(None);
        let mut path = vec![Seg::from("journeys"), Seg::from(self.journey)];
        if matches!(self.written, JourneyWritten::Whole(_)) {
            path.push("steps".into());
        }
        self.block(self.written.steps(), &path);
        Script {
            name: self.journey.to_owned(),
            series,
            steps: self.program,
            slots: self.shared.scope.len(),
            keeps: self.keeps,
            onces: self.onces,
            laps: self.laps,
            draws: self.shared.scope.draws().to_vec(),
        }
    }

    fn add_series(&mut self, step: Option<String>) -> usize {
        self.shared.series.push(Series { journey: self.journey.to_owned(), step });
        self.shared.series.len() - 1
    }

    /// A series of this name; the second of one name in a journey is told apart by a number.
    pub(super) fn unique_series(&mut self, name: String) -> usize {
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let mut names = [name.clone()].into_iter().chain(numbered);
        let free = names.find(|name| !self.names.contains(name)).unwrap_or(name);
        self.names.insert(free.clone());
        self.add_series(Some(free))
    }

    fn block(&mut self, steps: &'a [StepWritten], path: &[Seg]) {
        for (index, step) in steps.iter().enumerate() {
            self.step(step, &at(path, &[Seg::Index(index)]));
        }
    }

    fn step(&mut self, step: &'a StepWritten, path: &[Seg]) {
        let deeds = step.deeds();
        let [deed] = deeds.as_slice() else {
            let message = format!("a step does one thing, and this one does {}", deeds.len());
            return self.problem(path, &message, DEEDS);
        };
        for key in step.strangers(deed) {
            let message = format!("`{key}` does not belong to `{}`", deed.to_lowercase());
            self.problem(&at(path, &[key.into()]), &message, "leave it out here");
        }
        if let Some(variables) = &step.variables {
            self.set(variables, &at(path, &["let".into()]));
        } else if let Some(steps) = &step.once {
            self.once(steps, &at(path, &["once".into()]));
        } else if let Some(written) = &step.rounds {
            self.rounds(written, step, path);
        } else if let Some(condition) = &step.condition {
            self.branch(condition, step, path);
        } else if let Some(branches) = &step.choose {
            self.choose(branches, &at(path, &["choose".into()]));
        } else if let Some(written) = &step.think {
            match Think::of(written) {
                Ok(think) => self.program.push(Step::Think(think)),
                Err((key, message, expected)) => {
                    self.problem(&at(path, &["think".into(), key.into()]), message, expected);
                }
            }
        } else {
            let request: Request = self.request(step, path);
            self.program.push(Step::Request(Box::new(request)));
        }
    }

    fn set(&mut self, variables: &IndexMap<String, String>, path: &[Seg]) {
        let mut set = Vec::new();
        for (name, text) in variables {
            let path = at(path, &[name.as_str().into()]);
            let template = self.template(text, &path);
            set.push((self.variable(name, &path), template));
        }
        self.program.push(Step::Let(set));
    }

    /// The slot of a variable that a step sets.
    pub(super) fn variable(&mut self, name: &str, path: &[Seg]) -> usize {
        if !is_name(name) {
            self.problem(path, &format!("`{name}` cannot be the name of a variable"), NAME);
        }
        let slot = self.shared.scope.slot(name);
        if self.inside_once > 0 && !self.keeps.contains(&slot) {
            self.keeps.push(slot);
        }
        slot
    }

    fn once(&mut self, steps: &'a [StepWritten], path: &[Seg]) {
        let block = self.onces;
        self.onces += 1;
        let begin = self.program.len();
        self.program.push(Step::Once { block, past: 0 });
        self.inside_once += 1;
        self.block(steps, path);
        self.inside_once -= 1;
        self.program.push(Step::Done(block));
        self.jump_here(begin);
    }

    fn rounds(&mut self, written: &LoopWritten, step: &'a StepWritten, path: &[Seg]) {
        let place = at(path, &["loop".into()]);
        let rounds = match (written.times, &written.condition) {
            (Some(times), None) if times <= MOST_ROUNDS && written.max.is_none() => {
                Rounds::Times(times)
            }
            (None, Some(condition)) if written.max.is_none_or(|max| max <= MOST_ROUNDS) => {
                let condition = self.condition(condition, &at(&place, &["while".into()]));
                Rounds::While(condition, written.max.unwrap_or(ROUNDS))
            }
            _ => {
                let expected = "`times`, or `while` with or without `max`; up to 1,000,000 rounds";
                return self.problem(&place, "a loop has one bound", expected);
            }
        };
        let lap = self.laps;
        self.laps += 1;
        self.program.push(Step::Begin { lap });
        let begin = self.program.len();
        self.program.push(Step::Round { lap, rounds, past: 0 });
        match &step.body {
            Some(steps) if !steps.is_empty() => self.block(steps, &at(path, &["do".into()])),
            _ => self.problem(&place, "a loop of nothing", "its steps stand beside it, in `do`"),
        }
        self.program.push(Step::Goto(begin));
        self.jump_here(begin);
    }

    fn branch(&mut self, written: &IndexMap<String, Wanted>, step: &'a StepWritten, path: &[Seg]) {
        let condition = self.condition(written, &at(path, &["if".into()]));
        if step.then.is_none() && step.otherwise.is_none() {
            self.problem(path, "an `if` of nothing", "`then` or `else` with its steps");
        }
        let begin = self.program.len();
        self.program.push(Step::If { condition, otherwise: 0 });
        self.block(step.then.as_deref().unwrap_or_default(), &at(path, &["then".into()]));
        let Some(otherwise) = &step.otherwise else {
            return self.jump_here(begin);
        };
        let end = self.program.len();
        self.program.push(Step::Goto(0));
        self.jump_here(begin);
        self.block(otherwise, &at(path, &["else".into()]));
        self.jump_here(end);
    }

    fn choose(&mut self, branches: &'a [BranchWritten], path: &[Seg]) {
        let begin = self.program.len();
        self.program.push(Step::Choose { doors: Vec::new() });
        let (mut sum, mut doors, mut ends) = (0, Vec::new(), Vec::new());
        for (index, branch) in branches.iter().enumerate() {
            sum += u64::from(branch.weight);
            doors.push((sum, self.program.len()));
            self.block(&branch.steps, &at(path, &[Seg::Index(index), "do".into()]));
            ends.push(self.program.len());
            self.program.push(Step::Goto(0));
        }
        if sum == 0 {
            let expected = "branches such as `{ weight: 3, do: [...] }`";
            self.problem(path, "nothing to choose from", expected);
        }
        self.program[begin] = Step::Choose { doors };
        for end in ends {
            self.jump_here(end);
        }
    }

    /// The jump at `from` leads to what comes next.
    fn jump_here(&mut self, from: usize) {
        let here = self.program.len();
        match &mut self.program[from] {
            Step::Once { past, .. } | Step::Round { past, .. } => *past = here,
            Step::If { otherwise, .. } => *otherwise = here,
            Step::Goto(to) => *to = here,
            _ => {}
        }
    }

    fn condition(&mut self, written: &IndexMap<String, Wanted>, path: &[Seg]) -> Condition {
        if written.is_empty() {
            self.problem(path, "a condition on nothing", "such as `{ status: open }`");
        }
        let mut all = Vec::new();
        for (name, wanted) in written {
            let path = at(path, &[name.as_str().into()]);
            let variable = self.template(&format!("{{{{ {name} }}}}"), &path);
            all.push((variable, self.matcher(wanted, &path)));
        }
        Condition(all)
    }

    /// A template, with its variables bound.
    pub(super) fn template(&mut self, text: &str, path: &[Seg]) -> Template {
        match self.bound(text, path) {
            Ok(template) => template,
            Err(error) => {
                self.wrong_template(&error, path);
                Template::default()
            }
        }
    }

    /// A template of the defaults; `None` where it names a variable that only a later step sets.
    pub(super) fn default_template(&mut self, text: &str, path: &[Seg]) -> Option<Template> {
        match self.bound(text, path) {
            Ok(template) => Some(template),
            Err(TemplateError::Unknown(name)) if self.sets.contains(name.as_str()) => None,
            Err(error) => {
                self.wrong_template(&error, path);
                None
            }
        }
    }

    fn bound(&mut self, text: &str, path: &[Seg]) -> Result<Template, TemplateError> {
        let shared = &mut *self.shared;
        let template = Template::compile(text, &mut shared.scope);
        for name in &shared.scope.secrets()[shared.secrets.len()..] {
            let place = shared.read.tree.nearest(path).place.clone();
            shared.secrets.push(SecretNamed { name: name.clone(), place });
        }
        template
    }

    fn wrong_template(&mut self, error: &TemplateError, path: &[Seg]) {
        let known = self.shared.scope.names();
        let expected =
            error.expected().unwrap_or_else(|| format!("known here: {}", or_list(known.clone())));
        let mut problem = self.shared.read.problem(path, error.to_string(), expected);
        if let TemplateError::Unknown(name) = error {
            problem.help = if self.sets.contains(name.as_str()) {
                Some(format!("`{name}` is set by a later step of this journey only"))
            } else {
                did_you_mean(name, known)
            };
        }
        self.shared.problems.push(problem);
    }

    pub(super) fn problem(&mut self, path: &[Seg], message: &str, expected: &str) {
        let problem = self.shared.read.problem(path, message, expected);
        self.shared.problems.push(problem);
    }
}

/// The variables that `steps` and the steps in them set.
fn collect_sets<'a>(steps: &'a [StepWritten], sets: &mut BTreeSet<&'a str>) {
    for step in steps {
        sets.extend(step.variables.iter().flat_map(IndexMap::keys).map(String::as_str));
        sets.extend(step.capture.keys().map(String::as_str));
        for inner in [&step.once, &step.body, &step.then, &step.otherwise].into_iter().flatten() {
            collect_sets(inner, sets);
        }
        for branch in step.choose.iter().flatten() {
            collect_sets(&branch.steps, sets);
        }
    }
}
