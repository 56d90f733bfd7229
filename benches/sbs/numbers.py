"""Medians, quantiles and how numbers are shown."""

import math


def median(values):
    """The middle of `values`; None of nothing."""
    values = sorted(value for value in values if value is not None)
    if not values:
        return None
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2


def quantile(ordered, q):
    """The smallest of `ordered` that is no less than the share `q` of them; None of nothing."""
    if not ordered:
        return None
    return ordered[max(math.ceil(q * len(ordered)) - 1, 0)]


# The quantiles of the latency tables, and the maximum.
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def latencies(values):
    """The quantiles of `values`, by name."""
    ordered = sorted(values)
    return {name: quantile(ordered, q) for name, q in QUANTILES.items()}


def ratio(a, b):
    """a / b, or None where that means nothing."""
    return a / b if a is not None and b else None


def show(value, digits=3):
    """`value` with so many significant digits and thousands apart; `-` for None."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(places, 0)}f}"


def spread(values, digits=3):
    """The median of `values` with the smallest and the largest: `2.18 (2.10-2.30)`."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    middle = show(median(values), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ({show(min(values), digits)}-{show(max(values), digits)})"
