"""The page in a browser: what can be clicked does what it says, and nothing is logged."""

import shutil
from pathlib import Path

import pytest

from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.assess import assess
from wavebind.explain.run import explain_run
from wavebind.report.html import render_page
from wavebind.report.run_page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = {"desktop": 1280, "tablet": 768, "phone": 390}
FAULTS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; Debian's package is called chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open a page; what it logs ends up in a list."""
    contexts = []

    def go(path: Path, width: int = 1280, scheme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page, logged = context.new_page(), []
        page.on("console", lambda message: logged.append(message.text))
        page.on("pageerror", lambda error: logged.append(str(error)))
        page.goto(path.resolve().as_uri())
        return page, logged

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def report(trained, tmp_path_factory):
    """The page of a run that was evaluated and explained."""
    run = Path(shutil.copytree(trained[0], tmp_path_factory.mktemp("browser") / "run"))
    data = open_dataset(trained[1])
    assess(run, data, device="cpu")
    explain_run(run, data, n=2, n_mean=20, device="cpu")
    return write_report(run)


def column(table, number):
    return table.locator(f"tr > td:nth-child({number})").all_inner_texts()


def test_a_click_sorts_a_link_jumps_a_cursor_tells(visit, report):
    page, logged = visit(report)
    metrics = page.locator("#metrics + table")
    before = [float(text) for text in column(metrics, 2)]
    assert len(before) > 5
    assert before != sorted(before)
    heading = metrics.locator("th", has_text="value")
    heading.locator("button").click()
    assert [float(text) for text in column(metrics, 2)] == sorted(before)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()
    assert [float(text) for text in column(metrics, 2)] == sorted(before, reverse=True)
    page.locator("nav.contents a", has_text="Audit").click()
    assert page.evaluate("location.hash") == "#audit"
    assert abs(page.locator("#audit").bounding_box()["y"]) < 900
    # The first picture is a ROC curve: the middle of its axes has values.
    holder = page.locator(".hover").first
    holder.scroll_into_view_if_needed()
    frame = holder.bounding_box()
    page.mouse.move(frame["x"] + frame["width"] * 0.5, frame["y"] + frame["height"] * 0.5)
    tip = holder.locator(".tip")
    assert "false positive rate" in tip.inner_text()
    holder.focus()
    page.keyboard.press("ArrowRight")
    assert tip.is_visible()
    assert logged == []


def test_a_window_tells_base_and_period(visit, report):
    page, logged = visit(report)
    holder = page.locator("#looks ~ figure .hover").nth(2)
    holder.scroll_into_view_if_needed()
    frame = holder.bounding_box()
    page.mouse.move(frame["x"] + frame["width"] * 0.4, frame["y"] + frame["height"] * 0.15)
    words = holder.locator(".tip").inner_text()
    for part in ("coordinate", "base", "contribution", "period", "modulus"):
        assert part in words, words
    # One cursor stands in every panel of the same axis.
    assert holder.locator(".line:visible").count() >= 3
    assert logged == []


def test_numbers_sort_as_numbers_and_a_field_filters(visit, tmp_path):
    rows = [
        {"output": f"row {n}", "value": n, "place": f"22:{n}"}
        for n in (9, 100, 1_200, 30, 2, 5, 7, 11, 4)
    ]
    values = {
        "title": "t", "versions": {"wavebind": "0", "python": "3", "torch": "2"},
        "rows": rows,
    }  # fmt: skip
    text = render_page("page.html", kind="test", **values)
    cells = "".join(
        f"<tr><td>{r['output']}</td><td>{r['value']:,}</td><td>{r['place']}</td></tr>"
        for r in values["rows"]
    )
    table = f"<table><tr><th>name</th><th>n</th><th>place</th></tr>{cells}</table>"
    path = tmp_path / "page.html"
    path.write_text(text.replace("<main>", f"<main>{table}"))
    page, logged = visit(path)
    page.locator("th button").nth(1).click()
    assert column(page.locator("table"), 2) == ["2", "4", "5", "7", "9", "11", "30", "100", "1,200"]
    # A place is no number: 22:9 comes before 22:100.
    page.locator("th button").nth(2).click()
    assert column(page.locator("table"), 3)[:6] == [
        "22:2", "22:4", "22:5", "22:7", "22:9", "22:11",
    ]  # fmt: skip
    page.locator("input[type=search]").fill("row 1")
    shown = [text for text in column(page.locator("table"), 1) if text]
    assert page.locator("td:visible").count() == 3 * 3
    assert "3 of 9 rows" in page.locator(".search").inner_text()
    assert len(shown) >= 3
    assert logged == []


def test_a_script_that_comes_from_a_file_does_not_run(visit, tmp_path):
    """Even where escaping failed, the page runs no script but its own."""
    text = render_page(
        "page.html",
        kind="test",
        title="t",
        versions={"wavebind": "0", "python": "3", "torch": "2"},
    )
    path = tmp_path / "page.html"
    path.write_text(text.replace("<main>", "<main><script>document.title = 'taken'</script>"))
    page, logged = visit(path)
    assert page.title() == "wavebind test: t"
    assert any("Content Security Policy" in line for line in logged)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_has_no_serious_fault(visit, report, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, logged = visit(report, WIDTHS[width], scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    found = axe.Axe().run(page).response["violations"]
    assert [fault["id"] for fault in found if fault["impact"] in FAULTS] == []
    assert logged == []
