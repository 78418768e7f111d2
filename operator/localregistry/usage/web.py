"""HTTP for the page: GET alone, and headers that let a browser do nothing but show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from localregistry.agent.server import MAX_HEADERS, MAX_LINE, Handler

# A page asks for its tags, its three files, and now and then for one image.
MAX_CLIENTS = 16
MAX_PARAMETERS = 8
HTML, CSS = "text/html; charset=utf-8", "text/css; charset=utf-8"
SCRIPT, ICON, JSON = "text/javascript; charset=utf-8", "image/svg+xml", "application/json"

# Nothing from elsewhere and nothing inline, no form, no frame around it; text never becomes markup.
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        *(f"{what} 'none'" for what in ("base-uri", "form-action", "frame-ancestors")),
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_REASONS = {
    **{200: "OK", 304: "Not Modified", 400: "Bad Request", 404: "Not Found"},
    **{405: "Method Not Allowed", 500: "Internal Server Error", 503: "Service Unavailable"},
}


@dataclass(frozen=True)
class Request:
    """A GET; `etag` is what the browser has."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


@dataclass(frozen=True)
class Response:
    """With an `etag` the browser keeps it, and asks each time whether it still holds."""

    status: int
    kind: str
    body: bytes
    etag: str = ""

    def to_bytes(self, *, head: bool = False) -> bytes:
        """The answer as it goes over the line; `head`: without its body."""
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}",
            *(f"{name}: {value}" for name, value in HEADERS),
            f"Cache-Control: {'no-cache' if self.etag else 'no-store'}",
            "Connection: close",
        ]
        if self.etag:
            lines.append(f"ETag: {self.etag}")
        if self.status == 405:
            lines.append("Allow: GET, HEAD")
        if self.status != 304:
            lines += [f"Content-Type: {self.kind}", f"Content-Length: {len(self.body)}"]
        top = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return top if head or self.status == 304 else top + self.body


Respond = Callable[[Request], Response]


def text(status: int, words: str) -> Response:
    return Response(status, "text/plain; charset=utf-8", f"{words}\n".encode())


def handler(respond: Respond) -> type[Handler]:
    """What a server hands its connections to."""

    class Web(Handler):
        def handle(self) -> None:
            try:
                request = self.rfile.readline(MAX_LINE).split()
                etag = ""
                for _ in range(MAX_HEADERS):
                    line = self.rfile.readline(MAX_LINE).strip()
                    if not line:
                        break
                    name, _, value = line.partition(b":")
                    if name.lower() == b"if-none-match":
                        etag = value.strip().decode("latin-1")
                if len(request) >= 2:
                    target = request[1].decode("latin-1")
                    self.wfile.write(answer(respond, request[0], target, etag))
            except OSError:
                pass  # the client went away

    return Web


def answer(respond: Respond, method: bytes, target: str, etag: str = "") -> bytes:
    """All of an answer, whatever was asked."""
    if method not in (b"GET", b"HEAD"):
        return text(405, "only GET is answered here").to_bytes()
    path, _, query = target.partition("?")
    found = respond(Request(path, parameters(query), etag))
    if found.etag and found.etag in etag:
        found = Response(304, found.kind, b"", found.etag)
    return found.to_bytes(head=method == b"HEAD")


def parameters(query: str) -> dict[str, str]:
    """By name; of two of one name the first."""
    pairs = [part.partition("=") for part in query.split("&")[:MAX_PARAMETERS]]
    return {name: unquote_plus(value) for name, _, value in reversed(pairs)}
