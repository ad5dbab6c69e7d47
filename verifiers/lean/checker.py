"""LeanVerifier: a proof is right when the Lean kernel says so about the statement that *we* wrote.

How a file of many candidates is laid out, and why one candidate can neither pass by deceit nor touch a neighbour:

    prelude / import of our library
    a canary theorem                         Lean works
    def S1 : Prop := ∀ binders, type         every statement as a definition, before anything of a candidate is read
    theorem P1 binders : type :=             our header; names are random for each run, so no candidate knows one
     <candidate, each line moved in by one space>
    #print axioms P1                         ends the candidate's span: a parse error at its end lands before the next
    theorem C1 : S1 := @P1                   what was proved is what we asked for
    #print axioms C1
    ...
    a canary theorem                         nothing cut the file short

The body has gone through `soundness.scan`, so it holds no command. PASS needs: both canaries, no error and no
placeholder message in the candidate's span, both axiom reports in their places, and only allowed axioms.

A run that dies says nothing about anybody: the suspect is judged alone and the others again. Alone, what exhausts its
own limits is a FAIL; when even the canaries fail without it, the verdict is UNKNOWN. A statement that does not
elaborate is the task author's mistake: UNKNOWN with reason ``problem.statement``.
"""

from __future__ import annotations

import secrets
import signal
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from proofgrad.verifiers.base import Json, Problem, Verdict
from proofgrad.verifiers.errors import ToolchainError
from proofgrad.verifiers.lean.messages import Message, axioms_in, classify, feedback, parse
from proofgrad.verifiers.lean.soundness import scan
from proofgrad.verifiers.lean.source import Statement, split_file, statement_of
from proofgrad.verifiers.lean.toolchain import BASE_MODULE, Run, Toolchain

__all__ = ["ALLOWED_AXIOMS", "LeanVerifier", "split_file"]

ALLOWED_AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})

_JUDGEMENT = "1"  # bump it when the same toolchain and library can judge differently


