"""Debian's Chromium without a screen, driven over WebDriver, for the tests of what people see."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from api.processes import wait_until
from kind import debian, progress

# A browser on a machine that is busy with other tests.
PATIENCE = 30.0
# What a browser finds within itself, as for the page that it opens with.
INSIDE = ("chrome", "data")
WIDTH, HEIGHT = 1100, 760


class Browser:
    """One window; elements are found by their id where nothing else is said."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def at(self, name: str) -> Any:
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        """As it is seen: empty where it is hidden."""
        return str(self.at(name).text)

    def said(self) -> str:
        """What screen readers were told last; nobody sees it."""
        return str(self.at("said").get_attribute("textContent"))

    def all(self, css: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, css))

    def images(self) -> list[str]:
        """All rows' at one moment: the page may replace them between two questions."""
        rows = "document.querySelectorAll('#rows > tr:not(.inner) > th')"
        found = self.driver.execute_script(f"return [...{rows}].map((one) => one.innerText)")
        return [str(one) for one in found]

    def wait(self, fits: Callable[[], object], what: str) -> None:
        wait_until(lambda: bool(fits()), timeout=PATIENCE, what=what)

    def type(self, *keys: str) -> None:
        """Into whatever has the focus, as a keyboard does."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, key: str, letter: str) -> None:
        ActionChains(self.driver).key_down(key).send_keys(letter).key_up(key).perform()

    def focus(self) -> tuple[str, str]:
        """Role and name of what has the focus, as a screen reader says them."""
        element = self.driver.switch_to.active_element
        return str(element.aria_role), str(element.accessible_name)

    def tab_to(self, name: str) -> None:
        """By the keyboard alone."""
        for _ in range(200):
            if self.focus()[1] == name:
                return
            self.type(Keys.TAB)
        raise AssertionError(f"the keyboard does not come to {name!r}")

    def clipboard(self) -> str:
        """What was copied, by pasting it where it can be read."""
        field = self.at("search")
        field.clear()
        field.click()
        self.chord(Keys.CONTROL, "v")
        found = str(field.get_attribute("value"))
        field.clear()
        return found

    def scheme(self, name: str) -> None:
        """`light` or `dark`, as the user's system asks for it."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def picture(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(path))

    def asked(self) -> set[str]:
        """Scheme and host of all that was asked for since the last time, but its own pages."""
        messages = [
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        ]
        urls = [
            urlsplit(message["params"]["request"]["url"])
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return {f"{url.scheme}://{url.netloc}" for url in urls if url.scheme not in INSIDE}

    def complaints(self) -> list[str]:
        """What the browser itself found wrong since the last time: a breach of the policy, say."""
        return [
            str(entry["message"])
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE"
        ]


@contextmanager
def browser(host: str, port: int) -> Iterator[Browser]:
    """One that finds `host`, on port 80, at this port of loopback, and no other host at all."""
    otherwise = "install Debian's chromium and chromium-driver for this test"
    report = progress.Progress(0)
    debian.require("chromium", report, otherwise=otherwise)
    debian.require("chromedriver", report, otherwise=otherwise, package="chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    rules = f"MAP {host}:80 127.0.0.1:{port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with tempfile.TemporaryDirectory(prefix="browser-") as profile:
        for argument in (
            "--headless=new",
            "--no-sandbox",  # which does not run as root
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--force-device-scale-factor=1",
            "--lang=en-US",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--user-data-dir={profile}",
            f"--host-resolver-rules={rules}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield Browser(driver)
        finally:
            driver.quit()
