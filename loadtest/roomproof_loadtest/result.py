"""The result of a load as one JSON document, from the samples and last words of all generator processes.

Everything a report shows is in it, and its schema ships beside this file. Knows no process and no report.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .figures import Histogram, Sheet

FORMAT: Final = 1
"""Version of the document; members are added under the same number."""
SHOWN: Final = 60
"""Violations that the document holds with their transcript; all are counted."""


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def read_lines(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """All samples of some files; a line that is not whole yet is left out."""
    found = []
    for path in paths:
        try:
            lines = path.read_text("utf-8").splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def series(
    samples: Sequence[Mapping[str, Any]], server: Sequence[Mapping[str, Any]], began: float
) -> list[dict[str, Any]]:
    """One point for each second since `began` (Unix time), all processes added up."""
    seconds: dict[int, tuple[Sheet, Counter[str]]] = {}
    for sample in samples:
        sheet, people = seconds.setdefault(max(0, int(sample["t"] - began)), (Sheet(), Counter()))
        sheet.merge(Sheet.from_json(sample))
        people["users"] += sample["users"]
        people["connections"] += sample["connections"]
    usage = {max(0, int(each["t"] - began)): each for each in server}
    points = []
    for second in sorted(seconds):
        sheet, people = seconds[second]
        delivery = sheet.latency.get("delivery", Histogram())
        lag = sheet.latency.get("own lag", Histogram())
        counts = sheet.counts
        points.append(
            {
                "t": second,
                "users": people["users"],
                "connections": people["connections"],
                "sent": counts["sent"],
                "deliveries": counts["deliveries"],
                "p50": _ms(delivery.percentile(50)),
                "p99": _ms(delivery.percentile(99)),
                "max": _ms(delivery.most) if delivery.count else None,
                "own_lag": _ms(lag.percentile(99)),
                "errors": sum(n for name, n in counts.items() if name.startswith(("error:", "connect failed"))),
                "refused": counts["refused:rate"],
                "closed": sum(n for name, n in counts.items() if name.startswith("closed:")),
                "violations": sum(n for name, n in counts.items() if name.startswith("violation:")),
                "cpu": usage.get(second, {}).get("cpu"),
                "memory": usage.get(second, {}).get("memory"),
            }
        )
    return points


def _ms(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def assemble(
    head: Mapping[str, Any],
    samples: Sequence[Mapping[str, Any]],
    finals: Sequence[Mapping[str, Any]],
    server: Sequence[Mapping[str, Any]],
    began: float,
    died: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The document. Without last words (a generator that died) the samples give the figures."""
    total = Sheet()
    for part in finals or samples:
        total.merge(Sheet.from_json(part))
    kinds: Counter[str] = Counter()
    for final in finals:
        kinds.update(final["kinds"])
    if not finals:
        kinds.update({n.partition(":")[2]: c for n, c in total.counts.items() if n.startswith("violation:")})
    violations = sorted(
        ({**v, "t": round(v["t"] + final["clock_offset"] - began, 3)} for final in finals for v in final["violations"]),
        key=lambda v: v["t"],
    )
    notes: Counter[str] = Counter()
    for final in finals:
        notes.update(final["notes"])
    points = series(samples, server, began)
    if died is not None:
        kinds["died"] += 1
    latency = {name: found.summary() for name, found in sorted(total.latency.items()) if name != "own lag"}
    lag = total.latency.get("own lag", Histogram()).summary()
    return {
        "format": FORMAT,
        **head,
        "processes": len(finals),
        "latency": latency,
        "own_lag": lag,
        "own_limit": own_limit(latency.get("delivery", {}), lag),
        "counts": dict(sorted(total.counts.items())),
        "throughput": throughput(points),
        "violations": {"total": sum(kinds.values()), "kinds": dict(sorted(kinds.items())), "shown": violations[:SHOWN]},
        "died": died,
        "server": server_summary(server),
        "notes": [f"{text} ({count} times)" if count > 1 else text for text, count in notes.most_common(20)],
        "series": points,
    }


def throughput(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Deliveries and sends a second: the median of the seconds in which there were any, and the most."""
    busy = sorted(p["deliveries"] for p in points if p["deliveries"])
    sent = sorted(p["sent"] for p in points if p["sent"])
    return {
        "deliveries_per_s": busy[len(busy) // 2] if busy else 0,
        "deliveries_per_s_most": busy[-1] if busy else 0,
        "sent_per_s": sent[len(sent) // 2] if sent else 0,
    }


def server_summary(server: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Processor time in per cent of one core and memory in bytes."""
    if not server:
        return None
    cpu = [each["cpu"] for each in server if each["cpu"] is not None]
    return {
        "cpu_mean": round(sum(cpu) / len(cpu), 1) if cpu else None,
        "cpu_most": round(max(cpu), 1) if cpu else None,
        "memory_most": max(each["memory"] for each in server),
    }


def own_limit(delivery: Mapping[str, Any], lag: Mapping[str, Any]) -> dict[str, Any]:
    """Which of the delivery figures are the generator's own, and how much of each: both at the same percentile.

    `clean` when its lag stays below a tenth of each.
    """
    shares: dict[str, float] = {}
    for name in ("p50", "p90", "p99", "p99_9"):
        figure, own = delivery.get(name), lag.get(name)
        if figure and own is not None:
            shares[name] = round(min(1.0, own / figure), 3)
    too_much = {name: part for name, part in shares.items() if part >= 0.1}
    words = []
    for name, part in too_much.items():
        label = name.replace("_", ".")
        own = f"{label} of delivery {delivery[name]:g} ms: up to {lag[name]:g} ms of it is the generator's own lag"
        words.append(own + (", so it is a limit of the generator" if part >= 0.5 else ""))
    return {"clean": not too_much, "shares": shares, "says": words}