@dataclass(frozen=True, slots=True)
class _Entry:
    """One candidate that passed the scan, with its place in the caller's list."""

    index: int
    statement: Statement
    body: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Where an entry landed in the file; lines count from 1."""

    theorem: str
    check: str
    statement_line: int
    first_line: int  # the header; the candidate starts on the next one
    report_line: int  # the first axiom report
    last_line: int  # the second one


@dataclass(frozen=True, slots=True)
class _File:
    text: str
    spans: list[_Span]
    canaries: list[tuple[str, int]]


class LeanVerifier:
    """Judges ``{"statement": "(p q : Prop) : p ∧ q → q ∧ p"}`` against what stands after ``:=``.

    A candidate is a term or ``by`` and its tactics. Statements and candidates are Lean 4 over our own
    base library (no Init, no Mathlib); the universes u, v and w are declared.

    Args:
        batch_size: candidates in one Lean process.
        cpu_seconds: processor time that one candidate may use beyond the start of Lean.
        heartbeats: Lean's own deterministic limit for each theorem, in its unit of 1000 small allocations.
        toolchain: the Lean to use; the embedded one when None.

    Raises:
        MissingExtraError: the embedded Lean is not installed.
        ToolchainError: it does not exist for this platform, or is not the one that we trust.
    """

    name = "lean"

    def __init__(
        self,
        *,
        batch_size: int = 64,
        cpu_seconds: int = 5,
        heartbeats: int = 20_000,
        toolchain: Toolchain | None = None,
    ) -> None:
        if batch_size < 1 or cpu_seconds < 1 or heartbeats < 1:
            raise ValueError("batch_size, cpu_seconds and heartbeats must be at least 1")
        self.batch_size = batch_size
        self._cpu_seconds = cpu_seconds
        self._heartbeats = heartbeats
        self._toolchain = toolchain or Toolchain()
        self.version = (
            f"{_JUDGEMENT} {self._toolchain.description} base {self._toolchain.base_hash} "
            f"cpu {cpu_seconds} heartbeats {heartbeats}"
        )

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge one candidate.

        Raises:
            ProblemError: the problem has no usable statement.
        """
        return self.verify_batch([(problem, candidate)])[0]

    def verify_batch(self, items: Iterable[tuple[Problem, str]]) -> list[Verdict]:
        """One verdict for each (problem, candidate), in order; the same as `verify` gives.

        Raises:
            ProblemError: a problem has no usable statement; nothing is judged then.
        """
        todo = [(statement_of(problem), _normalise(candidate)) for problem, candidate in items]
        verdicts: dict[int, Verdict] = {}
        entries = []
        for index, (statement, body) in enumerate(todo):
            if finding := scan(body):
                evidence = self._evidence(batch=1)
                verdicts[index] = Verdict.failed(finding.reason, feedback=finding.message, evidence=evidence)
            else:
                entries.append(_Entry(index, statement, body))
        for start in range(0, len(entries), self.batch_size):
            verdicts.update(self._judge(entries[start : start + self.batch_size]))
        return [verdicts[index] for index in range(len(todo))]

    def _judge(self, entries: Sequence[_Entry]) -> dict[int, Verdict]:
        """Verdicts by index; runs as many processes as it takes, nearly always one."""
        verdicts: dict[int, Verdict] = {}
        work = [list(entries)]
        while work:
            group = work.pop()
            if not group:
                continue
            file = _write(group)
            try:
                run = self._run(file.text, len(group))
            except ToolchainError as error:
                lost = Verdict.unknown("infra.toolchain", feedback=str(error), evidence=self._evidence(len(group)))
                verdicts.update({entry.index: lost for entry in group})
                continue
            messages = parse(run.stdout)
            if messages is None or run.status not in (0, 1) or not _canaries_live(file, messages):
                if len(group) == 1:
                    verdicts[group[0].index] = self._settle(run)
                else:
                    suspect = _suspect(file, run.stdout)
                    work += [group[suspect + 1 :], [group[suspect]], group[:suspect]]
                continue
            seconds = run.seconds / len(group)
            for entry, span in zip(group, file.spans, strict=True):
                verdict = self._verdict(entry, span, messages, len(group))
                if verdict is not None:
                    verdicts[entry.index] = replace(verdict, seconds=seconds)
                elif len(group) > 1:
                    work.append([entry])  # a report is missing without an error of its own: ask again, alone
                else:
                    verdicts[entry.index] = Verdict.unknown("infra.no_report", evidence=self._evidence(1))
        return verdicts

    def _verdict(self, entry: _Entry, span: _Span, messages: Sequence[Message], batch: int) -> Verdict | None:
        """What these messages say about one entry; None when its reports are missing though nothing went wrong."""
        evidence = self._evidence(batch)
        at_statement = [m for m in messages if m.line == span.statement_line and m.is_error]
        if at_statement:
            said = feedback([replace(at_statement[0], line=1)])
            return Verdict.unknown("problem.statement", feedback=f"the statement does not elaborate: {said}")
        mine = [m for m in messages if span.first_line <= m.line <= span.last_line]
        errors = [
            replace(m, line=max(1, m.line - span.first_line), column=max(0, m.column - 1))
            for m in mine
            if m.is_error and m.line <= span.report_line
        ]
        if errors:
            lines = entry.body.count("\n") + 1
            errors = [replace(error, line=min(error.line, lines)) for error in errors]
            said = feedback(errors, hide=(span.theorem, span.check))
            return Verdict.failed(classify(errors), feedback=said, evidence=evidence)
        if any(m.is_sorry for m in mine):
            return Verdict.failed("cheat.sorry", feedback="the proof uses a placeholder", evidence=evidence)
        axioms = _report(mine, span.theorem, span.report_line)
        if axioms is None:
            return None
        evidence["axioms"] = sorted(axioms)
        if axioms - ALLOWED_AXIOMS:
            shown = ", ".join(sorted(axioms - ALLOWED_AXIOMS))
            return Verdict.failed("cheat.axiom", feedback=f"the proof rests on {shown}", evidence=evidence)
        if any(m.is_error for m in mine):
            return Verdict.failed("cheat.statement", feedback="the proof proves something else", evidence=evidence)
        if _report(mine, span.check, span.last_line) != axioms:
            return None
        return Verdict.passed("lean.ok", evidence=evidence)

    def _settle(self, run: Run) -> Verdict:
        """The verdict on a candidate that was alone in a process that died."""
        evidence = self._evidence(1)
        if run.status is None and run.cpu_seconds < self._cpu_seconds / 2:
            return Verdict.unknown("infra.overloaded", feedback="Lean got no processor time", evidence=evidence)
        file = _write([])
        try:
            alone = self._run(file.text, 0)
            messages = parse(alone.stdout)
        except ToolchainError:
            messages = None
        if messages is None or not _canaries_live(file, messages):
            return Verdict.unknown("infra.lean_failed", feedback="Lean itself does not run", evidence=evidence)
        if run.status is None or run.status == -signal.SIGXCPU:
            said = f"the proof takes more than {self._cpu_seconds} s to check"
            return Verdict.failed("lean.timeout", feedback=said, evidence=evidence, seconds=run.seconds)
        said = "checking the proof runs out of memory or stack"
        return Verdict.failed("lean.resource", feedback=said, evidence=evidence, seconds=run.seconds)

    def _run(self, text: str, candidates: int) -> Run:
        cpu = self._cpu_seconds + 1 + candidates // 8
        with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
            folder = Path(name)
            (folder / "check.lean").write_text(text, "utf-8")
            options = {"Elab.async": "false", "autoImplicit": "false", "relaxedAutoImplicit": "false"}
            # Lean stops at 100 errors by itself, which would cut a file of wrong candidates short.
            options |= {"maxErrors": "0", "linter.all": "false", "maxHeartbeats": str(self._heartbeats)}
            arguments = ["--json", "-t0", *(f"-D{key}={value}" for key, value in options.items()), "check.lean"]
            return self._toolchain.run(arguments, folder, cpu_seconds=cpu, wall_seconds=4.0 * cpu + 20)

    def _evidence(self, batch: int) -> dict[str, Json]:
        tools = self._toolchain
        return {"toolchain": tools.description, "base": tools.base_hash, "batch": batch}


