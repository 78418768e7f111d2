"""The page of a registry in a real browser, with the real engine, second container and operator,
behind what plays the Ingress controller.

`--update-golden` takes the pictures of the documentation anew.
"""

from __future__ import annotations

import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from api.apiserver import REPOSITORY, ApiServer
from api.browser import Browser, browser
from api.entrance import entrance
from api.lab import Lab, open_lab
from api.people import push
from api.processes import wait_until
from localregistry.usage.page import HIDDEN
from unit.usage import volumes

pytestmark = pytest.mark.ux

HOST = "dev.example.internal"
HOME = f"http://{HOST}/"
PICTURES = REPOSITORY / "docs/images"
PUSHED = (("team/web", "1.0"), ("team/web", "1.1"), ("tools/builder", "latest"))


class Stage:
    """A registry that a node has pulled from, its page, and a browser before it."""

    def __init__(self, lab: Lab, address: str, port: int, browser: Browser) -> None:
        self.lab = lab
        self.address = address
        self.port = port
        self.browser = browser
        self.data = lab.folder(address) / "data"

    def clear(self) -> None:
        """As before any push. The second container forgets what it has read and was told."""
        self.browser.open("about:blank")
        self.browser.scheme("light")
        for folder in (self.data / volumes.REPOSITORIES).glob("*"):
            if folder.name != HIDDEN:
                shutil.rmtree(folder)
        for process in self.lab.registries:
            process.restart()
        wait_until(self._answers, timeout=30, what="the engine and the page")

    def _answers(self) -> bool:
        """Without a look at the tags, which would serve for ten seconds."""
        return all(self.get(path)[0] == 200 for path in ("/v2/", "/"))

    def push(self, repository: str, tag: str, size: int = 100_000) -> str:
        return push(self.address, self.lab.registry_port, repository, tag, os.urandom(size))

    def open(self, path: str = "") -> None:
        """Until its first answer has come."""
        self.browser.open(f"{HOME}{path}")
        self.browser.wait(lambda: self.browser.text("count"), "the first answer")

    def get(self, path: str) -> tuple[int, bytes]:
        """By the entrance, as any client."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Host", HOST)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def opened(api: ApiServer) -> Iterator[Stage]:
    """One for all: a browser and an operator take some ten seconds."""
    meta = {"metadata": {"name": "page"}}
    assert api.request("POST", "/api/v1/namespaces", meta)[0] == 201
    for lab in open_lab(api, "page"):
        lab.start_operator(options=("--usage-seconds", "2"))
        lab.add_node("node-a")
        lab.apply("dev", host=HOST)
        lab.wait_for_children("dev")
        address = str(lab.get("service", "dev-registry")["spec"]["clusterIP"])
        (lab.folder(address) / "data").mkdir(parents=True)
        lab.bring_up("dev")
        lab.measure(address)
        lab.wait_for("dev", "Ready", "Ready")
        with entrance(lab, "dev", address) as port, browser(HOST, port) as driven:
            yield Stage(lab, address, port, driven)


@pytest.fixture
def stage(opened: Stage) -> Stage:
    opened.clear()
    return opened


@pytest.fixture
def filled(stage: Stage) -> Stage:
    for repository, tag in PUSHED:
        stage.push(repository, tag)
    return stage


def picture(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> Path:
    kept = request.config.getoption("--update-golden")
    return (PICTURES if kept else tmp_path) / f"page-{name}.png"


def test_what_is_in_the_registry_is_shown_and_nobody_else_is_asked(filled: Stage) -> None:
    page = filled.browser
    filled.open()
    page.wait(lambda: page.text("nodes") == "1 of 1", "the operator to tell of the node")
    assert page.text("host") == HOST
    assert page.images() == [f"{repository}:{tag}" for repository, tag in PUSHED]
    assert (page.text("repositories"), page.text("total")) == ("2", "3")
    sizes = [cell.text for cell in page.all("#rows > tr:not(.inner) > td:nth-of-type(1)")]
    assert len(sizes) == 3
    # A layer of 100,000 bytes, a config and a manifest of some hundred.
    assert all(re.fullmatch(r"98\.\d KiB", size) for size in sizes), sizes
    assert "node-a" not in page.driver.page_source
    assert page.asked() == {f"http://{HOST}"}
    assert page.complaints() == []


def test_a_search_is_typed_and_its_address_can_be_given_to_others(filled: Stage) -> None:
    page = filled.browser
    filled.open()
    page.at("search").click()
    page.type("web 1.1")
    page.wait(lambda: page.images() == ["team/web:1.1"], "the search")
    assert page.text("count") == "1 to 1 of 1"
    filled.open(page.driver.current_url.removeprefix(HOME))
    assert page.images() == ["team/web:1.1"]
    page.at("search").click()
    page.type(" nothing")
    page.wait(lambda: page.text("count") == "No image matches.", "the words")
    assert page.images() == []


def test_the_newest_come_first_where_that_is_chosen(filled: Stage) -> None:
    page = filled.browser
    filled.push("aged/app", "1")
    old = filled.data / volumes.link("aged/app", "1")
    os.utime(old, (volumes.PUSHED, volumes.PUSHED))
    filled.open()
    assert page.images()[0] == "aged/app:1"
    page.at("order").send_keys("newest first")
    page.wait(lambda: page.images()[-1] == "aged/app:1", "the order")


def test_the_commands_are_copied_though_the_page_came_by_plain_http(filled: Stage) -> None:
    page = filled.browser
    filled.open()
    page.all("#push button")[1].click()
    page.wait(lambda: page.said() == "Copied the push command", "the word")
    assert page.clipboard() == f"docker push {HOST}/IMAGE"
    page.all("#rows > tr .actions button")[0].click()
    page.wait(lambda: "pull command of team/web:1.0" in page.said(), "the word")
    assert page.clipboard() == f"docker pull {HOST}/team/web:1.0"


def test_all_can_be_done_by_the_keyboard_and_each_part_has_a_name(filled: Stage) -> None:
    page = filled.browser
    filled.open()
    page.type(Keys.TAB)
    assert page.focus() == ("link", "Skip to the images")
    [first, *_] = page.all("#rows button[aria-expanded]")
    first.click()
    assert first.get_attribute("aria-expanded") == "true", "nothing moves as the link goes"
    first.click()
    page.tab_to("Copy the pull command of team/web:1.1")
    page.type(Keys.ENTER)
    page.wait(lambda: "team/web:1.1" in page.said(), "the word")
    assert page.focus()[0] == "button", "the focus stays where it was"
    page.type(Keys.TAB)
    assert page.focus() == ("button", "Details of team/web:1.1")
    page.type(Keys.ENTER)
    page.wait(lambda: page.all(".inner:not([hidden]) li"), "the layers")
    more = page.driver.switch_to.active_element
    assert more.get_attribute("aria-expanded") == "true"
    [layers] = page.all(".inner:not([hidden]) ol")
    assert layers.text.startswith("sha256:")
    page.type(Keys.ENTER)
    page.wait(lambda: not page.all(".inner:not([hidden])"), "the details to close")
    fields = [one for one in page.all("button, input, select") if one.is_displayed()]
    # Two of the search, two to copy how to push, and two of each row.
    assert len(fields) == 4 + 2 * len(PUSHED)
    assert [one.get_attribute("outerHTML") for one in fields if not one.accessible_name] == []
    assert page.at("table").aria_role == "table"
    assert page.at("table").accessible_name == "Images"


def test_an_empty_registry_says_how_to_begin(
    stage: Stage, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = stage.browser
    stage.open()
    assert page.text("count").startswith("Nothing has been pushed yet")
    assert (page.text("repositories"), page.text("total")) == ("0", "0")
    assert not page.at("table").is_displayed()
    assert f"docker push {HOST}/IMAGE" in page.text("push")
    page.wait(lambda: page.text("nodes") == "1 of 1", "the operator to tell of the node")
    page.picture(picture(request, tmp_path, "empty"))
    stage.push("app", "1")
    # The page asks again by itself, after 30 s.
    wait_until(lambda: page.images() == ["app:1"], timeout=60, what="what was pushed meanwhile")


def test_a_registry_that_is_down_is_told_and_what_was_known_stays(
    filled: Stage, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = filled.browser
    filled.open()
    before = page.images()
    for process in filled.lab.registries:
        process.stop()
    page.at("order").send_keys("newest first")
    page.wait(lambda: page.text("problem"), "the words")
    assert "The registry does not answer (503). What is shown is of" in page.text("problem")
    assert page.at("problem").aria_role == "alert"
    assert page.images() == before
    page.picture(picture(request, tmp_path, "down"))
    for process in filled.lab.registries:
        process.restart()
    page.wait(lambda: not page.text("problem"), "the page to find it again by itself")
    assert set(page.images()) == set(before)


def test_the_page_is_light_or_dark_as_the_system_is(
    filled: Stage, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page, backs = filled.browser, {}
    filled.open()
    page.wait(lambda: page.text("nodes") == "1 of 1", "the operator to tell of the node")
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        script = "return getComputedStyle(document.body).backgroundColor"
        backs[scheme] = page.driver.execute_script(script)
        page.picture(picture(request, tmp_path, scheme))
    assert backs == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 27)"}


def test_ten_thousand_tags_are_gone_through_screen_by_screen(stage: Stage) -> None:
    digest = stage.push("first", "1")
    # With this one and the operator's own no more than are read.
    volumes.many(stage.data, 90, 111, [digest])
    page = stage.browser
    stage.open("?search=team")
    page.wait(lambda: page.text("total") == "9,991", "all of them")
    assert page.text("screen").startswith("1 of ")
    page.at("next").click()
    page.wait(lambda: page.text("screen").startswith("2 of "), "the next screen")
    assert page.text("count") == "51 to 100 of 9,990"
    assert len(page.images()) == 50
    page.at("search").clear()
    page.at("search").click()
    page.type("team-042 v017")
    page.wait(lambda: page.images() == ["team-042/app:v017"], "the one of ten thousand")


def test_without_a_page_the_host_is_the_registrys_alone_and_nothing_restarts(
    filled: Stage,
) -> None:
    lab = filled.lab
    assert filled.get("/v2/")[0] == 200
    assert b"<!doctype html>" in filled.get("/")[1]
    pod: Any = lab.get("deployment", "dev-registry")["spec"]["template"]
    lab.apply("dev", host=HOST, page={"enabled": False})
    wait_until(lambda: filled.get("/") == (200, b""), timeout=30, what="the engine's own /")
    assert filled.get("/v2/")[0] == 200
    ports = lab.get("service", "dev-registry")["spec"]["ports"]
    assert "page" not in [port["name"] for port in ports]
    assert lab.get("deployment", "dev-registry")["spec"]["template"] == pod
    lab.apply("dev", host=HOST)
    wait_until(lambda: b"<!doctype" in filled.get("/")[1], timeout=30, what="the page again")
