"""LeanVerifier: a proof is right when the Lean kernel says so about the statement that *we* wrote.

Two tiers. The first reads many candidates at once, and settles whatever is wrong. How its text is laid out, and why one
candidate can neither pass by deceit nor touch a neighbour:

    our header: imports of our choice
    a canary theorem                         Lean works
    def S1 : Prop := ∀ binders, type         where no audit follows: statements, before anything of a candidate is read
    theorem P1 binders : type :=             a body: our header; names are random in each run, so no candidate knows one
     <candidate, each line moved in by one space>
    namespace N2                             a file: its theorems, in a namespace of their own
     <candidate, each line moved in by one space>
    end N2
    #print axioms P1                         ends the candidate's span: a parse error at its end lands before the next
    theorem C1 : S1 := @P1                   what was proved is what we asked for; only where no audit tells
    #print axioms C1
    ...
    a canary theorem                         nothing cut the file short

The candidate has gone through `soundness.scan`, so it holds no command besides theorems. A candidate stands when both
canaries live, no error and no placeholder message lies in its span, the axiom reports are in their places, and only
allowed axioms are in them.

The second tier is the audit: the backend looks at each theorem that stood again, in a process where no candidate's text
has been read (see `audit_worker` for the embedded Lean: the kernel replays what was compiled). PASS needs both.

A run that dies says nothing about anybody: the suspect is judged alone and the others again. Alone, what exhausts its
own limits is a FAIL; when even the canaries fail without it, the verdict is UNKNOWN. A statement that does not
elaborate is the task author's mistake: UNKNOWN with reason ``problem.statement``. Since it costs as much to elaborate a
statement as many a proof, one is looked at by itself only when a failure may be its fault, and once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proofgrad.verifiers.base import Json, Problem, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError, SandboxError, ToolchainError
from proofgrad.verifiers.lean.backend import Audit, Backend, Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.candidate import Candidate, read_candidate
from proofgrad.verifiers.lean.feedback import goals_in, render
from proofgrad.verifiers.lean.find import open_backend
from proofgrad.verifiers.lean.messages import Message, axioms_in, classify
from proofgrad.verifiers.lean.source import Statement, fresh_name, header_of, statement_of
from proofgrad.verifiers.remade import Remade

__all__ = ["ALLOWED_AXIOMS", "ISOLATION", "LeanVerifier"]

ALLOWED_AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})
ISOLATION = ("network", "pid", "root")
"""The layers without which Lean is merely a separate process; `require_isolation` insists on them."""

_JUDGEMENT = "2"  # bump it when the same toolchain and library can judge differently
_FEEDBACK_TOKENS = 300
_REMEMBERED = 10_000  # statements
_LIMITS, _FULL_LIMITS = Limits(5, 20_000), Limits(60, 400_000)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One candidate that passed the scan, with its place in the caller's list."""

    index: int
    statement: Statement
    header: str
    candidate: Candidate
    handed_in: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Where an entry landed in the text; lines count from 1."""

    block: str  # the lines that declare the theorem
    theorem: str  # its full name
    check: str | None  # name of the restatement, if there is one
    first_line: int  # our line before the candidate's first
    report_line: int  # the axiom report
    last_line: int  # that of the restatement, if there is one
    hidden: tuple[str, ...]  # names that the policy must not see


@dataclass(frozen=True, slots=True)
class _File:
    text: str
    spans: list[_Span]
    canaries: list[tuple[str, int]]


class LeanVerifier(Remade):
    """Judges ``{"statement": "(p q : Prop) : p ∧ q → q ∧ p"}`` against a proof of it.

    A candidate is what stands after ``:=`` (a term, or ``by`` and its tactics), or a whole file of theorems of which
    the last is the answer. Statements and candidates are Lean 4: on the embedded Lean over our own base library (no
    Init, no Mathlib), elsewhere over whatever the header imports. The universes u, v and w are declared. A problem may
    bring its own ``"header"`` of imports and options, except on the embedded Lean.

    Args:
        toolchain: "project", "toolchain", "server" or "embedded"; the first of those that is there when None.
        batch_size: candidates in one text.
        cpu_seconds: processor time that one candidate may use beyond the start of Lean; 5 on the embedded Lean when
            None, 60 elsewhere, as proofs over Mathlib take longer.
        heartbeats: Lean's own deterministic limit for each theorem, in its unit of 1000 small allocations; 20,000 and
            400,000 likewise.
        audit: whether accepted proofs are looked at again; only for measuring what that costs.
        require_isolation: refuse to run where Lean cannot be shut in.
        feedback_tokens: the most that a verdict's feedback may take.
        backend: the Lean to use, ready-made, in place of `toolchain` and `options`.
        options: of the backend, e.g. ``project="my/lake/project"``.

    Raises:
        ConfigError: there is no such toolchain, or a limit is less than 1.
        MissingExtraError: the Lean asked for, or the embedded one, is not installed.
        ToolchainError: it does not exist for this platform, or is not the one that we trust.
        SandboxError: `require_isolation` is set, and layers are missing.
    """

    name = "lean"

    def __init__(
        self,
        *,
        toolchain: str | None = None,
        batch_size: int = 128,
        cpu_seconds: int | None = None,
        heartbeats: int | None = None,
        audit: bool = True,
        require_isolation: bool = False,
        feedback_tokens: int = _FEEDBACK_TOKENS,
        backend: Backend | None = None,
        **options: object,
    ) -> None:
        if min(batch_size, 1 if cpu_seconds is None else cpu_seconds, 1 if heartbeats is None else heartbeats) < 1:
            raise ConfigError("the Lean verifier's batch_size, cpu_seconds and heartbeats must be at least 1")
        self._options = {
            "toolchain": toolchain,
            "batch_size": batch_size,
            "cpu_seconds": cpu_seconds,
            "heartbeats": heartbeats,
            "audit": audit,
            "require_isolation": require_isolation,
            "feedback_tokens": feedback_tokens,
            "backend": backend,
            **options,
        }
        self.batch_size = batch_size
        self.backend = backend or open_backend(toolchain, **options)
        usual = _FULL_LIMITS if self.backend.takes_header else _LIMITS
        self._limits = Limits(cpu_seconds or usual.cpu_seconds, heartbeats or usual.heartbeats)
        self._audit, self._feedback_tokens = audit, feedback_tokens
        self.version = (
            f"{_JUDGEMENT} {self.backend.identity} cpu {self._limits.cpu_seconds} "
            f"heartbeats {self._limits.heartbeats} feedback {feedback_tokens}{'' if audit else ' unaudited'}"
        )
        self._sound: set[tuple[str, str]] = set()  # headers and statements that elaborate
        self._has_warned = False
        if require_isolation and (missing := self.missing_layers()):
            raise SandboxError(f"require_isolation: Lean cannot be shut in here; {'; '.join(missing)}")

    def missing_layers(self) -> list[str]:
        """The isolation layers that Lean has to do without on this machine: "network: missing: ..."."""
        layers = self.backend.layers
        return [f"{name}: {layers.get(name, 'missing')}" for name in ISOLATION if layers.get(name) != "active"]

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
        todo = [(statement_of(problem), self._header(problem), candidate) for problem, candidate in items]
        verdicts: dict[int, Verdict] = {}
        by_header: dict[str, list[_Entry]] = {}
        for index, (statement, header, handed_in) in enumerate(todo):
            found = read_candidate(handed_in, is_full=self.backend.takes_header)
            if isinstance(found, Candidate):
                entry = _Entry(index, statement, header, found, handed_in.replace("\r\n", "\n"))
                by_header.setdefault(header, []).append(entry)
            else:
                evidence = self._evidence(batch=1)
                verdicts[index] = Verdict.failed(found.reason, feedback=found.message, evidence=evidence)
        for entries in by_header.values():
            for start in range(0, len(entries), self.batch_size):
                verdicts.update(self._judge(entries[start : start + self.batch_size]))
        self._warn_once()
        return [verdicts[index] for index in range(len(todo))]

    def auditor(self) -> LeanVerifier:
        """The same judgement in texts of one candidate, with an audit and processes of its own."""
        return LeanVerifier(**{**self._options, "batch_size": 1, "audit": True})

    def close(self) -> None:
        """End the processes that are kept between judgements."""
        self.backend.close()

    def _header(self, problem: Problem) -> str:
        header = header_of(problem)
        if header is None:
            return self.backend.header
        if not self.backend.takes_header:
            raise ProblemError(
                f"the problem's header starts with {header.split(chr(10))[0]!r} and the {self.backend.name} Lean "
                "imports nothing but our base library: use a project, a toolchain or a server"
            )
        return header

    def _judge(self, entries: Sequence[_Entry]) -> dict[int, Verdict]:
        """Verdicts by index; reads as many texts as it takes, nearly always one."""
        verdicts: dict[int, Verdict] = {}
        standing: list[tuple[_Entry, _Span, Verdict]] = []
        doubtful: list[_Entry] = []
        work = [list(entries)]
        while work:
            group = work.pop()
            if not group:
                continue
            file = _write(group, restate=not self._audit)
            done = self._elaborate(file.text, group[0].header, len(group))
            if done.ending is Ending.BROKEN:
                lost = Verdict.unknown("infra.toolchain", feedback=done.detail, evidence=self._evidence(len(group)))
                verdicts.update({entry.index: lost for entry in group})
                continue
            if done.ending is not Ending.DONE or not _canaries_live(file, done.messages):
                if len(group) == 1:
                    verdicts[group[0].index] = self._settle(done, group[0].header)
                else:
                    suspect = _suspect(file, done.messages)
                    work += [group[suspect + 1 :], [group[suspect]], group[:suspect]]
                continue
            seconds = done.seconds / len(group)
            for entry, span in zip(group, file.spans, strict=True):
                verdict = self._verdict(entry, span, done.messages, len(group))
                if verdict is None and len(group) > 1:
                    work.append([entry])  # a report is missing without an error of its own: ask again, alone
                elif verdict is None:
                    verdicts[entry.index] = Verdict.unknown("infra.no_report", evidence=self._evidence(1))
                else:
                    verdicts[entry.index] = replace(verdict, seconds=seconds)
                    if verdict.is_pass:
                        standing.append((entry, span, verdicts[entry.index]))
                    elif _may_be_the_statements(entry, span, done.messages):
                        doubtful.append(entry)
        verdicts.update(self._blame_statements(doubtful))
        if standing and self._audit:
            verdicts.update(self._look_again(standing))
        return verdicts

    def _blame_statements(self, doubtful: Sequence[_Entry]) -> dict[int, Verdict]:
        """UNKNOWN for the entries whose statement does not elaborate by itself."""
        unknown = {e.statement.proposition for e in doubtful if (e.header, e.statement.proposition) not in self._sound}
        if not unknown:
            return {}
        header, goals = doubtful[0].header, sorted(unknown)
        done = self._elaborate("".join(f"def {fresh_name()} : Prop := {goal}\n" for goal in goals), header, len(goals))
        if done.ending is not Ending.DONE:
            return {}  # the verdicts stand: that Lean lives was seen
        said = {message.line: message for message in reversed(done.messages) if message.is_error}
        if len(self._sound) > _REMEMBERED:
            self._sound.clear()
        broken: dict[str, str] = {}
        for line, goal in enumerate(goals, 1):
            if line in said:
                broken[goal] = " ".join(said[line].text.split())[:300]
            else:
                self._sound.add((header, goal))
        return {
            entry.index: Verdict.unknown(
                "problem.statement",
                feedback=f"the statement does not elaborate: {broken[entry.statement.proposition]}",
                evidence=self._evidence(len(goals)),
            )
            for entry in doubtful
            if entry.statement.proposition in broken
        }

    def _look_again(self, standing: Sequence[tuple[_Entry, _Span, Verdict]]) -> dict[int, Verdict]:
        """The verdicts on candidates that stood, after their audit."""
        claims = [Claim(entry.statement.proposition, span.block, span.theorem) for entry, span, _ in standing]
        audits = self.backend.audit(claims, header=standing[0][0].header, limits=self._limits)
        return {
            entry.index: _after_audit(verdict, audit)
            for (entry, _, verdict), audit in zip(standing, audits, strict=True)
        }

    def _verdict(self, entry: _Entry, span: _Span, messages: Sequence[Message], batch: int) -> Verdict | None:
        """What these messages say about one entry; None when its reports are missing though nothing went wrong."""
        evidence = self._evidence(batch)
        mine = [m for m in messages if span.first_line <= m.line <= span.last_line]
        # Lines from the candidate's first; `render` and `classify` know what to make of those before and behind it.
        errors = [m.moved(-span.first_line, -1) for m in mine if m.is_error and m.line <= span.report_line]
        if errors:
            evidence["goals"] = goals_in(errors, hide=span.hidden)
            said = render(errors, entry.handed_in, hide=span.hidden, budget=self._feedback_tokens)
            return Verdict.failed(classify(errors), feedback=said, evidence=evidence)
        if any(m.is_sorry for m in mine):
            return Verdict.failed("cheat.sorry", feedback="the proof uses a placeholder", evidence=evidence)
        axioms = _report(mine, span.theorem, span.report_line)
        if axioms is None:
            return None
        evidence["axioms"] = sorted(axioms)
        if axioms - ALLOWED_AXIOMS:
            return _rests_on(axioms, evidence)
        if any(m.is_error for m in mine):
            return Verdict.failed("cheat.statement", feedback="the proof proves something else", evidence=evidence)
        if span.check is not None and _report(mine, span.check, span.last_line) != axioms:
            return None
        return Verdict.passed("lean.ok", evidence=evidence)

    def _settle(self, done: Elaboration, header: str) -> Verdict:
        """The verdict on a candidate that was alone in a process that died."""
        evidence = self._evidence(1)
        if done.ending is Ending.OVERLOADED:
            return Verdict.unknown("infra.overloaded", feedback=done.detail, evidence=evidence)
        file = _write([], restate=False)
        alone = self._elaborate(file.text, header, 0)
        if alone.ending is not Ending.DONE or not _canaries_live(file, alone.messages):
            return Verdict.unknown("infra.lean_failed", feedback="Lean itself does not run", evidence=evidence)
        if done.ending is Ending.TIMEOUT:
            said = f"the proof takes more than {self._limits.cpu_seconds} s to check"
            return Verdict.failed("lean.timeout", feedback=said, evidence=evidence, seconds=done.seconds)
        said = "checking the proof runs out of memory or stack"
        return Verdict.failed("lean.resource", feedback=said, evidence=evidence, seconds=done.seconds)

    def _elaborate(self, text: str, header: str, candidates: int) -> Elaboration:
        return self.backend.elaborate(text, header=header, candidates=candidates, limits=self._limits)

    def _evidence(self, batch: int) -> dict[str, Json]:
        return {"toolchain": self.backend.description, "lean": self.backend.identity, "batch": batch}

    def _warn_once(self) -> None:
        if not self._has_warned:
            try:
                missing = self.missing_layers()
            except ToolchainError:
                return  # no Lean ran, so none ran unconfined
            self._has_warned = True
            if missing:
                warnings.warn(
                    f"Lean runs candidates without full isolation here ({'; '.join(missing)}); "
                    "require_isolation refuses to do so",
                    RuntimeWarning,
                    stacklevel=3,
                )


def _after_audit(verdict: Verdict, audit: Audit) -> Verdict:
    evidence = {**verdict.evidence, **audit.evidence}
    if audit.reason is None:
        evidence["axioms"] = sorted(audit.axioms)
        is_allowed = audit.axioms <= ALLOWED_AXIOMS
        return replace(verdict, evidence=evidence) if is_allowed else _rests_on(audit.axioms, evidence)
    evidence["audit"] = audit.detail
    if audit.reason.startswith(("infra.", "problem.")):
        return Verdict.unknown(audit.reason, feedback=audit.detail, evidence=evidence)
    return Verdict.failed(audit.reason, feedback=_FELL.get(audit.reason, "the proof does not check"), evidence=evidence)


_FELL = {
    "cheat.missing": "there is no such theorem",
    "cheat.statement": "the proof proves something else",
    "cheat.axiom": "the proof rests on an axiom that is not allowed",
    "lean.unstable": "the proof is not accepted a second time",
    "lean.timeout": "the proof takes too long to check",
    "lean.resource": "checking the proof runs out of time, memory or stack",
}


def _may_be_the_statements(entry: _Entry, span: _Span, messages: Sequence[Message]) -> bool:
    """Whether a failure may be the statement's own: an error on our line of it; a file does not even hold it."""
    return entry.candidate.theorem is not None or any(m.is_error and m.line == span.first_line for m in messages)


