"""What one run of the watchdog leaves to the next."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.memory import LONGEST_LIST, BadMemory, Boot, Memory, memory_text, parse_memory

LARGEST_PARAMETER = 4096  # characters (Systems Manager API reference, PutParameter)


def test_it_comes_back_as_it_was():
    boot = Boot(
        instance_id="i-1", version="3", answered_on=9480, beaten=True, ready_at=1.5, unhealthy=True, is_over=True
    )
    memory = Memory(boot=boot, reached_on=9480, acted_on="i-0", acted_at=2.0, good="2", broken=("1",), gave_up=True)
    assert parse_memory(memory_text(memory)) == memory


def test_the_first_text_is_an_empty_memory_and_what_is_new_is_left_out():
    assert parse_memory("{}") == Memory()
    assert parse_memory('{"reached_on": 9480, "invented": 1, "boot": {"invented": []}}') == Memory(reached_on=9480)


def test_it_always_fits_into_the_parameter():
    text = memory_text(Memory(broken=tuple(str(number) for number in range(10_000, 12_000))))
    assert len(text) < LARGEST_PARAMETER
    assert len(parse_memory(text).broken) == LONGEST_LIST


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "3", '"x"', "{", "[" * 100_000),
        *('{"reached_on": true}', '{"acted_at": "1"}', '{"acted_at": true}', '{"broken": "2"}'),
        *('{"failed_boots": true}', '{"failed_boots": 1.0}'),
        *('{"boot": null}', '{"boot": []}', '{"boot": {"ready_at": "x"}}'),
        # With these a second replacement would come at once, or none ever.
        *('{"acted_at": NaN}', '{"acted_at": Infinity}', '{"acted_at": 1e400}'),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_not_understood_is_an_error_and_no_empty_memory(text: str):
    with pytest.raises(BadMemory, match="cannot be read"):
        parse_memory(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Memory.__annotations__]), inner),
)


@given(JSON)
def test_any_json_is_a_memory_or_an_error(value: object):
    try:
        memory = parse_memory(json.dumps(value))
    except BadMemory:
        return
    assert parse_memory(memory_text(memory)) == memory
