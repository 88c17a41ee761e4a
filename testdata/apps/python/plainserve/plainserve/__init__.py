"""A small HTTP service on Python's standard library.

A service is a table of routes. It answers on one port, each request in a thread
of its own, and tells its metrics on another, which is not for the public. On
SIGTERM it takes no further request, finishes those that it has begun, and ends.

What a client can make it spend is bounded: bytes of a body, requests at a time,
seconds for which a connection may be silent. It writes no file.
"""

from .http import Error, Reply, Request, reply_json
from .metrics import Metrics
from .service import Service, from_environment

__all__ = ["Error", "Metrics", "Reply", "Request", "Service", "from_environment", "reply_json"]
