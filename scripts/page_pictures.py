"""Pictures of a study's page for the documents: whole screens at three widths, and two sections.

    python scripts/page_pictures.py study --out docs/images

Needs Chromium and playwright (a dependency of the tests).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

SCREENS = {"desktop": (1280, 1150), "tablet": (768, 1100), "phone": (390, 844)}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def difference_of_alleles(page: Page, path: Path) -> None:
    """The first variant's two alleles, switched to their difference."""
    allele = page.locator("#allele-1")
    allele.locator("button", has_text="difference").click()
    allele.scroll_into_view_if_needed()
    allele.screenshot(path=path)


def genome(page: Page, path: Path) -> None:
    """The slices, when igv.js has drawn them."""
    view = page.locator("#genome-view")
    view.scroll_into_view_if_needed()
    page.wait_for_timeout(3_000)
    view.screenshot(path=path)


def main() -> None:
    """Open the page at each width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="folder of 'wavebind run --scan'")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    address = (options.study / "report.html").resolve().as_uri()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (width, height) in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(address)
            page.screenshot(path=options.out / f"page-{name}.png")
            if name == "desktop":
                difference_of_alleles(page, options.out / "page-alleles.png")
                genome(page, options.out / "page-genome.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
