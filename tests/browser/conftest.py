"""A page in the Chromium of the machine that can reach no network, and that tells of errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

BROWSERS = ("chromium", "google-chrome", "chromium-browser")


@pytest.fixture(scope="session")
def browser():
    """A headless browser; tests that need it skip, with the reason, where none is."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.skip(f"no browser on this machine (one of {', '.join(BROWSERS)})")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser) -> Iterator:
    """A page of 1366 × 768 pixels; at the end nothing may have failed or asked for a network."""
    context = browser.new_context(
        viewport={"width": 1366, "height": 768}, offline=True, accept_downloads=True
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"error: {error}"))
    page.on(
        "console",
        lambda told: errors.append(f"console: {told.text}") if told.type == "error" else 0,
    )
    page.on(
        "request",
        lambda asked: (
            errors.append(f"request: {asked.url[:200]}")
            if not asked.url.startswith(("file:", "data:", "blob:", "about:"))
            else 0
        ),
    )
    yield page
    context.close()
    assert not errors, "\n".join(errors)
