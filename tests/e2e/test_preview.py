"""Preview, selection and the nodes' own resolution, by the real agents on real nodes."""

from __future__ import annotations

from e2e.cluster import LREG, REGISTRIES, Cluster, Node, differences, wait_until

HOST = "preview.example.internal"


def patch(cluster: Cluster, name: str, spec: str) -> None:
    where = ("localregistry", name, "-n", REGISTRIES)
    cluster.kubectl("patch", *where, "--type=merge", "-p", f'{{"spec": {spec}}}')


def test_a_preview_tells_each_runtimes_lines_and_changes_no_node(clean: Cluster) -> None:
    before = clean.files()
    clean.apply_registry("one", host=HOST, nodes={"management": "Preview"})
    clean.wait_ready("one")
    wait_until(
        lambda: len(clean.status("one")["nodes"].get("preview", ())) == 2,
        timeout=30,
        what="the previews of both runtimes",
    )
    groups = {
        group["runtime"].partition("://")[0]: group
        for group in clean.status("one")["nodes"]["preview"]
    }
    assert {kind: group["count"] for kind, group in groups.items()} == {
        "docker": 1,
        "containerd": 2,
    }
    docker, containerd = groups["docker"]["diff"], groups["containerd"]["diff"]
    assert f'+ "insecure-registries": "{HOST}"' in docker
    assert "! SIGHUP dockerd" in docker
    assert f"--- /etc/containerd/certs.d/{HOST}/hosts.toml" in containerd
    assert differences(before, clean.files()) == []
    patch(clean, "one", '{"nodes": {"management": "Managed"}}')
    wait_until(
        lambda: clean.status("one")["nodes"].get("summary") == "3/3",
        timeout=30,
        what="all nodes to be configured",
    )
    assert "preview" not in clean.status("one")["nodes"]


def test_a_node_that_leaves_the_selection_is_cleaned_and_no_longer_counted(
    clean: Cluster, docker_node: Node
) -> None:
    before = clean.files()
    label = "localregistry.test/pulls"
    clean.kubectl("label", "node", "--all", "--overwrite", f"{label}=yes")
    try:
        clean.apply_registry("one", host=HOST, nodes={"selector": {"matchLabels": {label: "yes"}}})
        clean.wait_ready("one")
        assert clean.status("one")["nodes"]["summary"] == "3/3"
        clean.kubectl("label", "node", docker_node.name, f"{label}-")
        wait_until(
            lambda: clean.status("one")["nodes"]["summary"] == "2/2",
            timeout=30,
            what="the node to leave",
        )
        wait_until(
            lambda: clean.files()[docker_node.name] == before[docker_node.name],
            timeout=30,
            what="the node to be as it was",
        )
        clean.kubectl("label", "node", docker_node.name, f"{label}=yes")
        wait_until(
            lambda: clean.status("one")["nodes"]["summary"] == "3/3",
            timeout=30,
            what="the node to be back, with a pull of its own",
        )
    finally:
        clean.kubectl("label", "node", "--all", f"{label}-")


def test_a_name_that_nodes_resolve_themselves_is_pulled_through_the_ingress(
    clean: Cluster,
) -> None:
    """These nodes have no DNS of their own: their administrator's hosts line plays it."""
    before = clean.files()
    clean.apply_registry("one", host=HOST, nodes={"resolve": "DNS"})
    wait_until(
        lambda: len(clean.status("one").get("nodes", {}).get("failing", ())) == 3,
        timeout=60,
        what="three nodes that cannot resolve the name",
    )
    for failing in clean.status("one")["nodes"]["failing"]:
        assert "does not resolve" in failing["message"], failing
    line = f"{_ingress_address(clean)} {HOST}"
    try:
        for node in clean.nodes():
            node.run(f"echo '{line}' >> /etc/hosts")
        clean.wait_ready("one", timeout=60)
        assert clean.status("one")["nodes"]["summary"] == "3/3"
        for node in clean.nodes():
            assert node.read("/etc/hosts").endswith(f"{line}\n"), "ours must not go there"
    finally:
        for node in clean.nodes():
            # In place: on these nodes the file is a bind mount.
            node.run(f"grep -vF '{line}' /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts")
            node.run("rm -f /tmp/hosts")
    clean.kubectl("delete", LREG, "one", "-n", REGISTRIES, "--timeout=30s")
    assert differences(before, clean.files()) == []


def _ingress_address(cluster: Cluster) -> str:
    """Of the node whose port 80 is the Ingress controller's."""
    (node,) = (node for node in cluster.nodes() if "control-plane" in node.name)
    addresses = cluster.get("node", node.name)["status"]["addresses"]
    return next(str(a["address"]) for a in addresses if a["type"] == "InternalIP")
