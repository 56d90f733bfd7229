"""The peers: how each is told what to do, and how what it says is read.

Latencies are in seconds, by the names p50, p90, p99, p99.9 and max; what a tool does not say is not
there. Tools without a rate of their own take no part where a rate is asked for."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from .numbers import QUANTILES, latencies, quantile

PEERS = Path(__file__).resolve().parent.parent / "peers"


@dataclass
class Told:
    """What a tool says of its run."""

    latency: dict = field(default_factory=dict)
    ok: int = None
    failed: int = None
    dropped: int = None


@dataclass
class Job:
    """A command, its environment, and how its output is read."""

    argv: list
    read: object
    env: dict = field(default_factory=dict)


def number(text, pattern, unit=1.0):
    """The number that `pattern` finds in `text`."""
    found = re.search(pattern, text)
    return float(found.group(1)) * unit if found else None


def kept(latency):
    """Without what was not told."""
    return {name: value for name, value in latency.items() if value is not None}


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def read_wrk(stdout, _):
    """wrk --latency."""
    latency = {}
    for name, percent in [("p50", "50"), ("p90", "90"), ("p99", "99")]:
        found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\b", stdout, re.M)
        latency[name] = float(found.group(1)) * UNITS[found.group(2)] if found else None
    found = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m)\b", stdout)
    latency["max"] = float(found.group(1)) * UNITS[found.group(2)] if found else None
    return Told(kept(latency), ok=int(number(stdout, r"(\d+) requests in") or 0))


def read_ab(stdout, _):
    """ab: whole milliseconds."""
    latency = {name: percent_of_ab(stdout, percent)
               for name, percent in [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)]}
    return Told(kept(latency), ok=int(number(stdout, r"Complete requests:\s+(\d+)") or 0),
                failed=int(number(stdout, r"Failed requests:\s+(\d+)") or 0))


def percent_of_ab(stdout, percent):
    """One line of ab's table."""
    found = re.search(rf"^\s+{percent}%\s+(\d+)", stdout, re.M)
    return float(found.group(1)) * 1e-3 if found else None


def read_h2load(stdout, directory):
    """h2load has no percentiles; its log has every request."""
    log = Path(directory) / "h2load.log"
    latency = {}
    if log.exists():
        rows = [line.split("\t") for line in log.read_text().splitlines()]
        latency = latencies([int(row[2]) * 1e-6 for row in rows if len(row) > 2])
    ok = number(stdout, r"(\d+) succeeded")
    return Told(kept(latency), ok=int(ok or 0), failed=int(number(stdout, r"(\d+) failed") or 0))


