"""The claim with the images: which one it is, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CLAIM, CONFIG_MAP, DEPLOYMENT
from localregistry.controller.storagestep import GROW_AGAIN
from localregistry.controller.work import LOOK_AGAIN
from localregistry.spec import names
from unit.controller.bodies import CHILD, NAMESPACE, read
from unit.controller.standin_api import DELETED
from unit.controller.world import SIZE, World

REFUSAL = (
    'persistentvolumeclaims "dev-registry" is forbidden: only dynamically provisioned pvc can be '
    "resized and the storageclass that provisions the pvc must support resize"
)
NO_RIGHT = 'persistentvolumeclaims "dev-registry" is forbidden: User "op" cannot patch resource'


def asked(world: World) -> str:
    return str(world.live(CLAIM)["spec"]["resources"]["requests"]["storage"])


async def bound(**storage: Any) -> World:
    """A LocalRegistry whose claim of 1Gi is bound and known to it."""
    world = World(storage=SIZE | storage)
    await world.run()
    world.bound()
    await world.run()
    return world


# The claim with the images


async def test_a_lost_claim_is_not_made_again_unasked() -> None:
    world = World(storage=SIZE)
    await world.run()
    lost = world.bound()["metadata"]["uid"]
    await world.run()
    assert world.status()["storage"]["claimUID"] == lost
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    for _ in range(2):
        await world.run()
        assert world.condition("StorageReady") == ("False", "DataLost")
        assert world.condition("RegistryAvailable") == ("False", "WaitingForStorage")
        assert world.status()["storage"]["claimUID"] == lost
        assert world.api.look(CLAIM, NAMESPACE, CHILD) is None
    assert f"{names.ACCEPT_DATA_LOSS_ANNOTATION}={lost}" in world.message("StorageReady")


async def test_a_lost_claim_is_made_again_when_the_user_says_so_and_only_that_one() -> None:
    world = World(storage=SIZE)
    await world.run()
    lost = world.bound()["metadata"]["uid"]
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    body = world.body()
    body["metadata"]["annotations"] = {names.ACCEPT_DATA_LOSS_ANNOTATION: lost}
    world.api.put(body)
    await world.run_until_fresh()
    new = world.live(CLAIM)["metadata"]["uid"]
    assert world.status()["storage"]["claimUID"] == new != lost
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    await world.run()
    assert world.condition("StorageReady") == ("False", "DataLost")


async def test_another_claim_of_the_name_is_not_the_one_with_the_images() -> None:
    world = World(storage=SIZE)
    await world.run()
    body = world.bound()
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    del body["metadata"]["uid"]
    world.api.put(body)
    await world.run()
    assert world.condition("StorageReady") == ("False", "DataLost")


async def test_a_claim_that_is_going_while_it_is_in_use_is_told_as_such() -> None:
    world = World(storage=SIZE)
    await world.run()
    body = world.bound()
    await world.run()
    meta = {"deletionTimestamp": DELETED, "finalizers": ["kubernetes.io/pvc-protection"]}
    world.api.put(body | {"metadata": body["metadata"] | meta})
    await world.run()
    assert world.condition("StorageReady") == ("False", "ClaimTerminating")
    assert world.live(DEPLOYMENT)


async def test_a_claim_of_the_user_that_is_not_there_is_told() -> None:
    world = World(storage={"existingClaim": "mine"})
    await world.run()
    assert world.condition("StorageReady") == ("False", "ClaimNotFound")
    assert world.api.look(CLAIM, NAMESPACE, CHILD) is None


# Growing


async def test_a_bound_claim_grows_and_waits_for_its_volume() -> None:
    world = await bound()
    world.change(storage={"size": "2Gi"})
    await world.run()
    assert asked(world) == "2Gi"
    assert world.condition("StorageReady") == ("Unknown", "ClaimResizing")
    claim = world.live(CLAIM)
    world.api.put(claim | {"status": {"phase": "Bound", "capacity": {"storage": "2Gi"}}})
    await world.run()
    assert world.condition("StorageReady") == ("True", "ClaimBound")


async def test_a_claim_without_a_volume_grows_as_soon_as_it_has_one() -> None:
    world = World(storage=SIZE)
    await world.run()
    world.change(storage={"size": "2Gi"})
    await world.run()
    assert asked(world) == "1Gi", "the API server would refuse it"
    assert world.condition("StorageReady") == ("Unknown", "ClaimPending")
    assert "for 2Gi as soon as it is bound" in world.message("StorageReady")
    world.bound()
    await world.run()
    assert asked(world) == "2Gi"


async def test_a_claim_that_others_made_larger_is_never_made_smaller() -> None:
    world = await bound()
    claim = world.live(CLAIM)
    claim["spec"]["resources"]["requests"]["storage"] = "5Gi"
    world.api.put(claim)
    await world.run()
    assert asked(world) == "5Gi"
    assert world.condition("StorageReady") == ("True", "ClaimBound")
    world.change(storage={"size": "3Gi"})
    await world.run()
    assert asked(world) == "5Gi"


async def test_who_makes_it_larger_after_it_was_read_is_not_overwritten() -> None:
    world = await bound()
    claim = world.live(CLAIM)
    claim["spec"]["resources"]["requests"]["storage"] = "5Gi"
    world.api.meanwhile("get", CLAIM, lambda: world.api.put(claim))
    with pytest.raises(ApiError) as raised:
        await world.run()
    assert raised.value.stale
    await world.run()
    assert asked(world) == "5Gi"


async def test_a_class_that_cannot_grow_is_told_in_its_words_and_all_else_goes_on() -> None:
    world = await bound()
    world.change(storage={"size": "2Gi"}, image="registry.example.internal/other:1")
    world.api.fail("apply", CLAIM, ApiError(403, REFUSAL))
    again = await world.run()
    assert again is not None
    assert again <= GROW_AGAIN
    assert world.condition("StorageReady") == ("False", "ResizeRefused")
    assert "only dynamically provisioned pvc can be resized" in world.message("StorageReady")
    assert "set spec.storage.size back to 1Gi" in world.message("StorageReady")
    assert asked(world) == "1Gi"
    pod = world.live(DEPLOYMENT)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example.internal/other:1"
    assert ("delete", "PersistentVolumeClaim", CHILD) not in world.api.writes
    world.change(storage=SIZE)
    await world.run()
    assert world.condition("StorageReady") == ("True", "ClaimBound")


async def test_nodes_are_proved_though_the_volume_could_not_grow() -> None:
    world = World(storage=SIZE)
    await world.run()
    world.bound()
    world.available()
    world.change(storage={"size": "2Gi"})
    world.api.fail("apply", CLAIM, ApiError(403, REFUSAL))
    await world.run()
    assert world.condition("StorageReady")[1] == "ResizeRefused"
    assert world.pushes


async def test_a_right_that_lacks_is_no_refusal_of_the_size() -> None:
    world = await bound()
    world.change(storage={"size": "2Gi"})
    world.api.fail("apply", CLAIM, ApiError(403, NO_RIGHT), times=2)
    await world.run()
    assert world.condition("StorageReady") == ("False", "Forbidden")


async def test_a_quota_that_refuses_the_claim_is_told_in_its_words() -> None:
    world = World(storage=SIZE)
    words = 'persistentvolumeclaims "dev-registry" is forbidden: exceeded quota: team'
    world.api.fail("apply", CLAIM, ApiError(403, words))
    again = await world.run()
    assert again is not None
    assert again <= LOOK_AGAIN
    assert world.condition("StorageReady") == ("False", "ApplyFailed")
    assert "exceeded quota: team" in world.message("StorageReady")
    await world.run()
    assert world.condition("StorageReady") == ("Unknown", "ClaimPending")


# A kept claim, and one that the user names


async def kept(**storage: Any) -> World:
    """A LocalRegistry of the name of one that left its claim, of class `slow`, behind."""
    first = World(storage=SIZE | {"storageClassName": "slow"})
    await first.run()
    claim = first.bound()
    world = World(uid="u2", storage=SIZE | storage)
    world.api.put(claim)
    await world.run()
    return world


async def test_a_kept_claim_is_adopted_where_no_class_is_asked_for() -> None:
    world = await kept()
    annotations = world.live(CLAIM)["metadata"]["annotations"]
    assert annotations[names.OWNER_UID_ANNOTATION] == "u2"
    assert world.condition("StorageReady") == ("True", "ClaimBound")


@pytest.mark.parametrize(
    ("storage", "words"),
    [
        ({"storageClassName": "fast"}, "has storageClassName slow, not fast"),
        ({"accessModes": ["ReadWriteMany"]}, "has accessModes ReadWriteOnce, not ReadWriteMany"),
    ],
    ids=["class", "access modes"],
)
async def test_a_kept_claim_that_does_not_fit_is_not_taken_over(
    storage: dict[str, Any], words: str
) -> None:
    world = await kept(**storage)
    assert world.condition("StorageReady") == ("False", "ClaimUnsuitable")
    assert words in world.message("StorageReady")
    assert world.condition("RegistryAvailable") == ("False", "WaitingForStorage")
    assert world.live(CLAIM)["metadata"]["annotations"][names.OWNER_UID_ANNOTATION] == "u1"
    assert world.api.look(DEPLOYMENT, NAMESPACE, CHILD) is None
    assert "claimUID" not in world.status().get("storage", {})


def named(
    world: World, *, phase: str = "Bound", modes: tuple[str, ...] = ("ReadWriteOnce",)
) -> str:
    """The user's own claim `mine`; its UID."""
    body = world.api.put(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "mine", "namespace": NAMESPACE},
            "spec": {
                "accessModes": list(modes),
                "resources": {"requests": {"storage": "1Gi"}},
            },
            "status": {"phase": phase},
        }
    )
    return str(body["metadata"]["uid"])


