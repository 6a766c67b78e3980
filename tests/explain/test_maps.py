"""Each map against its definition, worked out slowly in float64, for a scorer of every kind."""

from __future__ import annotations

import pytest
import torch
from explained import LAYERED, METHODS, RECONSTRUCTING, SPEC, images, scorer_of

from amiss.contracts import ImageSpec, InputError, Scorer
from amiss.explain.gradient import gradient
from amiss.explain.layers import layer_maps, layers
from amiss.explain.maps import available, chosen
from amiss.explain.occlusion import occlusion
from amiss.explain.residual import reconstruction, residual
from amiss.explain.substitution import substitution
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA


def by_hand(scorer: Scorer, x: torch.Tensor, patch: int, stride: int, fill: float = 0.0) -> torch.Tensor:
    """Occlusion of one image (C, H, W), one position after the other: (H, W)."""
    total, count = torch.zeros(2, *x.shape[1:], dtype=x.dtype)
    height, width = x.shape[1:]
    with torch.no_grad():
        whole = scorer(x[None])[0]
        for top in range(0, height, stride):
            for left in range(0, width, stride):
                if (top and top - stride + patch >= height) or (left and left - stride + patch >= width):
                    continue  # the patch before already reached the border
                hidden = x.clone()
                hidden[:, top : top + patch, left : left + patch] = fill
                total[top : top + patch, left : left + patch] += whole - scorer(hidden[None])[0]
                count[top : top + patch, left : left + patch] += 1
    assert count.min() >= 1
    return total / count


@pytest.mark.parametrize("name", METHODS)
def test_occlusion_is_the_slow_loop(name: str) -> None:
    scorer, x = scorer_of(name), images(2, first=40)
    found = occlusion(scorer, x, 7)
    slow = torch.stack([by_hand(scorer, image, 7, 7) for image in x])
    torch.testing.assert_close(found, slow, rtol=1e-9, atol=1e-12 * float(slow.abs().max()))
    assert (slow != 0).any((1, 2)).all()


@pytest.mark.parametrize(
    ("patch", "stride", "fill"), [(1, 1, 0.0), (3, 3, 0.0), (4, 3, 0.0), (5, 2, 0.5), (12, 12, 0.0), (12, 1, 0.2)]
)
def test_patches_may_overlap_be_cut_off_and_have_any_filling(patch: int, stride: int, fill: float) -> None:
    spec = ImageSpec(3, 10, 12)
    scorer, x = scorer_of("pca", spec), images(3, spec, first=40)
    found = occlusion(scorer, x, patch, stride=stride, fill=fill)
    slow = torch.stack([by_hand(scorer, image, patch, stride, fill) for image in x])
    torch.testing.assert_close(found, slow, rtol=1e-9, atol=1e-12)
    assert found.shape == (3, 10, 12)
    assert torch.equal(occlusion(scorer, x, patch, stride=stride, fill=torch.full_like(x, fill)), found)


def test_a_patch_that_is_black_already_is_not_measured() -> None:
    class Counting(Scorer):
        seen = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen += len(x)
            return x.sum((1, 2, 3))

    scorer, x = Counting(), torch.zeros(2, 1, 8, 8)
    x[0, 0, 1, 2] = 0.5
    found = occlusion(scorer, x, 2)
    assert scorer.seen == 2 + 1
    assert found[0, :2, 2:4].eq(0.5).all()
    assert found.sum() == 2  # what it hides raises the sum, so the sign is positive


def test_patches_that_do_not_cover_the_image_are_refused() -> None:
    scorer, x = scorer_of("pca"), images(1)
    for patch, stride in ((0, None), (29, None), (2, 3), (2, 0)):
        with pytest.raises(InputError, match=r"do not cover images of 28x28: accepted are 1 <= stride <= patch <= 28"):
            occlusion(scorer, x, patch, stride=stride)


