"""The pages of the report, opened in a browser from a folder: what they show, what they ask for, and who can use them."""

import json
import math
import re
import shutil
import time
from decimal import Decimal

import pytest

import cases
from report.page import build
from report.table import SIGNS, worst

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to open the pages in")

FAULTY = "tests.meta.fleet.rounding:Float32Saved"
CHOSEN = ("line", "logistic-graph", "square", "nand", "nand-adam", "xor")
OPTIONS = (
    "--backend",
    "numpy",
    "--backend",
    "autograd",
    "--backend",
    FAULTY,
    *(w for case in CHOSEN for w in ("--case", case)),
)
VIEWS = {"light": ("light", 1200), "dark": ("dark", 1200), "phone": ("light", 390)}


@pytest.fixture(scope="module")
def results(shared_suite):
    """The document of a run with a red backend."""
    return shared_suite(*OPTIONS).document


@pytest.fixture(scope="module")
def site(results, tmp_path_factory):
    """The folder of the pages of that run."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "results.json").write_text(json.dumps(results))
    build([folder / "results.json"], folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page, with what it has asked for and complained of."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.asked, self.complaints = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def at(self, site, name, anchor=""):
        self.page.goto(f"file://{site}/{name}.html{anchor}")
        return self.page


@pytest.fixture
def opened(browser):
    made = Opened(browser)
    yield made
    assert made.complaints == []
    made.context.close()


def until(page, what, begins):
    """Wait until ``what`` begins so; the page lets no text be evaluated, and so waits for none."""
    deadline = time.monotonic() + 20
    while not page.evaluate(what).startswith(begins):
        assert time.monotonic() < deadline, page.evaluate(what)
        page.wait_for_timeout(20)


def checks_of(results, **wanted):
    records = (record for record in results["records"] if record["kind"] == "check")
    return [record for record in records if all(record[key] == value for key, value in wanted.items())]


def test_every_page_asks_for_itself_alone(site, opened):
    """No network, no server and no other file; and every link leads to a page or a place that is there."""
    pages = sorted(path.stem for path in site.glob("*.html"))
    assert {"index", "ledger", "quality", "case-contract", "case-nand"} <= {*pages}
    for name in pages:
        opened.asked.clear()
        page = opened.at(site, name)
        assert opened.asked == [f"file://{site}/{name}.html"]
        links = page.eval_on_selector_all("a", "found => found.map(a => a.getAttribute('href'))")
        for link in (link for link in links if not link.startswith("https://")):  # as those to an upstream issue
            target, _, anchor = link.partition("#")
            text = (site / (target or f"{name}.html")).read_text()
            assert not anchor or f'id="{anchor}"' in text, f"{name}: {link}"


def shown(page):
    """Return the rows of the matrix that are visible, by name, with their visible marks."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#table tr[data-case]")].filter(row => row.offsetParent)
        .map(row => [row.cells[0].textContent, [...row.querySelectorAll(".mark")].filter(mark => mark.offsetParent)
        .map(mark => mark.ariaLabel)]))"""
    )


def test_the_matrix_has_every_cell(site, results, opened):
    """A mark for each backend, program and dtype, with the sign and the word of its worst verdict."""
    marks = [mark for marks in shown(opened.at(site, "index")).values() for mark in marks]
    cells = {}
    for check in checks_of(results):
        cells.setdefault((check["backend"], check["case"], check["level"], check["dtype"]), []).append(check)
    assert len(marks) == len(cells)
    for (backend, case, level, dtype), checks in cells.items():
        name = case if level == "autodiff" else f"{case} {level}"
        [mark] = [each for each in marks if f", {name}, {backend} " in each and f" {dtype}: " in each]
        assert mark.startswith(SIGNS[worst(checks)])
        assert f" {dtype}: {worst(checks)}" in mark


FILTERS = [
    ("backend", "autograd", lambda mark: ", autograd " in mark),
    ("dtype", "float64", lambda mark: " float64: " in mark),
    ("verdict", "deviates", lambda mark: ": deviates" in mark),
    ("verdict", "unsupported", lambda mark: ": unsupported" in mark),
    ("level", "optimizer", lambda mark: " optimizer, " in mark),
    ("mode", "eager", lambda mark: True),
]


@pytest.mark.parametrize(("field", "value", "fits"), FILTERS, ids=[f"{field} {value}" for field, value, _ in FILTERS])
def test_a_filter_leaves_what_fits(site, opened, field, value, fits):
    """Marks that fit stay, all others go, and rows without any go with them; the address keeps the choice."""
    page = opened.at(site, "index")
    before = shown(page)
    page.select_option(f"[name={field}]", value)
    after = shown(page)
    assert after == {name: kept for name, marks in before.items() if (kept := [mark for mark in marks if fits(mark)])}
    assert len(after) > 0
    assert page.text_content("output").startswith(f"{len(after)} of {len(before)} ")
    again = opened.context.new_page()
    again.goto(page.url)
    assert shown(again) == after
    page.click("[type=reset]")
    until(page, "document.querySelector('output').value", f"{len(before)} of")
    assert shown(page) == before


def test_rows_in_which_frameworks_differ(site, results, opened):
    """Those whose verdicts are not all the same, and the marks of the one that differs from all others."""
    page = opened.at(site, "index")
    page.select_option("[name=differ]", "differs")
    differing = shown(page)
    assert differing
    assert "line" not in differing
    page.select_option("[name=differ]", "alone")
    alone = {mark for marks in shown(page).values() for mark in marks}
    groups = {}
    for check in checks_of(results):
        words = groups.setdefault((check["case"], check["level"], check["dtype"]), {})
        words.setdefault(check["backend"], []).append(check)
    expected = set()
    for (case, level, dtype), checks in groups.items():
        words = {backend: worst(each) for backend, each in checks.items() if worst(each) != "unsupported"}
        for backend, word in words.items():
            others = [other for name, other in words.items() if name != backend]
            if len(others) > 1 and len({*others}) == 1 and others[0] != word:
                expected.add((case if level == "autodiff" else f"{case} {level}", backend, dtype, word))
    assert len(alone) == len(expected) > 1
    for name, backend, dtype, word in expected:
        assert any(f", {name}, {backend} " in mark and f" {dtype}: {word}" in mark for mark in alone)


def test_a_search_finds_names_and_titles(site, opened):
    """By the name of a case and by words of its title."""
    page = opened.at(site, "index")
    page.fill("[name=text]", "two layers")
    assert "xor" in shown(page)
    assert "nand" not in shown(page)
    page.fill("[name=text]", "nothing of the kind")
    assert shown(page) == {}


def test_a_cell_shows_its_numbers(site, results, opened):
    """Opened by its link: got, exact, allowed and ulp, in decimal and to the bit, and the script; closed before that."""
    check = next(
        c for c in checks_of(results, backend="autograd", case="nand", dtype="float64") if c["quantity"] == "gradient w"
    )
    page = opened.at(site, "index")
    page.click("tr[data-case=nand][data-level=autodiff] a[aria-label*='autograd'][aria-label*='float64']")
    cell = page.locator("details.cell[open]")
    table = cell.locator(".entries table").filter(has=page.locator("caption", has_text=re.compile("^gradient w: ")))
    table.wait_for()  # the numbers are unpacked once the cell is open
    rows = table.locator("tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")
    assert len(rows) == 3
    for entry, (number, got, truth, bound, ulp, got_bits, truth_bits) in enumerate(rows):
        assert int(number) == entry
        assert (got_bits, truth_bits) == (check["got"][entry], check["truth"][entry])
        assert float(got) == float.fromhex(got_bits)
        assert float(truth) == float.fromhex(truth_bits)
        assert float(bound) == float(f"{float.fromhex(check['bound'][entry]):.3g}")
        assert ulp == f"{abs(float(got) - float(truth)) / math.ulp(float(truth)):.3g}"
    assert "autograd.value_and_grad" in cell.locator("pre").text_content()
    assert "sh conform --backend autograd --dtype float64 --case nand" in cell.text_content()


@pytest.mark.parametrize("name", ["line", "logistic-graph", "square"])
@pytest.mark.parametrize("source", ["exact", "autograd", "numpy"])
def test_the_graph_is_stepped_to_its_end(site, opened, name, source):
    """With the arrow keys, each number of the source's figures appears where the source has it, and its equation below."""
    case = cases.builtin()[name]
    page = opened.at(site, f"case-{name}")
    option = next(o for o in page.locator("[name=who] option").all_text_contents() if o.startswith(source) and "32" not in o)
    page.select_option("[name=who]", option)
    page.locator("[aria-label^='Computation graph;']").focus()
    page.keyboard.press("Home")
    frames = int(re.search(r"1 of (\d+):", page.text_content(".caption"))[1])
    assert frames == 2 * (len(case.params) + len(case.nodes))
    for step in range(1, frames):
        assert page.locator(".graph .now").count() == 1
        page.keyboard.press("ArrowRight")
        assert page.text_content(".caption").startswith(f"{step + 1} of {frames}: ")
    page.keyboard.press("ArrowRight")
    assert page.text_content(".caption").startswith(f"{frames} of {frames}: ")
    assert page.locator(".graph .seen").count() == frames - 1
    for figure in case.figures:
        kind, _, which = figure.quantity.partition(" ")
        node = which if kind == "gradient" else case.nodes[int(which or 0) - 1]
        what = "adjoint" if kind in ("gradient", "adjoint") else "value"
        text = page.locator(f".graph [data-name='{node}'] .{what}").text_content().replace("−", "-")
        unit = Decimal(10) ** -len(figure.text.partition(".")[2])
        assert abs(Decimal(text) - Decimal(figure.text)) <= unit / 2, figure


