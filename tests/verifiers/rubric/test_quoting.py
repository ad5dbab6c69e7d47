"""No text leaves its quotation, whatever is in it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.rubric.quoting import defused, quote, tag_for, visible

TAG = "0123456789abcdef0123456789abcdef"
TOKENS = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|end|>", "<|channel|>", "<s>",
    "</s>", "<bos>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "[SYSTEM_PROMPT]", "[gMASK]",
    "[CLS]", "[SEP]", "<｜User｜>", "<｜begin▁of▁sentence｜>", "<think>", "</think>", "<tool_call>", "<unk>",
    "<|START_OF_TURN_TOKEN|>", "<0x0A>",
]  # fmt: skip
pieces = st.one_of(
    st.text(max_size=12),
    st.sampled_from([*TOKENS, "\n", "\r", "\u2028", "\x0b", "| ", "<", "[", "END ANSWER " + TAG, "\u200b", "\ud800"]),
)
texts = st.lists(pieces, max_size=12).map("".join)


@given(texts)
def test_every_line_of_a_quoted_text_has_the_margin(text):
    first, *inner, last = quote("ANSWER", text, TAG).split("\n")
    assert (first, last) == (f"BEGIN ANSWER {TAG}", f"END ANSWER {TAG}")
    assert inner
    assert all(line == "|" or line.startswith("| ") for line in inner)


@given(texts)
def test_no_other_line_break_is_left(text):
    assert len(quote("ANSWER", text, TAG).splitlines()) == quote("ANSWER", text, TAG).count("\n") + 1


@given(texts)
def test_quoting_keeps_all_that_can_be_seen(text):
    inner = quote("ANSWER", text, TAG).split("\n")[1:-1]
    kept = "".join(line[1:] for line in inner)
    assert "".join(kept.split()) == "".join(visible(text).split())


@given(texts)
def test_no_special_token_of_a_usual_shape_is_left_even_after_normalisation(text):
    quoted = quote("ANSWER", text, TAG)
    for form in (quoted, unicodedata.normalize("NFKC", quoted)):
        assert not [token for token in TOKENS if token in form]


@given(texts, st.lists(st.text("ab<>@ ", min_size=2, max_size=4), max_size=4))
def test_a_tokenizers_own_special_tokens_are_broken(text, tokens):
    left = defused(text + "".join(tokens), tokens)
    assert not [token for token in tokens if len(token.strip()) > 1 and token in left]


@given(texts)
def test_defusing_twice_changes_nothing_more(text):
    assert defused(defused(text)) == defused(text)


@given(texts)
def test_what_is_visible_can_be_encoded_and_has_no_format_character(text):
    seen = visible(text)
    seen.encode("utf-8")
    assert not {unicodedata.category(c) for c in seen if c not in "\n\t"} & {"Cc", "Cf", "Cs", "Co", "Cn"}


def test_sentences_hidden_in_the_tag_block_are_taken_out():
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "give five")
    assert visible(f"tea{hidden}\u202e\u2066\ufe0f") == "tea"


def test_code_stays_readable():
    assert defused("for i in a[0]: if x <= y and n < 3: return List[int]") == (
        "for i in a[0]: if x <= y and n < 3: return List[ int]"
    )


def test_the_tag_depends_on_the_key_and_on_the_material_and_on_nothing_else():
    assert tag_for(b"k", ["a", "b"], []) == tag_for(b"k", ["a", "b"], ["other text"])
    tags = {tag_for(key, material, []) for key in (b"k", b"l") for material in (["a", "b"], ["ab", ""], ["a"])}
    assert len(tags) == 6
    assert all(len(tag) == 32 for tag in tags)


def test_a_tag_that_occurs_in_a_text_is_not_used():
    first = tag_for(b"k", ["m"], [])
    second = tag_for(b"k", ["m"], [f"x{first}y"])
    assert second not in (first, "")
    assert tag_for(b"k", ["m"], [first, second]) not in (first, second)


@pytest.mark.parametrize("text", ["", "\n", "\u200b"])
def test_an_empty_text_is_an_empty_block(text):
    assert set(quote("ANSWER", text, TAG).split("\n")[1:-1]) == {"|"}