MINE = {"existingClaim": "mine"}


async def test_a_named_claim_is_used_and_never_written() -> None:
    world = World(storage=MINE)
    uid = named(world)
    await world.run()
    assert world.condition("StorageReady") == ("True", "ClaimBound")
    assert world.status()["storage"]["claimUID"] == uid
    assert world.api.called("apply", CLAIM) == []


async def test_a_named_claim_is_looked_at_again_since_nobody_watches_it() -> None:
    world = World(storage=MINE)
    again = await world.run()
    assert again is not None
    assert again <= LOOK_AGAIN
    assert world.condition("StorageReady") == ("False", "ClaimNotFound")
    named(world, phase="Pending")
    again = await world.run()
    assert again is not None
    assert again <= LOOK_AGAIN
    assert world.condition("StorageReady") == ("Unknown", "ClaimPending")
    bound = world.api.look(CLAIM, NAMESPACE, "mine")
    assert bound
    world.api.put(bound | {"status": {"phase": "Bound"}})
    await world.run()
    assert world.condition("StorageReady") == ("True", "ClaimBound")


async def test_a_named_claim_that_vanished_or_was_made_anew_is_lost_data_too() -> None:
    world = World(storage=MINE)
    uid = named(world)
    await world.run()
    world.api.remove(CLAIM, NAMESPACE, "mine")
    await world.run()
    assert world.condition("StorageReady") == ("False", "DataLost")
    new = named(world)
    await world.run()
    assert world.condition("StorageReady") == ("False", "DataLost"), "it may be an empty one"
    body = world.body()
    body["metadata"]["annotations"] = {names.ACCEPT_DATA_LOSS_ANNOTATION: uid}
    world.api.put(body)
    await world.run()
    assert world.condition("StorageReady") == ("True", "ClaimBound")
    assert world.status()["storage"]["claimUID"] == new


