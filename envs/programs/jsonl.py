"""Programming problems from JSON Lines files, in the manners of MBPP, APPS and LiveCodeBench."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from proofgrad.envs.programs.recorded import Record, RecordedPrograms
from proofgrad.envs.programs.rows import FORMATS, Reader, record_of
from proofgrad.envs.theorems.recorded import PathOption, RowError, files_of
from proofgrad.verifiers.code import Refused
from proofgrad.verifiers.code.runner import Runner
from proofgrad.verifiers.errors import ConfigError

__all__ = ["JsonlProgramsEnv"]

_NAME = "programs_jsonl"


class JsonlProgramsEnv(RecordedPrograms):
    """Problems from files whose lines are objects of one of these formats; other fields are not read.

    - ``mbpp``: ``text`` or ``prompt``, ``test_list`` (assertions), and, if there are any, ``code`` (a solution),
      ``test_setup_code``, ``test_imports`` and ``challenge_test_list`` (more hidden assertions). The assertions become
      tests with inputs and expected values; the first `public_tests` of ``test_list`` are in the prompt.
    - ``apps``: ``question``, ``input_output`` (JSON with ``inputs``, ``outputs`` and, for a function, ``fn_name``),
      and ``solutions`` and ``starter_code``, if there are any. The first `public_tests` tests are public.
    - ``livecodebench``: ``question_content``, ``public_test_cases`` and ``private_test_cases`` (JSON lists of
      ``input``, ``output`` and ``testtype``, packed or not), ``starter_code``, and ``metadata`` with ``func_name`` for
      functional tests. The public ones are public.

    A row is of the format whose field of tests it has. Tests with standard input and output judge a whole program,
    the others a function; a class ``Solution`` will do where the function is one of its methods. A row's ``split``
    (``train``, ``valid``, ``test``) decides its split, or else the hash of its words: one in five is held out.

    Args:
        path: a file, a folder (all its ``*.jsonl``, by name), or a list of these.
        style: ``plain`` prompts are a docstring with the problem and the completion is the code below it; ``chat``
            prompts are one user message that asks for a fenced block.
        format: the format of all rows, instead of the one that the fields tell.
        public_tests: how many of the first tests are public where the rows do not say, 0 or more.
        timeout_s: seconds for a candidate, on all tests of a function or on each one of a program.
        check_solutions: whether tests made of assertions that the row's own solution fails are refused; it costs a run
            in the sandbox for each row.

    Attributes:
        refused: assertions that could not be made tests, with reasons, by file and line.

    Raises:
        ConfigError: an option is wrong, or a row is malformed; then one line names the file, the line and the field.
        SandboxError: assertions have to be evaluated, and there is no sandbox here.
    """

    def __init__(
        self,
        path: PathOption,
        style: str = "plain",
        format: str | None = None,
        public_tests: int = 1,
        timeout_s: float = 5.0,
        check_solutions: bool = True,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise ConfigError(f"environment '{_NAME}': format is {format!r}; allowed are {', '.join(FORMATS)}")
        if type(public_tests) is not int or public_tests < 0:
            raise ConfigError(f"environment '{_NAME}': public_tests is {public_tests!r}; allowed are 0 and above")
        self.refused: dict[str, tuple[Refused, ...]] = {}
        runner = Runner(1)
        try:
            reader = Reader(runner, public_tests, timeout_s, check_solutions, self.refused)
            records = [record for file in files_of(_NAME, path, ".jsonl") for record in _read(file, format, reader)]
        finally:
            runner.close()
        if not records:
            raise ConfigError(f"environment '{_NAME}': there is no row to read in {path}")
        _check_names(records)
        super().__init__(_NAME, records, style)


def _read(file: Path, form: str | None, reader: Reader) -> Iterator[Record]:
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: the file is not UTF-8 (byte {error.start})") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            said = str(error).splitlines()[0]
            raise ConfigError(f"{file}:{number}: the row is not JSON ({said})") from error
        try:
            yield record_of(row, f"{file.name}:{number}", form, reader)
        except RowError as error:
            raise ConfigError(f"{file}:{number}: {error}") from error


def _check_names(records: Sequence[Record]) -> None:
    """Refuse two problems under one name."""
    first: dict[str, Record] = {}
    for record in records:
        other = first.setdefault(record.name, record) if record.name != "?" else record
        if other.plain.split() != record.plain.split():
            raise ConfigError(
                f"{record.place}: the name {record.name[:60]!r} belongs to another problem in {other.place}"
            )
