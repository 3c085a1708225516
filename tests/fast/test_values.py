"""What people type is read the same everywhere, and written as it is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import UsageError
from etude.models.network import Network
from etude.values import Made, Name, read_call, read_settings, read_value, write_call, write_settings, write_value

PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-6", -6),
        ("5e-2", 0.05),
        ("true", True),
        ("True", True),
        ("none", None),
        ("null", None),
        ("'none'", "none"),
        ("conv", Name("conv")),
        ("nn.ReLU", Name("nn.ReLU")),
        ("1x1", "1x1"),
        ("a/path-of.mine", "a/path-of.mine"),
        ("[2,2,2,2]", (2, 2, 2, 2)),
        ("(2, 2)", (2, 2)),
        ("[A, B]", ("A", "B")),
        ('{"name": "sgd", "nesterov": true}', {"name": "sgd", "nesterov": True}),
        ("2**9999999", "2**9999999"),
        ("{[2,2]}", "{[2,2]}"),
        ("{{}: 1}", "{{}: 1}"),
        ("{**{}}", "{**{}}"),
        ("f(a=1, a=2)", "f(a=1, a=2)"),
        pytest.param("-" * 100_000 + "1", "-" * 100_000 + "1", id="minuses"),
        ("", ""),
        ("Config(50, part=[Part(3)])", "Config(50, part=[Part(3)])"),
    ],
)
def test_a_value_is_read(text: str, value: object) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner).map(tuple), max_leaves=5))
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert read_value(write_value(value)) == value


@given(st.dictionaries(st.sampled_from(["depth", "shortcut", "units"]), st.one_of(PLAIN, st.tuples(PLAIN, PLAIN))))
def test_a_call_is_read_as_it_was_written(keywords: dict[str, object]) -> None:
    assert read_call(write_call("net", keywords)) == ("net", (), keywords)


@given(st.dictionaries(st.sampled_from(["depth", "shortcut", "units"]), st.one_of(PLAIN, st.tuples(PLAIN, PLAIN))))
def test_settings_are_read_as_they_were_written(settings: dict[str, object]) -> None:
    assert read_settings(write_settings(settings)) == settings


def test_what_is_made_is_written_as_it_was_read() -> None:
    _, (made,), _ = read_call("f(zoo.Config(50, part=[Part('a b')]))")
    assert made == Made(Name("zoo.Config"), (50,), {"part": (Made(Name("Part"), ("a b",), {}),)})
    assert str(made) == "zoo.Config(50, part=[Part('a b')])"


def test_a_setting_is_quoted_only_where_it_must_be() -> None:
    settings = {"stride_in": "3x3", "units": (2, 2), "flip": True, "norm": None, "name": "none"}
    assert write_settings(settings) == ("stride_in=3x3", "units=[2,2]", "flip=true", "norm=none", "name='none'")


def test_settings_are_assignments() -> None:
    assert read_settings(["optimizer.lr=0.1", "flip=True"]) == {"optimizer.lr": 0.1, "flip": True}
    for wrong in ("depth", "=3", "2x=3", "a..b=1"):
        with pytest.raises(UsageError, match="expected NAME=VALUE"):
            read_settings([wrong])


@pytest.mark.parametrize(
    "wrong",
    [
        *("f(", "f(1", "f(**x)", "f(g(**x))", "f(g()())", "f(1+1)", "f(g(1+1))"),
        *("f(classes=100).eval()", "f(20)(10)", "f(1)[0](2)", "f(a=1, a=2)", "f(g(a=1, a=2))", "f({**{'a': 1}})"),
        *("f({[2,2]})", "f({{}: 1})", "f(a={[1]})"),
        *(pytest.param(f"f({'-' * many}1)", id=f"{many} minuses") for many in (3_000, 100_000)),
    ],
)
def test_a_call_takes_values_only(wrong: str) -> None:
    with pytest.raises(UsageError, match="expected plain values as arguments"):
        read_call(wrong)


def test_a_network_is_its_name_and_what_differs() -> None:
    network = Network.read("resnet110(shortcut=B, depth=110)", classes=100)
    assert network == Network("resnet110", {"classes": 100, "shortcut": "B"})
    assert str(network) == "resnet110(classes=100, shortcut=B)"
    assert Network.read(str(network)) == network
    assert len({network, Network.read(str(network)), Network("resnet110")}) == 2
    assert network.build(depth=8).state_dict()["fc.weight"].shape == (100, 64)
    assert next(network.without_weights().parameters()).is_meta
    with pytest.raises(UsageError, match="did you mean resnet110"):
        Network("resnet11O")
    with pytest.raises(UsageError, match="without its option's name"):
        Network.read("resnet110(20)")
