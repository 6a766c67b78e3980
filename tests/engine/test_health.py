"""Training that went wrong says so and what to do; healthy training does not."""

import pytest
import torch
from lines import Line, LineScorer, numbered, run
from torch import nn

from amiss.contracts import Phase, Scorer, WorkError
from amiss.engine import health
from amiss.engine.descend import descend


def test_a_healthy_learner_passes():
    fitted, _ = run()
    assert len([r for r in fitted.log if r["event"] == "epoch"]) == 6


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite(bad):
    class Broken(Line):
        def step(self, x):
            return {**super().step(x), "extra": torch.tensor(bad if self.clock > 1 else 0.5)}

    with pytest.raises(
        WorkError, match=rf"epoch 2 of the phase 'first': the loss 'extra' is {bad}; lower the learning"
    ):
        run(Broken)


def test_a_learning_rate_that_is_far_too_high():
    class Diverging(Line):
        def __init__(self, spec):
            super().__init__(spec)
            self.adam = torch.optim.SGD(self.net.parameters(), lr=1e6)
            self.schedule = torch.optim.lr_scheduler.StepLR(self.adam, 2)

    with pytest.raises(WorkError, match=r"the loss 'recon' is (nan|inf); lower the learning rate"):
        run(Diverging)


def test_a_collapsed_latent():
    class Collapsed(Line):
        def vitals(self, x):
            return {"latent": 1 + 1e-4 * self.net[0](x.flatten(1))}

    with pytest.raises(WorkError, match=r"latent code collapsed: between 10 training images it varies by .* at a size"):
        run(Collapsed)


def with_vitals(make):
    class Watched(Line):
        def vitals(self, x):
            return make(x)

    return Watched


def test_a_generator_that_ignores_its_input():
    one = torch.rand(1, 1, 2, 2)
    with pytest.raises(WorkError, match=r"the generator ignores its input: what it makes varies by .* vary by"):
        run(with_vitals(lambda x: {"generated": one + 1e-4 * x}))
    run(with_vitals(lambda x: {"generated": one + 0.1 * x}))


@pytest.mark.parametrize("value", [0.0, 3.0, 1e8])
def test_a_saturated_critic(value):
    with pytest.raises(WorkError, match="the critic is saturated: between 10 training images it varies by"):
        run(with_vitals(lambda x: {"critic": torch.full((len(x),), value)}))
    run(with_vitals(lambda x: {"critic": value + 1e-3 * (1 + value) * torch.randn(len(x))}))


@pytest.mark.parametrize("name", ["latent", "generated", "critic"])
def test_vitals_that_are_not_finite(name):
    with pytest.raises(WorkError, match=f"the {name} of 10 training images is not finite"):
        run(with_vitals(lambda x: {name: x * float("nan")}))


def test_vitals_of_a_member_are_judged_like_its_own():
    with pytest.raises(WorkError, match="the critic is saturated"):
        run(with_vitals(lambda x: {"1.latent": x, "2.critic": torch.ones(len(x))}))


def test_vitals_may_draw_without_a_trace():
    def draws(x):
        return {"latent": torch.rand(len(x), 2)}

    plain, _ = run()
    watched, _ = run(with_vitals(draws))
    assert torch.equal(plain.scorer.net[0].weight, watched.scorer.net[0].weight)


class Constant(Scorer):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return x.new_full((len(x),), self.value)


@pytest.mark.parametrize(("value", "message"), [(0.25, r"same score \(0\.25\)"), (float("nan"), "are not finite")])
def test_scores_that_are_constant_or_not_finite(value, message):
    class Dull(Line):
        def scorer(self):
            return Constant(value)

    with pytest.raises(WorkError, match=message):
        run(Dull)


