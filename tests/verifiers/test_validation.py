"""What users write is checked once, and what is wrong with it said in one line."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.validation import keys_of, read_yaml, validated


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tea(Strict):
    kind: Literal["tea"]
    minutes: int = Field(3, ge=1)


class Water(Strict):
    kind: Literal["water"]


class Order(Strict):
    table: int
    drinks: list[Annotated[Tea | Water, Field(discriminator="kind")]] = []


MEMBERS = {"tea": Tea, "water": Water}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"tabel": 1}, "file: 'table' is missing (and 1 more)"),
        ({"table": 1, "drink": []}, "file: unknown key 'drink'; did you mean 'drinks'?"),
        ({"table": 1, "zzz": []}, "file: unknown key 'zzz'; valid keys: drinks, table"),
        ({"table": "x"}, "file: table: input should be a valid integer"),
        ({"table": 1, "drinks": [{"kind": "tea", "minuts": 2}]}, "drinks.0.minuts'; did you mean 'minutes'?"),
        ({"table": 1, "drinks": [{"kind": "tea", "minutes": 0}]}, "drinks.0.minutes: input should be greater than"),
        ({"table": 1, "drinks": [{"kind": "beer"}]}, "drinks.0: 'kind' must be 'tea' or 'water'"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(data, said):
    with pytest.raises(ConfigError) as caught:
        validated(Order, data, "file", MEMBERS)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_right_becomes_the_model():
    order = validated(Order, {"table": 2, "drinks": [{"kind": "tea"}, {"kind": "water"}]}, "file", MEMBERS)
    assert (order.table, [type(drink) for drink in order.drinks]) == (2, [Tea, Water])
    assert keys_of(Order) == ["drinks", "table"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [1", "the order '{path}' is not valid YAML at line 1"),
        (b"- 1", "must hold a mapping of keys to values, see examples"),
        (b"", "must hold a mapping"),
        (b"\xff", "cannot read the order '{path}': it is not UTF-8 text"),
        (None, "cannot read the order '{path}': No such file"),
    ],
)
def test_a_file_that_holds_no_mapping_is_named(tmp_path, content, said):
    path = tmp_path / "order.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path, "order", "examples")
    assert said.format(path=path) in str(caught.value)
