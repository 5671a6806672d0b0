"""A result in words: the tables and sentences that terminal, Markdown and page share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roomproof_conformance.judges.live import KINDS

COLUMNS = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "max"))


def ms(value: Any) -> str:
    return "" if value is None else f"{value:,.4g}" if value < 10000 else f"{value:,.0f}"


def verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """A word and a sentence."""
    total = result["violations"]["total"]
    failed = [t for t in result.get("thresholds", ()) if not t["held"]]
    if result["died"]:
        return "died", f"The server died {result['died']['t']:g} s after the beginning: {result['died']['how']}"
    if total:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in result["violations"]["kinds"].items())
        return "broken", f"{total:,} violation{'s' if total != 1 else ''}: {kinds}"
    if not result["counts"].get("deliveries"):
        return "over", "Nothing was delivered; what the notes say comes first"
    if failed:
        return "over", "No violation; " + "; ".join(threshold(t) for t in failed)
    if result["interrupted"]:
        return "interrupted", "No violation until it was interrupted"
    return "held", "No violation"


def threshold(judged: Mapping[str, Any]) -> str:
    value = "not measured" if judged["value"] is None else f"{judged['value']:g}"
    word = "holds" if judged["held"] else "perhaps by the generator's own lag" if judged["unclear"] else "does not hold"
    return f"{judged['name']} {value}, {judged['is']} {judged['bound']:g}: {word}"


def latencies(result: Mapping[str, Any]) -> list[list[str]]:
    """Rows of name, count and percentiles; delivery first."""
    found = result["latency"]
    names = sorted(found, key=lambda name: (not name.startswith("delivery"), name))
    rows = [[name, f"{found[name]['count']:,}", *(ms(found[name].get(key)) for key, _ in COLUMNS)] for name in names]
    lag = result["own_lag"]
    if lag.get("count"):
        rows.append(["own lag of the generator", f"{lag['count']:,}", *(ms(lag.get(key)) for key, _ in COLUMNS)])
    return rows


def facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was run and how much went through."""
    through, server = result["throughput"], result["server"]
    rows = [
        ("deliveries per second", f"{through['deliveries_per_s']:,} (at most {through['deliveries_per_s_most']:,})"),
        ("messages sent per second", f"{through['sent_per_s']:,}"),
        ("deliveries in all", f"{result['counts'].get('deliveries', 0):,}"),
    ]
    if server is not None:
        memory = f"{server['memory_most'] / 2**20:,.0f} MiB at most"
        cpu = (
            f"{server['cpu_mean']} % of a core in the mean, {server['cpu_most']} % at most, "
            if server["cpu_mean"]
            else ""
        )
        rows.append(("server", cpu + memory))
    errors = {n: c for n, c in result["counts"].items() if n.startswith(("error:", "refused:", "closed:", "connect f"))}
    if errors:
        rows.append(("errors, refusals, ends", ", ".join(f"{n} {c:,}" for n, c in errors.items())))
    return rows


def own(result: Mapping[str, Any]) -> list[str]:
    """What the generator says of its own part in the figures."""
    if result["own_limit"]["clean"]:
        return ["The generator's own lag stays below a tenth of each percentile of delivery."]
    return list(result["own_limit"]["says"])


def kind_means(kind: str) -> str:
    return "the server's process ended, or it took no connections any more" if kind == "died" else KINDS.get(kind, "")