def test_the_animation_plays_and_stops(site, opened):
    """From where it stands to the end, one number a frame, and no further once it is stopped."""
    page = opened.at(site, "case-line")
    play = page.locator("[name=play]")
    play.click()
    assert play.get_attribute("aria-pressed") == "true"
    until(page, "document.querySelector('.caption').textContent", "3 of")
    play.click()
    assert play.get_attribute("aria-pressed") == "false"
    at = page.text_content(".caption")
    page.wait_for_timeout(1500)
    assert page.text_content(".caption") == at


def test_nothing_moves_by_itself(site, browser):
    """Neither at the beginning nor, for those who asked for less motion, with any transition."""
    calm = Opened(browser, reduced_motion="reduce")
    page = calm.at(site, "case-line")
    page.wait_for_timeout(1200)
    assert page.text_content(".caption").startswith("1 of ")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("getComputedStyle(document.querySelector('.graph .value')).transitionDuration") == "0s"
    calm.context.close()


def test_the_plane_is_a_heat_map_with_contours(site, opened):
    """Of the exact run with five lines and the data over it, and of how far each backend is from it; each with a table."""
    page = opened.at(site, "case-nand")
    maps = page.locator("figure:has(svg.plane)")
    assert maps.count() >= 4
    first = maps.first
    assert first.locator("image").count() == 1
    assert first.locator("path[stroke='#111'][fill='none']").count() == 5
    assert first.locator("circle, path[fill='#111']").count() == 4
    for k in range(maps.count()):
        assert maps.nth(k).locator("title").text_content()
        assert maps.nth(k).locator("table").count() == 1
    colours = page.evaluate(
        """() => { const image = document.querySelector("svg.plane image"), drawn = document.createElement("canvas"),
        pen = drawn.getContext("2d"), source = new Image(); source.src = image.href.baseVal;
        return source.decode().then(() => { drawn.width = source.width; drawn.height = source.height;
        pen.drawImage(source, 0, 0);
        return [source.width, source.height, new Set(pen.getImageData(0, 0, source.width, source.height).data).size]; }); }"""
    )
    assert colours[:2] == [21, 21]
    assert colours[2] > 10


