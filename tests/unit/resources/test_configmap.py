"""The engine's configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from localregistry.resources import configmap
from unit.resources.registries import CONFIG, registry


def _engine(uid: str = "a") -> dict[str, Any]:
    child = configmap.build(replace(registry(), uid=uid), CONFIG)
    assert child is not None
    assert list(child["data"]) == ["config.yml"]
    engine: dict[str, Any] = yaml.safe_load(child["data"]["config.yml"])
    return engine


def test_the_engine_keeps_no_cache_that_lies_after_a_garbage_collection() -> None:
    assert "cache" not in _engine()["storage"]
    assert _engine()["storage"]["delete"] == {"enabled": True}


def test_answers_name_no_host() -> None:
    assert _engine()["http"]["relativeurls"] is True
    assert "host" not in _engine()["http"]


def test_sick_storage_is_noticed() -> None:
    assert _engine()["health"]["storagedriver"]["enabled"] is True


def test_metrics_are_on_a_port_of_their_own() -> None:
    assert _engine()["http"]["addr"] == ":5000"
    assert _engine()["http"]["debug"]["addr"] == ":5001"


def test_the_secret_outlives_a_restart_and_is_not_shared() -> None:
    assert _engine("a")["http"]["secret"] == _engine("a")["http"]["secret"]
    assert _engine("a")["http"]["secret"] != _engine("b")["http"]["secret"]
    assert len(_engine()["http"]["secret"]) == 64


def test_the_checksum_follows_the_text() -> None:
    one, other = replace(registry(), uid="a"), replace(registry(), uid="b")
    assert configmap.checksum(one) == configmap.checksum(one)
    assert configmap.checksum(one) != configmap.checksum(other)
