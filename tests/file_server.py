"""A server on this machine that breaks off, lies and serves garbage."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

DATA = np.random.default_rng(0).bytes(3_000_000)
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
ACCESSION = "ENCFF001ABC"
FILE = f"/files/{ACCESSION}/@@download/{ACCESSION}.bed.gz"


class Server:
    """What the server does is changed by the tests."""

    def __init__(self):
        self.data = DATA
        self.ranges = True
        self.announce = len(DATA)
        self.cuts: list[int] = []
        self.status: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self.description = {
            "accession": ACCESSION, "href": FILE, "file_size": len(DATA), "md5sum": MD5,
        }  # fmt: skip
        self.documents: dict[str, bytes] = {}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.split("?")[0]
        asked = handler.headers.get("Range", "")
        self.asked.append((path, asked))
        if self.status:
            handler.send_response(self.status.pop(0))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        documents = {
            f"/files/{ACCESSION}/": json.dumps(self.description).encode(), **self.documents,
        }  # fmt: skip
        if path in documents:
            self.send(handler, 200, documents[path], len(documents[path]))
        elif path == FILE or path.endswith((".2bit", ".fa.gz")):
            first = int(asked[6:-1]) if asked and self.ranges else 0
            body = self.data[first:]
            total = self.announce - first
            if first >= len(self.data) and first:
                handler.send_response(416)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            headers = {"Content-Range": f"bytes {first}-{len(DATA) - 1}/{len(DATA)}"}
            if self.cuts:
                body = body[: self.cuts.pop(0)]
            self.send(handler, 206 if first else 200, body, total, headers if first else {})
        else:
            handler.send_error(404)

    def send(self, handler, status, body, length, headers=None):
        handler.send_response(status)
        handler.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True


@contextmanager
def serving(server):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.answer(self)

        def log_message(self, *arguments):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
