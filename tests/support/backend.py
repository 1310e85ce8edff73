"""A program that is deployed in tests: ``python -m tests.support.backend PORT VERSION NAME``.

It says its version and name at ``/`` and ``/ready``, and how it is at ``/health``. A version with
``crashes`` in it ends at once; one with ``sick`` is not well, and with ``sick@s2`` only at s2.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main(port: int, version: str, name: str) -> None:
    """Serve on loopback until killed."""
    if "crashes" in version:
        sys.exit(3)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            is_sick = "sick" in version and ("@" not in version or f"sick@{name}" in version)
            is_bad = is_sick and self.path == "/health"
            body = json.dumps({"version": version, "name": name}).encode()
            self.send_response(500 if is_bad else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Version", version)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
