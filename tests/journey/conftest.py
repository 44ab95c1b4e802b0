"""`backstop demo` as a process of its own, and a Chromium that looks at it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.daytime import zone_of_day
from tests.program import environment

PATIENCE = 60.0
expect.set_options(timeout=PATIENCE * 1000)

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass
class DemoProcess:
    """A running demo; `home` is everything it could write to, its data directory included."""

    process: asyncio.subprocess.Process
    url: str
    home: Path
    language: str

    async def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


async def started(home: Path, *, port: int = 0, language: str = "") -> asyncio.subprocess.Process:
    """Begin `backstop demo` in a home of its own."""
    for place in ("work", "tmp"):
        (home / place).mkdir(parents=True, exist_ok=True)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "demo", "--no-browser", "--port", str(port), "--data-dir", str(home / "data")),
        *(("--language", language) if language else ()),
        cwd=home / "work",
        env=environment(BACKSTOP_TIMEZONE=zone_of_day()) | {"HOME": str(home), "TMPDIR": str(home / "tmp")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest_asyncio.fixture(loop_scope="module")
async def demo(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[DemoProcess]:
    """In English, or in the language a test gives by `indirect`."""
    language = getattr(request, "param", "")
    process = await started(tmp_path, language=language)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        address = re.search(r"http://\S+", line)
        assert address, f"no address in {line!r}: {await process.communicate()}"
        yield DemoProcess(process, address[0], tmp_path, language or "en")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests of a module, since starting it is what costs: `pytest.mark.asyncio(loop_scope="module")`."""
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip(f"there is no Chromium at {CHROMIUM}: install one to run the journeys")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        await chromium.close()


@dataclass
class Visitor:
    """Somebody in front of the page; `complaints` is all that its console ever said."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    async def play(self, handle: str) -> None:
        await self._to_rail()
        await self.page.get_by_label("You are").select_option(handle)

    async def open(self, channel: str) -> None:
        await self._to_rail()
        rail = self.page.get_by_role("navigation", name="Workspace")
        await rail.get_by_role("link", name=channel).click()

    async def say(self, text: str) -> None:
        composer = self.page.get_by_role("textbox", name=re.compile("^Message "))
        await composer.fill(text)
        await composer.press("Enter")

    async def choose(self, field: str, option: str) -> None:
        await self.page.get_by_role("combobox", name=field).click()
        await self.page.get_by_role("option", name=option).click()

    async def ask_to_suspend(self, customer: str, subscription: str) -> None:
        """From the command to the request, for non-payment."""
        dialog = self.page.get_by_role("dialog")
        await self.say(f"/csp-suspend {customer}")
        await self.choose("Subscription", subscription)
        await self.choose("Reason", "Non-payment")
        await dialog.get_by_role("button", name="Continue").click()
        await dialog.get_by_role("button", name="Confirm").click()
        await expect(self.page.get_by_text("waits for approval in").last).to_be_visible()

    async def approve(self, card: Locator) -> None:
        await card.get_by_role("button", name="Approve").click()
        await self.page.get_by_role("alertdialog").get_by_role("button", name="Approve").click()

    async def tab_to(self, name: str, *, key: str = "Tab") -> None:
        """Press Tab until what bears this name has the focus."""
        for _ in range(80):
            focused = await self.page.evaluate(FOCUSED)
            if focused.startswith(name):
                return
            await self.page.keyboard.press(key)
        raise AssertionError(f"{key} never comes to {name!r}; the last was {focused!r}")

    async def fits(self) -> bool:
        """Whether nothing makes the page scroll sideways."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))

    async def picture(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=ARTIFACTS / f"{name}.png")

    async def _to_rail(self) -> None:
        """On a narrow screen the channels are a page of their own."""
        back = self.page.get_by_role("button", name="Back to channels")
        close = self.page.get_by_role("button", name="Close pane")
        if await close.is_visible() and not await self.page.get_by_label("You are").is_visible():
            await close.click()
        if await back.is_visible():
            await back.click()


FOCUSED = """() => {
  const node = document.activeElement;
  const labelled = document.getElementById(node.getAttribute("aria-labelledby"));
  return (node.ariaLabel ?? (node.labels?.[0] ?? labelled ?? node).textContent).trim();
}"""

Arrive = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(loop_scope="module")
async def arrive(browser: Browser, demo: DemoProcess) -> AsyncIterator[Arrive]:
    """Somebody who was never here before opens the demo's page in a window of this size."""
    contexts = AsyncExitStack()

    async def arrive(width: int = 1400, height: int = 900) -> Visitor:
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            has_touch=width < 720,
            color_scheme="light",
            reduced_motion="reduce",
        )
        contexts.push_async_callback(context.close)
        context.set_default_timeout(PATIENCE * 1000)
        visitor = Visitor(await context.new_page())
        page = visitor.page
        page.on("console", lambda said: visitor.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        page.on("request", lambda asked: visitor.requests.append(asked.url))
        await page.goto(demo.url)
        return visitor

    async with contexts:
        yield arrive
