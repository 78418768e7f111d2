"""Whose child an object is, by its own metadata."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.children import owner_key, owner_uid
from localregistry.spec import names
from unit.controller.bodies import CHILD

REFERENCE = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": "dev", "uid": "u1"}


@pytest.mark.parametrize(
    ("meta", "kind", "key", "uid"),
    [
        ({"ownerReferences": [REFERENCE]}, "Service", ("team", "dev"), "u1"),
        (
            {"ownerReferences": [REFERENCE | {"apiVersion": f"{names.GROUP}/v9"}]},
            "Service",
            ("team", "dev"),
            "u1",
        ),
        ({"ownerReferences": [REFERENCE | {"apiVersion": "other.dev/v1"}]}, "Service", None, None),
        ({"ownerReferences": [REFERENCE | {"kind": "Other"}]}, "Service", None, None),
        ({"ownerReferences": [{"kind": "Other"}, REFERENCE]}, "Pod", ("team", "dev"), "u1"),
        (
            {
                "annotations": {
                    names.OWNER_NAME_ANNOTATION: "dev",
                    names.OWNER_UID_ANNOTATION: "u1",
                }
            },
            "PersistentVolumeClaim",
            ("team", "dev"),
            "u1",
        ),
        (
            {"annotations": {names.OWNER_UID_ANNOTATION: "u1"}},
            "Service",
            None,
            None,
        ),
        ({}, "Service", None, None),
    ],
    ids=[
        "by reference",
        "of a newer version",
        "of another group",
        "of another kind",
        "among others",
        "a claim by annotation",
        "an annotation makes nobody a child but a claim",
        "nobody's",
    ],
)
def test_whose_a_child_is(meta: dict[str, Any], kind: str, key: Any, uid: Any) -> None:
    body = {"kind": kind, "metadata": {"namespace": "team", "name": CHILD} | meta}
    assert owner_key(body) == key
    assert owner_uid(body) == uid
