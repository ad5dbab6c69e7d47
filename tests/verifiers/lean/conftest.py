"""What the tests of the backends share: doubles of the Leans that are not here, laid out as on a disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from doubles.install import Installation, install
from doubles.kimina_double import KiminaDouble


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A toolchain without ``leanchecker``, and a Lake project with a REPL."""
    return install(tmp_path_factory.mktemp("installation") / "here")


@pytest.fixture(scope="session")
def checked_installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same with ``leanchecker``."""
    return install(tmp_path_factory.mktemp("installation") / "checked", checker=True)


@pytest.fixture
def kimina(installation: Installation) -> Iterator[KiminaDouble]:
    with KiminaDouble(str(installation.lean)) as server:
        yield server
