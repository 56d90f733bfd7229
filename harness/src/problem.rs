//! Problems of a scenario file: shown with the line, carets, what was expected and the way out.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::yaml::Place;

/// One thing that is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What was expected; stands beside the carets.
    pub expected: String,
    /// The way out, where there is more to say.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `place`.
    pub fn new(place: Place, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { place, message: message.into(), expected: expected.into(), help: None }
    }

    /// The same, with the way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The text that places point into.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file's path, as given.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Each `--set`, as given.
    pub sets: Vec<String>,
}

/// A scenario that cannot be used, with all that is wrong with it.
#[derive(Debug, thiserror::Error)]
pub struct Problems {
    source_text: Source,
    problems: Vec<Problem>,
}

impl Problems {
    /// The problems of the scenario in `source`; at least one.
    #[must_use]
    pub fn new(source: &Source, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| match &problem.place {
            Place::File(at) => (0, at.start),
            Place::CommandLine(set) => (1, *set),
        });
        problems.dedup();
        Self { source_text: source.clone(), problems }
    }

    /// The problems, in the order of the file.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.problems
    }

    /// The text as a person reads it on a terminal; with colours when `styled`.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Unicode);
        let shown: Vec<String> =
            self.problems.iter().map(|problem| self.render_one(&renderer, problem)).collect();
        shown.join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, problem: &Problem) -> String {
        let source = &self.source_text;
        let (text, path, at) = match &problem.place {
            Place::File(at) => (source.text.as_str(), source.path.as_str(), at.clone()),
            Place::CommandLine(set) => {
                let text = source.sets.get(*set).map_or("", String::as_str);
                (text, "--set", 0..text.len())
            }
        };
        let mark = AnnotationKind::Primary.span(visible(text, at)).label(&problem.expected);
        let title = Level::ERROR.primary_title(&problem.message);
        let group = title.element(Snippet::source(text).path(path).annotation(mark));
        let help = problem.help.as_ref().map(|help| {
            let help: Group<'_> = Group::with_title(Level::HELP.secondary_title(help));
            help
        });
        let groups: Vec<Group<'_>> = [group].into_iter().chain(help).collect();
        renderer.render(&groups)
    }
}

/// The part of `at` that is worth carets: its first line, without the white space at its end.
fn visible(text: &str, at: Range<usize>) -> Range<usize> {
    let start = at.start.min(text.len());
    let rest = &text[start..at.end.clamp(start, text.len())];
    let line = rest.lines().next().unwrap_or("").trim_end();
    start..start + line.len()
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// `a`, `b` or `c`: names as English reads them.
#[must_use]
pub fn or_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let ticked: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match ticked.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// The known name that `word` was probably meant to be.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let rated = known.into_iter().map(|name| (strsim::damerau_levenshtein(word, name), name));
    let (distance, name) = rated.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.len().max(word.len()) / 3).max(1)).then_some(name)
}

/// The way out for an unknown `word`, given what is known.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("phasse", ["phases", "faults"]), Some("phases"));
        assert_eq!(nearest("executer", ["executor", "rate"]), Some("executor"));
        assert_eq!(nearest("banana", ["phases", "faults"]), None);
    }

    #[test]
    fn lists_read_as_english() {
        assert_eq!(or_list(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(or_list(["a"]), "`a`");
    }

    #[test]
    fn a_problem_shows_file_line_column_and_carets() {
        let text = "name: x\nraet: 1\n".to_owned();
        let source = Source { path: "a.yaml".to_owned(), text, sets: Vec::new() };
        let problem = Problem::new(Place::File(8..12), "unknown key `raet`", "not known here")
            .with_help("did you mean `rate`?");
        let shown = Problems::new(&source, vec![problem]).to_string();
        for part in ["a.yaml:2:1", "raet: 1", "━━━━ not known here", "did you mean `rate`?"]
        {
            assert!(shown.contains(part), "{part} is missing from:\n{shown}");
        }
    }
}
