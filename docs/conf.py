"""How Sphinx makes the site. Its source is the repository, so that any file may be linked to."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
_VERSION = (ROOT / "operator/localregistry/version.py").read_text()

project = "LocalRegistry"
html_title = project
author = "the LocalRegistry authors"
copyright = author  # noqa: A001 - the name that Sphinx reads
version = release = re.findall(r'"([^"]+)"', _VERSION)[-1]

extensions = ["myst_parser"]
# As code hosts name the anchors of headings.
myst_heading_anchors = 4
root_doc = "README"
include_patterns = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**.md"),
    *("manifests/chart/README.md", "bench/results/README.md"),
]
exclude_patterns = [".*/**", "build/**", "dist/**"]

html_theme = "furo"
html_show_sourcelink = False
html_copy_source = False
# A fence that names no language is no program.
highlight_language = "text"

# The order of the pages beside each other. It stands here and not in the pages, where a code host
# would show it as text.
CONTENTS = {
    "": ["docs/README", "docs/tutorial"],
    "How to": [
        f"docs/how-to/{name}"
        for name in (
            *("install", "use", "look", "docker-nodes", "containerd-nodes", "mixed-clusters"),
            *("host-policy", "share", "tools", "close", "air-gap", "gitops", "observe"),
            *("upgrade", "back-up", "remove"),
        )
    ],
    "Reference": [
        *(f"docs/reference/{name}" for name in ("api", "fields", "troubleshooting", "reasons")),
        *(f"docs/reference/{name}" for name in ("chart-values", "environment", "cli", "options")),
        *(
            f"docs/reference/{name}"
            for name in ("metrics", "rights", "nodes", "runtimes", "faults")
        ),
        *("docs/reference/figures", "bench/results/README", "docs/reference/release"),
        "manifests/chart/README",
    ],
    "Explanation": [
        *(f"docs/explanation/{name}" for name in ("two-roads", "never-a-restart", "trust")),
        *("docs/explanation/architecture", "docs/adr/README", "docs/comparison"),
    ],
    "Project": ["CONTRIBUTING", "SECURITY", "CHANGELOG"],
}


def add_contents(_app: Sphinx, docname: str, source: list[str]) -> None:
    """The tree of pages, at the end of the first page; of the decisions, at the end of theirs."""
    if docname == root_doc:
        trees = list(CONTENTS.items())
    elif docname == "docs/adr/README":
        trees = [("", sorted(f"docs/adr/{path.stem}" for path in ROOT.glob("docs/adr/0*.md")))]
    else:
        return
    for title, names in trees:
        options = f":caption: {title}\n" if title else ""
        entries = "\n".join(f"/{name}" for name in names)
        source[0] += f"\n```{{toctree}}\n:hidden:\n{options}\n{entries}\n```\n"


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
