"""The service: two servers, and their life from start to stop."""

import os
import resource
import signal
import sys
import threading
import time
from http.server import ThreadingHTTPServer

from .http import Reply, Request, Routes, make_handler
from .metrics import Metrics


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # a stop waits for the requests that have begun
    request_queue_size = 128


class Service:
    """A service on host:port, with its metrics on metrics_host:metrics_port at /metrics.

    A port of 0 is one that is free; address and metrics_address say which.
    """

    def __init__(
        self,
        routes: Routes,
        host: str = "0.0.0.0",
        port: int = 8000,
        metrics_host: str = "0.0.0.0",
        metrics_port: int = 9090,
        metrics: Metrics | None = None,
    ):
        self.metrics = metrics or Metrics()
        self.metrics.counter("http_requests_total", "Requests answered.")
        self.metrics.counter("http_request_seconds_total", "Time spent on requests.")
        self.metrics.gauge("process_max_resident_bytes", "Most memory held so far.", _max_resident)
        began = time.time()
        self.metrics.gauge("process_start_time_seconds", "When the service started.", lambda: began)
        self._public = _Server((host, port), make_handler(routes, self._observe))
        try:
            told = make_handler({("GET", "/metrics"): self._tell}, lambda *_: None)
            self._internal = _Server((metrics_host, metrics_port), told)
        except OSError:
            self._public.server_close()
            raise

    @property
    def address(self) -> tuple[str, int]:
        return self._public.server_address[:2]

    @property
    def metrics_address(self) -> tuple[str, int]:
        return self._internal.server_address[:2]

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or until stop is called, then finish what has begun."""
        if threading.current_thread() is threading.main_thread():
            for s in (signal.SIGTERM, signal.SIGINT):
                # shutdown waits for the loop that this handler interrupts.
                signal.signal(s, lambda *_: threading.Thread(target=self.stop).start())
        internal = threading.Thread(target=self._internal.serve_forever, kwargs={"poll_interval": 0.1})
        internal.start()
        print(f"serving on {_text(self.address)}, metrics on {_text(self.metrics_address)}", file=sys.stderr, flush=True)
        try:
            self._public.serve_forever(poll_interval=0.1)
        finally:
            self._public.server_close()  # waits for the requests that have begun
            self._internal.shutdown()
            internal.join()
            self._internal.server_close()
        print("stopped", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Take no further request, and let run return."""
        self._public.shutdown()

    def _observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self.metrics.add("http_requests_total", method=method, route=route, status=str(status))
        self.metrics.add("http_request_seconds_total", seconds, method=method, route=route)

    def _tell(self, request: Request) -> Reply:
        return Reply(self.metrics.text().encode(), type="text/plain; version=0.0.4; charset=utf-8")


def from_environment(prefix: str) -> dict[str, str | int]:
    """Return the addresses that variables such as XORB_PORT set, as arguments of Service."""
    found: dict[str, str | int] = {}
    for name in ("host", "port", "metrics_host", "metrics_port"):
        value = os.environ.get(f"{prefix}_{name}".upper())
        if value is None:
            continue
        if not name.endswith("port"):
            found[name] = value
        elif value.isascii() and value.isdigit() and int(value) < 1 << 16:
            found[name] = int(value)
        else:
            sys.exit(f"{prefix}_{name}".upper() + f" is {value!r}, expected a port from 0 to 65535")
    return found


def _max_resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
