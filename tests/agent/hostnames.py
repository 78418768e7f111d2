"""Hosts that the rules of a LocalRegistry accept, made by Hypothesis: the same ones in each run.

The generator knows more than the rules do, so that what they let pass by mistake is among them.
"""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from localregistry.spec.hosts import GRAMMAR, Host, InvalidHost
from unit.spec.host_table import GOOD_HOSTS

SEED = 20_261_124

# Beside what a name may hold: what runtimes, file names, JSON and TOML have a meaning of their own
# for.
_ODD = "abz09-" + "AZ_.:/\\%*@ \t\n\"'[]{}#$`\x00éß"
_labels = st.one_of(
    st.from_regex("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True),
    st.text(alphabet="ab0-", min_size=1, max_size=64),
    st.sampled_from(["localhost", "docker", "io", "xn--a", "_default", "0x1f", "com", "a" * 63]),
    st.text(alphabet=_ODD, min_size=1, max_size=6),
)
_ports = st.one_of(
    st.integers(0, 70_000).map(lambda port: f":{port}"),
    st.sampled_from(["", "", "", ":", ":080", ":5000x", ":65535", ":65536"]),
)
_built = st.builds(
    lambda labels, dot, port: dot.join(labels) + port,
    st.lists(_labels, min_size=1, max_size=6),
    st.sampled_from([".", ".", ".", ".", "..", "/"]),
    _ports,
)
_grammar = st.from_regex(GRAMMAR, fullmatch=True)
_texts = st.one_of(_grammar, _grammar, _built)


@cache
def accepted(count: int) -> tuple[str, ...]:
    """`count` different hosts, the table of good ones among them."""
    found = dict.fromkeys(GOOD_HOSTS)

    @seed(SEED)
    @settings(
        max_examples=count + count // 4,  # some come twice
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(text=_texts)
    def collect(text: str) -> None:
        try:
            Host.parse(text)
        except InvalidHost:
            assume(False)
        found[text] = None

    collect()
    assert len(found) >= count, f"{len(found)} hosts only"
    return tuple(found)[:count]
