"""Known vulnerabilities of the pinned environment: pip-audit, which must have looked at every package.

python scripts/audit.py

Runs in an environment that has pip-audit (`make audit` makes one) and asks PyPI's advisory service about each line of
constraints.txt. pip-audit itself ends with 0 where it could look nothing up; this ends with 1 then, and says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).resolve().parents[1] / "constraints.txt"


def main() -> None:
    """Ask, and say in lines what is known."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    done = subprocess.run([*command, "-f", "json", "-r", str(PINNED)], capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        sys.exit(f"the advisory service could not be asked, so nothing is known of any package: {reason}")
    skipped = [package["name"] for package in found if "skip_reason" in package]
    bad = [(package, hit) for package in found for hit in package.get("vulns", [])]
    for package, hit in bad:
        mended = ", ".join(hit["fix_versions"]) or "none yet"
        print(f"{package['name']} {package['version']}: {hit['id']}, mended in {mended}")
    if skipped:
        few = ", ".join(skipped[:3]) + (" and others" if len(skipped) > 3 else "")
        sys.exit(
            f"the advisory service knew nothing of {len(skipped)} of {len(found)} packages ({few}), so nothing is "
            "known of them: run this where https://pypi.org can be reached"
        )
    if bad:
        sys.exit(f"{len(bad)} known vulnerabilities in {len(found)} packages")
    print(f"no known vulnerability in {len(found)} packages")


if __name__ == "__main__":
    main()
