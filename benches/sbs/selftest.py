"""Checks what the driver computes, on data whose answers are known. Nothing is run or installed."""

import json
import tempfile
from pathlib import Path

from . import ours, page, peers, servers, suites
from .numbers import latencies, median, quantile, show, spread
from .truth import Record, truth, within


def near(a, b, by=1e-9):
    """Whether two numbers are the same but for rounding."""
    return abs(a - b) <= by


def same(a, b):
    """The same for latencies by name."""
    return a.keys() == b.keys() and all(near(a[name], b[name]) for name in a)


def numbers():
    assert median([3, 1, 2]) == 2 and median([1, 2, 3, 4]) == 2.5 and median([]) is None
    hundred = [float(i) for i in range(1, 101)]
    assert quantile(hundred, 0.5) == 50 and quantile(hundred, 0.99) == 99 and quantile([], 0.5) is None
    assert latencies(hundred)["max"] == 100 and latencies(hundred)["p99.9"] == 100
    assert [show(it) for it in (None, 0, 1234567, 2.1849, 0.00123)] == ["-", "0", "1,230,000", "2.18", "0.00123"]
    assert spread([2.0, 1.0, 3.0]) == "2.00 (1.00-3.00)" and spread([]) == "-"


def pages():
    once = page.replaced("# B\n", "a", "one")
    twice = page.replaced(page.replaced(once, "b", "two"), "a", r"again \1")
    assert twice.count("<!-- begin a -->") == 1 and r"again \1" in twice and "two" in twice, twice
    assert page.table(["a"], [["x|y"]]) == "| a |\n|---|\n| x\\|y |"
    bars = [page.Bar.at_most("w", 2, 1, "2"), page.Bar.at_least("w", 2, 1, "2"), page.Bar.at_most("w", None, 1, "")]
    assert [bar.row()[2] for bar in bars] == ["**NOT met**", "met", "not measured"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "page.md"
        section = f"## A\n\n{page.bars(bars)}\n\nCheaper than we are: x."
        for _ in range(2):
            page.write(file, "a", section)
        text = file.read_text()
    assert text.count("## Where we lose") == text.count("## A") == 1, text
    assert "- A: w; measured 2\n- A: cheaper than we are: x." in text, text
    assert text.index("## Where we lose") < text.index("## A"), text


def stalled(rate, seconds, numbered):
    """A server that is quick but for one stall from 5 s to 5.4 s, asked exactly on time."""
    lines = ["stall 5000000000 5400000000"]
    for i in range(round(rate * seconds)):
        due = i / rate
        arrival = 5.4 if 5.0 <= due < 5.4 else due
        lines.append(f"{round(arrival * 1e9)} {round((arrival + 0.0001) * 1e9)} 200 {i if numbered else -1}")
    return Record.parse("\n".join(lines))


def truths():
    for numbered, how in [(True, "numbers"), (False, "order")]:
        found = truth(stalled(1000, 10, numbered), 1000, 10)
        assert (found.how, found.sent, found.due, found.failed) == (how, 10_000, 10_000, 0)
        assert near(found.all["p50"], 0.0001, 2e-5), found
        # 400 of 10,000 wait, evenly from 0.4 s down: p99 leaves 100 of them above.
        assert near(found.all["p99"], 0.3001, 2e-3) and near(found.all["max"], 0.4001, 2e-3), found
    # One that stops asking while the server stands still is not believed.
    record = stalled(1000, 10, False)
    record.requests = [it for it in record.requests if it[0] != 5.4] + [(5.4, 5.4001, 200, -1)]
    found = truth(record, 1000, 10)
    assert found.how == "first answer" and near(found.all["p99"], 0.3001, 2e-3), found
    # Failures are counted, and the others are told apart.
    lines = [f"{i * 10**7} {i * 10**7 + (10**6 if i % 2 else 10**4)} {200 if i % 2 else 503} {i}" for i in range(100)]
    found = truth(Record.parse("\n".join(lines)), 100, 1)
    assert found.failed == 50 and near(found.well["p50"], 0.001, 1e-5), found
    assert truth(Record(), 100, 1) is None
    assert within("p99", 0.351, 0.350) and not within("p99", 0.360, 0.350) and within("p50", 0.0004, 0.0)
    assert within("max", 0.409, 0.400) and not within("p99.9", 0.403, 0.400) and within("p50", None, 1.0) is None


WRK = """  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   199.11us  100.00us   2.50ms   97.00%
  Latency Distribution
     50%  166.00us
     90%  1.20ms
     99%  201.00us
  1000 requests in 1.00s, 1.00MB read
"""

HEY = """Summary:
  Slowest:	0.0195 secs
Latency distribution:
  50% in 0.0009 secs
  90% in 0.0010 secs
  99% in 0.0184 secs
Status code distribution:
  [200]	999 responses
  [503]	2 responses
"""

AB = "Complete requests:      100\nFailed requests:        1\n  50%      2\n  90%      3\n  99%      4\n 100%      9 (longest request)\n"

OHA = {"summary": {"slowest": 0.5}, "latencyPercentiles": {"p50": 0.001, "p99": 0.4, "p99.9": None},
       "statusCodeDistribution": {"200": 5, "503": 1}, "errorDistribution": {"timed out": 2}}

K6 = {"metrics": {"http_req_duration": {"med": 1.0, "p(99)": 400.0, "max": 500.0}, "http_reqs": {"count": 10},
                  "http_req_failed": {"passes": 3}, "dropped_iterations": {"count": 7}}}

LOCUST = [{"response_times": {"1.0": 98, "500": 2}, "max_response_time": 512.5, "num_requests": 100,
           "num_failures": 4}]


def parsers():
    told = peers.read_wrk(WRK, None)
    assert same(told.latency, {"p50": 166e-6, "p90": 1.2e-3, "p99": 201e-6, "max": 2.5e-3}), told
    assert told.ok == 1000, told
    told = peers.read_hey(HEY, None)
    assert told.latency["p99"] == 0.0184 and told.latency["max"] == 0.0195 and (told.ok, told.failed) == (999, 2)
    told = peers.read_ab(AB, None)
    assert same(told.latency, {"p50": 0.002, "p90": 0.003, "p99": 0.004, "max": 0.009}), told
    assert told.failed == 1, told
    told = peers.read_oha(json.dumps(OHA), None)
    assert told.latency == {"p50": 0.001, "p99": 0.4, "max": 0.5} and (told.ok, told.failed) == (5, 3), told
    told = peers.read_locust("noise " + json.dumps(LOCUST), None)
    assert told.latency["p50"] == 0.001 and told.latency["p99"] == 0.5 and told.ok == 96, told
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "k6.json").write_text(json.dumps(K6))
        told = peers.read_k6("", directory)
        assert same(told.latency, {"p50": 0.001, "p99": 0.4, "max": 0.5}), told
        assert (told.ok, told.failed, told.dropped) == (7, 3, 7), told
        (place / "h2load.log").write_text("1\t200\t100\n2\t200\t300\n")
        told = peers.read_h2load("2 total, 2 started, 2 done, 2 succeeded, 0 failed", directory)
        assert near(told.latency["max"], 300e-6) and told.ok == 2, told
        (place / "goose.json").write_text(json.dumps({"a": [{"percentile_50": 1, "percentile_100": 9}]}))
        assert same(peers.read_goose("", directory).latency, {"p50": 0.001, "max": 0.009})


