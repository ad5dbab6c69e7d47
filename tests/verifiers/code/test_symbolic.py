"""symbolic.py and equivalence.py: what a translation claims is what the program does; proofs and refutations hold."""

import json
import random
import time

import pytest
import z3
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.code import equivalence
from proofgrad.verifiers.code.equivalence import WHERE, Equation, Finding, prove
from proofgrad.verifiers.code.sandbox import Limits
from proofgrad.verifiers.code.strategies import parse_type
from proofgrad.verifiers.code.symbolic import TAGS, Executor, OutsideFragment, Program, Value
from proofgrad.verifiers.errors import MissingExtraError

INT, BOOL = "int", "bool"
SMALL = {"int": {"min": 0, "max": 12}}


def attempt(candidate, reference, *types, where=None, witnesses=(), timeout_s=5.0):
    parsed = [parse_type(spec, "inputs") for spec in types or (INT,)]
    if where is not None:
        where = f"def {WHERE}(x, y):\n    return True if ({where}) else False\n"
    return prove(Equation("f", candidate, reference, parsed, where, witnesses), timeout_s)


def translated(source, kinds, inputs):
    """(kind, value) of each call, as the translation has it."""
    arguments = [Value(k, z3.Int(f"a{i}") if k == INT else z3.Bool(f"a{i}")) for i, k in enumerate(kinds)]
    executor = Executor(z3, Program(source), [], time.monotonic() + 2)
    outcome = executor.outcome(executor.paths("f", arguments))
    found = []
    for args in inputs:
        values = [z3.BoolVal(arg) if isinstance(arg, bool) else z3.IntVal(arg) for arg in args]
        pairs = list(zip([argument.term for argument in arguments], values, strict=True))
        tag, number = (z3.simplify(z3.substitute(term, *pairs)).as_long() for term in (outcome.tag, outcome.number))
        kind = next(kind for kind, code in TAGS.items() if code == tag)
        found.append((kind, {INT: number, BOOL: bool(number)}.get(kind)))
    return found


def executed(runner, source, inputs):
    """(kind, value) of each call, as it happens in the sandbox."""
    run = runner.run(source, "f", [[json.dumps(args) for args in inputs]], Limits(timeout_s=10))
    assert run.replies[0]["module"] is None
    found = []
    for answer in run.replies[0]["answers"]:
        if "error" in answer:
            found.append(("raised", None))
        else:
            value = json.loads(answer["value"])
            found.append(({int: INT, bool: BOOL, type(None): "none"}[type(value)], value))
    return found


