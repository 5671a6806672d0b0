"""A node's figures in OpenMetrics, made when somebody asks; nothing is kept here, and nothing is global.

It must not change what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from roomproof_server.counters import BYTES, Histogram

if TYPE_CHECKING:
    from roomproof_server.shell.server import Server

CONTENT_TYPE = CONTENT_TYPE_LATEST
_generate: Callable[[CollectorRegistry], bytes] = generate_latest  # which its package leaves untyped
PREFIX = "roomproof_"


class Metrics(Collector):
    """The figures of one server, in a registry of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The body of ``/metrics``."""
        return _generate(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: to register is not to collect."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every figure once, as of now."""
        server, counters = self._server, self._server.hub.counters
        queues = [connection.queued for connection in server.connections]
        ready = server.readiness()
        yield InfoMetricFamily(f"{PREFIX}server", "What runs here.", {"version": server.settings.version})
        yield _gauge("connections", "TCP connections now.", len(server.connections))
        yield _gauge("users", "Users with a connection here now.", server.hub.users)
        yield _gauge("rooms", "Rooms with a connection here now.", server.hub.rooms)
        yield _gauge("ready", "1 where /readyz says yes.", int(all(ready.values())))
        yield _counter("handshakes", "WebSocket handshakes completed.", counters.connections)
        yield _counters("http_responses", "Other HTTP answers by status.", ["status"],
                        [((str(status),), count) for status, count in counters.http.items()])  # fmt: skip
        yield _counters("joins", "Joins answered, by outcome.", ["outcome"], _keyed(counters.joins))
        yield _counters("messages", "Sends answered with sent.", ["outcome"], _keyed(counters.messages))
        yield _counters("refusals", "Requests answered with an error, by its code.", ["code"], _keyed(counters.refused))
        yield _counter("deliveries", "Messages times the members they were queued for.", counters.deliveries)
        yield _counters("closes", "WebSocket connections that ended, by close code (1006 for none) and who began.",
                        ["code", "by"], counters.closes.items())  # fmt: skip
        if server.settings.restarts is not None:
            yield _counter(
                "worker_restarts", "Worker processes that died and were replaced.", server.settings.restarts()
            )
        live = list(server.connections)
        yield _counter("received_bytes", "Bytes read from clients.", counters.bytes_in + sum(c.received for c in live))
        sent = counters.room_bytes + counters.bytes_out + sum(c.written for c in live)
        yield _counter("sent_bytes", "Bytes written to clients.", sent)
        yield _counter("socket_writes", "Writes to clients; one may hold many frames.", counters.writes)
        yield _gauge("queue_max_bytes", "The fullest queue now.", max(queues, default=0))
        yield _histogram("queue_bytes", "Queues now, one value a connection.", Histogram(BYTES, queues))
        yield _histogram("commit_seconds", "From a message's number to its being kept.", counters.commit)
        yield _histogram("write_seconds", "From a turn's first frame to the last write of it.", counters.write)
        yield _histogram("loop_lag_seconds", "How late the loop's timer was.", counters.lag)


def _keyed(counts: Mapping[str, int]) -> list[tuple[tuple[str, ...], int]]:
    return [((key,), count) for key, count in counts.items()]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value)


def _counters(name: str, text: str, labels: list[str], counts: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for key, count in sorted(counts):
        family.add_metric(list(key), count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(PREFIX + name, text, histogram.cumulative(), histogram.total)
