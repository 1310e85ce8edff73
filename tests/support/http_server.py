"""A real HTTP server on loopback, for what sends requests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Server:
    """Where it listens and what has come."""

    port: int
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answering(say: Callable[[Request], bytes]) -> Behaviour:
    """Answers each request with 200 and the body that ``say`` makes of it."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        body = say(handler.came)  # type: ignore[attr-defined]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def answer_ok(handler: BaseHTTPRequestHandler) -> None:
    """204, the shortest way to say yes."""
    handler.send_response(204)
    handler.end_headers()


@contextmanager
def serving(behaviour: Behaviour = answer_ok) -> Iterator[Server]:
    """A server that answers every GET and POST as ``behaviour`` does."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.came = Request(self.path, dict(self.headers), body)
            requests.append(self.came)
            behaviour(self)

        do_GET = do_POST  # noqa: N815 - so http.server calls it

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Server(http.server_address[1], requests)
        finally:
            http.shutdown()
            thread.join()