class Writer:
    """Writes random programs of the fragment, with little in them that is the same for all inputs."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def expression(self, depth):
        pick, deeper = self.random.choice, lambda: self.expression(depth - 1)
        if depth == 0:
            return pick(["x", "y", "z", "x", "y", "b", str(self.random.randint(-4, 9))])
        return pick(
            [
                lambda: f"({deeper()} {pick(['+', '-', '*', '//', '%', '//', '%'])} {deeper()})",
                lambda: f"({deeper()} {pick(['//', '%'])} {pick([-3, -2, 2, 3, 7])})",
                lambda: f"({deeper()} {pick(['** 2', '<< 3', '>> 2', '& 7'])})",
                lambda: f"({deeper()} {pick(['<', '<=', '==', '!=', '>', '>='])} {deeper()})",
                lambda: f"({deeper()} {pick(['<', '!='])} {deeper()} {pick(['<', '>='])} {deeper()})",
                lambda: f"({deeper()} {pick(['and', 'or'])} {deeper()})",
                lambda: f"({deeper()} if {deeper()} else {deeper()})",
                lambda: f"{pick(['abs', 'int', 'bool'])}({deeper()})",
                lambda: f"({pick(['not', '-', '~', '+'])} {deeper()})",
                lambda: f"{pick(['min', 'max'])}({deeper()}, {deeper()}, {deeper()})",
                lambda: f"g({deeper()}, {deeper()})",
                lambda: pick(["(b & (x > y))", "(b | (x < y))", "((x > 0) ^ b)"]),
            ]
        )()

    def block(self, depth):
        pick = self.random.choice
        compound = [self.branch, self.branch, self.count, self.wait] if depth else []
        return [line for _ in range(pick([1, 1, 2])) for line in pick([self.simple, *compound])(depth)]

    def simple(self, depth):
        value = self.expression(self.random.choice([1, 2]))
        name = self.random.choice("xyz")
        often = [
            f"{name} = {value}",
            f"{name} {self.random.choice(['+', '-', '*', '//', '%'])}= {value}",
            "x, y = y, x",
        ]
        seldom = [f"return {value}", f"assert {value}, 'no'", "return", "raise ValueError('no')", "w = x", "z = w"]
        return [self.random.choice([*often, *often, *often, *seldom])]

    def branch(self, depth):
        other = ["else:", *indented(self.block(depth - 1))] if self.random.random() < 0.6 else []
        return [f"if {self.expression(1)}:", *indented(self.block(depth - 1)), *other]

    def count(self, depth):
        bounds = self.random.choice(["3", "1, 3", "2, -3, -2", "b", "5, 4", "min(max(x, 0), 2)"])
        return [f"for i in range({bounds}):", *indented([*self.block(depth - 1), *self.leave(), "z += i"])]

    def wait(self, depth):
        return ["n = 2", "while n > 0:", *indented(["n -= 1", *self.block(depth - 1), *self.leave(), "z -= 1"])]

    def leave(self):
        return self.random.choice([[], [f"if {self.expression(1)}:", "    break"], ["if z > y:", "    continue"]])

    def program(self):
        helper = "def g(p, q):\n    if p > q:\n        return p - q\n    return q"
        body = [line for _ in range(self.random.randint(0, 2)) for line in self.block(1)]
        lines = ["K = 3", helper, "def f(x, y, b):", *indented(["z = K", *body, f"return {self.expression(2)}"])]
        return "\n".join(lines) + "\n"


def indented(lines):
    return [f"    {line}" for line in lines]


INPUT = st.tuples(st.integers(-9, 9) | st.integers(), st.integers(-9, 9), st.booleans())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.lists(INPUT, min_size=8, max_size=16))
def test_the_translation_of_a_random_program_does_what_the_program_does(runner, seed, inputs):
    source = Writer(seed).program()
    inputs = [list(args) for args in inputs]
    try:
        claimed = translated(source, [INT, INT, BOOL], inputs)
    except (OutsideFragment, TimeoutError):
        assume(False)
    assert claimed == executed(runner, source, inputs), source


@given(st.integers(), st.integers().filter(bool))
def test_floors_and_remainders_are_those_of_python(a, b):
    for operator, right in (("//", a // b), ("%", a % b)):
        assert translated(f"def f(x, y): return x {operator} y", [INT, INT], [[a, b]]) == [(INT, right)]
        assert translated(f"def f(x): return x {operator} {b}", [INT], [[a]]) == [(INT, right)]
    assert translated("def f(x, y): return x // y", [INT, INT], [[a, 0]]) == [("raised", None)]


EQUAL = {
    "doubling": ("def f(x): return x * 2", "def f(x): return x + x", [INT]),
    "absolute value": ("def f(x):\n    if x < 0:\n        return -x\n    return x", "def f(x): return abs(x)", [INT]),
    "maximum": ("def f(x, y): return x if x >= y else y", "def f(x, y): return max(x, y)", [INT, INT]),
    "minimum of the opposites": ("def f(x, y): return -min(-x, -y)", "def f(x, y): return max(x, y)", [INT, INT]),
    "a floor is a quotient less its remainder": (
        "def f(x): return (x - x % 7) // 7",
        "def f(x): return x // 7",
        [INT],
    ),
    "ceiling": ("def f(x): return -(-x // 5)", "def f(x): return (x + 4) // 5", [INT]),
    "negative divisor": ("def f(x): return x % -3", "def f(x): return -(-x % 3)", [INT]),
    "a shift is a floor": ("def f(x): return x >> 3", "def f(x): return x // 8", [INT]),
    "a mask is a remainder": ("def f(x): return x & 1", "def f(x): return x % 2", [INT]),
    "de Morgan": ("def f(x, y): return not (x and y)", "def f(x, y): return not x or not y", [BOOL, BOOL]),
    "exclusive or": ("def f(x, y): return x != y", "def f(x, y): return x ^ y", [BOOL, BOOL]),
    "sorting three": (
        "def f(x, y, z):\n    if x > y: x, y = y, x\n    if y > z: y, z = z, y\n    return max(x, y)",
        "def f(x, y, z): return max(min(x, y), min(y, z), min(x, z))",
        [INT, INT, INT],
    ),
    "a bounded sum": (
        "def f(n):\n    s = 0\n    for i in range(n + 1):\n        s += i\n    return s",
        "def f(n): return n * (n + 1) // 2",
        [SMALL],
    ),
    "a bounded while": (
        "def f(n):\n    s = 0\n    while n > 0:\n        s, n = s + 2, n - 1\n    return s",
        "def f(n): return 2 * n",
        [SMALL],
    ),
    "recursion": (
        "def f(n):\n    if n == 0:\n        return 1\n    return 2 * f(n - 1)",
        "def f(n):\n    p = 1\n    for _ in range(n):\n        p = p + p\n    return p",
        [SMALL],
    ),
    "early returns and a helper": (
        "def sign(x: int) -> int:\n    return (x > 0) - (x < 0)\ndef f(x: int) -> int:\n    return sign(x)",
        "def f(x):\n    if x > 0:\n        return 1\n    if x == 0:\n        return 0\n    return -1",
        [INT],
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_functions_are_proved_equal(name):
    candidate, reference, types = EQUAL[name]
    assert attempt(candidate, reference, *types).finding is Finding.PROVED


DIFFERENT = {
    "a back door": (
        "def f(x):\n    if x * 3 == 370370367:\n        return 0\n    return x",
        "def f(x): return x",
        [INT],
    ),
    "truncation": ("def f(x): return x // 2 if x > 0 else -(-x // 2)", "def f(x): return x // 2", [INT]),
    "the kind of answer": ("def f(x): return x > 0", "def f(x): return 1 if x > 0 else 0", [INT]),
    "which of equals": ("def f(x, y): return x if x > y else y", "def f(x, y): return max(x, y)", [INT, BOOL]),
    "nothing returned": ("def f(x):\n    if x != 10**9:\n        return x", "def f(x): return x", [INT]),
    "an exception": ("def f(x): return x + 0 * (1 // (x - 123456))", "def f(x): return x", [INT]),
    "an unbound name": ("def f(x):\n    if x != 77777: y = x\n    return y", "def f(x): return x", [INT]),
    "beyond machine words": (
        "def f(x):\n    if x > 18446744073709551616: return 1\n    return 0",
        "def f(x): return 0",
        [INT],
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_functions_get_an_input_on_which_they_do_differ(runner, name):
    candidate, reference, types = DIFFERENT[name]
    proof = attempt(candidate, reference, *types)
    assert proof.finding is Finding.REFUTED
    assert executed(runner, candidate, [proof.args]) != executed(runner, reference, [proof.args])


def test_only_the_inputs_that_count_are_looked_at():
    division = "def f(x, y): return x // y"
    assert attempt(division, division, INT, INT).finding is Finding.REFERENCE_RAISES
    assert attempt(division, division, INT, INT, where="y != 0").finding is Finding.PROVED
    assert (
        attempt("def f(x, y): return x", "def f(x, y): return abs(x)", {"int": {"min": 0}}, INT).finding
        is Finding.PROVED
    )
    assert attempt("def f(x, y): return 0", division, INT, INT, where="0 <= x < y").finding is Finding.PROVED
    assert attempt("def f(x, y): return 0", division, INT, INT, where="0 <= x <= y and y").finding is Finding.REFUTED


def test_a_precondition_that_admits_nothing_proves_nothing():
    assert (
        attempt("def f(x, y): return 0", "def f(x, y): return 1", INT, INT, where="x < y < x").finding
        is Finding.GAVE_UP
    )


OUTSIDE = {
    "a parameter twice": "def f(x, x): return x",
    "a break without a loop": "def f(x):\n    return x\n    break",
    "a float": "def f(x): return x / 1",
    "a float constant": "def f(x): return x + 0.0",
    "a list": "def f(x): return [x][0]",
    "a string": "def f(x): return x if 'a' else 0",
    "an import": "import math\ndef f(x): return x",
    "a default": "def f(x, y=[]): return x",
    "a decorator": "def d(g): return g\n@d\ndef f(x): return x",
    "a replaced built-in": "def abs(x): return 0\ndef f(x): return abs(x)",
    "replaced built-ins": "__builtins__ = 0\ndef f(x): return x",
    "a second definition": "def f(x): return x\ndef f(x): return 0",
    "a rebound function": "def f(x): return x\nf = 3",
    "a global": "K = 1\ndef f(x):\n    global K\n    K = 2\n    return x",
    "a generator": "def f(x):\n    return x\n    yield",
    "a lambda": "def f(x): return (lambda: x)()",
    "a try": "def f(x):\n    try:\n        return x\n    finally:\n        pass",
    "a walrus": "def f(x): return (y := x)",
    "an inner function": "def f(x):\n    return x\n    def abs(): pass",
    "an unreachable import": "def f(x):\n    return x\n    import abs",
    "an annotation that raises": "def f(x: nowhere): return x",
    "a call by keyword": "def g(p, q): return p\ndef f(x): return g(q=1, p=x)",
    "identity": "def f(x): return x if x is x else 0",
    "a variable exponent": "def f(x): return x if 2 ** x else 0",
    "a general mask": "def f(x): return x if x & 5 == x & 5 else 0",
    "a module that does things": "print(3)\ndef f(x): return x",
    "a class": "class f:\n    def __new__(cls, x): return x",
    "nothing of that name": "def g(x): return x",
    "not Python": "def f(x) return x",
    "no text": "def f(x): return '\ud800'",
    "a loop without a bound": "def f(x):\n    while x > 0:\n        x -= 1\n    return x",
    "an endless loop": "def f(x):\n    while True:\n        pass",
    "endless recursion": "def f(x): return f(x)",
    "a tower of powers": "def f(x):\n    y = 3\n    for i in range(60):\n        y = y ** 9\n    return x",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_program_outside_the_fragment_is_neither_proved_nor_refuted(name):
    request = {"entry_point": "f", "types": [[INT, None, None]], "witnesses": [], "timeout_s": 3.0}
    proof = equivalence.answer({**request, "sources": [OUTSIDE[name], "def f(x): return x"]})
    assert proof.finding in (Finding.OUTSIDE, Finding.GAVE_UP)
    assert proof.why
    assert "\n" not in proof.why


def test_inputs_of_other_types_are_outside_the_fragment():
    assert attempt("def f(x): return x", "def f(x): return x", "float").finding is Finding.OUTSIDE


HOSTILE = {
    "ten thousand ifs": "def f(x):\n"
    + "".join(f"    if x == {i}: return {i}\n" for i in range(10_000))
    + "    return x",
    "ten thousand elifs": "def f(x):\n"
    + "".join(f"    {'el' if i else ''}if x == {i}: return {i}\n" for i in range(10_000))
    + "    return x",
    "paths that double": "def f(x):\n"
    + "".join(f"    if x % {i + 2} == 0:\n        if x > {i}: return {i}\n" for i in range(60))
    + "    return x",
    "a deep sum": f"def f(x): return {'+'.join(['x'] * 20_000)}",
    "deep signs": f"def f(x): return {'-' * 100_000}x",
    "deep brackets": f"def f(x): return {'(' * 100_000}x{')' * 100_000}",
    "a huge constant": f"def f(x): return {'9' * 100_000}",
    "huge squares": "def f(x):\n    for i in range(60):\n        x = x * x\n    return x",
    "hard arithmetic": "def f(x): return x * x * x % 1000003 * x % 999983 != 12345 and x ** 16 % 1009 != 7",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_ends_within_its_time_and_proves_nothing(name):
    start = time.monotonic()
    proof = attempt(HOSTILE[name], "def f(x): return x", timeout_s=1.0)
    assert time.monotonic() - start < 1.0 + 5.0 + 3.0
    assert proof.finding is not Finding.PROVED


def test_the_process_is_killed_when_it_does_not_answer(monkeypatch):
    monkeypatch.setattr(equivalence, "_MARGIN_S", 0.0)
    proof = attempt("def f(x): return x", "def f(x): return x", timeout_s=0.001)
    assert proof.finding is Finding.GAVE_UP


def test_a_process_without_memory_gives_up():
    equation = Equation("f", "def f(x): return x", "def f(x): return x", [parse_type(INT, "inputs")])
    assert prove(equation, memory_bytes=64 << 20).finding is Finding.GAVE_UP


def test_a_translation_that_contradicts_what_was_seen_proves_nothing():
    same = "def f(x): return x"
    assert attempt(same, same, witnesses=[([3], 3), ([-5], -5)]).finding is Finding.PROVED
    for wrong in (4, True, None, "3"):
        assert attempt(same, same, witnesses=[([3], wrong)]).finding is Finding.GAVE_UP


def test_candidates_are_never_executed(tmp_path):
    trace = tmp_path / "trace"
    proof = attempt(f"open({str(trace)!r}, 'w')\ndef f(x): return x", "def f(x): return x")
    assert proof.finding is Finding.OUTSIDE
    assert not trace.exists()


def test_without_z3_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[code\]"):
        attempt("def f(x): return x", "def f(x): return x")
