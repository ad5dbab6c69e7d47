"""Makes a module of what a policy wrote: a whole function, the rest of one that the prompt began, or a class."""

from __future__ import annotations

import ast
import re
import warnings

__all__ = ["continued", "defined_names", "parsed", "solution_methods"]

_INDENT = "    "


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of `source`, or None when it is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python would say of a policy's program is for nobody's terminal
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def defined_names(tree: ast.Module) -> set[str]:
    """The names that a module's own statements define: functions, classes, imports, assignments."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return names


def continued(prompt: str, entry_point: str, answer: str) -> str:
    """The module that an answer to a prompt in HumanEval's format stands for.

    The prompt is a module that breaks off after the head and the docstring of its last function, the entry point. An
    answer that defines the entry point is a whole module; what the prompt imports or defines before the entry point
    is put in front where the answer does not define it. Any other answer goes on from the prompt. If a continuation
    runs on after the function's end and makes no module as a whole, it ends with the function; one that came without
    its indentation gets it back. What makes no module in any of these ways is given as it is, for the verifier to say
    what is wrong with it.

    Args:
        prompt: the source up to the body.
        entry_point: name of the function to complete.
        answer: a completion without fences.
    """
    tree = parsed(answer)
    if tree is not None and entry_point in defined_names(tree):
        return _with_preamble(prompt, entry_point, answer, tree)
    start = prompt if prompt.endswith("\n") else prompt + "\n"
    for body in _bodies(answer):
        tree = parsed(start + body)
        if tree is not None and _has_body(tree, entry_point):
            return start + body
    whole = re.search(rf"^(async )?def {re.escape(entry_point)}\b", answer, re.MULTILINE)
    return answer if whole else start + answer


def solution_methods(source: str) -> str:
    """`source`, with a function for each public method of a top-level class ``Solution``, each on a fresh instance.

    LeetCode's problems, and so those of LiveCodeBench and APPS with a function's name, ask for such a class. Lines of
    the source keep their numbers.
    """
    tree = parsed(source)
    if tree is None:
        return source
    taken = defined_names(tree)
    methods = [
        method.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Solution"
        for method in node.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_") and method.name not in taken
    ]
    added = [
        f"\n\n\ndef {name}(*arguments):\n{_INDENT}return Solution().{name}(*arguments)"
        for name in dict.fromkeys(methods)
    ]
    return source + "".join(added)


def _with_preamble(prompt: str, entry_point: str, answer: str, tree: ast.Module) -> str:
    """The answer, after those statements of the prompt before the entry point whose names it does not define."""
    start = parsed(f"{prompt.rstrip()}\n{_INDENT}pass\n")
    if start is None:
        return answer
    taken = defined_names(tree)
    kept: list[str] = []
    for node in start.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry_point:
            break
        if not defined_names(ast.Module([node], [])) <= taken:
            kept.append(ast.unparse(node))
    future = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    return answer if future or not kept else "\n".join([*kept, "", "", answer])


def _bodies(answer: str) -> list[str]:
    """What the body may be, the likeliest first."""
    lines = answer.strip("\n").split("\n")
    end = next((i for i, line in enumerate(lines) if i and line.strip() and not line[0].isspace()), len(lines))
    found = [lines, lines[:end]]
    if lines[0] and not lines[0][0].isspace():
        margins = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
        # Only the first line has lost its indentation, or all of them have.
        found = [[(min(margins, default=4) or 4) * " " + lines[0], *lines[1:]]] if margins and min(margins) > 0 else []
        found += [[_INDENT + line if line.strip() else line for line in lines]]
    return ["\n".join(part).rstrip() + "\n" for part in found]


def _has_body(tree: ast.Module, entry_point: str) -> bool:
    """Whether the entry point is there and does more than hold a docstring."""
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == entry_point
        and any(not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)) for part in node.body)
        for node in tree.body
    )