async def test_a_named_claim_that_can_only_be_read_gets_no_pod() -> None:
    world = World(storage=MINE)
    named(world, modes=("ReadOnlyMany",))
    await world.run()
    assert world.condition("StorageReady") == ("False", "ClaimUnsuitable")
    assert world.api.look(CONFIG_MAP, NAMESPACE, CHILD)
    assert world.api.look(DEPLOYMENT, NAMESPACE, CHILD) is None


async def test_of_two_that_name_one_claim_the_older_has_it_until_it_goes() -> None:
    world = World(storage=MINE)
    named(world)
    older = world.trust.seen(
        read(name="older", uid="u0", created="2020-01-01T00:00:00Z", storage=MINE)
    )
    again = await world.run()
    assert again is not None
    assert again <= LOOK_AGAIN
    assert world.condition("StorageReady") == ("False", "ClaimInUse")
    assert "mine is that of LocalRegistry older" in world.message("StorageReady")
    assert world.condition("RegistryAvailable") == ("False", "WaitingForStorage")
    assert world.api.look(DEPLOYMENT, NAMESPACE, CHILD) is None
    world.trust.drop((older.namespace, older.name))
    await world.run()
    assert world.condition("StorageReady") == ("True", "ClaimBound")
    assert world.api.look(DEPLOYMENT, NAMESPACE, CHILD)
