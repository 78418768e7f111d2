"""What runtimes say of a pull that failed: the table of real words, and what is made of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.controller.pullwords import Cause, FailedPull, read

HOST = "registry.example.internal"
IMAGE = f"{HOST}/team/app:1"
HEAD = f"https://{HOST}/v2/team/app/manifests/1"
# As containerd puts them before its cause: 1.6 and 1.7, then 2.x, each behind the kubelet's words
# of before and since Kubernetes 1.30.
CONTAINERD = (
    f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to'
    f' resolve reference "{IMAGE}": '
)
CONTAINERD_2 = f'failed to pull and unpack image "{IMAGE}": failed to resolve image: '
DOCKER = "rpc error: code = Unknown desc = Error response from daemon: "
DOCKER_28 = "Error response from daemon: "
DO = f'failed to do request: Head "{HEAD}": '
GET = f'Get "https://{HOST}/v2/": '
HTTP = "http: server gave HTTP response to HTTPS client"
DIAL = "dial tcp 10.99.99.1:443: "

TABLE = [
    ("docker, plain http", DOCKER + GET + HTTP, Cause.HTTP_ANSWER),
    ("containerd, plain http", CONTAINERD + DO + HTTP, Cause.HTTP_ANSWER),
    ("containerd 2, plain http", CONTAINERD_2 + DO + HTTP, Cause.HTTP_ANSWER),
    (
        "docker before 20, whose addresses have no quotes",
        f"{DOCKER}Get https://{HOST}/v2/: {HTTP}",
        Cause.HTTP_ANSWER,
    ),
    (
        "docker, no name",
        f"{DOCKER}{GET}dial tcp: lookup {HOST} on 10.0.0.2:53: no such host",
        Cause.NO_NAME,
    ),
    (
        "containerd, no name",
        f"{CONTAINERD}{DO}dial tcp: lookup {HOST}: no such host",
        Cause.NO_NAME,
    ),
    (
        "a name server that is away",
        f"{CONTAINERD}{DO}dial tcp: lookup {HOST} on 10.0.0.2:53: read udp"
        " 10.0.0.5:59506->10.0.0.2:53: i/o timeout",
        Cause.NO_NAME,
    ),
    (
        "a name server that fails",
        f"{DOCKER_28}{GET}dial tcp: lookup {HOST} on 127.0.0.53:53: server misbehaving",
        Cause.NO_NAME,
    ),
    (
        "docker, the Ingress's own certificate",
        f"{DOCKER}{GET}x509: certificate is valid for ingress.local, not {HOST}",
        Cause.CERTIFICATE,
    ),
    (
        "docker 28, an authority that nobody knows",
        f"{DOCKER_28}{GET}tls: failed to verify certificate: x509: certificate signed by unknown"
        " authority",
        Cause.CERTIFICATE,
    ),
    (
        "containerd, a redirect to https",
        f"{CONTAINERD}{DO}x509: certificate is valid for ingress.local, not {HOST}",
        Cause.CERTIFICATE,
    ),
    ("docker, nothing on 443", f"{DOCKER}{GET}{DIAL}connect: connection refused", Cause.REFUSED),
    (
        "containerd, nothing on 443",
        f"{CONTAINERD}{DO}{DIAL}connect: connection refused",
        Cause.REFUSED,
    ),
    ("an address away", f"{CONTAINERD_2}{DO}{DIAL}connect: no route to host", Cause.NO_ROUTE),
    (
        "containerd, no tag",
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": failed to'
        f' resolve reference "{IMAGE}": {IMAGE}: not found',
        Cause.NO_IMAGE,
    ),
    (
        "docker, no tag",
        f"{DOCKER}manifest for {IMAGE} not found: manifest unknown: manifest unknown",
        Cause.NO_IMAGE,
    ),
    (
        "docker with containerd's store, no tag",
        f'{DOCKER_28}failed to resolve reference "{IMAGE}": {IMAGE}: not found',
        Cause.NO_IMAGE,
    ),
    (
        "docker, an Ingress that answers 404",
        f"{DOCKER}error parsing HTTP 404 response body: invalid character 'p' after top-level"
        ' value: "404 page not found\\n"',
        Cause.NOT_REGISTRY,
    ),
    (
        "docker, a page in place of a registry",
        f"{DOCKER}{GET}invalid character '<' looking for beginning of value",
        Cause.NOT_REGISTRY,
    ),
    (
        "containerd, a blob behind a proxy with a limit",
        f'failed to pull and unpack image "{IMAGE}": failed to copy: httpReadSeeker: failed open:'
        f" unexpected status code https://{HOST}/v2/team/app/blobs/sha256:00: 413 Request Entity"
        " Too Large",
        Cause.TOO_LARGE,
    ),
    (
        "containerd, a time-out",
        f"{CONTAINERD}{DO}{DIAL}i/o timeout",
        Cause.TIME_OUT,
    ),
    (
        "docker, a time-out",
        f"{DOCKER}{GET}net/http: request canceled while waiting for connection (Client.Timeout"
        " exceeded while awaiting headers)",
        Cause.TIME_OUT,
    ),
    ("docker, a slow handshake", f"{DOCKER}{GET}net/http: TLS handshake timeout", Cause.TIME_OUT),
    (
        "the kubelet's own limit",
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        Cause.TIME_OUT,
    ),
    ("a redirect in a ring", f"{CONTAINERD}{DO}stopped after 10 redirects", Cause.REDIRECT),
    (
        "a redirect that is not followed",
        f"{CONTAINERD}unexpected status from HEAD request to {HEAD}: 308 Permanent Redirect",
        Cause.REDIRECT,
    ),
    (
        "a proxy that is not well",
        f"{CONTAINERD_2}unexpected status from HEAD request to {HEAD}: 503 Service Unavailable",
        Cause.UNAVAILABLE,
    ),
    (
        "a proxy that asks for a login",
        f"{CONTAINERD}failed to authorize: failed to fetch anonymous token: unexpected status from"
        f" GET request to https://{HOST}/token: 401 Unauthorized",
        Cause.DENIED,
    ),
    (
        "docker, denied",
        f"{DOCKER}pull access denied for {HOST}/team/app, repository does not exist or may require"
        " 'docker login': denied: requested access to the resource is denied",
        Cause.DENIED,
    ),
    (
        "a full node",
        f'{CONTAINERD_2}failed to extract layer sha256:00: write /var/lib/x: no space left on'
        " device",
        Cause.NODE_FULL,
    ),
    ("docker, cut", f"{DOCKER_28}{GET}EOF", Cause.CUT),
    (
        "containerd, cut in a blob",
        f'{CONTAINERD_2}failed to copy: read tcp 10.0.0.5:1->10.0.0.6:80: read: connection reset'
        " by peer",
        Cause.CUT,
    ),
    (
        "docker, no such repository",
        f"{DOCKER}repository {HOST}/team/app not found: name unknown: repository name not known"
        " to registry",
        Cause.NO_IMAGE,
    ),
    (
        "a port that reads like a status",
        f"{CONTAINERD_2}failed to copy: read tcp 10.0.0.5:413->10.0.0.6:503: read: connection reset"
        " by peer",
        Cause.CUT,
    ),
    ("what nobody thought of", f"{DOCKER}the moon is full", Cause.OTHER),
]  # fmt: skip


@pytest.mark.parametrize(("words", "cause"), [pytest.param(w, c, id=i) for i, w, c in TABLE])
def test_the_cause_of_a_failed_pull_is_known_by_its_words(words: str, cause: Cause) -> None:
    assert read(f'Failed to pull image "{IMAGE}": {words}') == FailedPull(HOST, cause)


def test_every_cause_is_in_the_table() -> None:
    assert {cause for _, _, cause in TABLE} == set(Cause)


@pytest.mark.parametrize(
    "path",
    ["x509:1", "lookup/no-such-host:413", "connection-refused:308", "timed/out:502"],
)
def test_what_an_image_is_called_is_no_cause(path: str) -> None:
    image = f"{HOST}/{path}"
    for words in (
        f'failed to resolve reference "{image}": {image}: not found',
        f"manifest for {image} not found: manifest unknown: manifest unknown",
        f'Head "https://{HOST}/v2/{path}": {image}: not found',
    ):
        assert read(f'Failed to pull image "{image}": {words}') == FailedPull(HOST, Cause.NO_IMAGE)


@pytest.mark.parametrize(
    "note",
    [
        "Error: ErrImagePull",
        "Error: ImagePullBackOff",
        'Error: failed to create containerd task: exec: "/no": no such file or directory',
        f'Successfully pulled image "{IMAGE}"',
        'Failed to pull image "app:1": x509: a',
        'Failed to pull image "team/app:1": connection refused',
        'Failed to pull image "": x',
        'Failed to pull image "r.example: call 555 now/app": x',
        "",
    ],
)
def test_what_is_of_no_registry_that_has_a_name_is_left_out(note: str) -> None:
    assert read(note) is None


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("r.example:5000/a/b@sha256:00", "r.example:5000"),
        ("localhost/a", "localhost"),
        ("10.1.2.3:30500/a", "10.1.2.3:30500"),
        ("[fd00::1]:5000/a", "[fd00::1]:5000"),
    ],
)
def test_the_registry_is_what_stands_before_the_first_slash(image: str, registry: str) -> None:
    assert read(f'Failed to pull image "{image}": x') == FailedPull(registry, Cause.OTHER)


@given(st.text(max_size=200), st.text(max_size=400))
def test_whatever_is_said_is_read_and_nothing_of_it_is_repeated(image: str, words: str) -> None:
    for note in (words, f'Failed to pull image "{image}": {words}'):
        found = read(note)
        assert found is None or found.cause in set(Cause)
