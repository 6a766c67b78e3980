"""Scoring shard by shard: the rows of `Detector.score`, each once, also after crashes; the wrong folder is refused."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image
from small_photos import smooth

from amiss import Detector
from amiss.contracts import InputError, WorkError
from amiss.data.images import Kind, Skipped
from amiss.scale.output import MANIFEST, SKIPPED, read_scores
from amiss.scale.scoring import in_process, score_sharded
from amiss.scale.shards import How
from amiss.scale.work import Part

pytestmark = pytest.mark.extra("table")


def rows(out):
    """Every row of every part."""
    import pandas as pd

    parts = [pd.read_parquet(path) for path in sorted(out.glob("part-*.parquet"))]
    return pd.concat(parts, ignore_index=True)


def same(out, table) -> bool:
    """Whether the rows are those of a score table, to the last bit, whatever their order."""
    found, wanted = rows(out), table.to_pandas()
    assert list(found.columns) == list(wanted.columns)
    assert wanted["pred_score"].std() > 0
    return all(
        frame.sort_values("image_path", ignore_index=True).equals(wanted.sort_values("image_path", ignore_index=True))
        for frame in [found]
    )


@pytest.mark.parametrize("terms", [False, True])
@pytest.mark.parametrize("size", [7, 40])
def test_rows_are_those_of_the_detector(detector, photos, tmp_path, size, terms):
    seen = []
    outcome = score_sharded(
        detector,
        photos,
        tmp_path / "out",
        shard_images=size,
        how=How(terms),
        progress=lambda what, done, total, detail: seen.append((what, done, total, detail)),
    )
    table = detector.score(photos, terms=terms)
    assert same(tmp_path / "out", table)
    read = read_scores(tmp_path / "out")
    assert read.image_path == list(table.image_path)
    assert read.to_pandas().equals(table.to_pandas())
    assert (outcome.images, outcome.anomalous, outcome.kept) == (40, table.pred_label.sum(), 0)
    assert outcome.kinds == {Kind(False, "uint8"): 40}
    shards = -(-40 // size)
    assert [(what, done, total) for what, done, total, _ in seen] == [
        ("scoring shards", i, shards) for i in range(1, shards + 1)
    ]
    assert seen[-1][3].startswith("40 images, ")
    record = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert record["finished"] == {"images": 40, "skipped": 0}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        MANIFEST,
        *(f"part-{i:05}.parquet" for i in range(shards)),
    ]


def test_a_folder_of_parts_is_one_table_to_others(detector, photos, tmp_path):
    import pandas as pd

    score_sharded(detector, photos, tmp_path / "out", shard_images=7)
    assert len(pd.read_parquet(tmp_path / "out")) == 40


def test_packed_images_have_the_scores_of_their_files(detector, photos, packed, tarred, tmp_path):
    import pyarrow
    import pyarrow.parquet

    tarred(tmp_path / "a.tar", packed[:15])
    tarred(tmp_path / "b.tar", packed[15:])
    rows_ = {"image": [data for _, data in packed], "image_path": [name for name, _ in packed]}
    pyarrow.parquet.write_table(pyarrow.table(rows_), tmp_path / "all.parquet", row_group_size=16)
    wanted = {path.rpartition("/")[2]: score for path, score, *_ in detector.score(photos)}
    for i, source in enumerate([tmp_path, tmp_path / "all.parquet"]):
        if source.is_dir():
            source = f"{tmp_path}/a.tar"
        score_sharded(detector, source, tmp_path / f"out{i}")
        found = {row.image_path.rpartition("/")[2]: row.pred_score for row in rows(tmp_path / f"out{i}").itertuples()}
        assert found == pytest.approx({name: wanted[name] for name in found}, rel=1e-5)
        assert len(found) == (15 if i == 0 else 40)


def test_tiled_models_score_images_of_several_sizes(tmp_path):
    from tests.scale.conftest import smooth

    detector = Detector("knn", fpr=None, tile=8).fit(smooth(12, 0))
    for i, image in enumerate(smooth(6, 3)):
        Image.fromarray(image[: 20 + i % 2 * 8]).save(tmp_path / f"{i}.png")
    score_sharded(detector, tmp_path, tmp_path.parent / f"{tmp_path.name}-out", shard_images=4)
    assert same(tmp_path.parent / f"{tmp_path.name}-out", detector.score(tmp_path))


class Crash(Exception):  # noqa: N818
    """A process that dies."""


def crashing(after: int, done: list[int], error: BaseException):
    """An engine that stops in the middle of its work, and notes what it does."""

    def engine(tasks, models, how):
        for i, (task, data) in enumerate(zip(tasks, in_process(tasks, models, how), strict=True)):
            if i == after:
                raise error
            done.append(task.number)
            yield data

    return engine


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_killed_run_goes_on_with_what_is_missing(detector, photos, tmp_path, after):
    out, done = tmp_path / "out", []
    with pytest.raises(Crash):
        score_sharded(detector, photos, out, shard_images=9, engine=crashing(after, done, Crash()))
    assert len(list(out.glob("part-*"))) == after
    with pytest.raises(InputError, match="holds no finished scores"):
        read_scores(out)
    with pytest.raises(InputError, match="holds unfinished scores: give --resume to go on, or --overwrite"):
        score_sharded(detector, photos, out, shard_images=9)
    outcome = score_sharded(detector, photos, out, shard_images=9, resume=True, engine=crashing(99, done, Crash()))
    assert sorted(done) == [0, 1, 2, 3, 4]
    assert (outcome.kept, outcome.shards, outcome.images) == (after, 5, 40)
    assert same(out, detector.score(photos))
    again = score_sharded(detector, photos, out, shard_images=9, resume=True, engine=crashing(0, done, Crash()))
    assert (again.kept, again.images, again.anomalous) == (5, 40, outcome.anomalous)


def test_an_interruption_and_a_failure_say_what_is_kept(detector, photos, tmp_path):
    for error, said in ((KeyboardInterrupt(), "interrupted: "), (WorkError("no disk"), "no disk (")):
        out = tmp_path / said[:2]
        with pytest.raises(type(error)) as caught:
            score_sharded(detector, photos, out, shard_images=9, engine=crashing(2, [], error))
        kept = f"{said}{out} keeps 2 of 5 shards; the same call with --resume goes on"
        assert str(caught.value).removesuffix(")") == kept


def test_a_damaged_part_is_scored_again(detector, photos, tmp_path):
    out, done = tmp_path / "out", []
    score_sharded(detector, photos, out, shard_images=9)
    (out / "part-00001.parquet").write_bytes((out / "part-00001.parquet").read_bytes()[:100])
    shutil.copy(out / "part-00000.parquet", out / "part-00003.parquet")
    with pytest.raises(InputError, match="holds no finished scores"):
        read_scores(out)
    with pytest.raises(Crash):
        score_sharded(detector, photos, out, shard_images=9, resume=True, engine=crashing(1, done, Crash()))
    assert "finished" not in json.loads((out / MANIFEST).read_text())
    score_sharded(detector, photos, out, shard_images=9, resume=True, engine=crashing(9, done, Crash()))
    assert done == [1, 3]
    assert same(out, detector.score(photos))


def test_another_run_is_refused_by_name(detector, photos, tmp_path):
    out = tmp_path / "out"
    score_sharded(detector, photos, out, shard_images=9)
    other = Detector("knn", fpr=0.05).fit(smooth(60, 5))
    changed = {
        "images": lambda: score_sharded(detector, renamed(photos, tmp_path), out, shard_images=9, resume=True),
        "images a shard": lambda: score_sharded(detector, photos, out, shard_images=8, resume=True),
        "model": lambda: score_sharded(other, photos, out, shard_images=9, resume=True),
        "false-alarm rate": lambda: score_sharded(
            Detector.of(detector.artifact).set_threshold(1.0), photos, out, shard_images=9, resume=True
        ),
        "terms": lambda: score_sharded(detector, photos, out, shard_images=9, how=How(True), resume=True),
    }
    for name, call in changed.items():  # the first difference by the alphabet is named
        with pytest.raises(InputError, match=rf"cannot resume .*: {name} was .* and is now .*--overwrite"):
            call()
    assert same(out, detector.score(photos))
    score_sharded(other, photos, out, shard_images=20, overwrite=True)
    assert same(out, other.score(photos))


def renamed(photos, tmp_path):
    """The same images in another place."""
    return shutil.copytree(photos, tmp_path / "copy")


def test_bad_images_stop_or_are_listed_as_without_shards(detector, photos, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(photos, folder)
    (folder / "b" / "030.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"030\.png' is not an image.*on_bad='skip'.*keeps 3 of 5 shards"):
        score_sharded(detector, folder, out, shard_images=9)
    outcome = score_sharded(detector, folder, out, shard_images=9, resume=True, how=How(on_bad="skip"))
    assert outcome.kept == 3
    assert same(out, detector.score(folder, on_bad="skip"))
    name = str(folder / "b" / "030.png")
    assert [bad.path for bad in outcome.skipped] == [name]
    assert (out / SKIPPED).read_text().splitlines()[1].startswith(f"{name},")


def test_a_wrong_call_leaves_nothing(detector, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").write_bytes(b"")
    for on_bad, said in (("stop", "is empty"), ("skip", "none of 1 images could be read")):
        with pytest.raises(InputError, match=said):
            score_sharded(detector, tmp_path / "in", tmp_path / "out", how=How(on_bad=on_bad))
        assert not (tmp_path / "out").exists()


def test_a_shard_of_bad_images_is_a_part_without_rows(detector, photos, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(photos, folder)
    for i in range(9):
        (folder / "a" / f"{i:03}.png").write_bytes(b"no image")
    outcome = score_sharded(detector, folder, out, shard_images=9, how=How(True, "skip"))
    assert (outcome.images, len(outcome.skipped)) == (31, 9)
    import pandas as pd

    assert list(pd.read_parquet(out / "part-00000.parquet").columns) == list(rows(out).columns)
    assert len(pd.read_parquet(out)) == 31


def test_what_is_no_scoring_run_is_left_alone(detector, photos, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match=r"holds mine\.txt, which is not of a scoring run"):
        score_sharded(detector, photos, tmp_path, overwrite=True)
    with pytest.raises(InputError, match="is a file: with --on, scores are a folder"):
        score_sharded(detector, photos, tmp_path / "mine.txt")
    with pytest.raises(InputError, match="there is no folder"):
        score_sharded(detector, photos, tmp_path / "no" / "out")
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_one_run_at_a_time(detector, photos, tmp_path):
    out = tmp_path / "out"

    def meddling(tasks, models, how):
        with pytest.raises(InputError, match="another process writes scores to"):
            score_sharded(detector, photos, out, resume=True)
        yield from in_process(tasks, models, how)

    assert score_sharded(detector, photos, out, engine=meddling).images == 40


def test_a_parts_record_survives_serialization():
    part = Part(3, 5, 1, [Skipped("a", "b")], {Kind(True, "uint16"): 2})
    assert Part.from_json(part.to_json()) == part
    for bad in (b"", b"[]", b"{}", b'{"shard": 1}'):
        with pytest.raises(ValueError):
            Part.from_json(bad)
