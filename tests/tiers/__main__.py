"""`python -m tiers lint unit chart agent api faults e2e`: all run; one summary tells of all.

A tier that runs no test, or skips one, has failed: the summary would claim what nobody has seen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from kind import settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# A JUnit report of each tier: what failed and how long each test took, after the run as well.
REPORTS = ROOT / "reports"

LINT: tuple[tuple[str, ...], ...] = (
    (str(BIN / "ruff"), "format", "--check", "operator", "tests", "manifests", "bench", "docs"),
    (str(BIN / "ruff"), "check", "operator", "tests", "manifests", "bench", "docs"),
    (str(BIN / "mypy"), "operator/localregistry", "tests", "manifests", "bench", "docs"),
    (str(BIN / "lint-imports"), "--no-logo"),
    (sys.executable, "manifests/generate.py", "--check"),
    # n of n: the reasons that are explained, each seen by its test.
    (sys.executable, "-m", "documented.reasons"),
    # A virtualenv of its own, made in 20 s where it is absent.
    ("make", "docs"),
)
EXPECTED = {
    "lint": "a minute",
    "unit": "two minutes",
    "chart": "under a minute, with Helm 3 and 4 and kubectl built already",
    "agent": "five minutes, with the nodes' roots and runtimes built; about ten more if not",
    "api": "ten minutes, with etcd and kube-apiserver built already",
    "faults": "five minutes, with the programs of `api`; whole, with --long, an hour and a quarter",
    "e2e": "some minutes on a cluster that is there; about 25 minutes where all must be built",
}

# Processes by default, and with --long. Each of the agent's tests has a node of its own, each
# process of `api` and `faults` an API server; they wait more than they compute.
SIDE_BY_SIDE = {"unit": (2, 2), "agent": (4, 10), "api": (3, 3), "faults": (6, 6)}

# How tests are given to them. Those of a file of `api` share what they set up, and the last of its
# files judges all others.
BY_TEST = ("--maxschedchunk=2",)
BY_FILE = {"api": ("--dist=loadfile", "--no-loadscope-reorder")}

# Of each tier's files the summary names so many.
SLOWEST = 3

# Tests of a tier that do without what its folder's conftest builds.
BESIDE = {"agent": ["tests/agent_files"]}


@dataclass
class Result:
    """What became of one tier; for lint a check counts as a test."""

    tier: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    # Seconds of each file's tests; where processes run side by side they add up to more.
    files: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.skipped


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tiers", description=__doc__)
    parser.add_argument("tiers", nargs="+", choices=list(EXPECTED), help="in this order")
    parser.add_argument("--long", action="store_true", help="with the tests that take minutes")
    parser.add_argument("--only", metavar="MARK", help="of each tier the tests with this mark")
    options = parser.parse_args()
    os.chdir(ROOT)
    results = []
    kubernetes = settings.from_environment().kubernetes
    for tier in options.tiers:
        print(f"\n== {tier}: {EXPECTED[tier]}; Kubernetes {kubernetes}", flush=True)
        started = time.monotonic()
        result = lint() if tier == "lint" else pytest(tier, options.only, long=options.long)
        result.seconds = time.monotonic() - started
        results.append(result)
    return summarize(results, kubernetes)


def lint() -> Result:
    result = Result("lint")
    # generate.py renders the chart, with the Helm of the test cluster.
    tools = subprocess.run(
        [sys.executable, "-m", "kind", "tools", "helm"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.environ["HELM"] = str(Path(tools.stdout.splitlines()[-1]) / "helm")
    for command in LINT:
        print("+", " ".join(Path(part).name if part.startswith("/") else part for part in command))
        sys.stdout.flush()
        if subprocess.run(command, check=False).returncode:
            result.failed += 1
        else:
            result.passed += 1
    return result


def pytest(tier: str, only: str | None = None, *, long: bool) -> Result:
    result = Result(tier)
    report = REPORTS / f"{tier}.xml"
    report.unlink(missing_ok=True)
    folders = [f"tests/{tier}", *BESIDE.get(tier, ())]
    command = [sys.executable, "-m", "pytest", *folders, f"--junit-xml={report}", "-q"]
    chosen = [only] if only else []
    chosen += [] if long else ["not long"]
    # "" chooses all, in place of what pyproject.toml leaves out.
    command += ["-m", " and ".join(chosen)]
    if tier in SIDE_BY_SIDE:
        command += [f"--numprocesses={SIDE_BY_SIDE[tier][long]}", *BY_FILE.get(tier, BY_TEST)]
    code = subprocess.run(command, check=False).returncode
    if report.exists():
        read(report, result)
    if code and not result.failed:
        result.failed = 1
    return result


def read(report: Path, result: Result) -> None:
    suite = next(ElementTree.parse(report).iter("testsuite"))
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors")}
    result.skipped = int(suite.get("skipped", 0))
    result.failed = counts["failures"] + counts["errors"]
    result.passed = counts["tests"] - result.failed - result.skipped
    for case in suite.iter("testcase"):
        file = case.get("classname", "").rpartition(".")[2]
        result.files[file] += float(case.get("time", 0))


def summarize(results: list[Result], kubernetes: str) -> int:
    print(f"\n== summary; Kubernetes {kubernetes}")
    for result in results:
        mark = "ok    " if result.good else "FAILED"
        print(
            f"{mark} {result.tier:5} {result.passed:5} passed {result.failed:3} failed "
            f"{result.skipped:3} skipped  {result.seconds:6.1f} s"
        )
        for file in sorted(result.files, key=result.files.__getitem__, reverse=True)[:SLOWEST]:
            print(f"         {result.files[file]:6.1f} s {file}")
    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    print(f"{passed} passed, {failed} failed, {sum(r.skipped for r in results)} skipped")
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
