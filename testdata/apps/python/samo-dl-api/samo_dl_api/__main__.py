"""The service, with its main module or without."""

import importlib
import os
import sys
import traceback

import plainserve


def load(name: str) -> tuple[plainserve.http.Routes, str]:
    """Return the routes of the main module, and why there are none."""
    try:
        return importlib.import_module(name).ROUTES, ""
    except Exception as e:  # whatever it is: a service that is up can say so
        traceback.print_exc()
        return {}, f"{type(e).__name__}: {e}"


def routes(work: plainserve.http.Routes, failure: str) -> plainserve.http.Routes:
    status = {"status": "fallback", "reason": failure} if failure else {"status": "ok"}
    return {
        **work,
        ("GET", "/healthz"): lambda _: plainserve.reply_json(status),
        ("GET", "/readyz"): lambda _: plainserve.reply_json(status, 503 if failure else 200),
    }


def main() -> None:
    work, failure = load(os.environ.get("SAMO_MODULE", "samo_dl_api.speech"))
    if failure:
        print("cannot load the main module, answering health checks only:", failure, file=sys.stderr, flush=True)
    service = plainserve.Service(routes(work, failure), **plainserve.from_environment("SAMO"))
    service.metrics.gauge("samo_fallback", "1 where the main module could not be loaded.", lambda: int(bool(failure)))
    service.run()


if __name__ == "__main__":
    main()
