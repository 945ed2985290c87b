# SPDX-License-Identifier: BSD-3-Clause
"""As much of S3 as cairn-server asks for, on loopback, in memory: for outages, and for counting what is asked. Signatures are not looked at."""
import collections
import hashlib
import http.server
import sys
import threading
import time
import urllib.parse
import xml.sax.saxutils

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}


def key_of(path):
    return urllib.parse.unquote(path).split("/", 2)[2]


def etag_of(objects, key):
    return '"' + hashlib.md5(objects[key]).hexdigest() + '"' if key in objects else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        bucket = self.server.bucket
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        lists = "list-type" in query
        if self.command == "GET" and bucket.slow and bucket.slow[0] in path:
            time.sleep(bucket.slow[1])
        with bucket.lock:
            if bucket.mode == "hang up":
                self.close_connection = True
                return
            if isinstance(bucket.mode, tuple):
                self.answer(bucket.mode[0], f"<Error><Code>{bucket.mode[1]}</Code></Error>".encode())
                return
            if bucket.held is not None and self.command == "PUT":
                bucket.held.append((path, self.headers.get("If-Match"), body))
                self.close_connection = True
                return
            if bucket.no_puts and self.command == "PUT":
                self.answer(bucket.no_puts[0], f"<Error><Code>{bucket.no_puts[1]}</Code></Error>".encode())
                return
            if lists:
                bucket.counts["LIST"] += 1
                query = urllib.parse.parse_qs(query)
                self.list(query.get("prefix", [""])[0], query.get("delimiter", [""])[0])
            else:
                key = key_of(path)
                bucket.counts[self.command] += 1
                getattr(self, "object_" + self.command.lower())(key, body)

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_any

    def object_get(self, key, _):
        etag = self.etag(key)
        if etag is None:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.headers.get("If-None-Match") == etag:
            self.answer(304, ETag=etag)
        else:
            self.answer(200, self.server.bucket.objects[key], ETag=etag)

    object_head = object_get

    def object_put(self, key, body):
        etag, match = self.etag(key), self.headers.get("If-Match")
        conditional = self.server.bucket.conditional
        if conditional and ((match and match != etag) or (self.headers.get("If-None-Match") == "*" and etag)):
            self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        self.server.bucket.objects[key] = body
        self.answer(200, ETag=self.etag(key))

    def object_delete(self, key, _):
        self.server.bucket.objects.pop(key, None)
        self.answer(204)

    def list(self, prefix, delimiter):
        rows, folders = [], []
        for key in sorted(self.server.bucket.objects):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix):]
            if delimiter and delimiter in rest:
                folder = prefix + rest.split(delimiter)[0] + delimiter
                if folder not in folders:
                    folders.append(folder)
                continue
            rows.append(f"<Contents><Key>{xml.sax.saxutils.escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                        f"<ETag>{xml.sax.saxutils.escape(self.etag(key), {chr(34): '&quot;'})}</ETag>"
                        f"<Size>{len(self.server.bucket.objects[key])}</Size></Contents>")
        rows += [f"<CommonPrefixes><Prefix>{xml.sax.saxutils.escape(folder)}</Prefix></CommonPrefixes>" for folder in folders]
        self.answer(200, ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>false</IsTruncated>'
                          + "".join(rows) + "</ListBucketResult>").encode())

    def etag(self, key):
        return etag_of(self.server.bucket.objects, key)

    def log_message(self, *_):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A connection that the server under test gave up is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Bucket:
    """`mode`: "" answers; "hang up" ends connections without an answer; (status, code) answers that. `no_puts`: (status, code) for PUTs alone. `held`: a list that takes PUTs instead, until they `land`. `slow`: (part of a key, seconds) that a GET of it takes."""

    def __init__(self, port=0):
        self.objects, self.counts, self.lock = {}, collections.Counter(), threading.Lock()
        self.mode, self.no_puts, self.held, self.slow, self.conditional = "", None, None, None, True
        self.server = QuietServer(("127.0.0.1", port), Handler)
        self.server.bucket = self
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def taken(self):
        """What was asked since the last call."""
        with self.lock:
            counts, self.counts = self.counts, collections.Counter()
        return counts

    def land(self):
        """Carries out what was held, where its condition still holds; how many of them."""
        with self.lock:
            held, self.held = self.held, None
            landed = 0
            for path, match, body in held:
                key = key_of(path)
                if match == etag_of(self.objects, key):
                    self.objects[key] = body
                    landed += 1
        return landed

    def close(self):
        self.server.shutdown()
        self.server.server_close()
