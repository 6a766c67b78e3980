"""Faults of exported decisions and of their comparison."""

from __future__ import annotations

from planted import Mutant

GRAPH, PARITY = "tests/export/test_export_graph.py", "tests/export/test_export_parity.py"

MUTANTS = [
    Mutant("export: a tie counts for the image", "export/graph.py", (("(1 + reaching(", "(reaching("),), GRAPH),
    Mutant(
        "export: the threshold itself is anomalous",
        "export/graph.py",
        (("~(score <= self.threshold)", "~(score < self.threshold)"),),
        GRAPH,
    ),
    Mutant(
        "export: no number is normal",
        "export/graph.py",
        (("~(score <= self.threshold)", "(score > self.threshold)"),),
        GRAPH,
    ),
    Mutant(
        "export: a row too far", "export/graph.py", (("(rows - 1).clamp_min(0)", "rows.clamp_max(side - 1)"),), GRAPH
    ),
    Mutant(
        "export: decides in float32",
        "export/graph.py",
        (("self.scorer(x).to(torch.float64)", "self.scorer(x)"),),
        GRAPH,
    ),
    Mutant("export: other labels pass", "export/parity.py", (("flipped & ~near)", "flipped & near)"),), PARITY),
    Mutant(
        "export: any score passes",
        "export/parity.py",
        (("differences.max() > table.worst", "differences.max() < 0"),),
        PARITY,
    ),
]
