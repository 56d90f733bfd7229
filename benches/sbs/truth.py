"""What users would have felt, computed from the server's own record and the schedule alone.

A request is due at epoch + i / rate. What its user feels is the time from then until the server has
answered. Where requests carry their number, each is followed by it; where they do not, they are
taken in the order of their arrival; and where a tool has not sent what was due, a due time is served
by the first answer to a request that came at or after it: nobody is felt to be faster for not asking.
"""

from dataclasses import dataclass, field

from .numbers import latencies, quantile

# Of what is due, the share that may be missing before requests no longer pair with due times.
MISSING = 0.001


@dataclass
class Record:
    """A server's record: (arrival, answer, status, number) in seconds, and its stalls."""

    requests: list = field(default_factory=list)
    stalls: list = field(default_factory=list)

    @classmethod
    def parse(cls, text):
        """Reads what `counterpart serve` has written."""
        record = cls()
        for line in text.splitlines():
            words = line.split()
            if words[0] == "stall":
                record.stalls.append((int(words[1]) / 1e9, int(words[2]) / 1e9))
            else:
                arrival, answer, status, number = map(int, words)
                record.requests.append((arrival / 1e9, answer / 1e9, status, number))
        return record

    def numbered(self):
        """Those requests that carry a number: what a prober asked beside them has none."""
        return [request for request in self.requests if request[3] >= 0]


@dataclass
class Truth:
    """The true distribution, and how it was found."""

    sent: int
    due: int
    how: str
    all: dict
    well: dict
    failed: int


def epoch_of(arrivals, rate):
    """When the schedule began: the least delayed of the arrivals were sent on time."""
    offsets = sorted(arrival - i / rate for i, arrival in arrivals)
    return quantile(offsets, MISSING)


def truth(record, rate, seconds):
    """The true distribution of a run at `rate` over `seconds`; None when nothing came."""
    due = round(rate * seconds)
    numbered = record.numbered()
    requests = sorted(numbered or record.requests)
    if not requests:
        return None
    sent = len(requests)
    if abs(sent - due) > MISSING * due:
        how, pairs = "first answer", unpaired(requests, rate, due)
    elif numbered:
        how, pairs = "numbers", paired(sorted(requests, key=lambda it: it[3]), rate)
    else:
        how, pairs = "order", paired(requests, rate)
    values = [felt for felt, _ in pairs]
    well = [felt for felt, status in pairs if status == 200]
    failed = sum(1 for request in requests if request[2] != 200)
    return Truth(sent, due, how, latencies(values), latencies(well), failed)


def paired(requests, rate):
    """The i-th request belongs to the i-th due time."""
    epoch = epoch_of([(i, request[0]) for i, request in enumerate(requests)], rate)
    return [(max(answer - epoch - i / rate, 0.0), status)
            for i, (_, answer, status, _) in enumerate(requests)]


def unpaired(requests, rate, due):
    """Each due time is served by the first answer to what came at or after it."""
    epoch = requests[0][0]
    # The earliest answer among those that arrived at place k or later.
    best = [(0.0, 0)] * len(requests)
    earliest = (float("inf"), 0)
    for k in range(len(requests) - 1, -1, -1):
        earliest = min(earliest, (requests[k][1], requests[k][2]))
        best[k] = earliest
    pairs, k = [], 0
    for i in range(due):
        moment = epoch + i / rate
        while k < len(requests) and requests[k][0] < moment:
            k += 1
        if k == len(requests):
            break
        pairs.append((best[k][0] - moment, best[k][1]))
    return pairs


def within(name, told, true):
    """Whether `told` is near enough to `true`, both in seconds, for the quantile `name`."""
    if told is None or true is None:
        return None
    allowed = {"max": 0.010, "p99.9": 0.002}.get(name, max(0.01 * true, 0.0005))
    return abs(told - true) <= allowed
