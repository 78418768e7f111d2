"""Results as files: one JSON a bar, with all that its report needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .figures import Figure
from .machine import ROOT

FOLDER = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Result:
    """The figures of one bar (`P2`) from one run. `about` is what Circumstances.close returns;
    `short`: the run was a small one that proves no bar."""

    bar: str
    figures: tuple[Figure, ...]
    about: Mapping[str, Any]
    short: bool = False

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.bar.lower()}.json"
        # The verdict is for whoever reads the file alone; it is not read back.
        figures = [{**asdict(figure), "verdict": figure.verdict} for figure in self.figures]
        body = {"bar": self.bar, "short": self.short, **self.about, "figures": figures}
        path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Result:
        """Raises ValueError, with the file's name, where it is no result."""
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            figures = tuple(_figure(item) for item in body.pop("figures"))
            bar, short = str(body.pop("bar")), bool(body.pop("short"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path.name} is no result of a measurement: {error!r}") from error
        return cls(bar, figures, body, short)


def read_all(folder: Path) -> list[Result]:
    """By bar: P2 before P10."""
    found = [Result.read(path) for path in folder.glob("*.json")]
    return sorted(found, key=lambda result: (len(result.bar), result.bar))


def missed(results: Sequence[Result]) -> list[str]:
    return [
        f"{result.bar}: {figure.what}"
        for result in results
        for figure in result.figures
        if figure.verdict == "missed"
    ]


def _figure(item: dict[str, Any]) -> Figure:
    known = {key: value for key, value in item.items() if key != "verdict"}
    if known.get("spread"):
        known["spread"] = tuple(known["spread"])
    return Figure(**known)
