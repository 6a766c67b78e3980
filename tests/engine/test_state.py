"""What a learner remembers is captured whole and put back whole."""

import pytest
import torch
from lines import SPEC, Line, numbered
from torch import nn

from amiss.engine.state import capture, copy_tensors, install, restore, steppers


class Deep(Line):
    """Memory of every kind, some of it in modules below."""

    def __init__(self, spec):
        super().__init__(spec)
        self.critic = Critic()
        self.members = nn.ModuleList([Line(spec), Line(spec)])


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.sgd = torch.optim.SGD(self.layer.parameters(), lr=0.1, momentum=0.9)
        self.register_buffer("kept", torch.zeros(0, 3))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)
        self.notes = []

    def get_extra_state(self):
        return {"notes": self.notes}

    def set_extra_state(self, state):
        self.notes = state["notes"]


def trained(seed=0):
    torch.manual_seed(seed)
    learner = Deep(SPEC)
    x = numbered(4).take(range(4))
    for part in (learner, *learner.members):
        part.step(x)
        part.end()
    learner.critic.layer(torch.rand(5, 2)).sum().backward()
    learner.critic.sgd.step()
    learner.critic.kept = torch.rand(7, 3)
    learner.critic.notes = ["a", seed]
    return learner


def flat(value, path=""):
    """Nested values by path."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in flat(part, f"{path}/{key}").items()}
    if isinstance(value, list | tuple):
        return {k: v for i, part in enumerate(value) for k, v in flat(part, f"{path}/{i}").items()}
    return {path: value}


def same(a, b):
    a, b = flat(a), flat(b)
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) if isinstance(a[k], torch.Tensor) else a[k] == b[k] for k in a
    )


def test_optimizers_and_schedules_are_found_wherever_they_are():
    assert sorted(steppers(Deep(SPEC))) == [
        "adam",
        "critic.sgd",
        "members.0.adam",
        "members.0.schedule",
        "members.1.adam",
        "members.1.schedule",
        "schedule",
    ]


def test_a_captured_state_comes_back_in_a_new_learner():
    learner, other = trained(), trained(seed=1)
    state = capture(learner)
    assert not same(state, capture(other))
    fresh = Deep(SPEC)
    for target in (fresh, other):
        restore(target, state)
        assert same(capture(target), state)
    assert fresh.critic.kept.shape == (7, 3)
    assert fresh.critic.notes == ["a", 0]
    assert fresh.schedule.last_epoch == 1


def test_a_captured_state_does_not_follow_the_learner():
    learner = trained()
    state = capture(learner)
    before = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in flat(state).items()}
    learner.step(numbered(4).take(range(4)))
    learner.critic.notes.append("later")
    learner.critic.kept.zero_()
    assert same(flat(state), before)
    assert not same(capture(learner), state)


def test_a_state_that_was_put_back_does_not_follow_the_learner_either():
    state = capture(trained())
    before = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in flat(state).items()}
    learner = Deep(SPEC)
    restore(learner, state)
    for part in (learner, *learner.members):
        part.step(numbered(4).take(range(4)))
    learner.critic.sgd.step()
    learner.critic.notes.append("later")
    assert same(flat(state), before)


def test_installing_takes_the_stored_shape_of_buffers_only():
    learner = Deep(SPEC)
    state = copy_tensors(trained().state_dict())
    install(learner, state)
    assert learner.critic.kept.shape == (7, 3)
    assert "critic.kept" in dict(learner.named_buffers())
    with pytest.raises(RuntimeError, match=r"size mismatch for critic\.layer\.weight"):
        install(learner, {**state, "critic.layer.weight": torch.zeros(1, 3)})


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_installing_is_strict(change):
    state = copy_tensors(trained().state_dict())
    if change == "missing":
        del state["critic.kept"]
    else:
        state["critic.other"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r"critic\.(kept|other)"):
        install(Deep(SPEC), state)


def test_a_state_of_another_make_is_refused():
    with pytest.raises(TypeError, match="a captured state holds the dictionaries"):
        restore(Deep(SPEC), {"module": None, "steppers": {}})
