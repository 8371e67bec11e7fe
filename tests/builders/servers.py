"""A server on this machine, for tests of what is fetched."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(BaseHTTPRequestHandler):
    """A handler that logs nothing; a test gives it `do_GET`."""

    def log_message(self, *_):
        pass


@contextmanager
def serving(handler):
    """Serve requests as long as the block lasts; `address` begins every URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
