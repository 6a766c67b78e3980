"""Reading a review: what is accepted, what counts, and a sentence with file, line and value for anything else."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from amiss import InputError
from amiss.contracts import ImageSpec
from amiss.data.images import Layout
from amiss.data.listing import list_images
from amiss.data.origin import Origin
from amiss.data.reading import Reading
from amiss.data.review import Review, Said, digests_of, join_files, locate, place, read_review, settle


def written(tmp_path, text, name="review.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def picture(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((28, 28), value, np.uint8)).save(path)
    return str(path)


def test_marks_by_path_and_other_columns_ignored(tmp_path):
    path = written(
        tmp_path,
        'image_path,set,review,pred_score\na.png,train,anomaly,0.3\n\n"b,\n1.png",new, Normal ,1\nc.png,new,unsure,\n',
    )
    review = read_review(path)
    assert review.marks == {"a.png": "anomaly", "b,\n1.png": "normal", "c.png": "unsure"}
    assert review.where["c.png"] == f"'{path}' in line 6"
    assert review.notes == ()


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbfimage_path,review\r\n\xc3\xa4.png,normal\r\n")
    assert read_review(path).marks == {"ä.png": "normal"}


def test_no_marks_are_a_review(tmp_path):
    assert read_review(written(tmp_path, "image_path,review\n")).marks == {}


def test_of_several_lines_for_one_image_the_last_counts_and_contradictions_are_named(tmp_path):
    path = written(tmp_path, "image_path,review\na.png,normal\nb.png,unsure\n./a.png,anomaly\nb.png,unsure\n")
    review = read_review(path)
    assert review.marks == {"./a.png": "anomaly", "b.png": "unsure"}
    assert review.notes == ("'./a.png' is marked normal in line 2 and anomaly in line 4: the last counts",)
    assert review.where["b.png"].endswith("line 5")


HEAD = "image_path,review\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column 'image_path' in line 1 (nothing)"),
        ("path,review\na,normal\n", "no column 'image_path' in line 1 (path, review)"),
        ("image_path,label\na,normal\n", "no column 'review' in line 1 (image_path, label)"),
        ("image_path,review,review\n", "2 columns 'review' in line 1"),
        (HEAD + "a.png,normal\nb.png,bad\n", "the review 'bad' in line 3; accepted are normal, anomaly and unsure"),
        (HEAD + "a.png,\n", "the review '' in line 2"),
        (HEAD + " ,normal\n", "the image_path ' ' in line 2"),
        (HEAD + "a\0.png,normal\n", "the image_path 'a\\x00.png' in line 2"),
        (HEAD + "a.png\n", "1 fields in line 2; its header has 2"),
        (HEAD + "a.png,normal,x\n", "3 fields in line 2; its header has 2"),
        (HEAD + 'a.png,"nor"mal\n', "not comma-separated text in line 2"),
        (HEAD + 'a.png,"normal\n', "not comma-separated text in line 2"),
        (HEAD.encode() + b"a.png,normal\n\xff.png,normal\n", "the byte b'\\xff' in line 3; accepted is UTF-8"),
        ((HEAD + "a.png,normal\n").encode("utf-16"), "the byte b'\\xff' in line 1"),
    ],
)
def test_anything_else_is_refused_with_file_line_and_value(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as refused:
        read_review(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_review_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; accepted is a CSV file"):
        read_review(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is no file"):
        read_review(tmp_path)
    if os.path.exists("/dev/zero"):  # noqa: PTH110
        with pytest.raises(InputError, match="is no file"):
            read_review("/dev/zero")


def test_files_are_found_by_name_in_a_table_and_else_by_path(tmp_path, monkeypatch):
    picture(tmp_path / "set" / "1.png", 1)
    table = written(tmp_path / "set", "image_path\n1.png\n", "t.csv")
    other = picture(tmp_path / "2.png", 2)
    monkeypatch.chdir(tmp_path)
    review = Review({"1.png": "anomaly", "2.png": "normal"}, {"1.png": "r in line 2", "2.png": "r in line 3"})
    assert locate(list_images(table), review) == {"1.png": str(tmp_path / "set" / "1.png"), "2.png": "2.png"}
    os.remove(other)  # noqa: PTH107
    with pytest.raises(InputError, match=r"r in line 3 names '2\.png', which is neither a training image nor a file"):
        locate(list_images(table), review)
    long = "x" * 5000
    with pytest.raises(InputError, match="neither"):
        locate(list_images(table), Review({long: "normal"}, {long: "r in line 2"}))


def test_files_join_once_and_a_table_of_groups_refuses_them(tmp_path):
    one, two = picture(tmp_path / "g" / "a1.png", 1), picture(tmp_path / "n" / "b1.png", 2)
    listing = list_images(tmp_path / "g")
    assert join_files(listing, [one], {}, None) is listing
    both = join_files(listing, [two, one, str(tmp_path / "n" / ".." / "n" / "b1.png")], {}, None)
    assert [place(name) for name in both.names] == [one, two]
    grouped = join_files(list_images(tmp_path / "g", group_by="([ab]\\d)[.]png"), [two], {}, "([ab]\\d)[.]png")
    assert grouped.groups == ["a1", "b1"]
    table = written(tmp_path / "g", "image_path,group\na1.png,x\n", "t.csv")
    with pytest.raises(InputError, match=r"'r' in line 2 names '.*b1\.png', whose group is not known"):
        join_files(list_images(table), [two], {two: "'r' in line 2"}, None)


def test_what_earlier_reviews_said_goes_on_counting_unless_it_is_said_anew():
    earlier = [Said("a", "anomaly", "1"), Said("b", "anomaly", "2"), Said("c", "normal", "3")]
    now = [Said("b", "normal", "9"), Said("elsewhere/c", "unsure", "3")]
    assert settle(now, earlier) == ([Said("a", "anomaly", "1"), *now], [])
    assert Said.of_json([one.to_json() for one in earlier]) == earlier
    assert Said.of_json(None) == []


def test_copies_get_the_most_careful_mark_and_it_is_named():
    now = [Said("a", "normal", "1"), Said("b", "anomaly", "1"), Said("c", "unsure", "1")]
    counted, notes = settle(now, [])
    assert {one.mark for one in counted} == {"anomaly"}
    assert notes[0] == "'a' is marked normal and its copy 'b' anomaly, which counts for both"
    assert len(notes) == 2


def test_digests_are_of_the_models_layout(tmp_path):
    files = [picture(tmp_path / f"{value}.png", value) for value in (1, 1, 2)]
    found = digests_of(files, Layout(ImageSpec(1, 28, 28), "uint8"))
    assert list(found) == files[1:]
    assert len(set(found.values())) == 2
    assert digests_of([], Layout(ImageSpec(1, 28, 28), "uint8")) == {}


def test_an_origin_survives_its_record():
    origin = Origin.of("photos", None, Reading(True, "(.*)_", "skip"))
    assert Origin.of_record({"given": origin.to_record()}) == origin
    assert Origin.of_record({}) == Origin()
    assert Origin.of(np.zeros(3), ["a"], Reading()) == Origin()
