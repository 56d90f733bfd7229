"""The suites: what is run, and the section that it becomes."""

import re
import subprocess
import tempfile
import time
from pathlib import Path

from . import ours, peers, process, truth as truths
from .numbers import median, ratio, show, spread
from .page import Bar, bars, table
from .servers import Counterpart, Nginx
from .tools import HERE, ROOT, say

# As wrk's and our own figures have always been taken: what fits the caches of both sides.
USERS = 64

# A number by which the usual rates can be divided, for tools whose rate is per connection.
OPEN_USERS = 50

OURS = "**rehearsal**"

# The same without emphasis.
OURS_PLAIN = "rehearsal"


class Bench:
    """What all suites need."""

    def __init__(self, tools, rounds, seconds):
        self.tools = tools
        self.rounds = rounds
        self.seconds = seconds
        cores = process.cores()
        self.server_core, self.own_core = cores[0], cores[-1]
        self.begin()

    def begin(self):
        """Forgets what belongs to the suite before."""
        self.commands, self.used, self.lacking = {}, ["rehearsal", "nginx"], []

    def peers(self, names):
        """Those of `names` that are wanted and can be had, with their programs."""
        found = []
        for name in names:
            tool = peers.PROGRAM.get(name, name)
            if not self.tools.wanted(tool):
                continue
            program = self.tools.get(tool)
            noted = self.used if program else self.lacking
            if tool not in noted:
                noted.append(tool)
            if program:
                found.append((name, program))
        return found

    def interleaved(self, contestants):
        """Runs each of {name: function} once a round, in turn; their results by name.

        One that fails is told and goes on being tried: a table with a gap says so."""
        results = {name: [] for name in contestants}
        for turn in range(self.rounds):
            for name, contest in contestants.items():
                say(f"  round {turn + 1} of {self.rounds}: {name}")
                try:
                    results[name].append(contest())
                except (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                    say(f"    failed: {error}")
                time.sleep(0.3)
        return results

    def ours(self, text, **how):
        """Runs a scenario of ours, on the generator's core."""
        self.commands.setdefault(f"{OURS_PLAIN} run scenario.yaml", text)
        return ours.run(self.tools, text, core=self.own_core, **how)

    def job(self, job, core):
        """Runs a peer's job; its cost and what it says."""
        variables = [f"{name}={value}" for name, value in job.env.items()]
        name, *words = [word.replace(f"{HERE}/", "") for word in job.argv]
        command = " ".join([*variables, Path(name).name, *words])
        self.commands.setdefault(Path(name).name, command)
        with tempfile.TemporaryDirectory() as directory:
            cost = process.run(self.tools.get("counterpart"), job.argv, core=core, env=job.env,
                               cwd=directory)
            if cost.code < 0:
                raise RuntimeError(f"{job.argv[0]} ended with {cost.code}: {cost.stderr[-500:]}")
            try:
                return cost, job.read(cost.stdout, directory)
            except (ValueError, KeyError, IndexError, OSError) as error:
                say(f"    cannot read what it says: {error}; {cost.stderr[-300:]}")
                return cost, peers.Told()


def left_out(bench):
    """The peers that could not be had, by name."""
    names = ", ".join(bench.lacking)
    return f"\n\nCould not be installed, and left out: {names}." if names else ""


# --- closed, tls, journey -------------------------------------------------------------------------

def cost_of_peer(bench, nginx, name, program, url, core):
    """One closed run of a peer: CPU a request by nginx's own count, requests a second, peak."""
    before = nginx.requests()
    cost, _ = bench.job(peers.closed(name, program, url, bench.seconds, USERS), core)
    requests = nginx.requests() - before
    if not requests:
        raise RuntimeError(f"nothing came: {cost.stderr[-500:]}")
    return {"cpu": cost.cpu / requests, "whole": cost.cpu / requests,
            "rate": requests / bench.seconds, "peak": cost.peak}


def cost_of_ours(bench, text):
    """One closed run of ours, the generation phase apart from the whole process."""
    run = bench.ours(text)
    return {"cpu": run.cpu / run.requests, "whole": run.cost.cpu / run.requests,
            "rate": run.requests / bench.seconds, "peak": run.cost.peak, "bad": bad(run)}


def bad(run):
    """Requests that were not ok: a benchmark of errors would measure something else."""
    return run.requests - run.summary["requests"]["ok"]


def closed_table(results, base):
    """The table of a closed suite, the cheapest first."""
    cpu = {name: median([result["cpu"] for result in of]) for name, of in results.items() if of}
    rows = []
    for name in sorted(cpu, key=cpu.get):
        of = results[name]
        micros = [result["cpu"] * 1e6 for result in of]
        rows.append([name, spread(micros), show(ratio(cpu[name], cpu.get(base))),
                     spread([result["whole"] * 1e6 for result in of]),
                     spread([result["rate"] for result in of], 4),
                     show(median([result["peak"] / 1e6 for result in of]))])
    return table(["tool", "CPU µs/request", f"x {base}", "whole process", "requests/s", "peak MB"], rows)


def cheaper(results):
    """Who needs less CPU a request than we do."""
    return ahead({name: median([result["cpu"] for result in of]) for name, of in results.items()},
                 "Cheaper than we are")


def ahead(values, words):
    """A sentence that names who has a smaller value than ours."""
    names = [name for name, value in values.items()
             if OURS in values and name != OURS and value is not None and value < values[OURS]]
    return f"\n\n{words}: {', '.join(names)}." if names else ""


def ratio_bar(results, peer, limit, what):
    """The bar of our CPU a request beside a peer's."""
    of = {name: median([result["cpu"] for result in results.get(name, [])]) for name in (OURS, peer)}
    measured = ratio(of[OURS], of[peer])
    return Bar.at_most(f"{what}: at most {limit} x {peer}", measured, limit, f"{show(measured)} x")


def closed(bench):
    """64 connections, a small GET, status and body checked, everything recorded."""
    return closed_suite(bench, peers.CLOSED, lambda nginx: nginx.url, [
        ("wrk", 1.15), ("oha", 0.55), ("goose", 0.25), ("k6", 0.09)], "CPU a request")


def tls(bench):
    """The same over TLS 1.3."""
    return closed_suite(bench, peers.TLS, lambda nginx: nginx.tls_url, [("wrk", 1.15)],
                        "CPU a request, TLS 1.3")


def closed_suite(bench, names, url_of, limits, what):
    """On one core for CPU a request, on two for rates."""
    same, apart = {}, {}
    for core, results in [(bench.own_core, same), (bench.server_core, apart)]:
        nginx = Nginx(core)
        try:
            url = url_of(nginx)
            contestants = {OURS: lambda: cost_of_ours(bench, ours.closed(url, bench.seconds, USERS))}
            for name, program in bench.peers(names):
                contestants[name] = lambda name=name, program=program: cost_of_peer(
                    bench, nginx, name, program, url, bench.own_core)
            results.update(bench.interleaved(contestants))
        finally:
            nginx.stop()
    not_ok = sum(result["bad"] for of in (same, apart) for result in of[OURS])
    list_of_bars = [ratio_bar(same, peer, limit, what) for peer, limit in limits]
    return f"""{bars(list_of_bars)}

Generator and nginx on the same core, the arrangement whose ratios hold on shared machines
({bench.rounds} rounds of {bench.seconds} s; of ours {not_ok} requests were not ok):

{closed_table(same, "wrk")}{cheaper(same)}

A core each; these rates swing with how near the host puts the two cores to each other:

{closed_table(apart, "wrk")}""" + left_out(bench)


def journey(bench):
    """Four steps with captures and JSON checks, beside k6 with the same script."""
    nginx = Nginx(bench.own_core)
    try:
        contestants = {OURS: lambda: cost_of_ours(
            bench, ours.closed(nginx.url, bench.seconds, USERS, ours.JOURNEY))}

        def of_k6(program):
            before = nginx.requests()
            job = peers.k6(program, "journey.js", URL=nginx.url, VUS=USERS, SECONDS=bench.seconds)
            cost, _ = bench.job(job, bench.own_core)
            requests = nginx.requests() - before
            return {"cpu": cost.cpu / requests, "whole": cost.cpu / requests,
                    "rate": requests / bench.seconds, "peak": cost.peak}

        for name, program in bench.peers(["k6"]):
            contestants[name] = lambda: of_k6(program)
        results = bench.interleaved(contestants)
    finally:
        nginx.stop()
    not_ok = sum(result["bad"] for result in results[OURS])
    return f"""{bars([ratio_bar(results, "k6", 0.15, "CPU a request of a journey")])}

Log in, list, order, look: four requests with two captures, a header from one, and a JSON value checked in
each; {USERS} users, generator and nginx on the same core ({bench.rounds} rounds of {bench.seconds} s; of ours
{not_ok} requests were not ok).

{closed_table(results, "k6")}{cheaper(results)}""" + left_out(bench)


# --- open -----------------------------------------------------------------------------------------

RATES = [1_000, 5_000, 10_000, 20_000, 40_000]


def open_of_peer(bench, nginx, name, program, rate):
    """One run of a peer at a rate."""
    before = nginx.requests()
    job = peers.opened(name, program, nginx.url, bench.seconds, rate, OPEN_USERS)
    cost, told = bench.job(job, bench.own_core)
    return {"achieved": (nginx.requests() - before) / bench.seconds / rate,
            "share": cost.cpu / bench.seconds, "latency": told.latency, "late": {}}


def open_of_ours(bench, url, rate, users=None):
    """One run of ours at a rate."""
    text = ours.opened(url, bench.seconds, rate, users or max(OPEN_USERS, rate // 20))
    run = bench.ours(text)
    return {"achieved": run.summary["requests"]["ok"] / bench.seconds / rate,
            "share": run.cpu / bench.seconds, "latency": run.latency(),
            "late": {name: run.lateness(name) for name in ("p50", "p99")}}


def open_row(rate, name, of):
    """The row of a tool at a rate."""
    micros = lambda part, key: [1e6 * result[part][key] if result[part].get(key) is not None else None
                                for result in of]
    return [f"{rate:,}", name, spread([100 * result["achieved"] for result in of], 5),
            spread([100 * result["share"] for result in of]), spread(micros("late", "p50")),
            spread(micros("late", "p99")), spread(micros("latency", "p50")),
            spread(micros("latency", "p99"))]


def opened(bench):
    """A rate that does not wait for the system, the generator on one core."""
    list_of_bars, rows = [], []
    for rate in RATES:
        nginx = Nginx(bench.server_core)
        try:
            contestants = {OURS: lambda: open_of_ours(bench, nginx.url, rate)}
            for name, program in bench.peers(peers.OPEN):
                contestants[name] = lambda name=name, program=program: open_of_peer(
                    bench, nginx, name, program, rate)
            results = bench.interleaved(contestants)
        finally:
            nginx.stop()
        rows += [open_row(rate, name, of) for name, of in results.items() if of]
        list_of_bars += open_bars(rate, results[OURS])
    lean = Counterpart(bench.tools.get("counterpart"), "lean", bench.server_core, records=False)
    try:
        of = bench.interleaved({OURS: lambda: open_of_ours(bench, lean.url, 100_000, 500)})[OURS]
    finally:
        lean.stop()
    rows += [open_row(100_000, f"{OURS}, lean server", of)] if of else []
    held = median([result["achieved"] for result in of])
    list_of_bars.append(Bar.at_least("100,000/s from one core on a lean server: at least 99.9 % of it", held,
                                     0.999, f"{show(held and 100 * held, 5)} %"))
    head = ["rate/s", "tool", "achieved %", "CPU % of a core", "sent late p50 µs", "p99 µs",
            "told p50 µs", "told p99 µs"]
    return f"""{bars(list_of_bars)}

{bench.rounds} rounds of {bench.seconds} s, generator and server on a core each. *Sent late* is the time from a
request's due time to its sending, which only we tell. *Told* is each tool's own latency; ours counts from the due
time. wrk, ab and siege have no rate.

{table(head, rows)}""" + left_out(bench)


def open_bars(rate, of):
    """The bars at one rate."""
    achieved = median([result["achieved"] for result in of])
    missing = None if achieved is None else abs(1 - achieved)
    found = [Bar.at_most(f"{rate:,}/s: achieved within 0.1 %", missing, 0.001,
                         f"{show(achieved and 100 * achieved, 5)} %")]
    if rate == 20_000:
        for name, limit in [("p50", 15), ("p99", 50)]:
            late = median([result["late"][name] for result in of])
            micros = None if late is None else late * 1e6
            found.append(Bar.at_most(f"{rate:,}/s: sent late, {name}, at most {limit} µs", micros, limit,
                                     f"{show(micros)} µs"))
        share = median([result["share"] for result in of])
        found.append(Bar.at_most(f"{rate:,}/s: at most 25 % of a core", share, 0.25,
                                 f"{show(share and 100 * share)} %"))
    return found


# --- truth ----------------------------------------------------------------------------------------

MODES = {
    "stall": "the server stands still for 400 ms every 5 s",
    "slower": "an answer takes 1 ms, and 0.2 ms more for each request in flight",
    "fail": "for 1 s of every 5 s the server answers 503 at once, else 200 after 5 ms",
}

CASES = [("stall", 100), ("stall", 2_000), ("stall", 20_000), ("slower", 100), ("slower", 2_000),
         ("fail", 100), ("fail", 2_000)]

# Long enough for three whole periods of the server.
TRUTH_SECONDS = 15


def held_users(rate):
    """Connections enough for what a stall of 400 ms holds up."""
    return max(64, min(rate // 2, 10_000))


def truth_of(bench, mode, rate, contest):
    """Runs `contest` (url -> quantiles told) against a server of this mode; both distributions."""
    server = Counterpart(bench.tools.get("counterpart"), mode, bench.server_core)
    try:
        told, failed = contest(server.url)
    finally:
        record = truths.Record.parse(server.stop())
    true = truths.truth(record, rate, TRUTH_SECONDS)
    if true is None:
        raise RuntimeError("nothing came")
    return {"told": told, "failed": failed, "true": true}


def truth_contest_of_ours(bench, mode, rate):
    """Ours: where failures are fast, what was ok is told apart from them."""
    def contest(url):
        text = ours.opened(url, TRUTH_SECONDS, rate, held_users(rate), numbered=True)
        run = bench.ours(text)
        return run.latency("ok" if mode == "fail" else "all"), run.requests - run.summary["requests"]["ok"]
    return contest


def truth_contest_of_peer(bench, name, program, rate):
    """A peer: it tells what it tells."""
    def contest(url):
        job = peers.opened(name, program, url, TRUTH_SECONDS, rate, held_users(rate), numbered=True)
        _, told = bench.job(job, bench.own_core)
        return told.latency, told.failed
    return contest


def count(value):
    """A whole number, or what was not told."""
    return "-" if value is None else f"{value:,}"


def truth_rows(mode, results):
    """The rows of one case: what is true and what is told, with what is off in bold."""
    rows = []
    for name, of in results.items():
        if not of:
            continue
        # The middle of the runs by p99 is shown whole: quantiles of different runs do not mix.
        result = sorted(of, key=lambda it: it["told"].get("p99") or 0)[len(of) // 2]
        true = result["true"]
        wanted = true.well if mode == "fail" else true.all
        cells = []
        for quantile, value in wanted.items():
            told = result["told"].get(quantile)
            near = truths.within(quantile, told, value)
            cell = f"{show(told and told * 1e3)} / {show(value and value * 1e3)}"
            cells.append(f"**{cell}**" if near is False else cell)
        failed = f"{count(result['failed'])} / {count(true.failed)}"
        rows.append([name, f"{show(100 * true.sent / true.due, 4)} % ({true.how})", *cells, failed])
    return rows


def truth_bars(mode, rate, of):
    """The bars of one case: every run of ours must be near."""
    found = []
    for quantile, allowed in [("p50", "1 % or 0.5 ms"), ("p90", "1 % or 0.5 ms"), ("p99", "1 % or 0.5 ms"),
                              ("p99.9", "2 ms"), ("max", "10 ms")]:
        pairs = []
        for result in of:
            wanted = result["true"].well if mode == "fail" else result["true"].all
            pairs.append((result["told"].get(quantile), wanted.get(quantile)))
        nears = [truths.within(quantile, told, true) for told, true in pairs]
        met = None if not nears or None in nears else sum(nears) * 2 > len(nears)
        shown = ", ".join(f"{show(told and told * 1e3)} / {show(true and true * 1e3)}" for told, true in pairs)
        found.append(Bar(f"{mode}, {rate:,}/s, {quantile}: within {allowed}", shown or None, met, f"{shown} ms"))
    return found


def truth(bench):
    """What each tool tells, beside what its own requests met at the server."""
    list_of_bars, sections = [], []
    for mode, rate in CASES:
        say(f" {mode} at {rate}/s")
        contestants = {OURS: lambda: truth_of(bench, mode, rate, truth_contest_of_ours(bench, mode, rate))}
        for name, program in bench.peers(peers.OPEN):
            contest = truth_contest_of_peer(bench, name, program, rate)
            contestants[name] = lambda contest=contest: truth_of(bench, mode, rate, contest)
        results = bench.interleaved(contestants)
        list_of_bars += truth_bars(mode, rate, results[OURS])
        head = ["tool", "sent", "p50", "p90", "p99", "p99.9", "max", "failed"]
        sections.append(f"### {rate:,}/s: {MODES[mode]}\n\n{table(head, truth_rows(mode, results))}")
    return f"""{bars(list_of_bars)}

{bench.rounds} rounds of {TRUTH_SECONDS} s. Each cell is *told / true* in milliseconds; what is off by more than
the bars allow is bold. True is what follows from the server's own record and the schedule: from the moment at which a
request was due until the server had answered it. Requests pair with due times by the number that they
carry (*numbers*), by their order (*order*), or, for a tool that has not sent what was due, each due time with the
*first answer* to a request that came after it. Where the server fails fast, the times are those of the requests that
were ok; a tool that mixes them with the failures cannot tell.

""" + "\n\n".join(sections) + left_out(bench)


# --- memory, recording, soak ----------------------------------------------------------------------

MANY = 10_000


def memory(bench):
    """10,000 connections or users held."""
    seconds = max(bench.seconds, 12)
    nginx = Nginx(bench.server_core)
    rate = 2_000
    url = nginx.url
    try:
        def ours_with(text):
            run = bench.ours(text, sample_every=0.2)
            return {"peak": run.cost.peak, "rate": run.requests / seconds}

        def of(job):
            before = nginx.requests()
            cost, _ = bench.job(job, bench.own_core)
            return {"peak": cost.peak, "rate": (nginx.requests() - before) / seconds}

        slow = "ask: [{ get: /, expect: { status: 200, body: xxxx } }, { think: 5s }]"
        held = f"{OURS}, {MANY:,} connections, {rate:,}/s"
        contestants = {
            held: lambda: ours_with(ours.opened(url, seconds, rate, MANY)),
            f"{OURS}, engine goose, {MANY:,} users, pause 5 s": lambda: ours_with(
                ours.closed(url, seconds, MANY, journey=slow, engine=", engine: goose")),
        }
        jobs = {
            "wrk": lambda it: peers.closed("wrk", it, url, seconds, MANY),
            "h2load": lambda it: peers.closed("h2load", it, url, seconds, MANY),
            "oha": lambda it: peers.opened("oha", it, url, seconds, rate, MANY),
            "k6": lambda it: peers.k6(it, "closed.js", URL=url, VUS=MANY, SECONDS=seconds, PAUSE=5),
            "goose": lambda it: peers.goose(it, url, MANY, seconds, env={"GOOSE_WAIT": "5"}),
        }
        for name, program in bench.peers(jobs):
            contestants[name] = lambda name=name, program=program: of(jobs[name](program))
        results = bench.interleaved(contestants)
    finally:
        nginx.stop()
    rows = [[name, show(median([it["peak"] / 1e6 for it in of])),
             show(median([it["peak"] / 1e3 / MANY for it in of])), show(median([it["rate"] for it in of]))]
            for name, of in results.items() if of]
    peaks = {name: median([it["peak"] / 1e6 for it in of]) for name, of in results.items() if of}
    peak = peaks.get(held)
    smaller = ahead({OURS if name == held else name: value for name, value in peaks.items()}, "Smaller than we are")
    return f"""{bars([Bar.at_most("10,000 connections held: at most 60 MB resident", peak, 60, f"{show(peak)} MB")])}

The peak of the process, {bench.rounds} rounds of {seconds} s; KB is that peak over 10,000.

{table(["tool", "peak MB", "KB each", "requests/s"], rows)}""" + smaller + left_out(bench)


def recording(bench):
    """What recording one request costs."""
    done = subprocess.run(["cargo", "bench", "--quiet", "-p", "rehearsal", "--bench", "recording"], cwd=ROOT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    say(done.stdout)
    found = re.findall(r"([\d.]+)\s*ns", done.stdout)
    nanos = float(found[0]) if found else None
    return f"""{bars([Bar.at_most("recording a request, all of it: at most 300 ns", nanos, 300, f"{show(nanos)} ns")])}

```text
{done.stdout.strip()}
```"""


def soak(bench, seconds):
    """10,000 requests a second for a long time: is memory flat?"""
    nginx = Nginx(bench.server_core)
    try:
        text = ours.opened(nginx.url, seconds, 10_000, 500)
        run = bench.ours(text, sample_every=1, timeout=seconds + 600)
    finally:
        nginx.stop()
    samples = [bytes_ for at, bytes_ in run.cost.samples if at <= seconds]
    early = median(samples[55:65]) or median(samples[:5])
    late = median(samples[-10:])
    grown = ratio(late, early)
    words = "resident memory at the end within 5 % of that after minute 1"
    bar = Bar(words, grown, None if grown is None else grown <= 1.05, f"{show(grown, 4)} x")
    rows = [[f"{seconds // 60} min", show(early / 1e6), show(late / 1e6), show(max(samples) / 1e6),
             f"{run.summary['requests']['ok']:,}", f"{run.summary['requests']['dropped']:,}"]]
    head = ["length", "after minute 1, MB", "at the end, MB", "highest, MB", "ok", "dropped"]
    return f"""{bars([bar])}

10,000 requests a second, one load thread, resident memory read each second until the load ends.

{table(head, rows)}"""


# Name, title and function; `soak` is asked for by its length.
ALL = {
    "closed": ("A closed loop", closed),
    "tls": ("A closed loop over TLS 1.3", tls),
    "journey": ("A journey of four steps", journey),
    "open": ("An open loop", opened),
    "truth": ("Truth", truth),
    "memory": ("Memory", memory),
    "recording": ("Recording", recording),
}