def _rests_on(axioms: Iterable[str], evidence: Mapping[str, Json]) -> Verdict:
    shown = ", ".join(sorted(set(axioms) - ALLOWED_AXIOMS))
    return Verdict.failed("cheat.axiom", feedback=f"the proof rests on {shown}", evidence=evidence)


def _write(entries: Sequence[_Entry], *, restate: bool) -> _File:
    """The text that judges these entries; `restate` has each theorem close its statement in the same text."""
    lines: list[str] = []
    canaries: list[tuple[str, int]] = []
    goals: dict[str, str] = {}

    def add_canary() -> None:
        name = fresh_name()
        lines.append(f"theorem {name} (p q : Prop) : p ∧ q → q ∧ p := fun h => ⟨h.2, h.1⟩")
        lines.append(f"#print axioms {name}")
        canaries.append((name, len(lines)))

    add_canary()
    for entry in entries if restate else ():
        proposition = entry.statement.proposition
        if proposition not in goals:
            goals[proposition] = fresh_name()
            lines.append(f"def {goals[proposition]} : Prop := {proposition}")
    spans = []
    for entry in entries:
        own, check = fresh_name(), fresh_name()
        first, candidate = len(lines) + 1, entry.candidate
        moved_in = [f" {line}" for line in candidate.text.split("\n")]
        if candidate.theorem is None:
            theorem = own
            lines += [f"theorem {own} {entry.statement.signature} :=", *moved_in]
        else:
            theorem = f"{own}.{candidate.theorem}"
            lines += [f"namespace {own}", *moved_in, f"end {own}"]
        block = "".join(f"{line}\n" for line in lines[first - 1 :])
        lines.append(f"#print axioms {theorem}")
        report = len(lines)
        if restate:
            goal = goals[entry.statement.proposition]
            lines += [f"theorem {check} : {goal} := @{theorem}", f"#print axioms {check}"]
        name = check if restate else None
        spans.append(_Span(block, theorem, name, first, report, len(lines), (theorem, own, check)))
    add_canary()
    return _File("\n".join(lines) + "\n", spans, canaries)


def _canaries_live(file: _File, messages: Sequence[Message]) -> bool:
    return all(any(m.line == line and axioms_in(m.text, name) == [] for m in messages) for name, line in file.canaries)


def _report(messages: Sequence[Message], name: str, line: int) -> set[str] | None:
    """The axioms that the one report on `name` in `line` lists; None when it is missing or not alone there."""
    reports = [axioms_in(m.text, name) for m in messages if m.line == line and m.severity in ("information", "info")]
    return set(reports[0]) if len(reports) == 1 and reports[0] is not None else None


def _suspect(file: _File, messages: Sequence[Message]) -> int:
    """Whom to judge alone after a death: the first entry without its last report, which Lean was busy with.

    Only a guess that saves time: whatever it says, everybody's verdict comes from a later run that lived.
    """
    said = {(m.line, "report") for m in messages if m.severity in ("information", "info")}
    if (file.canaries[0][1], "report") not in said:
        return len(file.spans) // 2
    unfinished = (i for i, span in enumerate(file.spans) if (span.last_line, "report") not in said)
    return next(unfinished, len(file.spans) - 1)
