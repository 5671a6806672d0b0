"""What locust's own statistics and page get: the figures of each second in bulk, and violations as failures.

An event of locust for each delivery would cost more than the delivery. Only locust's process imports this.
"""

from __future__ import annotations

import math
import time
from typing import Any

from locust.stats import bucket_response_time

from roomproof_conformance.judges.live import KINDS, Violation

from .figures import Sheet


class Broken(AssertionError):
    """A promise that the server broke."""


def violation_as_failure(environment: Any, violation: Violation) -> None:
    """A failure in locust's own statistics; it has no response time, and none is made up."""
    environment.events.request.fire(
        request_type="JUDGE",
        name=violation.kind,
        response_time=None,
        response_length=0,
        exception=Broken(KINDS.get(violation.kind, violation.kind)),
        context={},
    )


def feed(stats: Any, sheet: Sheet) -> None:
    """Add a second's latencies to locust's statistics."""
    now = time.time()
    for name, histogram in sheet.latency.items():
        if not histogram.count or name == "own lag":
            continue
        for entry in (stats.get(name, "WS"), stats.total):
            entry.num_requests += histogram.count
            entry.num_reqs_per_sec[int(now)] += histogram.count
            entry.last_request_timestamp = now
            entry.total_response_time += histogram.total
            least = math.exp(min(histogram.buckets) / 50.0) / 1000.0
            entry.min_response_time = min(least, least if entry.min_response_time is None else entry.min_response_time)
            entry.max_response_time = max(entry.max_response_time, histogram.most)
            for key, count in histogram.buckets.items():
                ms = math.exp((key + 0.5) / 50.0) / 1000.0
                entry.response_times[bucket_response_time(max(1.0, ms))] += count
