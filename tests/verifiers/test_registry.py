"""Verifiers are found by name, and a wrong name is answered with the nearest right one."""

import pytest

from proofgrad import envs, verifiers
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import ConfigError


def test_the_shipped_verifiers_are_registered():
    assert {"lean", "program"} <= set(verifiers.names())
    assert isinstance(verifiers.get("program"), Verifier)


def test_the_shipped_environments_are_registered():
    assert {"propositional", "synthesis"} <= set(envs.names())
    assert isinstance(envs.get("propositional"), envs.Env)


@pytest.mark.parametrize(
    ("get", "name", "message"),
    [
        (verifiers.get, "laen", "no verifier named 'laen'; did you mean 'lean'?"),
        (envs.get, "sinthesis", "no environment named 'sinthesis'; did you mean 'synthesis'?"),
        (envs.get, "zzz", "no environment named 'zzz'; installed: "),
    ],
)
def test_a_wrong_name_is_explained(get, name, message):
    with pytest.raises(ConfigError) as caught:
        get(name)
    assert message in str(caught.value)


def test_a_wrong_option_is_explained():
    with pytest.raises(ConfigError, match=r"environment 'synthesis': .*max_levle"):
        envs.get("synthesis", max_levle=3)