def test_curves_have_a_title_and_a_table(site, results, opened):
    """Of loss and of drift, of a run by hand and of one by an optimiser; the table begins and ends with the exact losses."""
    for case in ("nand", "nand-adam"):
        page = opened.at(site, f"case-{case}")
        for kind in ("loss", "drift"):
            figure = page.locator(f"#{kind}-float64")
            assert case in figure.locator("title").text_content()
            assert figure.locator("path[stroke]").count() > 0
            assert figure.locator("tbody tr").count() > 10
        exact = next(r for r in results["records"] if r["kind"] == "exact_run" and (r["case"], r["dtype"]) == (case, "float64"))
        shown = page.locator("#loss-float64 tbody tr td:nth-of-type(1)").all_text_contents()
        assert (shown[0], shown[-1]) == (f"{exact['loss'][0]:g}", f"{exact['loss'][-1]:g}")
        assert shown[0] != shown[-1]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["index", "case-nand", "case-logistic-graph", "ledger", "quality"])
def test_axe_finds_no_violation(site, browser, view, name):
    """In light and dark and on a phone, with everything unfolded."""
    from axe_playwright_python.sync_playwright import Axe

    scheme, width = VIEWS[view]
    made = Opened(browser, color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    page = made.at(site, name)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.wait_for_timeout(300)
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found.response["violations"]] == []
    made.context.close()


