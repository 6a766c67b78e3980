"""The inspection page in a real browser: images in, decisions out, one looked at closely; nothing leaves the server."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from amiss.explain.showing import INFERNO

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.extra("browser"), pytest.mark.xdist_group("browser")]

COLUMNS = ("pred_score", "p_value", "normal_percentile", "pred_label")


def same_numbers(row: dict[str, str], told: dict[str, object]) -> bool:
    """The score may round otherwise where other images were scored with it."""
    assert float(row["pred_score"]) == pytest.approx(told["pred_score"], rel=1e-6)
    return all(float(row[name]) == told[name] for name in COLUMNS[1:])


def test_chosen_files_are_decided_as_post_score_decides(browse, server, kinds, normal):
    files = [*kinds, *normal]
    told = server.score(*files, model="knn").json()["results"]
    assert {row["pred_label"] for row in told} == {0, 1}
    page = browse(server)
    page.choose(*files)
    page.wait(len(files))
    rows = page.csv()
    assert list(rows[0]) == ["image_path", *COLUMNS]
    assert [row["image_path"] for row in rows] == [path.name for path in files] == page.names()
    assert all(map(same_numbers, rows, told))
    words = page.decisions()
    assert words == [("✓ normal", "▲ anomalous")[row["pred_label"]] for row in told]
    anomalous = sum(row["pred_label"] for row in told)
    assert page.text("#counts") == f"{len(files)} images scored: {anomalous} anomalous, {len(files) - anomalous} normal"
    assert page.locator("#said").text_content() == page.text("#counts")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_dropped_and_pasted_images_are_scored(browse, server, kinds, kind):
    told = server.score(kinds[0], model="knn").json()["results"][0]
    page = browse(server)
    page.hand("dragenter", [])
    assert page.locator("#veil").is_visible()
    page.hand("dragleave", [])
    assert not page.locator("#veil").is_visible()
    page.hand(kind, [("image.png", kinds[0].read_bytes())])
    page.wait(1)
    (row,) = page.csv()
    assert row["image_path"] == ("image.png" if kind == "drop" else "pasted-1.png")
    assert same_numbers(row, told)
    assert page.text("#verdict") == "▲ Anomalous"
    assert "at most 5 % of normal images do" in page.text("#meaning")
    said = page.locator("#said").text_content()
    assert said.startswith(f"{row['image_path']}: anomalous, score ")
    page.hand(kind, [])
    assert re.search("no image", page.text("#intake-said"))


def test_a_folder_is_looked_through_for_images(browse, server, kinds, tmp_path):
    inner = tmp_path / "photos" / "old"
    inner.mkdir(parents=True)
    names = ["photos/a.png", "photos/old/b.tif"]
    for name, kind in zip(names, (kinds[0], next(path for path in kinds if path.suffix == ".tif")), strict=True):
        (tmp_path / name).write_bytes(kind.read_bytes())
    (inner / "Thumbs.db").write_bytes(b"x")
    page = browse(server)
    wire = page.context.new_cdp_session(page.tab)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(tmp_path / "photos"), str(kinds[1])], "dragOperationsMask": 1}
        wire.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})
    page.wait(3)
    assert sorted(page.names()) == sorted([kinds[1].name, *names])
    assert page.decisions().count("▲ anomalous") >= 1
    assert page.text("#intake-said") == "1 file of other kinds in the folder left out."


def test_without_scripts_the_page_says_what_it_needs(chromium, server):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{server.address}/")
    assert "This page needs JavaScript" in tab.locator("noscript").inner_text()
    assert not tab.locator("#work").is_visible()
    context.close()


def colours(values: np.ndarray) -> np.ndarray:
    place = np.clip(values, 0, 1) * (len(INFERNO) - 1)
    return np.stack([np.interp(place, np.arange(len(INFERNO)), channel) for channel in np.transpose(INFERNO)], -1)


PIXELS = """(canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]"""


def test_one_image_closely(browse, server, kinds):
    image = kinds[1]
    told = server.client.post("/explain?model=knn", files=[("files", (image.name, image.read_bytes()))]).json()
    page = browse(server)
    page.choose(image)
    page.wait_for_selector("#tiles canvas")
    assert page.text("#verdict") == ("✓ Normal", "▲ Anomalous")[told["result"]["pred_label"]]
    assert page.text("#numbers").startswith("score ")
    plain = page.locator("#tiles canvas")
    drawn = np.array(plain.evaluate(PIXELS)).reshape(28, 28, 4)
    values = np.frombuffer(base64.b64decode(told["map"]["values"]), "<f4").reshape(28, 28)
    np.testing.assert_allclose(drawn[..., :3], colours(values / told["map"]["high"]), atol=0.51)
    assert len(np.unique(drawn[..., 0])) > 20
    assert re.fullmatch(rf"residual map of {image.name}, brightest at the [a-z ]+", plain.get_attribute("aria-label"))
    assert page.text("#map-meaning") == f"Residual map: {told['map']['meaning']}."
    shown = page.locator("#tiles img").evaluate_all("(all) => all.map((img) => img.getAttribute('src'))")
    assert shown == [told["image"], told["counterpart"]]
    shown = page.locator("#neighbours img").evaluate_all("(all) => all.map((img) => img.getAttribute('src'))")
    assert shown == [near["image"] for near in told["nearest"]]
    assert page.locator("#neighbours .detail").all_inner_texts() == [near["name"] for near in told["nearest"]]
    over = page.locator("#frame .over")
    assert page.locator("#frame img").evaluate("(img) => [img.naturalWidth, img.naturalHeight]") == [36, 40]
    assert over.bounding_box() == page.locator("#frame img").bounding_box()
    assert over.evaluate("(map) => getComputedStyle(map).opacity") == "0.7"
    page.fill("#strength", "20")
    assert over.evaluate("(map) => getComputedStyle(map).opacity") == "0.2"
    page.select_option("#kind", "gradient")
    page.wait_for_selector("#tiles canvas[aria-label^=gradient]")
    assert page.text("#map-meaning").startswith("Gradient map: how strongly")


def test_what_a_browser_cannot_show_is_shown_as_the_model_sees_it(browse, server, kinds):
    page = browse(server)
    page.choose(next(path for path in kinds if path.name == "float.tif"))
    page.wait_for_selector("#tiles canvas")
    assert page.locator("#frame img").get_attribute("src") == page.locator("#tiles img").first.get_attribute("src")


def test_bad_files_are_told_of_in_the_servers_sentence_and_spoil_no_other(browse, server, kinds):
    page = browse(server)
    good = kinds[0].read_bytes()
    files = [("a.png", good), ("b.png", b"hello"), ("a.png", good), ("c.png", b""), ("b.png", good)]
    page.hand("drop", files)
    page.wait(5)
    assert page.decisions() == [
        "▲ anomalous", "✕ not scored", "▲ anomalous", "✕ not scored", "▲ anomalous",
    ]  # fmt: skip
    assert page.locator("#list .told").all_text_contents() == [
        "'b.png' is not an image that can be read; accepted are PNG, JPEG, BMP, TIFF, WEBP",
        "'c.png' is empty (0 bytes)",
    ]
    assert page.text("#counts").endswith("; 2 not scored")
    assert [row["image_path"] for row in page.csv()] == ["a.png", "a.png", "b.png"]
    page.select_option("#show", "failed")
    assert page.names() == ["b.png", "c.png"]
    page.locator("#list button").first.click()
    assert page.text("#verdict") == "✕ Not scored"
    assert "accepted are PNG" in page.text("#meaning")


NASTY = [
    "<script>window.hurt=1</script>.png",
    '"><img src=x onerror="window.hurt=1">.png',
    "' onfocus='window.hurt=1' autofocus='.png",
    'new\nline,"quoted"\r\n.png',
    "left\u202eright\u2066gnp.exe\u2028.png",
    "=cmd|'/c calc'!A1.png",
    "@sum(1;2).png",
    "-1+1.png",
    "\t=1.png",
    "C:\\new\\x.png",
    "x" * 251 + ".png",
    "ü" * 125 + ".png",
    "  spaces at the ends.png  ",
    "a/../../b.png",
]


def test_names_of_every_kind_do_no_harm(browse, server, kinds):
    page = browse(server)
    page.hand("drop", [(name, kinds[0].read_bytes()) for name in NASTY])
    page.wait(len(NASTY))
    page.wait_for_selector("#tiles canvas")
    assert page.evaluate("window.hurt") is None
    assert page.evaluate("document.querySelectorAll('[onerror], [onfocus], [autofocus], iframe, object').length") == 0
    assert page.evaluate("document.scripts.length") == 1
    names = page.names()
    assert names[0] == NASTY[0]
    assert names[4] == "left\\u202eright\\u2066gnp.exe\\u2028.png"
    assert names[3] == 'new\\nline,"quoted"\\r\\n.png'
    found = [row["image_path"] for row in page.csv()]
    assert found == [f"./{name}" if name[0] in "=@-\t" else name for name in NASTY]
    page.reload()
    page.wait_for_selector("#list li")
    assert page.evaluate("window.hurt") is None
    assert [row["image_path"] for row in page.csv()] == found
