"""Behaves as the command ``lean`` of an installed Lean, by calling the embedded one.

What an installed Lean has and the embedded one lacks is its own library. So a file that says neither `prelude` nor what
to import gets our base library, and `import Init`, `Mathlib` and `Aesop` mean it too; lines stay where they are.
"""

import ctypes
import os
import re
import sys
import time

ALIASES = ("Init", "Mathlib", "Aesop")


def as_embedded(text: str, base: str) -> str:
    """The same text for a Lean without a library of its own."""
    if re.match(r"\s*prelude\b", text):
        return text
    for alias in ALIASES:
        text = re.sub(rf"^import {alias}\b", f"import {base}", text, flags=re.MULTILINE)
    opening = "prelude " if re.match(r"\s*import\b", text) else f"prelude import {base} "
    return opening + text


def misbehave(text: str) -> None:
    """What a text can ask for, so that its reader's reader can be tested: `-- double: crash` and the like."""
    if "-- double: crash" in text:
        os.abort()
    if "-- double: hang" in text:
        time.sleep(600)
    if "-- double: flood" in text:
        while True:
            os.write(1, b"x" * 65536)


def main(library: str, modules: str, base: str, arguments: list[str]) -> int:
    if arguments == ["--print-prefix"]:
        print(os.path.dirname(os.path.dirname(os.path.realpath(os.environ["LEAN_DOUBLE"]))))
        return 0
    os.environ["LEAN_PATH"] = ":".join(filter(None, [os.environ.get("LEAN_PATH"), modules]))
    if arguments and arguments[-1].endswith(".lean"):
        with open(arguments[-1], encoding="utf-8") as file:
            text = file.read()
        misbehave(text)
        with open("double.lean", "w", encoding="utf-8") as file:
            file.write(as_embedded(text, base))
        arguments = [*arguments[:-1], "double.lean"]
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, ctypes.c_size_t(0))  # by lines
    encoded = [b"lean", *(argument.encode() for argument in arguments)]
    argv = (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)
    return int(ctypes.CDLL(library).lean_main(len(encoded), argv))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4], sys.argv[4:]))
