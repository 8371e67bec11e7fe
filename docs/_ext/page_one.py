"""The picture of page one in README and site: ``python docs/_ext/page_one.py`` after the demo.

The only picture that the repository holds, because README shows it where nothing is built.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "results" / "demo" / "index.html"
PICTURE = ROOT / "docs" / "_static" / "page_one.png"
#: Pixels of a window; what is kept reaches from the top to the end of the first picture.
SIZE = {"width": 1100, "height": 900}


def main() -> None:
    """Open page one of the demo in Chromium and keep its answers, in 64 colours."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        path = shutil.which("chromium")
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(PAGE.as_uri())
        end = page.locator("details, figure").first.bounding_box()
        height = end["y"] + end["height"] + 8 if end else SIZE["height"]
        clip = {"x": 0, "y": 0, "width": SIZE["width"], "height": height}
        seen = page.screenshot(full_page=True, clip=clip)
        browser.close()
    Image.open(io.BytesIO(seen)).convert("RGB").quantize(64).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
