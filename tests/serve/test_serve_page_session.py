"""The inspection page over time and without a mouse: token, limits, a busy server, the session, keys, a small phone."""

from __future__ import annotations

import re

import pytest
from browsing import READY

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.extra("browser"), pytest.mark.xdist_group("browser")]

TOKEN = "0123456789abcdef-token"


@pytest.fixture(scope="module")
def guarded(knn):
    """A server with a token, small limits, and an eager eye for drift."""
    from served import serving

    from amiss.serve.limits import Limits
    from amiss.serve.rolling import DriftOptions

    limits = Limits(images=3, queue=3, body_mb=0.05, json_mb=0.05)
    with serving(knn, token=TOKEN, limits=limits, drift=DriftOptions(window=12, step=6)) as running:
        yield running


def test_a_token_is_asked_for_and_kept_in_this_tab_alone(browse, guarded, kinds):
    page = browse(guarded)
    assert page.text("#entrance h2") == "This server wants its token"
    assert not page.locator("#work").is_visible()
    page.hand("drop", [("a.png", kinds[0].read_bytes())])
    assert page.text("#entrance-said") == "First give the token."
    assert page.focused() == "token"
    assert page.locator("#token").get_attribute("type") == "password"
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#entrance-said:has-text('does not take this token')")
    page.fill("#token", "w\u00f6rse")
    page.keyboard.press("Enter")
    assert "ASCII" in page.text("#entrance-said")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#choose")
    assert not page.locator("#entrance").is_visible()
    page.choose(kinds[0])
    page.wait(1)
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert TOKEN not in page.content()
    assert not [url for url in page.requests if TOKEN in url]
    page.reload()
    page.wait_for_selector("#choose")
    page.evaluate("sessionStorage.setItem('amiss-token', 'another-0123456789')")
    page.click("#forget")
    page.wait_for_selector("#entrance h2")
    assert page.evaluate("sessionStorage.getItem('amiss-token')") is None
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#choose")
    assert page.names() == [kinds[0].name]


def test_uploads_keep_to_the_limits_and_drift_is_told(browse, guarded, kinds, tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(90_400))
    page = browse(guarded)
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#choose")
    assert re.fullmatch(r"Drift is tested from 12 images on; there were \d so far\.", page.text("#drift"))
    page.choose(*[kinds[0]] * 4, tmp_path / "large.png", *[kinds[1]] * 9)
    page.wait(14)
    assert len([url for url in page.requests if "/score" in url]) >= 5
    assert page.text("#list .told") == "This file has 0.0904 MB; the server takes 0.05 MB at a time."
    assert page.text("#counts") == "13 images scored: 4 anomalous, 9 normal; 1 not scored"
    page.wait_for_selector("#drift[data-drifted=true]")
    assert re.match(
        r"▲ Recent scores have drifted from the calibration's \(p = [\d.e-]+, last 12 images\)", page.text("#drift")
    )


def test_a_busy_server_is_asked_again_when_it_says_so(browse, server, kinds):
    page = browse(server)
    busy = {"status": 429, "headers": {"Retry-After": "1"}, "body": '{"error": "busy"}'}
    page.route("**/score*", lambda route: route.fulfill(**busy), times=1)
    page.choose(kinds[0])
    page.wait_for_selector("#progress-said:has-text('busy; it is asked again in 1 second')")
    page.wait(1)
    assert page.decisions() == ["▲ anomalous"]


def test_work_can_be_stopped_and_goes_on_where_the_server_was_gone(browse, server, kinds):
    page = browse(server)
    page.route("**/score*", lambda route: route.abort(), times=1)
    page.choose(*kinds[:2])
    page.wait_for_selector("#trouble:has-text('The server cannot be reached.')")
    assert page.decisions() == ["… waiting"] * 2
    page.click("#again")
    page.wait(2)
    assert not page.locator("#trouble").is_visible()
    busy = {"status": 429, "headers": {"Retry-After": "60"}, "body": "{}"}
    page.route("**/score*", lambda route: route.fulfill(**busy), times=1)
    page.choose(*kinds[2:5])
    page.wait_for_selector("#progress-said:has-text('60 seconds')")
    page.click("#stop")
    page.wait(2)
    assert page.names() == [path.name for path in kinds[:2]]


def test_another_model_that_decides_nothing(browse, server, kinds):
    page = browse(server, model="pca")
    assert page.text("#title") == "pca"
    assert page.text("#facts") == (
        "Method pca Sees images as 28 × 28, grey False-alarm rate no promise Threshold none Calibrated on nothing"
        f" Made on {server.models['pca'].current.detector.artifact.record['created'][:10]}"
    )
    page.choose(kinds[0])
    page.wait(1)
    assert page.decisions() == ["– no decision"]
    assert page.text("#counts") == "1 image scored"
    (row,) = page.csv()
    assert list(row) == ["image_path", "pred_score"]
    page.select_option("#model", "knn")
    assert "False-alarm rate at most 5" in page.text("#facts")
    page.choose(kinds[0])
    page.wait(2)
    rows = page.csv()
    assert [*rows[0]][-2:] == ["pred_label", "model"]
    assert [row["model"] for row in rows] == ["pca", "knn"]
    assert rows[0]["p_value"] == ""