def _normalise(candidate: str) -> str:
    """Line ends as Lean wants them, and no blank space around."""
    return candidate.replace("\r\n", "\n").strip("\n ")


def _write(entries: Sequence[_Entry]) -> _File:
    """The file that judges these entries."""
    lines = ["prelude", f"import {BASE_MODULE}", "universe u v w"]
    canaries: list[tuple[str, int]] = []
    names: dict[str, tuple[str, int]] = {}

    def add_canary() -> None:
        name = _fresh()
        lines.append(f"theorem {name} (p q : Prop) : p ∧ q → q ∧ p := fun h => ⟨h.2, h.1⟩")
        lines.append(f"#print axioms {name}")
        canaries.append((name, len(lines)))

    add_canary()
    for entry in entries:
        proposition = entry.statement.proposition
        if proposition not in names:
            name = _fresh()
            lines.append(f"def {name} : Prop := {proposition}")
            names[proposition] = (name, len(lines))
    spans = []
    for entry in entries:
        goal, goal_line = names[entry.statement.proposition]
        theorem, check = _fresh(), _fresh()
        lines.append(f"theorem {theorem} {entry.statement.signature} :=")
        first = len(lines)
        lines += [f" {line}" for line in entry.body.split("\n")]
        lines.append(f"#print axioms {theorem}")
        report = len(lines)
        lines += [f"theorem {check} : {goal} := @{theorem}", f"#print axioms {check}"]
        spans.append(_Span(theorem, check, goal_line, first, report, len(lines)))
    add_canary()
    return _File("\n".join(lines) + "\n", spans, canaries)


def _fresh() -> str:
    return f"pg_{secrets.token_hex(16)}"


def _canaries_live(file: _File, messages: Sequence[Message]) -> bool:
    return all(any(m.line == line and axioms_in(m.text, name) == [] for m in messages) for name, line in file.canaries)


def _report(messages: Sequence[Message], name: str, line: int) -> set[str] | None:
    """The axioms that the one report on `name` in `line` lists; None when it is missing or not alone there."""
    reports = [axioms_in(m.text, name) for m in messages if m.line == line and m.severity == "information"]
    return set(reports[0]) if len(reports) == 1 and reports[0] is not None else None


def _suspect(file: _File, stdout: str) -> int:
    """Whom to judge alone after a death: the first entry without its last report, which Lean was busy with.

    Only a guess that saves time: whatever it says, everybody's verdict comes from a later run that lived.
    """
    if f"'{file.canaries[0][0]}'" not in stdout:
        return len(file.spans) // 2
    return next((i for i, span in enumerate(file.spans) if f"'{span.check}'" not in stdout), len(file.spans) - 1)
