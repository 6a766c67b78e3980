"""Faults in HistoryAD: its history, its signs, its bound."""

from __future__ import annotations

from planted import Mutant

HISTORY, TEST_HISTORY = "adversaries/history.py", "tests/adversaries/test_history.py"
METHOD, TEST_METHOD = "methods/history_ad.py", "tests/methods/test_history_ad.py"
DISTANCE, TEST_DISTANCE = "objectives/total_variation_distance.py", "tests/objectives/test_total_variation_distance.py"

MUTANTS = [
    Mutant(
        "weights of the history reversed",
        HISTORY,
        (("return exp(-self.beta * (t - self.alpha))", "return exp(self.beta * (t - self.alpha))"),),
        TEST_HISTORY,
    ),
    Mutant(
        "history kept at even times instead of equal masses",
        HISTORY,
        (("[self.quantile((i + 0.5) / n)", "[self.alpha + (i + 0.5) / n * (self.end - self.alpha)"),),
        TEST_HISTORY,
    ),
    Mutant(
        "history average without the weights",
        HISTORY,
        (("(weight / self.total)", "(1 / self.total)"),),
        TEST_HISTORY,
    ),
    Mutant(
        "history forgets the running statistics",
        HISTORY,
        (("(*net.named_parameters(), *net.named_buffers())", "net.named_parameters()"),),
        TEST_HISTORY,
    ),
    Mutant("history with narrow codes alone", HISTORY, (("factors[1::2] = scale", "factors[1::2] = 1"),), TEST_HISTORY),
    Mutant(
        "sign of HistoryAD's critic",
        METHOD,
        (("gap = (self.d(real) - self.d(fake)).mean()", "gap = (self.d(fake) - self.d(real)).mean()"),),
        TEST_METHOD,
    ),
    Mutant(
        "sign of the total variation",
        DISTANCE,
        (("return data - history + lam", "return history - data + lam"),),
        TEST_DISTANCE,
    ),
    Mutant(
        "bound of the total variation on the data alone",
        DISTANCE,
        (("(excess(data).square() + excess(history).square()) / 2", "excess(data).square() / 2"),),
        TEST_DISTANCE,
    ),
]
