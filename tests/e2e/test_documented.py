"""Commands of the documentation on the cluster: a new user's way, and what there is to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from documented.blocks import fenced
from documented.runner import Documented, Ran, beside, shape
from e2e import demo, install
from e2e.cluster import LREG, REGISTRIES, SYSTEM, Cluster, Node, wait_until
from e2e.documented import docker_of, on_node, shell
from e2e.images import Images
from localregistry.version import VERSION

HOST = "registry.example.internal"
# What is built and pushed: the only image that a node has for certain, with another program.
DOCKERFILE = """FROM {agent}
ENTRYPOINT ["/opt/localregistry/bin/python3", "-c", "import time; time.sleep(3600)"]
"""


@pytest.fixture(scope="module")
def without_operator(cluster: Cluster, built: Images) -> Iterator[Cluster]:
    """With nothing of ours on it; at the end as the other tests want it."""
    install.uninstall(cluster)
    cluster.kubectl("delete", "namespace", REGISTRIES, "--ignore-not-found", "--timeout=120s")
    yield cluster
    cluster.kubectl("apply", "-f", "-", input=demo.namespace(REGISTRIES))
    install.install(cluster, built)


@pytest.fixture
def operator(cluster: Cluster, built: Images) -> None:
    """Is there, whatever the tests before this one took away."""
    cluster.kubectl("apply", "-f", "-", input=demo.namespace(REGISTRIES))
    install.install(cluster, built)


@pytest.fixture
def ready(operator: None, clean: Cluster) -> Cluster:
    """The registry that the pages speak of: dev in registries."""
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    return clean


def as_written(runs: Iterable[Ran]) -> list[Ran]:
    """Runs them; each has printed what its page shows, where it shows something."""
    done = list(runs)
    for ran in done:
        assert not ran.command.output or ran.is_as_written(), f"{ran.command}\n{ran.said}"
    return done


@pytest.mark.long
def test_the_tutorial(without_operator: Cluster, documented: Documented) -> None:
    """From `make demo` to `make demo-clean`; the virtualenv is taken as it is."""
    cluster = without_operator
    readme, *pages = documented.waiting
    assert (readme.page, pages[0].text) == ("README.md", "make demo")
    documented.waiting[:2] = [pages[0], readme]
    said = []
    while documented.waiting:
        block = documented.next
        make = {"make demo": "make -o .venv/.installed demo"} if "make demo" in block.text else {}
        said += as_written(documented.run(shell(cluster), replace=make))
    words = "\n".join(ran.said for ran in said)
    assert "NodesConfigured" in words
    assert f'"{HOST}"' in words
    assert "Every node's files are byte-identical to before." in said[-1].said


def dev_yaml() -> str:
    """The file that the page has its reader write."""
    [text] = [
        block.text
        for block in fenced()
        if block.page == "docs/how-to/use.md" and block.text.startswith("apiVersion")
    ]
    return text


def test_a_new_user(
    without_operator: Cluster,
    built: Images,
    docker_node: Node,
    tmp_path: Path,
    documented: Documented,
) -> None:
    """Install, ask for a registry, push, run, and take it away, as the pages say. The images are
    those of this tree, by their tags."""
    cluster = without_operator
    place = tmp_path / "place"
    place.mkdir()
    (beside(place) / "dev.yaml").write_text(dev_yaml())
    where = shell(cluster, place, [docker_of(docker_node, tmp_path / "bin")])
    docker_node.run(build_folder(built))
    tags = f"--set image.tag={built.tag} --set agent.image.tag={built.tag}"
    while documented.waiting:
        block = documented.next
        if "helm install" in block.text:
            documented.run(where, replace={"manifests/chart": f"manifests/chart {tags}"})
            cluster.kubectl("rollout", "status", "deployment/localregistry", "-n", SYSTEM)
        elif "render" in block.text:
            [ran] = documented.run(where, replace={VERSION: built.tag})
            assert "kind: Deployment" in ran.said
        else:
            as_written(documented.run(where))
        if "kubectl run" in block.text:
            cluster.kubectl("wait", "--for=condition=Ready", "pod/app", "--timeout=60s")
            cluster.kubectl("delete", "pod", "app", "--now")
    assert not cluster.exists(LREG, "dev", "-n", REGISTRIES)
    assert cluster.exists("pvc", "dev-registry", "-n", REGISTRIES)


def build_folder(built: Images) -> str:
    """Makes it on a node."""
    dockerfile = DOCKERFILE.format(agent=built.agent)
    return f"mkdir -p /run/build; cat > /run/build/Dockerfile <<'END'\n{dockerfile}END"


def test_the_readme_shows_what_a_user_sees(
    ready: Cluster, built: Images, docker_node: Node, tmp_path: Path, documented: Documented
) -> None:
    docker_node.run(f"docker tag {built.agent} {HOST}/app:1")
    where = shell(ready, path=[docker_of(docker_node, tmp_path / "bin")])
    docker_node.run("mkdir -p /run/build")
    as_written(documented.run(where, replace={"kubectl run": "kubectl run --dry-run=server"}))
    assert f"{HOST}/app" in docker_node.run("docker image ls --digests --format '{{json .}}'")


def test_a_user_sees_what_there_is(ready: Cluster, documented: Documented) -> None:
    said = "\n".join(ran.said for ran in documented.rest(shell(ready)))
    for word in ("docker://", "containerd://", "NodesConfigured", "[pod/node-agent-"):
        assert word in said, word


def test_what_is_wrong_is_looked_up(ready: Cluster, documented: Documented) -> None:
    """With the names of a registry with which nothing is wrong."""
    names = {"NAMESPACE": REGISTRIES, "NAME": "dev"}
    said = ""
    while documented.waiting:
        used = {old: new for old, new in names.items() if old in documented.next.text}
        said += "".join(ran.said for ran in documented.run(shell(ready), replace=used))
    for word in ("NodesConfigured", "localregistry-", '"capacity"', "node-agent"):
        assert word in said, word


def test_what_was_done_to_a_node_is_shown(
    ready: Cluster, docker_node: Node, containerd_node: Node, documented: Documented
) -> None:
    while documented.waiting:
        node = docker_node if "docker-nodes" in documented.next.page else containerd_node
        [ran] = documented.run(on_node(node))
        assert ran.said.count(HOST) >= 2, ran.said


def answered(cluster: Cluster, count: str) -> bool:
    """Whether so many nodes have answered, in the words of the page."""
    conditions = cluster.status("dev")["conditions"]
    [message] = [c["message"] for c in conditions if c["type"] == "NodesReady"]
    return str(message).startswith(f"{count} nodes have said")


def test_a_preview_is_shown(ready: Cluster, documented: Documented) -> None:
    """Of nodes that were left alone until then. Each group of nodes prints what the page shows of
    its kind."""
    alone = '{"spec":{"nodes":{"management":"Unmanaged"}}}'
    ready.kubectl("patch", LREG, "dev", "-n", REGISTRIES, "--type=merge", "-p", alone)
    wait_until(
        lambda: ready.status("dev")["nodes"]["summary"] == "-", timeout=30, what="the withdrawal"
    )
    documented.run(shell(ready))
    wait_until(lambda: answered(ready, "3/3"), timeout=30, what="the answers of all nodes")
    message, ran = documented.run(shell(ready))
    assert message.said.strip() == message.command.output.strip()
    said, wanted = shape(ran.said), shape(ran.command.output)
    assert wanted
    assert [line for line in wanted if line not in said] == []
