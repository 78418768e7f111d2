"""What a query of Prometheus asks for, by a parser of its language."""

from __future__ import annotations

from dataclasses import dataclass

import promql_parser
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import MatchOp, MatrixSelector, VectorSelector

# Grafana puts an interval in its place that fits what is shown.
RATE_INTERVAL = "$__rate_interval"


@dataclass(frozen=True)
class Asked:
    """One selector: a series' name, and the labels that it has to have or must not have."""

    name: str
    equal: frozenset[tuple[str, str]]
    other: frozenset[tuple[str, str]]


def asked(query: str) -> list[Asked]:
    """Raises ValueError where Prometheus would refuse the query: by its syntax, the functions
    that there are and the types that they take."""
    found: list[Asked] = []

    def visit(part: promql_parser.Expr) -> None:
        if isinstance(part, MatrixSelector):
            part = part.vector_selector
        if isinstance(part, VectorSelector):
            found.append(_asked(part))

    promql_parser.walk(promql_parser.parse(query.replace(RATE_INTERVAL, "5m")), visit)
    # A selector that is met twice, as part of a range too, is one.
    return list(dict.fromkeys(found))


def _asked(selector: VectorSelector) -> Asked:
    matchers = selector.matchers.matchers
    for one in matchers:
        # Its values have no hash, and so are in no set.
        plain = one.op == MatchOp.Equal or one.op == MatchOp.NotEqual
        assert plain, f"{one.name}: a pattern may fit nothing, unseen"
    equal = frozenset((m.name, m.value) for m in matchers if m.op == MatchOp.Equal)
    other = frozenset((m.name, m.value) for m in matchers if m.op == MatchOp.NotEqual)
    return Asked(str(selector.name), equal, other)


def answered(query: Asked, exposition: str) -> bool:
    """Whether there is such a series, and each label value that it must not have exists too."""
    series = [
        frozenset(sample.labels.items())
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == query.name
    ]
    fitting = [labels for labels in series if query.equal <= labels]
    return bool(fitting) and all(any(one in labels for labels in fitting) for one in query.other)
