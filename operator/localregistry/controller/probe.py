"""Pushes the probe image into a registry: the image whose pull proves each node.

Plain HTTP over the Service, as nodes will pull. Pushing again what is there costs one HEAD.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

from localregistry.resources.probe_image import MANIFEST_TYPE, REPOSITORY, TAG, ProbeImage

TIMEOUT = aiohttp.ClientTimeout(total=10)


class PushFailed(Exception):
    """The registry did not take the probe image; the message says at which step and why."""


@dataclass(frozen=True)
class Pusher:
    """Pushes to `http://address:port`, and nowhere else: no redirect is followed."""

    session: aiohttp.ClientSession

    async def push(self, endpoint: str, uid: str) -> bool:
        """Makes sure that the registry holds the probe image of this UID.

        Returns whether it had to be pushed. Raises PushFailed.
        """
        image = ProbeImage.of(uid)
        manifest = f"{endpoint}/v2/{REPOSITORY}/manifests/{TAG}"
        try:
            if await self._holds(manifest, image):
                return False
            await self._blob(endpoint, image.config_digest, image.config)
            await self._blob(endpoint, image.layer_digest, image.layer)
            headers = {"Content-Type": MANIFEST_TYPE}
            async with self.session.put(
                manifest,
                data=image.manifest,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                await _expect(answer, 201, "the manifest was not taken")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # ValueError: a Location that is no URL, say.
            text = str(error) or type(error).__name__
            raise PushFailed(f"the registry does not answer at {endpoint}: {text}") from error
        return True

    async def _holds(self, manifest: str, image: ProbeImage) -> bool:
        headers = {"Accept": MANIFEST_TYPE}
        async with self.session.head(manifest, headers=headers, timeout=TIMEOUT) as answer:
            if answer.status == 404:
                return False
            await _expect(answer, 200, "the manifest cannot be read")
            return answer.headers.get("Docker-Content-Digest") == image.manifest_digest

    async def _blob(self, endpoint: str, digest: str, content: bytes) -> None:
        base = f"{endpoint}/v2/{REPOSITORY}/blobs/"
        async with self.session.head(base + digest, timeout=TIMEOUT) as answer:
            if answer.status == 200:
                return
        async with self.session.post(
            base + "uploads/", timeout=TIMEOUT, allow_redirects=False
        ) as answer:
            await _expect(answer, 202, "an upload was not begun")
            location = urlsplit(urljoin(base, answer.headers.get("Location", "")))
        # The Location's host is the one that the registry believes to have: only its path counts.
        query = f"{location.query}&" if location.query else ""
        target = f"{endpoint}{location.path}?{query}digest={digest}"
        async with self.session.put(
            target, data=content, timeout=TIMEOUT, allow_redirects=False
        ) as answer:
            await _expect(answer, 201, "a blob was not taken")


async def _expect(answer: aiohttp.ClientResponse, status: int, problem: str) -> None:
    if answer.status != status:
        # The image is the user's choice: what it answers may be anything, and endless.
        text = (await answer.content.read(800)).decode(errors="replace")[:200].strip()
        raise PushFailed(f"{problem}: the registry answered {answer.status} {text}".strip())