class Deaf(Line):
    """Its optimizer owns a layer that its loss does not use."""

    def __init__(self, spec, kind=torch.optim.Adam):
        super().__init__(spec)
        self.unused = nn.Linear(2, 2)
        self.adam = kind(self.parameters(), lr=0.05)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.adam, 2)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_a_layer_that_no_gradient_reaches(kind):
    with pytest.raises(WorkError, match=r"unused\.weight did not move in epoch 1 of the phase 'first': no gradient"):
        run(lambda spec: Deaf(spec, kind))


def test_a_layer_cut_off_by_dead_units():
    class Dead(Line):
        def step(self, x):
            x = x.flatten(1)
            loss = (self.net[1](torch.relu(self.net[0](x) - 100)) - x).square().mean()
            descend(loss, self.adam)
            return {"recon": loss}

    with pytest.raises(WorkError, match=r"net\.0\.weight did not move"):
        run(Dead)


def test_an_optimizer_that_rests_in_a_phase_is_not_blamed():
    class Turns(Line):
        def __init__(self, spec):
            super().__init__(spec)
            self.offset = nn.Parameter(torch.zeros(4))
            self.other = torch.optim.SGD([self.offset], lr=0.1)

        def phases(self):
            yield Phase("net", self.step, 1, 4)
            yield Phase("offset", self.shift, 1, 4)
            yield Phase("look", lambda x: {}, 1, 4)

        def shift(self, x):
            loss = (x.flatten(1) - self.offset).square().mean()
            descend(loss, self.other)
            return {"offset": loss}

    fitted, _ = run(Turns)
    assert [r["phase"] for r in fitted.log] == ["net", "offset", "look"]


def test_hooks_do_not_outlive_the_epoch_even_if_it_breaks():
    learner = run(check=False)[1]
    with pytest.raises(ZeroDivisionError), health.moving(learner, "a test"):
        raise ZeroDivisionError
    assert not learner.adam._optimizer_step_post_hooks


def test_checks_can_be_left_out_but_losses_must_be_finite():
    assert run(Deaf, check=False)[0].log

    class Broken(Line):
        def step(self, x):
            return {"recon": 0 * super().step(x)["recon"] / 0}

    with pytest.raises(WorkError, match="is nan"):
        run(Broken, check=False)


def test_an_untrained_detector_is_not_judged():
    assert run(Deaf, max_epochs=0)[0].log == []


def test_images_that_are_all_alike():
    class Same:
        def __len__(self):
            return 10

        def take(self, index):
            return torch.full((len(index), 1, 2, 2), 0.5)

    with pytest.raises(WorkError, match="images are not all alike"):
        run(Line, Same())


def test_a_density_that_is_flat_on_its_own_training_images_is_healthy():
    class Memory(LineScorer):
        def forward(self, x):
            return (x.flatten(1)[:, None] - kept[None]).abs().sum(2).min(1).values

    class Nearest(Line):
        def scorer(self):
            return Memory(self.net)

    images = numbered(10)
    kept = images.take(range(10)).flatten(1)
    fitted, _ = run(Nearest, images)
    assert fitted.scorer(images.take(range(10))).abs().max() == 0


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-12])
def test_constancy_is_judged_by_the_scores_own_size(scale):
    health.check_scores(scale * torch.linspace(1, 1.01, 9))
    with pytest.raises(WorkError):
        health.check_scores(scale * torch.linspace(1, 1, 9))


def test_a_single_image_is_neither_constant_nor_collapsed():
    health.check_scores(torch.ones(1))
    health.check_vitals(run()[1], torch.rand(1, 1, 2, 2))


def test_losses_that_stand_still_are_noticed_and_others_are_not() -> None:
    with pytest.raises(health.StallError, match=r"stands still in epoch 2.*random state"):
        health.check_progress({"recon": 0.12844668}, {"recon": 0.12844667}, "epoch 2")
    health.check_progress({"recon": 0.12844668}, {"recon": 0.12843}, "epoch 2")
    health.check_progress({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.001}, "epoch 2")
    health.check_progress({}, {}, "epoch 2")
