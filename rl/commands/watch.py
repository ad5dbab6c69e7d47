"""``proofgrad watch RUN``: a run while it goes on, from another terminal."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from proofgrad.rl.console import console as our_console
from proofgrad.rl.extras import require
from proofgrad.rl.watch import SOLVED, RunWatch, Snapshot, Step, one_line

__all__ = ["Picture", "follow", "sparkline", "step_line", "watch_command"]

_BARS = "▁▂▃▄▅▆▇█"
_COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}
_LABEL, _VALUE, _WIDEST = 12, 24, 60  # columns: of a label, of what stands behind a curve, and of the widest curve
# The curves, with how a value is written; the shares solved stand behind the first.
_CURVES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("reward", "reward", lambda x: f"{x:.3f}"),
    ("loss", "loss", lambda x: f"{x:.3g}"),
    ("entropy", "entropy", lambda x: f"{x:.3f}"),
    ("kl", "KL", lambda x: f"{x:.4f}"),
)

_WORTH_SAYING_S = 60.0  # of silence
_SHARES: Mapping[str, Callable[[float], str]] = {
    "unknown": lambda x: f"unknown {_percent(x)}",
    "truncated": lambda x: f"cut off {_percent(x)}",
    "tokens_per_second": lambda x: f"{x:,.0f} tokens/s",
    "wait_time_share": lambda x: f"waiting {_percent(x)}",
}


def watch_command(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show how it stands, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line at each change.")] = False,
) -> None:
    """Watch a run from another terminal, until it is finished or Ctrl-C; nothing in it is changed.

    Where the output is no terminal, a line is printed for each new step.
    """
    require(("pyarrow",), "train", "proofgrad watch")
    watch = RunWatch(run)
    try:
        follow(watch, our_console, interval=interval, once=once, as_json=as_json)
    except KeyboardInterrupt:
        pass  # the usual way to leave
    finally:
        watch.close()


def follow(watch: RunWatch, console: Console, *, interval: float, once: bool = False, as_json: bool = False) -> None:
    """Show a run until it is finished, or once.

    Raises:
        ConfigError: its directory is gone.
    """
    if once:
        snapshot = watch.look()
        if as_json:
            print(json.dumps(snapshot.to_json()), flush=True)
        else:
            console.print(Picture(snapshot))
    elif as_json or not console.is_terminal:
        printer = _JsonLines() if as_json else _Lines(console)
        while not printer.show(watch.look()):
            time.sleep(interval)
    else:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                snapshot = watch.look()
                live.update(Picture(snapshot), refresh=True)
                if snapshot.is_finished:
                    return
                time.sleep(interval)


class _JsonLines:
    """Prints a snapshot when it says something new."""

    def __init__(self) -> None:
        self._said: tuple[object, ...] | None = None

    def show(self, snapshot: Snapshot) -> bool:
        """Whether the run is finished."""
        says = (snapshot.phase, snapshot.evaluations, snapshot.seems_stopped, snapshot.sampled)
        if snapshot.fresh or snapshot.dropped or says != self._said:
            print(json.dumps(snapshot.to_json()), flush=True)
        self._said = says
        return snapshot.is_finished


class _Lines:
    """For logs and pipes: a line for each new step, phase, evaluation and silence."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> bool:
        """Whether the run is finished."""
        before, fresh, evaluations = self._before, snapshot.fresh, snapshot.evaluations
        phase = Text(f"{snapshot.name}: {snapshot.phase}")
        if before is None:
            self._say(phase)
            fresh = fresh[-1:]  # the past in one line
        elif snapshot.dropped:
            self._say(Text("resumed: steps that had not been saved are done again"))
        for step in fresh:
            self._say(step_line(step, snapshot))
        for m in evaluations[len(before.evaluations) if before is not None else 0 :]:
            self._say(Text(f"held-out pass@1 {m.evaluation} {m.domain} {m.rate} n={m.problems}"))
        if before is not None and snapshot.phase is not before.phase:
            self._say(phase)
        if snapshot.seems_stopped and (before is None or not before.seems_stopped):
            self._say(_silence(snapshot))
        self._before = snapshot
        return snapshot.is_finished

    def _say(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def step_line(step: Step, snapshot: Snapshot) -> Text:
    """A step in one line, for a log."""
    is_grpo = step.phase == "grpo"
    of = f"/{snapshot.total}" if is_grpo and snapshot.total else ""
    parts = [f"{'GRPO' if is_grpo else 'warm start'} {step.number}{of}"]
    values = step.values
    parts += [f"{label} {write(values[key])}" for key, label, write in _CURVES if key in values]
    parts += [
        f"{key.removeprefix(SOLVED)} {_percent(value)}" for key, value in values.items() if key.startswith(SOLVED)
    ]
    parts += _shares(values)
    if "step_time" in values:
        parts.append(f"{values['step_time']:.1f} s/step")
    if is_grpo and step is snapshot.fresh[-1] and snapshot.rest_s is not None:
        parts.append(f"about {duration(snapshot.rest_s)} left")
    return Text("  ".join(parts))


class Picture:
    """A snapshot, laid out for the width it is given; 60 columns are enough."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        lines = [*self._heading(), *self._curves(width), *self._evaluations(width), *self._completions(width)]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
            line.no_wrap = True
        yield Group(*lines)
        if self._snapshot.seems_stopped:
            yield _silence(self._snapshot)

    def _heading(self) -> list[Text]:
        seen = self._snapshot
        title = Text.assemble((seen.name, "bold"), "  ", (str(seen.phase), "green" if seen.is_finished else "cyan"))
        if seen.step is not None:
            title.append(f"  step {seen.step}" + (f" of {seen.total}" if seen.total is not None else ""))
        if seen.is_finished and seen.total is not None and (seen.step or 0) < seen.total:
            title.append("  (stopped early)", "yellow")
        clock = []
        if seen.elapsed_s is not None and seen.started is not None:
            clock.append(f"{duration(seen.elapsed_s)} since {time.strftime('%H:%M:%S', time.localtime(seen.started))}")
        if seen.rest_s is not None:
            clock.append(f"about {duration(seen.rest_s)} left")
        if seen.step_s is not None:
            clock.append(f"{seen.step_s:.1f} s/step")
        if not seen.is_finished and seen.silent_s > _WORTH_SAYING_S and not seen.seems_stopped:
            clock.append(f"nothing written for {duration(seen.silent_s)}")
        lines = [title, Text(" · ".join(clock), "dim")]
        if shares := _shares(seen.latest):
            lines.append(Text("  ".join(shares), "yellow" if seen.latest.get("unknown") else ""))
        return lines

    def _curves(self, width: int) -> list[Text]:
        seen, lines = self._snapshot, []
        room = max(8, min(_WIDEST, width - _LABEL - _VALUE))
        solved = [name for name in sorted(seen.series) if name.startswith(SOLVED)]
        for key, label, write in _CURVES:
            if key in seen.series:
                lines.append(_curve(label, seen.series[key], room, write))
            if key == "reward":
                lines += [_curve(f"  {n.removeprefix(SOLVED)}", seen.series[n], room, _percent) for n in solved]
        return lines

    def _evaluations(self, width: int) -> list[Text]:
        found = self._snapshot.evaluations
        if not found:
            return []
        names = min(max(len(m.evaluation) for m in found), width // 4)
        domains = min(max(len(m.domain) for m in found), width // 4)
        lines = [Text("held-out pass@1, 95% intervals over problems", "dim")]
        for m in found:
            lines.append(Text(f"  {_cell(m.evaluation, names)}  {_cell(m.domain, domains)}  {m.rate}  n={m.problems}"))
        return lines

    def _completions(self, width: int) -> list[Text]:
        seen = self._snapshot
        if not seen.completions:
            return []
        lines = [Text(f"some of {seen.sampled}", "dim")]
        for judged in seen.completions:
            line = Text().append(f"  {_cell(judged.outcome, 7)}", _COLOURS.get(judged.outcome, ""))
            line.append(f" {_cell(judged.reason, min(22, width // 3))}  ", "dim")
            line.append(judged.text)
            lines.append(line)
        return lines


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve of at most `width` characters, from the lowest value to the highest; each is a mean of values in a row.

    A place without a finite value is a blank.
    """
    size = max(1, math.ceil(len(values) / width))
    means = []
    for start in range(0, len(values), size):
        finite = [value for value in values[start : start + size] if math.isfinite(value)]
        means.append(math.fsum(value / len(finite) for value in finite) if finite else None)
    known = [mean for mean in means if mean is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # Halved, so that the distance of two values is a number however far apart they are.
    span = high / 2 - low / 2
    steps = len(_BARS) - 1
    return "".join(
        " " if mean is None else _BARS[round(steps * ((mean / 2 - low / 2) / span)) if span > 0 else 0]
        for mean in means
    )


def duration(seconds: float) -> str:
    """In words of two units: ``1h 02m``, ``3m 20s``, ``14s``."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s"


def _curve(label: str, values: Sequence[float], room: int, write: Callable[[float], str]) -> Text:
    finite = [value for value in values if math.isfinite(value)]
    span = f" ({write(min(finite))} to {write(max(finite))})" if len(finite) > 1 else ""
    line = Text(_cell(label, _LABEL))
    line.append(f"{sparkline(values, room):{min(room, len(values))}}", "cyan")
    line.append(f" {write(values[-1])}", "bold")
    line.append(span, "dim")
    return line


def _shares(values: Mapping[str, float]) -> list[str]:
    return [write(values[key]) for key, write in _SHARES.items() if key in values]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _cell(text: str, width: int) -> str:
    cell = Text(text)
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell.plain


def _silence(snapshot: Snapshot) -> Text:
    usual = f" (a step takes {snapshot.step_s:.1f} s)" if snapshot.step_s is not None else ""
    return Text(
        f"nothing was written for {duration(snapshot.silent_s)}{usual}: the run seems to have stopped; "
        f"go on with proofgrad train --resume {one_line(snapshot.run)}",
        "yellow",
    )
