"""The API server as the user reaches it: by kubeconfig and context, in plain dicts.

The one module of the commands that imports `kubernetes`, and it does so late: `--help` and
completion need no cluster. Every failure is a Problem.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from localregistry.commands.problems import Problem, Refused, Unavailable
from localregistry.spec.names import FIELD_MANAGER
from localregistry.version import VERSION

# To connect, and for the answer, in seconds: a user waits, so less than the operator's time-out
# would be too few for a slow VPN, and more looks like a hang.
CONNECT, READ = 5.0, 20.0
PAGE = 500

Body = dict[str, Any]


@contextmanager
def connect(kubeconfig: str | None, context: str | None) -> Iterator[Cluster]:
    """Raises Problem where no cluster is configured; nothing is asked yet."""
    from kubernetes import client, config

    configuration = client.Configuration()
    # By default urllib3 tries four times: a cluster that is away would take that much longer.
    configuration.retries = False
    namespace = "default"
    try:
        if not kubeconfig and not context and _in_pod():
            config.load_incluster_config(configuration)
            namespace = _POD_NAMESPACE.read_text().strip()
        else:
            config.load_kube_config(
                kubeconfig, context, client_configuration=configuration, persist_config=False
            )
            namespace = _namespace(config, kubeconfig, context) or namespace
    # A broken kubeconfig raises whatever its parser met: YAML errors, KeyError, OSError.
    except Exception as error:
        raise Problem(
            f"No cluster is configured: {_words(error)}.",
            "Name one by --kubeconfig or $KUBECONFIG, and by --context one that "
            "`kubectl config get-contexts` lists.",
        ) from error
    with client.ApiClient(configuration) as api:
        api.user_agent = f"localregistry-cli/{VERSION}"
        yield Cluster(api, str(configuration.host), namespace)


class Cluster:
    """`namespace` is the context's own."""

    def __init__(self, api: Any, server: str, namespace: str) -> None:
        self._api = api
        self.server = server
        self.namespace = namespace

    def get(self, path: str, **query: Any) -> Body | None:
        """The object, or None where there is none."""
        status, body, _ = self.raw(path, **query)
        if status == 404:
            return None
        return _parsed(self.checked(status, body, path))

    def items(self, path: str, **query: Any) -> list[Body] | None:
        """All objects of a collection; None where the API server knows no such resource."""
        found: list[Body] = []
        token = None
        while True:
            more: Body = {"continue": token} if token else {}
            page = self.get(path, **query, limit=PAGE, **more)
            if page is None:
                return None
            found += page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return found

    def ask(self, path: str, body: Body) -> Body:
        """A review: a POST that stores nothing."""
        status, answer, _ = self._request("POST", path, body, "application/json")
        return _parsed(self.checked(status, answer, path))

    def dry_apply(self, path: str, body: Body) -> Body:
        """What a server-side apply of the operator's would make of the object; stores nothing."""
        query = {"dryRun": "All", "fieldManager": FIELD_MANAGER, "force": "true"}
        where = f"{path}?{urlencode(query)}"
        # As text: the package knows no way to serialise an object of this type.
        text = json.dumps(body)
        status, answer, _ = self._request("PATCH", where, text, "application/apply-patch+yaml")
        return _parsed(self.checked(status, answer, path))

    def raw(
        self, path: str, *, accept: str = "application/json", **query: Any
    ) -> tuple[int, bytes, Any]:
        """Status, content and headers of a GET, whatever the status is."""
        where = f"{path}?{urlencode(query)}" if query else path
        return self._request("GET", where, None, "", accept)

    def _request(
        self, method: str, path: str, body: Any, kind: str, accept: str = "application/json"
    ) -> tuple[int, bytes, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": accept, "User-Agent": self._api.user_agent}
        if kind:
            headers["Content-Type"] = kind
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        try:
            answer = self._api.call_api(
                method, self.server + path, headers, body, _request_timeout=(CONNECT, READ)
            )
            content = answer.read()
            return int(answer.status), content, answer.response.headers
        # ApiException: how the package tells of TLS; a refusal comes as an answer.
        except (ApiException, HTTPError, OSError) as error:
            raise Unavailable(
                f"The API server at {self.server} does not answer: {_words(error)}.",
                "Look whether `kubectl cluster-info` works, and name another cluster by --context.",
            ) from error

    def checked(self, status: int, content: bytes, path: str) -> bytes:
        if 200 <= status < 300:
            return content
        said = _message(content)
        match status:
            case 401:
                raise Refused(
                    "The API server does not know who you are (401).",
                    "Log in again as your kubeconfig does it; `kubectl auth whoami` tells.",
                )
            case 403:
                raise Refused(
                    f"You may not do that: {said}.",
                    "Ask the cluster's administrator for this right.",
                )
            case 502 | 503 | 504:
                raise Unavailable(
                    f"The API server cannot reach what was asked for: {said}.",
                    "Try again; where it lasts, look at the pods behind it.",
                )
        raise Problem(f"The API server refused {path} ({status}): {said}.", "See its words.")


def _in_pod() -> bool:
    named = os.environ.get("KUBECONFIG") or (Path.home() / ".kube/config").exists()
    return not named and "KUBERNETES_SERVICE_HOST" in os.environ and _POD_NAMESPACE.exists()


_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _namespace(config: Any, kubeconfig: str | None, context: str | None) -> str | None:
    contexts, active = config.list_kube_config_contexts(kubeconfig)
    chosen = next((one for one in contexts if one["name"] == context), active)
    found = (chosen.get("context") or {}).get("namespace")
    return str(found) if found else None


def _parsed(content: bytes) -> Body:
    try:
        body = json.loads(content)
    except ValueError as error:
        raise Problem(
            "What answers as the API server does not speak JSON.",
            "Look whether a proxy stands in between: `kubectl cluster-info`.",
        ) from error
    return body if isinstance(body, dict) else {}


def _message(content: bytes) -> str:
    """The words of a Status object, or of what stands in its place, without a full stop."""
    text = content.decode(errors="replace")
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = " ".join(text.split())[:300] or "without a word"
    return said.rstrip(".")


def _words(error: BaseException) -> str:
    """The innermost cause: urllib3 wraps what the system said."""
    while (inner := getattr(error, "reason", None)) is not None and isinstance(
        inner, BaseException
    ):
        error = inner
    text = " ".join(str(error).split())
    text = text.rpartition(">: ")[2] or type(error).__name__
    return text.rstrip(".")[:300]
