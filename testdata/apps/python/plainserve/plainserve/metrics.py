"""Counters in the text format of Prometheus (exposition formats, version 0.0.4)."""

import threading
from collections import Counter
from collections.abc import Callable

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What a service counts, and what it is asked for when it tells."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counters: Counter[tuple[str, Labels]] = Counter()
        self._gauges: dict[str, Callable[[], float]] = {}
        self._help: dict[str, tuple[str, str]] = {}

    def counter(self, name: str, help: str) -> None:
        """Say what the counter is before it is added to."""
        self._help[name] = ("counter", help)

    def gauge(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Tell a value that is read each time."""
        self._help[name] = ("gauge", help)
        self._gauges[name] = value

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        with self._lock:
            self._counters[name, tuple(sorted(labels.items()))] += amount

    def text(self) -> str:
        with self._lock:
            samples = list(self._counters.items())
        samples += [((name, ()), value()) for name, value in self._gauges.items()]
        lines = []
        for name, (kind, help) in sorted(self._help.items()):
            lines += [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
            lines += sorted(f"{name}{_braces(labels)} {value}" for (n, labels), value in samples if n == name)
        return "\n".join(lines) + "\n"


def _braces(labels: Labels) -> str:
    quoted = (f'{k}="{_escape(v)}"' for k, v in labels)
    return "{" + ",".join(quoted) + "}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
