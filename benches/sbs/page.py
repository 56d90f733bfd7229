"""BENCHMARKS.md: sections between markers, so that suites can be run one by one."""

import re
from pathlib import Path

# What stands before the first section; written once, and left as people have edited it.
HEAD = """# Benchmarks

Written by `benches/side-by-side`, beside the tools that one would use instead. Each section says on which
machine and when it was measured; numbers of different sections need not be of one day.
"""


def table(head, rows):
    """A Markdown table; every cell is a text."""
    escaped = [[str(cell).replace("|", "\\|") for cell in row] for row in [head, *rows]]
    lines = ["| " + " | ".join(row) + " |" for row in escaped]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


class Bar:
    """A limit that the project has set itself, and what was measured."""

    def __init__(self, words, measured, met, shown):
        self.words = words
        self.measured = measured
        self.met = met
        self.shown = shown

    @classmethod
    def at_most(cls, words, measured, limit, shown):
        """Met when `measured` is `limit` or less."""
        return cls(words, measured, None if measured is None else measured <= limit, shown)

    @classmethod
    def at_least(cls, words, measured, limit, shown):
        """Met when `measured` is `limit` or more."""
        return cls(words, measured, None if measured is None else measured >= limit, shown)

    def row(self):
        """Its row in the table of bars."""
        verdict = {True: "met", False: "**NOT met**", None: "not measured"}[self.met]
        return [self.words, self.shown if self.measured is not None else "-", verdict]


def bars(list_of_bars):
    """The table of bars."""
    return table(["bar", "measured", ""], [bar.row() for bar in list_of_bars])


def replaced(text, name, section):
    """`text` with the section `name` replaced, or added at the end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{section.strip()}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: block, text)
    return f"{text.rstrip()}\n\n{block}\n"


def losses(text):
    """The section that lists where we lose: bars that are not met, and who is ahead of us."""
    found, title = [], ""
    for line in text.split("<!-- begin losses -->")[0].splitlines() + after(text):
        if line.startswith("## "):
            title = line[3:]
        elif line.endswith("| **NOT met** |"):
            bar, measured = line.strip("| ").split(" | ")[:2]
            found.append(f"- {title}: {bar}; measured {measured}")
        elif re.match(r"(Cheaper|Smaller) than we are: ", line):
            found.append(f"- {title}: {line[0].lower()}{line[1:]}")
    listed = "\n".join(found) or "Nowhere, on this machine and in what is measured here."
    return f"## Where we lose\n\n{listed}"


def after(text):
    """The lines behind the section of losses."""
    return text.split("<!-- end losses -->")[1].splitlines() if "<!-- end losses -->" in text else []


def write(path, name, section):
    """Replaces the section `name` of the page at `path`, and the list of losses, which comes first."""
    path = Path(path)
    text = path.read_text() if path.exists() else HEAD
    if "<!-- begin losses -->" not in text:
        text = replaced(text, "losses", "")
    text = replaced(text, name, section)
    path.write_text(replaced(text, "losses", losses(text)))
