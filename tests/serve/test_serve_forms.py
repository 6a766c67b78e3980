"""Forms: the same parts as python-multipart finds byte by byte, and a sentence for whatever is broken."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]

NAMES = st.text(st.characters(exclude_characters='"\\\r\n', exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
CONTENTS = st.binary(max_size=20) | st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b"--", b"\r\n--x", b"\r\n--boundar", b"--boundary"]
)
FORMS = st.lists(st.tuples(NAMES, st.none() | NAMES, CONTENTS), min_size=1, max_size=4)


def encoded(parts, end=b"--boundary--\r\n"):
    body = b""
    for name, filename, content in parts:
        told = "" if filename is None else f'; filename="{filename}"'
        body += (
            f'--boundary\r\nContent-Disposition: form-data; name="{name}"{told}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return body + end


async def by_the_byte(body):
    from starlette.datastructures import Headers
    from starlette.formparsers import MultiPartParser

    async def stream():
        yield body

    form = await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=boundary"}), stream()).parse()
    found = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            found.append((name, None, value.encode()))
        else:
            found.append((name, value.filename, await value.read()))
    await form.close()
    return found


@settings(deadline=None, max_examples=200)
@given(FORMS)
def test_parts_are_those_of_another_parser(parts):
    from amiss.serve.forms import parts_of

    parts = [(name, filename, content if filename is not None else b"text") for name, filename, content in parts]
    body = encoded(parts)
    ours = [(part.name, part.filename, part.content) for part in parts_of(body, b"boundary")]
    assert ours == asyncio.run(by_the_byte(body))
    if not any(b"\r\n--boundary" in content for _, _, content in parts):
        assert [content for _, _, content in ours] == [content for _, _, content in parts]


@settings(deadline=None, max_examples=300)
@given(FORMS, st.data())
def test_a_broken_form_is_refused_or_read_and_nothing_else(parts, data):
    from amiss.serve.forms import parts_of
    from amiss.serve.refusal import RefusedError

    body = bytearray(encoded(parts))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        end = data.draw(st.integers(at, min(len(body), at + 6)))
        body[at:end] = data.draw(st.binary(max_size=6))
    found, refused = [], None
    try:
        found = list(parts_of(bytes(body), b"boundary"))
    except RefusedError as error:
        refused = error
    assert refused is None or (refused.status == 400 and "the form cannot be read: " in refused.sentence)
    assert sum(len(part.content) for part in found) <= len(body)


@pytest.mark.parametrize("cut", [1, 3, 10, 16, 20, 40])
def test_a_form_that_ends_too_early_is_refused(cut):
    from amiss.serve.forms import parts_of
    from amiss.serve.refusal import RefusedError

    body = encoded([("files", "a.png", b"content")])
    whole = body.removesuffix(b"--\r\n")
    with pytest.raises(RefusedError, match="the form cannot be read"):
        list(parts_of(whole[: len(whole) - cut], b"boundary"))


@pytest.mark.parametrize("kind", ["", "; boundary=", f"; boundary={'x' * 71}", "; boundary"])
def test_a_content_type_without_a_boundary_is_refused(kind):
    from amiss.serve.forms import boundary_of
    from amiss.serve.refusal import RefusedError

    with pytest.raises(RefusedError, match="names no boundary"):
        boundary_of(f"multipart/form-data{kind}")


def test_what_threads_make_arrives_and_so_does_what_they_raise():
    from amiss.serve.crossing import Crossing

    async def ask():
        crossing = Crossing()
        with ThreadPoolExecutor(8) as pool:
            good = [crossing.wait(pool.submit(lambda i=i: i * i)) for i in range(500)]
            bad = crossing.wait(pool.submit(lambda: 1 // 0))
            *found, raised = await asyncio.gather(*good, bad, return_exceptions=True)
        return found, raised

    found, raised = asyncio.run(ask())
    assert found == [i * i for i in range(500)]
    assert isinstance(raised, ZeroDivisionError)


def test_who_stops_waiting_cancels_what_has_not_begun():
    from amiss.serve.crossing import Crossing

    async def ask():
        future = Future()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Crossing().wait(future)
        return future

    assert asyncio.run(ask()).cancelled()
