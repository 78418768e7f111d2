"""The page over HTTP: what a browser is told, and allowed, with each answer."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from localregistry.usage import web
from localregistry.usage.images import Images
from localregistry.usage.page import Page
from localregistry.usage.tags import Tags

pytestmark = pytest.mark.ux


def page(root: Path) -> Page:
    return Page(Tags(str(root)), Images(str(root)), lambda: None)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/?search=x", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/tags", "application/json"),
        ("/tags?" + urlencode({"search": "ä/&"}), "application/json"),
        ("/nothing", "text/plain; charset=utf-8"),
        ("/site/../app.py", "text/plain; charset=utf-8"),
        ("/tags?start=x", "text/plain; charset=utf-8"),
    ],
)
def test_every_answer_forbids_a_browser_all_but_the_page(
    tmp_path: Path, target: str, kind: str
) -> None:
    head, _, _ = web.answer(page(tmp_path).respond, b"GET", target).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(status.split()[1]) in (200, 400, 404)
    assert headers["Content-Type"] == kind
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    fetched = {policy.pop(f"{what}-src") for what in ("script", "style", "img", "connect")}
    assert fetched == {"'self'"}
    assert policy == {
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'"),
        **{"require-trusted-types-for": "'script'", "trusted-types": "'none'"},
    }
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/icon.svg"])
def test_a_file_that_the_browser_has_is_not_sent_again(tmp_path: Path, path: str) -> None:
    respond = page(tmp_path).respond
    first = web.answer(respond, b"GET", path)
    [etag] = [line[6:] for line in first.decode().split("\r\n") if line.startswith("ETag: ")]
    assert b"Cache-Control: no-cache\r\n" in first
    for known in (etag, f'"x", W/{etag}'):
        again = web.answer(respond, b"GET", path, known)
        assert again.startswith(b"HTTP/1.1 304 ")
        assert again.endswith(b"\r\n\r\n")
    assert web.answer(respond, b"GET", path, '"another"') == first


def test_what_changes_is_kept_by_nobody(tmp_path: Path) -> None:
    answer = web.answer(page(tmp_path).respond, b"GET", "/tags")
    assert b"Cache-Control: no-store\r\n" in answer
    assert b"ETag" not in answer


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"x"])
def test_nothing_can_be_written(tmp_path: Path, method: bytes) -> None:
    answer = web.answer(page(tmp_path).respond, method, "/tags")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD\r\n" in answer


def test_head_is_answered_as_get_without_the_body(tmp_path: Path) -> None:
    respond = page(tmp_path).respond
    for path in ("/", "/tags", "/nothing"):
        got = web.answer(respond, b"GET", path).partition(b"\r\n\r\n")[0]
        assert web.answer(respond, b"HEAD", path) == got + b"\r\n\r\n"


def test_of_two_parameters_of_one_name_the_first_counts_and_of_many_some() -> None:
    assert web.parameters("a=1&a=2&b=x+y%2Fz&c&=d") == {"a": "1", "b": "x y/z", "c": "", "": "d"}
    assert len(web.parameters("&".join(f"p{i}=1" for i in range(1000)))) == web.MAX_PARAMETERS