@pytest.mark.parametrize("name", METHODS)
def test_the_gradient_is_the_difference_quotient(name: str) -> None:
    scorer, x = scorer_of(name), 0.1 + 0.8 * images(2, first=40)  # at 0 and 1 a clamp has one-sided derivatives only
    found = gradient(scorer, x)
    assert found.shape == (2, 28, 28)
    step, pixels = 1e-6, [(3, 3), (10, 14), (14, 14), (20, 9)]
    for row, column in pixels:
        moved = torch.zeros_like(x)
        moved[:, :, row, column] = step
        quotient = (scorer(x + moved) - scorer(x - moved)) / (2 * step)
        torch.testing.assert_close(found[:, row, column], quotient, rtol=1e-4, atol=1e-4 * float(found.abs().max()))
    assert found.std() > 0


def test_the_gradient_adds_up_the_channels() -> None:
    class Weighted(Scorer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * torch.tensor([1.0, 2.0, -5.0])[:, None, None]).sum((1, 2, 3))

    assert torch.equal(gradient(Weighted(), torch.rand(2, 3, 4, 5)), torch.full((2, 4, 5), -2.0))


def test_a_score_without_a_gradient_is_refused() -> None:
    class Blind(Scorer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.detach().sum((1, 2, 3))

    class Jagged(Blind):
        differentiable = False

    with pytest.raises(InputError, match="Blind has no gradient map: its score does not depend"):
        gradient(Blind(), torch.rand(1, 1, 4, 4))
    with pytest.raises(InputError, match="Jagged has no gradient map: its score has no gradient"):
        gradient(Jagged(), torch.rand(1, 1, 4, 4))
    assert available(Jagged()) == ("occlusion",)


@pytest.mark.parametrize("name", RECONSTRUCTING)
def test_the_residual_is_not_negative_and_varies(name: str) -> None:
    found = residual(scorer_of(name), images(3, first=40))
    assert found.shape == (3, 28, 28)
    assert found.min() >= 0
    assert (found.std((1, 2)) > 0).all()


@pytest.mark.parametrize(("name", "term"), [("cae", "recon"), ("ae", "recon"), ("pca", "score"), ("ama", "pixel")])
def test_the_mean_residual_is_the_term_that_is_a_mean_squared_error(name: str, term: str) -> None:
    scorer, x = scorer_of(name), images(3, first=40)
    torch.testing.assert_close(residual(scorer, x).mean((1, 2)), scorer.terms(x)[term].detach(), rtol=1e-9, atol=0)


def test_the_residual_of_knn_adds_up_to_the_squared_distance() -> None:
    scorer, x = scorer_of("knn"), images(3, first=40)
    torch.testing.assert_close(residual(scorer, x).sum((1, 2)), scorer(x).square(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", [PCA(components=5, side=7), KNN(side=7), PCA(components=5, side=8)])
def test_the_residual_of_averaged_images_shows_what_the_score_sees(method: PCA | KNN) -> None:
    learner = method.learner(SPEC)
    (phase,) = learner.phases()
    phase.step(images(32).float())
    assert phase.after_epoch is not None
    phase.after_epoch()
    scorer, x = learner.scorer().double(), images(3, first=40)
    found = residual(scorer, x)
    if 28 % method.side == 0:
        blocks = found.unfold(1, 4, 4).unfold(2, 4, 4).flatten(3)
        torch.testing.assert_close(blocks, blocks[..., :1].expand_as(blocks), rtol=1e-6, atol=1e-14)
        small = found[:, ::4, ::4]
        wanted = small.mean((1, 2)) if isinstance(method, PCA) else small.sum((1, 2)).sqrt()
        torch.testing.assert_close(wanted, scorer(x), rtol=1e-6, atol=0)
    assert found.shape == (3, 28, 28)


def test_a_scorer_made_of_others_gives_the_mean_residual() -> None:
    scorer, x = scorer_of("ensemble"), images(2, first=40)
    members = [residual(member, x) for member in scorer.members]
    torch.testing.assert_close(residual(scorer, x), (members[0] + members[1]) / 2)
    assert not torch.equal(members[0], members[1])


@pytest.mark.parametrize("name", ["gradcon", "pca", "typical"])
def test_substitution_is_occlusion_by_the_reconstruction(name: str) -> None:
    scorer, x = scorer_of(name), images(2, first=40)
    made = reconstruction(scorer, x)
    torch.testing.assert_close((made - x).square().mean(1), residual(scorer, x))
    hidden = x.clone()
    hidden[:, :, 7:14, 14:21] = made[:, :, 7:14, 14:21]
    change = scorer(x) - scorer(hidden)
    found = substitution(scorer, x, 7)[:, 7:14, 14:21]
    torch.testing.assert_close(found, change[:, None, None].expand_as(found), rtol=1e-9, atol=1e-12)
    assert change.abs().min() > 0
    with pytest.raises(InputError, match="KDEScorer has no reconstruction"):
        substitution(scorer_of("kde"), x)


def test_layers_and_the_reconstruction_error_add_up_to_the_score() -> None:
    scorer, x = scorer_of("gradcon"), images(3, first=40)
    found = layers(scorer, x)
    assert list(found) == ["layer.1", "layer.2", "layer.3", "layer.4"]
    recon = scorer.terms(x)["recon"]
    torch.testing.assert_close(sum(found.values()) + recon, scorer(x), rtol=1e-9, atol=0)
    maps = layer_maps(scorer, x, 7)
    whole = occlusion(scorer, x, 7)
    of_recon = torch.stack([by_hand(scorer_of_recon(scorer), image, 7, 7) for image in x])
    torch.testing.assert_close(sum(maps.values()) + of_recon, whole, rtol=1e-9, atol=1e-12)
    assert all(m.abs().max() > 0 for m in maps.values())


def scorer_of_recon(scorer: Scorer) -> Scorer:
    class Part(Scorer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return scorer.terms(x)["recon"]

    return Part()


@pytest.mark.parametrize("name", METHODS)
def test_who_lacks_a_map_is_refused_by_name_and_left_out_of_all(name: str) -> None:
    scorer, x = scorer_of(name), images(1)
    has = ["residual", "occlusion", "substitution", "gradient", "layers"]
    has = [m for m in has if name in RECONSTRUCTING or m not in ("residual", "substitution")]
    has = [m for m in has if name in LAYERED or m != "layers"]
    assert list(chosen(scorer, None)) == has
    if name not in RECONSTRUCTING:
        with pytest.raises(InputError, match="has no residual map: it compares an image with no normal"):
            residual(scorer, x)
    if name not in LAYERED:
        with pytest.raises(InputError, match=r"has no map 'layers': it has .*occlusion, .*gradient"):
            chosen(scorer, ["layers"])
        with pytest.raises(InputError, match="has no layer maps"):
            layers(scorer, x)
        with pytest.raises(InputError, match="has no layer maps"):
            layer_maps(scorer, x)
    with pytest.raises(InputError, match="no map 'heat': choose from residual, occlusion, "):
        chosen(scorer, ["heat"])


@pytest.mark.parametrize("name", ["gradcon", "pca", "ama", "knn"])
def test_an_image_has_its_map_in_any_batch_and_none_have_none(name: str) -> None:
    scorer, x = scorer_of(name), images(5, first=40)
    for make in (residual, gradient, lambda s, y: occlusion(s, y, 14)):
        together = make(scorer, x)
        alone = torch.cat([make(scorer, image[None]) for image in x])
        torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9 * float(together.abs().max()))
        assert make(scorer, x[:0]).shape == (0, 28, 28)


def test_no_trace_is_left() -> None:
    scorer, x = scorer_of("gradcon"), images(2)
    before, copy = {name: value.clone() for name, value in scorer.state_dict().items()}, x.clone()
    state = torch.get_rng_state()
    scorer.zero_grad(set_to_none=True)
    for make in (residual, gradient, lambda s, y: occlusion(s, y, 14), lambda s, y: layer_maps(s, y, 14)["layer.1"]):
        assert not make(scorer, x).requires_grad
    assert torch.equal(x, copy)
    assert not x.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in scorer.state_dict().items())
    assert all(p.grad is None for p in scorer.parameters())
    assert torch.equal(torch.get_rng_state(), state)
