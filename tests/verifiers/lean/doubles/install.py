"""Lays out doubles as the real things lie on a disk: a toolchain, elan, and a Lake project with a built REPL."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proofgrad import verifiers
from proofgrad.verifiers.lean.toolchain import BASE_MODULE, Toolchain

HERE = Path(__file__).parent
PACKAGE = Path(verifiers.__file__).parent
HEADER = "import Mathlib\nuniverse u v w\n"  # the real one's and the doubles', see `lean_double`

# A proof of False where the kernel has been told not to look. Our base library has no syntax for what it needs.
KERNEL_OFF = "set_option debug.skipKernelTC true in\ntheorem pg_a : False :=\n by decide +kernel\n"
DECIDE_WITH_OPTIONS = """open Lean ParserDescr in
@[tactic_parser 2000] def pgDecide : ParserDescr := node `Lean.Parser.Tactic.decide 1024 (binary `andthen
  (nonReservedSymbol "decide" false) (node `Lean.Parser.Tactic.optConfig 1024 (unary `many
  (node `Lean.Parser.Tactic.configItem 1024 (node `Lean.Parser.Tactic.posConfigItem 1024
  (binary `andthen (symbol "+") (const `ident)))))))
"""
# A bubblewrap that is not there, for what has to leave traces outside.
NO_BWRAP = Path("/nonexistent/bwrap")


@dataclass(frozen=True)
class Installation:
    """Where things are.

    Attributes:
        lean: the executable.
        lake: the same for Lake.
        project: a built Lake project.
        readable: what a confined process has to see besides: the interpreter, these doubles and the embedded Lean.
    """

    lean: Path
    lake: Path
    project: Path
    readable: tuple[Path, ...]


def install(folder: Path, *, checker: bool = False, recorded: Mapping[str, object] | None = None) -> Installation:
    """Lay everything out below `folder`."""
    embedded = Toolchain()
    binaries = folder / "toolchain/bin"
    lean, lake = binaries / "lean", binaries / "lake"
    constants = [str(embedded.library), str(embedded.base_path()), BASE_MODULE]
    _script(lean, "lean_double", f"main(*{constants!r}, sys.argv[1:])", bare=True)
    _script(lake, "lake_double", f"main({str(folder / 'toolchain')!r}, sys.argv[1:])", bare=True)
    if checker:
        modules = [str(module) for module in embedded.base_modules()]
        call = f"main({str(embedded.library)!r}, {modules!r}, sys.argv[1])"
        _script(binaries / "leanchecker", "checker_double", call, bare=False)
    project = folder / "project"
    repl = project / ".lake/packages/repl"
    arguments = [str(lean)]
    project.mkdir(parents=True)
    if recorded is not None:
        (project / "recorded.json").write_text(json.dumps(recorded), "utf-8")
        arguments.append(str(project / "recorded.json"))
    _script(repl / ".lake/build/bin/repl", "repl_double", f"main(*{arguments!r})", bare=True)
    for place in (project, repl):
        (place / "lean-toolchain").write_text("leanprover/lean4:v4.35.0\n")
    (project / "lakefile.toml").write_text('name = "double"\n')
    prefix = Path(sys.base_prefix)
    return Installation(
        lean,
        lake,
        project,
        (folder, prefix, Path(sys.prefix), HERE, embedded.library.parent, Path(constants[1]), PACKAGE),
    )


def _script(path: Path, module: str, call: str, *, bare: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    python = Path(sys.executable).resolve() if bare else Path(sys.executable)
    lines = [f"#!{python}{' -IS' if bare else ''}", "import os, sys", f"sys.path.insert(0, {str(HERE)!r})"]
    lines += ["os.environ['LEAN_DOUBLE'] = __file__", f"from {module} import main", f"sys.exit({call})"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    path.chmod(0o755)