def test_a_trend_shows_every_score_and_leads_to_its_image(browse, server, kinds, normal):
    page = browse(server)
    page.choose(normal[0])
    page.wait(1)
    assert not page.locator("#trend").is_visible()  # one score is no trend
    page.choose(*normal[1:], *kinds[:1])
    page.wait(5)
    scores = {row["image_path"]: float(row["pred_score"]) for row in page.csv()}
    marks = page.locator("#trend .mark")
    assert marks.evaluate_all("(all) => all.map((mark) => mark.tagName)") == ["circle"] * 4 + ["path"]
    heights = marks.evaluate_all("(all) => all.map((mark) => -mark.getBoundingClientRect().y)")
    assert sorted(range(4), key=heights.__getitem__) == sorted(range(4), key=[*scores.values()].__getitem__)
    label = page.locator("#trend").get_attribute("aria-label")
    assert re.match(r"Scores of the latest 5 images in their order, 1 above the threshold of ", label)
    for i, name in enumerate(scores):
        marks.nth(i).click()
        assert page.text("#closer-name") == name
    page.select_option("#model", "pca")
    assert not page.locator("#trend").is_visible()


def test_the_session_outlives_a_reload_and_can_be_cleared(browse, server, kinds):
    page = browse(server)
    page.choose(*kinds[:3])
    page.wait(3)
    page.choose(kinds[3])
    page.wait(4)
    before, order = page.csv(), page.names()
    assert order == [kinds[3].name, *(path.name for path in kinds[:3])]
    page.reload()
    page.wait_for_selector(READY, state="attached")
    assert (page.csv(), page.names()) == (before, order)
    page.locator("#list button").first.click()
    assert "was not kept" in page.text("#closer-said")
    page.click("#clear")
    assert page.names() == []
    assert page.locator("#first").is_visible()
    page.reload()
    page.wait_for_selector(READY, state="attached")
    assert not page.locator("#images").is_visible()


def test_what_the_store_holds_is_not_trusted(browse, server):
    page = browse(server)
    row = '{"id": 0, "name": "a", "model": "knn", "row": {"pred_score": "<b>"}}'
    for held in ("{", "null", '"x"', f'[1, null, {{"id": 1}}, {row}]'):
        page.evaluate("(held) => sessionStorage.setItem('amiss-inspection', held)", held)
        page.reload()
        page.wait_for_selector(READY, state="attached")
        assert page.names() == [], held


def test_everything_with_the_keyboard(browse, server, kinds):
    page = browse(server)
    page.choose(*kinds[:5])
    page.wait(5)
    page.wait_for_selector("#tiles canvas")
    names = [path.name for path in kinds[:5]]
    page.keyboard.press("j")  # takes the list in hand
    reached = []
    for key in ("j", "ArrowDown", "k", "End", "ArrowUp", "Home", "ArrowRight"):
        page.keyboard.press(key)
        reached.append(page.evaluate("document.activeElement.querySelector('.name').textContent"))
    assert reached == [names[i] for i in (1, 2, 1, 4, 3, 0, 1)]
    assert page.text("#closer-name") == names[1]
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert float(ring.removesuffix("px")) >= 2
    page.wait_for_selector("#tiles canvas")
    for opacity in ("0", "0.7"):
        page.keyboard.press("m")
        assert page.locator("#frame .over").evaluate("(map) => getComputedStyle(map).opacity") == opacity
    page.keyboard.press("Escape")
    assert not page.locator("#closer").is_visible()
    page.keyboard.press("j")
    assert not page.locator("#closer").is_visible()
    page.keyboard.press("Enter")
    assert page.text("#closer-name") == names[2]
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.locator("#keys").uncheck()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.locator("#list button").first.focus()
    page.keyboard.press("j")
    assert page.text("#closer-name") == names[0]
    page.keyboard.press("ArrowDown")
    assert page.text("#closer-name") == names[1]


def test_tab_reaches_one_image_of_many(browse, server, kinds):
    page = browse(server)
    page.choose(*kinds[:5])
    page.wait(5)
    page.keyboard.press("Escape")
    page.focus("#sort")
    reached = []
    for _ in range(2):
        page.keyboard.press("Tab")
        reached.append(page.focused())
    assert reached == ["row", "help-open"]


def test_a_small_phone(browse, server, kinds):
    page = browse(server, viewport={"width": 320, "height": 560}, color_scheme="dark", reduced_motion="reduce")
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 320
    long = "x" * 240 + ".png"
    page.hand("drop", [(long, kinds[0].read_bytes())])
    page.wait_for_selector("#tiles canvas")  # one image is looked at at once
    assert page.evaluate(wide) == 320
    assert page.evaluate(
        "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.getElementById('closer'))"
    )
    assert page.focused() == "closer-name"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.closest('.side, header, footer')") is None
    page.click("#close")
    assert page.focused() == "row"
    page.choose(*kinds)
    page.wait(len(kinds) + 1)
    assert not page.locator("#closer").is_visible()
    assert page.evaluate(wide) == 320
    page.locator("#list button").nth(2).click()
    before = page.text("#closer-name")
    page.click("#after")
    assert page.text("#closer-name") != before
    page.click("#before")
    assert page.text("#closer-name") == before
    page.go_back()  # as a phone's own button does
    assert not page.locator("#closer").is_visible()
    assert len(page.names()) == len(kinds) + 1


def test_every_picture_and_field_has_a_name(browse, server, kinds):
    page = browse(server)
    page.choose(*kinds[:3])
    page.wait(3)
    page.wait_for_selector("#tiles canvas")
    bare = page.evaluate("""() => [
        ...[...document.querySelectorAll("img")].filter((img) => img.getAttribute("alt") === null),
        ...document.querySelectorAll("canvas:not([aria-hidden]):not([role=img][aria-label]):not(#legend canvas)"),
        ...[...document.querySelectorAll("input:not([hidden]), select")].filter((field) => !field.labels.length),
        ...[...document.querySelectorAll("button")].filter((one) => !one.textContent.trim() && !one.ariaLabel),
    ].map((element) => element.outerHTML)""")
    assert bare == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    sizes = page.locator("button:visible").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
    assert min(sizes) >= 24