def read_hey(stdout, _):
    """hey."""
    latency = {name: number(stdout, rf"{percent}% in ([\d.]+) secs")
               for name, percent in [("p50", 50), ("p90", 90), ("p99", 99)]}
    latency["max"] = number(stdout, r"Slowest:\s+([\d.]+) secs")
    counts = {int(status): int(count)
              for status, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", stdout)}
    return Told(kept(latency), ok=counts.get(200, 0), failed=sum(counts.values()) - counts.get(200, 0))


def read_siege(stdout, _):
    """siege -b: no percentiles."""
    return Told({}, ok=int(number(stdout, r'"transactions":\s*(\d+)') or 0))


def read_oha(stdout, _):
    """oha --output-format json."""
    said = json.loads(stdout)
    percentiles = said.get("latencyPercentiles", {})
    latency = {name: percentiles.get(name) for name in ["p50", "p90", "p99", "p99.9"]}
    latency["max"] = said.get("summary", {}).get("slowest")
    counts = said.get("statusCodeDistribution", {})
    errors = sum(said.get("errorDistribution", {}).values())
    ok = counts.get("200", 0)
    return Told(kept(latency), ok=ok, failed=sum(counts.values()) - ok + errors)


def read_k6(_, directory):
    """k6 --summary-export."""
    said = json.loads((Path(directory) / "k6.json").read_text())["metrics"]
    duration = said.get("http_req_duration", {})
    names = {"p50": "med", "p90": "p(90)", "p99": "p(99)", "p99.9": "p(99.9)", "max": "max"}
    latency = {name: duration[key] * 1e-3 for name, key in names.items() if key in duration}
    count = int(said.get("http_reqs", {}).get("count", 0))
    failed = int(said.get("http_req_failed", {}).get("passes", 0))
    dropped = int(said.get("dropped_iterations", {}).get("count", 0))
    return Told(latency, ok=count - failed, failed=failed, dropped=dropped)


def read_rlt(stdout, _):
    """rlt -o json."""
    said = json.loads(stdout[stdout.index("{"):])
    latency = said.get("latency") or {}
    percentiles = latency.get("percentiles", {})
    told = {name: percentiles.get(name) for name in ["p50", "p90", "p99", "p99.9"]}
    told["max"] = latency.get("stats", {}).get("max")
    return Told(kept(told), ok=said.get("summary", {}).get("iters", {}).get("total"))


def read_goose(_, directory):
    """goose --report-file: the row of all requests, in whole milliseconds."""
    file = Path(directory) / "goose.json"
    if not file.exists():
        return Told()
    rows = found_rows(json.loads(file.read_text()), "percentile_50")
    if not rows:
        return Told()
    row = rows[-1]
    latency = {"p50": row.get("percentile_50"), "p90": row.get("percentile_90"),
               "p99": row.get("percentile_99"), "max": row.get("percentile_100")}
    return Told({name: value * 1e-3 for name, value in kept(latency).items()})


def found_rows(value, key):
    """All objects in `value` that have `key`."""
    if isinstance(value, dict):
        own = [value] if key in value else []
        return own + [row for inner in value.values() for row in found_rows(inner, key)]
    if isinstance(value, list):
        return [row for inner in value for row in found_rows(inner, key)]
    return []


def read_locust(stdout, _):
    """locust --json: how often each response time came, in milliseconds of two digits."""
    said = json.loads(stdout[stdout.index("["):])[0]
    ordered = [float(time) * 1e-3 for time, count in
               sorted(said["response_times"].items(), key=lambda it: float(it[0]))
               for _ in range(count)]
    latency = {name: quantile(ordered, q) for name, q in QUANTILES.items() if name != "max"}
    latency["max"] = said["max_response_time"] * 1e-3
    failed = said["num_failures"]
    return Told(kept(latency), ok=said["num_requests"] - failed, failed=failed)


K6 = ["run", "-q", "--no-usage-report", "--summary-export", "k6.json",
      "--summary-trend-stats", "min,med,max,p(90),p(99),p(99.9)"]


def k6(tool, script, **env):
    """A k6 script with its environment."""
    variables = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
    return Job([tool, *K6, *variables, str(PEERS / script)], read_k6)


def goose(tool, url, users, seconds, *more, env=None):
    """goose: users are started as fast as it can."""
    argv = [tool, "--host", url.rstrip("/"), "-u", str(users), "-r", "10000", "-t", f"{seconds}s",
            "-q", "--no-telnet", "--report-file", "goose.json", *more]
    return Job(argv, read_goose, env or {})


def locust(tool, url, users, seconds, **env):
    """locust: without its web page."""
    argv = [tool, "-f", str(PEERS / "locustfile.py"), "--headless", "-u", str(users), "-r", str(users),
            "-t", f"{seconds}s", "--only-summary", "--json", "--skip-log", "-H", url.rstrip("/")]
    return Job(argv, read_locust, {name: str(value) for name, value in env.items()})


def closed(name, tool, url, seconds, users):
    """`users` connections that ask again and again; None for a tool that cannot."""
    time = f"{seconds}s"
    jobs = {
        "wrk": lambda: Job([tool, "-t1", f"-c{users}", f"-d{time}", "--latency", url], read_wrk),
        "ab": lambda: Job([tool, "-q", "-k", "-c", str(users), "-t", str(seconds), "-n", "100000000",
                           url], read_ab),
        "h2load": lambda: Job([tool, "--h1", "-c", str(users), "-D", str(seconds), "-t1", url],
                              read_h2load),
        "hey": lambda: Job([tool, "-z", time, "-c", str(users), url], read_hey),
        "siege": lambda: Job([tool, "-b", "-q", "-j", "-c", str(users), "-t", f"{seconds}S", url],
                             read_siege),
        "oha": lambda: Job([tool, "--no-tui", "-z", time, "-c", str(users), "--output-format", "json",
                            "--insecure", url], read_oha),
        "rlt": lambda: Job([tool, "-c", str(users), "-d", time, "-q", "-o", "json", "--url", url],
                           read_rlt),
        "goose": lambda: goose(tool, url, users, seconds),
        "k6": lambda: k6(tool, "closed.js", URL=url, VUS=users, SECONDS=seconds),
        "locust": lambda: locust(tool, url, users, seconds),
    }
    return jobs[name]() if name in jobs else None


def opened(name, tool, url, seconds, rate, users, numbered=False):
    """`rate` requests a second over `users` connections at most; None for a tool without a rate."""
    time = f"{seconds}s"
    jobs = {
        "oha": lambda: Job([tool, "--no-tui", "-z", time, "-c", str(users), "-q", str(rate), "-w",
                            "--output-format", "json", url], read_oha),
        "oha corrected": lambda: Job([tool, "--no-tui", "-z", time, "-c", str(users), "-q", str(rate), "-w",
                                      "--latency-correction", "--output-format", "json", url], read_oha),
        "h2load": lambda: Job([tool, "--h1", "-c", str(users), "-D", str(seconds), "-t1",
                               f"--rps={rate / users:g}", "--log-file=h2load.log", url], read_h2load),
        "hey": lambda: Job([tool, "-z", time, "-c", str(users), "-q", f"{rate / users:g}", url], read_hey),
        "rlt": lambda: Job([tool, "-c", str(users), "-d", time, "-r", str(rate), "-q", "-o", "json",
                            "--url", url], read_rlt),
        "goose": lambda: goose(tool, url, users, seconds, "--throttle-requests", str(rate)),
        "k6": lambda: k6(tool, "open.js", URL=url, RATE=rate, SECONDS=seconds, VUS=users,
                         **({"NUMBERED": 1} if numbered else {})),
        "locust": lambda: locust(tool, url, users, seconds, LOCUST_RATE=rate / users),
    }
    return jobs[name]() if name in jobs else None


# Which program a peer is run by, where it is not called the same.
PROGRAM = {"oha corrected": "oha"}

CLOSED = ["wrk", "ab", "h2load", "hey", "siege", "oha", "rlt", "goose", "k6", "locust"]
TLS = ["wrk", "ab", "h2load", "oha", "k6"]
OPEN = ["oha", "oha corrected", "h2load", "hey", "rlt", "goose", "k6", "locust"]
