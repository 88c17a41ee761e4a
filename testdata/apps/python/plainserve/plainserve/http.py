"""Requests, replies, and the handler between them and http.server."""

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

MAX_BODY = 8 << 20  # bytes
MAX_REQUESTS = 32  # at a time
SILENCE = 10  # seconds that a client may take between two pieces of its request


@dataclass(frozen=True)
class Request:
    """A request, read whole."""

    path: str
    query: Mapping[str, str]
    body: bytes = b""

    def json(self) -> object:
        """The body as JSON; what is none is the client's mistake."""
        try:
            return json.loads(self.body)
        except ValueError as e:
            raise Error(400, f"the body is not JSON: {e}") from None


@dataclass(frozen=True)
class Reply:
    """An answer."""

    body: bytes
    status: int = 200
    type: str = "text/plain; charset=utf-8"


class Error(Exception):
    """An answer that is no success, for the client to read."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def reply_json(value: object, status: int = 200) -> Reply:
    """An answer in JSON, its keys sorted."""
    return Reply(json.dumps(value, sort_keys=True).encode() + b"\n", status, "application/json")


Route = tuple[str, str]  # method and path, as in ("GET", "/healthz")
Routes = Mapping[Route, Callable[[Request], Reply]]


def make_handler(routes: Routes, observe: Callable[[str, str, int, float], None]) -> type[BaseHTTPRequestHandler]:
    """Return the handler class for a table of routes. observe is told each answer:
    method, route, status and seconds; what is in no table has the route ""."""
    slots = threading.BoundedSemaphore(MAX_REQUESTS)
    paths = {path for _, path in routes}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "plainserve", ""
        timeout = SILENCE

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True  # the client has gone, which is its right

        def answer(self):
            began = time.monotonic()
            url = urlsplit(self.path)
            if slots.acquire(blocking=False):
                try:
                    reply = self.reply(url.path, url.query)
                finally:
                    slots.release()
            else:
                reply = reply_json({"error": "too many requests at a time"}, 503)
            self.send(reply)
            route = url.path if url.path in paths else ""
            observe(self.command, route, reply.status, time.monotonic() - began)

        do_GET = do_HEAD = do_POST = answer

        def reply(self, path: str, query: str) -> Reply:
            method = "GET" if self.command == "HEAD" else self.command
            try:
                handle = routes.get((method, path))
                if handle is None and path in paths:
                    raise Error(405, f"{path} does not take {self.command}")
                if handle is None:
                    raise Error(404, f"there is no {path}")
                return handle(Request(path, dict(parse_qsl(query)), self.read_body()))
            except Error as e:
                return reply_json({"error": str(e)}, e.status)
            except TimeoutError:
                return reply_json({"error": "the body did not come in time"}, 408)
            except Exception:  # the service outlives a mistake in one of its handlers
                traceback.print_exc()
                return reply_json({"error": "internal error"}, 500)

        def read_body(self) -> bytes:
            if "Transfer-Encoding" in self.headers:
                raise Error(411, "a request with a body needs its Content-Length")
            length = self.headers.get("Content-Length", "0")
            if not (length.isascii() and length.isdigit()):
                raise Error(400, "Content-Length is not a number")
            if int(length) > MAX_BODY:
                raise Error(413, f"the body is longer than {MAX_BODY} bytes")
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                raise Error(400, "the body is shorter than its Content-Length")
            return body

        def send(self, reply: Reply):
            # One request for each connection: an idle one would hold up a stop, and
            # of a request that was refused the rest may still be on its way.
            self.close_connection = True
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def log_message(self, format, *args):
            # Client addresses are personal data, and paths may hold what is not for logs.
            pass

        def log_error(self, format, *args):
            print("plainserve:", format % args, file=sys.stderr)

    return Handler