def test_a_phone_scrolls_tables_and_not_the_page(site, browser):
    """No page is wider than the screen."""
    made = Opened(browser, viewport={"width": 390, "height": 800})
    for name in ("index", "case-nand", "case-logistic-graph", "quality"):
        page = made.at(site, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    made.context.close()


def test_without_scripts_the_tables_are_there(site, results, browser):
    """The matrix, every check of a cell, the graph with its numbers, and no control that would do nothing."""
    made = Opened(browser, java_script_enabled=False)
    page = made.at(site, "index")
    assert page.locator("#table .mark").count() > 50
    assert not page.locator(".filters").is_visible()
    page = made.at(site, "case-nand")
    cell = page.locator("details.cell", has_text="autograd").filter(has_text="nand, float64").first
    cell.locator("summary").first.click()
    assert cell.locator("th[scope=row]", has_text="gradient w").first.is_visible()
    page = made.at(site, "case-line")
    assert page.locator(".graph [data-name=alpha] .value").is_visible()
    assert page.locator("li", has_text="= a × x = (−2) × 3 = −6").is_visible()
    assert not page.locator(".controls").is_visible()
    made.context.close()


HOSTILE = "</script><script>window.owned = 1</script><img src=x onerror='window.owned = 1'>‮"


def test_hostile_text_stays_text(results, tmp_path, browser):
    """In the names of backends and in messages, reasons and links; nothing of it runs, and nothing turns the line around."""
    document = json.loads(json.dumps(results))
    for record in document["records"]:
        if record["kind"] == "check" and record["backend"] == "numpy":
            record["message"] = HOSTILE
            record["backend"] = HOSTILE
        if record["kind"] == "backend" and record["name"] == "autograd":
            for deviation in record["deviations"]:
                deviation |= {"reason": HOSTILE, "link": "javascript:window.owned=1"}
        if record["kind"] == "case":
            record["title"] = HOSTILE
    (tmp_path / "results.json").write_text(json.dumps(document))
    build([tmp_path / "results.json"], tmp_path)
    made = Opened(browser)
    for path in sorted(tmp_path.glob("*.html")):
        page = made.at(tmp_path, path.stem)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        page.wait_for_timeout(100)
        assert page.evaluate("window.owned") is None, path.name
        assert page.locator("a[href^=javascript]").count() == 0
        assert "‮" not in page.content()
    assert "window.owned" in made.at(tmp_path, "case-nand").locator("main").text_content()
    made.context.close()