def commands():
    for name in peers.CLOSED:
        assert peers.closed(name, f"/bin/{name}", "http://h/", 3, 64), name
    for name in peers.OPEN:
        assert peers.opened(name, f"/bin/{name}", "http://h/", 3, 1000, 50), name
    assert peers.opened("wrk", "/bin/wrk", "http://h/", 3, 1000, 50) is None
    text = ours.closed("https://h/", 3, 64)
    assert "vus: 64" in text and "insecure: true" in text and 'target: "https://h"' in text, text
    assert "/{{ counter }}" in ours.opened("http://h/", 3, 1000, 50, numbered=True)
    text = servers.configuration("/d", 1, 2)
    assert text.count("{") == text.count("}") and len(servers.BODY) == 128, text
    summary = {"generator": {"cpu_seconds": 1.0, "lateness": {"p50_ms": 0.5, "p99_ms": 2.0}},
               "requests": {"total": 10, "ok": 9},
               "latency": [{"phase": None, "journey": None, "step": None, "latency": "response", "outcomes": "all",
                            "p50_ms": 1.0, "p90_ms": 2.0, "p99_ms": 3.0, "p999_ms": 4.0, "max_ms": 5.0}]}
    run = ours.Run(None, summary)
    assert near(run.latency()["p99.9"], 0.004) and run.latency("ok") == {}
    assert near(run.lateness("p99"), 0.002) and suites.bad(run) == 1


def main():
    """Fails with an AssertionError where something is wrong."""
    checks = [numbers, pages, truths, parsers, commands]
    for check in checks:
        check()
    print(f"{len(checks)} checks passed")
