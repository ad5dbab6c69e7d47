"""How a verifier that holds processes travels to another process: as the arguments it was made with."""

from __future__ import annotations

from typing import Any

__all__ = ["Remade"]


class Remade:
    """Pickles as the constructor's arguments, which a subclass keeps in `_options`.

    A copy in another process gets sandboxes, workers or a Lean of its own.
    """

    _options: dict[str, Any]

    def __getstate__(self) -> dict[str, Any]:
        return dict(self._options)

    def __setstate__(self, options: dict[str, Any]) -> None:
        self.__init__(**options)  # type: ignore[misc]  # the constructor's own arguments
