"""What a run or an evaluation records of the machinery that judges it: environment.json and self_test.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from proofgrad.envs.base import Env
from proofgrad.rl.checks.environment import describe_environment
from proofgrad.rl.checks.self_test import SELF_TEST, SelfTest, load_self_test, self_test, write_self_test
from proofgrad.rl.run_directory import write_text
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import UnhealthyError

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["examine", "examine_verifiers"]


def examine(
    directory: Path, envs: Mapping[str, Env], verifiers: Mapping[str, Verifier], n: int
) -> tuple[SelfTest | None, bool]:
    """Record what is in force, and put `n` right answers of each environment, damaged ones and cheats to the verifiers.

    Returns:
        The self-test, None for an `n` of 0; and whether it was made now, or read as these versions left it earlier,
        with as many right answers or more.
    """
    write_text(directory / "environment.json", json.dumps(describe_environment(verifiers), indent=1) + "\n")
    if not n:
        return None, False
    found = load_self_test(directory)
    versions = {name: verifier.version for name, verifier in verifiers.items()}
    if found is not None and found.verifiers == versions and found.n >= n:
        return found, False
    result = self_test(envs, verifiers, n)
    write_self_test(directory, result)
    return result, True


def examine_verifiers(session: Session) -> None:
    """Examine a run's verifiers before anything is learned from them, and say what was found.

    Raises:
        UnhealthyError: a cheat passed.
    """
    if not session.is_main_process():
        return
    n = session.config.verification.self_test
    result, is_new = examine(session.run.path, session.envs, session.verifiers, n)
    if result is None:
        return
    path = session.run.path / SELF_TEST
    for check in result.checks:
        if check.kind == "cheat" and check.wrong:
            raise UnhealthyError(
                f"the verifier '{check.verifier}' accepts {len(check.wrong)} of {check.looked_at} cheats, as "
                f"'{check.wrong[0].what}': what it rewards would be cheating. {path} has them all"
            )
    if is_new:
        counted = {kind: [check for check in result.checks if check.kind == kind] for kind in ("gold", "cheat")}
        gold, cheats = (sum(check.looked_at for check in found) for found in counted.values())
        refused = sum(len(check.wrong) for check in counted["gold"])
        session.say(f"verifiers: {gold - refused} of {gold} right answers pass, {cheats} of {cheats} cheats do not")
