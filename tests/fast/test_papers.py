"""The facts: every one complete and immutable, wrong files refused by name, and the expansion against sums done by hand."""

import dataclasses
import math
from pathlib import Path

import pytest

from etude import papers
from etude.errors import UsageError
from etude.papers import facts, words
from etude.tables import TableError

PAPERS = [papers.load(name) for name in papers.names()]
FACTS = [fact for paper in PAPERS for fact in paper.facts.values()]
NETWORKS = [(paper, network) for paper in PAPERS for network in paper.networks.values()]

MINIMAL = """
[paper]
title = "T"
authors = "A"
year = 2020
source = "S"

[facts.size]
value = 3
unit = "pixels"
at = "Table 1"
kind = "stated"
read = "printed"
"""

# reference of the lecture, sections 2.2, 4.2 and 5: parameters by place, worked out there layer by layer
PARAMETERS = {
    "lecture_inception": {"conv1": 260, "incep1": 19_104, "conv2": 44_020, "incep2": 19_824, "fc": 14_090},
    "lecture_residual": {"conv1": 416, "rblock1": 4_640, "conv2": 12_832, "rblock2": 18_496, "fc": 5_130},
    "lecture_residual_scaled": {"conv1": 416, "rblock1": 4_640, "conv2": 12_832, "rblock2": 18_496, "fc": 5_130},
    "lecture_residual_conv": {"conv1": 416, "rblock1": 4_640 + 272, "conv2": 12_832, "rblock2": 18_496 + 1_056, "fc": 5_130},
}
SHAPES = {
    "lecture_inception": [(10, 24, 24), (10, 12, 12), (88, 12, 12), (20, 8, 8), (20, 4, 4), (88, 4, 4), (1408,), (10,)],
    "lecture_residual": [(16, 24, 24), (16, 12, 12), (32, 8, 8), (32, 4, 4), (512,), (10,)],
}


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.id)
def test_every_fact_is_complete(fact: papers.Fact) -> None:
    assert fact.unit
    assert fact.at
    if fact.kind in ("deduced", "contradictory"):
        assert fact.note or fact.at.startswith("L9"), f"{fact.id}: a reader must be told how it was deduced"


def test_facts_cannot_be_changed() -> None:
    paper = papers.load("lecture")
    with pytest.raises(dataclasses.FrozenInstanceError):
        paper.fact("flatten_size").value = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        paper.facts["flatten_size"] = paper.fact("recipe_batch")  # type: ignore[index]


def test_the_slip_of_slide_13_is_kept_as_printed_and_read_by_its_own_formula() -> None:
    fact = papers.load("lecture").fact("conv_cost_reduced")
    assert (fact.kind, fact.value) == ("contradictory", 12_433_648)
    assert fact.held == 1**2 * 28**2 * 192 * 16 + 5**2 * 28**2 * 16 * 32
    assert papers.load("lecture").fact("conv_cost_direct").held == 5**2 * 28**2 * 192 * 32


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_expansion_has_the_parameters_worked_out_by_hand(name: str) -> None:
    paper = papers.load("lecture")
    steps = papers.expand(paper, paper.networks[name])
    found = {place: sum(s.parameters for s in steps if s.path.split(".")[0] == place) for place in PARAMETERS[name]}
    assert found == PARAMETERS[name]
    assert sum(step.parameters for step in steps) == sum(PARAMETERS[name].values())


@pytest.mark.parametrize("name", SHAPES)
def test_the_expansion_passes_through_the_shapes_of_the_slides(name: str) -> None:
    paper = papers.load("lecture")
    shapes = [step.shape for step in papers.expand(paper, paper.networks[name])]
    position = 0
    for shape in SHAPES[name]:
        assert shape in shapes[position:], f"{shape} does not come after {shapes[:position]}"
        position = shapes.index(shape, position)


def test_multiply_adds_of_the_lecture_networks() -> None:
    """About 6.02 M and 2.01 M, by the formula kernel²·in·out·height·width, written out here once more."""
    paper = papers.load("lecture")
    inception = 24**2 * 25 * 10 + 8**2 * 25 * 88 * 20 + 1408 * 10
    for channels, side in ((10, 12), (20, 4)):
        branches = channels * 16 * 3 + 16 * 24 * 25 + 16 * 24 * 9 + 24 * 24 * 9 + channels * 24
        inception += side**2 * branches
    residual = 24**2 * 25 * 16 + 12**2 * 2 * 9 * 16**2 + 8**2 * 25 * 16 * 32 + 4**2 * 2 * 9 * 32**2 + 512 * 10
    for name, expected in (("lecture_inception", inception), ("lecture_residual", residual)):
        assert sum(step.macs for step in papers.expand(paper, paper.networks[name])) == expected
    assert math.isclose(inception, 6.02e6, rel_tol=1e-3)
    assert math.isclose(residual, 2.01e6, rel_tol=2e-3)


def test_dense_layer_l_sees_k0_plus_k_times_l_minus_1_channels() -> None:
    paper = papers.load("lecture")
    steps = papers.expand(paper, paper.networks["lecture_densenet"])
    norms = [step.shape[0] for step in steps if step.op == "batch_norm" and "dense_block" in step.path]
    assert norms == [16, 24, 32, 40, 48, 56, 64, 72, 80]


@pytest.mark.parametrize(("paper", "network"), NETWORKS, ids=lambda value: value.id)
def test_every_network_expands(paper: papers.Paper, network: papers.Architecture) -> None:
    steps = papers.expand(paper, network)
    assert steps[-1].shape == (network.given["classes"],)
    assert all(side > 0 for step in steps for side in step.shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('unit = "pixels"', 'unit = "pixels"\nvalu = 3'), "facts.size: unknown key `valu`; did you mean value"),
        (('at = "Table 1"\n', ""), "facts.size: missing key `at`"),
        (('at = "Table 1"', 'at = " "'), "facts.size: `at` is empty"),
        (("year = 2020", 'year = "2020"'), "paper.year = '2020', expected a whole number"),
        (("year = 2020", "year = true"), "paper.year = True, expected a whole number"),
        (('kind = "stated"', 'kind = "certain"'), "facts.size.kind = 'certain', expected one of 'stated'"),
        (('read = "printed"', 'read = "chosen"'), "facts.size: kind = 'stated' with read = 'chosen'"),
        (('read = "printed"', 'read = "other code"'), "facts.size: kind = 'stated' with read = 'other code'"),
        (('kind = "stated"', 'kind = "departs"'), "facts.size: kind = 'departs' with read = 'printed'"),
        (('kind = "stated"', 'kind = "contradictory"'), "facts.size: a contradictory fact, and only such a one, has a `reading`"),
        (("[facts.size]", "[fact.size]"), "unknown key `fact`; did you mean facts"),
        (("[paper]", "[facts]\nsize2 = 3\n[paper]"), "facts = "),
        (("value = 3", "value = "), "is not valid TOML"),
        (("year = 2020\n", ""), "paper: missing key `year`"),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in MINIMAL
    file = tmp_path / "wrong.toml"
    file.write_text(MINIMAL.replace(*change), encoding="utf-8")
    with pytest.raises(TableError) as caught:
        facts.read(file)
    assert "wrong.toml" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


STATED = 'at = "x", kind = "stated", read = "printed"'
NETWORK = f"""
[networks]
n = {{ title = "N", {STATED}, input = [1, 2, 2], given = {{ depth = 8 }}, layers = [{{ op = "flatten" }}] }}
"""


def refused(tmp_path: Path, text: str) -> str:
    """What is said of a file with this text behind the minimal one."""
    file = tmp_path / "wrong.toml"
    file.write_text(MINIMAL + text, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        facts.read(file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('{ op = "flatten" }', '{ op = "block", block = "inceptoin" }'), "networks.n.layers[0].block = 'inceptoin'"),
        (("given =", "fixed = { depth = 8 }, given ="), "networks.n: `depth` is both given and fixed"),
        (("given =", 'checks = ["dpeth >= 8"], given ='), "networks.n.checks = 'dpeth'; did you mean depth"),
        (("given =", 'checks = ["depth >="], given ='), "networks.n: 'depth >=' is no expression"),
        (('layers = [{ op = "flatten" }]', 'table = "t"'), "networks.n.table = 't'"),
        (('layers = [{ op = "flatten" }]', 'table = "t", checks = ["depth >= 8"]'), "networks.n: `checks` beside a `table`"),
        (("[networks]", "[counts]\nn = { parameters = 0, given = { dpeth = 8 } }\n[networks]"), "counts.n.given = 'dpeth'; did you mean"),
        (("[networks]", '[counts]\nn = { parameters = 0, printed_is = "bare" }\n[networks]'), "counts.n: printed_is = 'bare' without"),
        (
            (
                "[networks]",
                f'[results.r]\n{STATED.replace(", ", chr(10))}\ntitle = ""\nunit = ""\nprotocol = ""\ncolumns = {{}}\n'
                'rows = [{ method = "m", values = {}, network = "n", given = { dpeth = 8 } }]\n[networks]',
            ),
            "results.r, m.given = 'dpeth'; did you mean depth",
        ),
        (
            ("[networks]", f'[tables.t]\n{STATED.replace(", ", chr(10))}\nlayers = []\nchecks = ["depth >="]\n[networks]'),
            "tables.t: 'depth >=' is no expression",
        ),
    ],
)
def test_names_and_words_must_be_there(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in NETWORK
    assert message in refused(tmp_path, NETWORK.replace(*change))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('op="conv",out=3', "op = 'conv' without `kernel`"),
        ('op="conv",kernel=3', "op = 'conv' without `out`"),
        ('op="scale"', "op = 'scale' without `factor`"),
        ('op="conv",kernel=3,out="3 +"', "'3 +' is no expression"),
        ('op="conv",kernel="3 +",out=3', "'3 +' is no expression"),
        ('op="relu",side=true', "op = 'relu' with side = true"),
    ],
)
def test_a_row_that_is_no_row_is_refused(tmp_path: Path, row: str, message: str) -> None:
    assert f"networks.n.layers[0]: {message}" in refused(tmp_path, NETWORK.replace('{ op = "flatten" }', f"{{{row}}}"))


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean lecture"):
        papers.load("lectur")
    with pytest.raises(UsageError, match="did you mean flatten_size"):
        papers.load("lecture").fact("flaten_size")


ODD = ["x", 0, -3, 21, (2, 2), [2, 2], (0, 1, 1, 1), None, 1.5, 1e-9, math.nan, math.inf, True, ""]


@pytest.mark.parametrize(("paper", "network"), NETWORKS, ids=lambda value: value.id)
def test_a_word_that_means_nothing_is_refused_in_words(paper: papers.Paper, network: papers.Architecture) -> None:
    """Whatever a person gives for a word: the table expands, or one message says what was expected and where the paper says so."""
    for word in network.given:
        for value in ODD:
            try:
                papers.expand(paper, network, **{word: value})  # type: ignore[arg-type]
            except UsageError as error:
                assert f"{word} = {value!r}" in str(error)
                assert network.at in str(error)


@pytest.mark.parametrize(("paper", "network"), NETWORKS, ids=lambda value: value.id)
def test_every_choice_of_a_table_can_be_made(paper: papers.Paper, network: papers.Architecture) -> None:
    """Whatever a table allows for a word, alone or beside others, expands or is refused in words."""
    checks = paper.tables[network.table].checks if network.table else ()
    choices = {word: [check for check in checks if check.startswith(f"{word} in ")] for word in network.given}
    for word, (check, *_) in {word: found for word, found in choices.items() if found}.items():
        allowed = words.value_of(check.partition(" in ")[2], {})
        assert network.given[word] in allowed
        for value in allowed:
            if value != network.given[word]:
                try:
                    assert papers.expand(paper, network, **{word: value}) != papers.expand(paper, network)
                except UsageError as error:
                    assert f"{word} = {value!r}" in str(error)


def test_words_of_counts_and_results_expand() -> None:
    for paper in PAPERS:
        rows = [row for table in paper.results.values() for row in table.rows if row.network]
        wanted = [(row.network, row.given) for row in rows] + [(count.of, count.given) for count in paper.counts.values()]
        for network, given in {repr(one): one for one in wanted if one[1]}.values():
            assert papers.expand(paper, paper.networks[network], **given)


def test_what_is_fixed_is_no_option() -> None:
    paper = papers.load("googlenet")
    with pytest.raises(UsageError, match=r"googlenet: largest = 3, expected 5, which is no option \(Table 1"):
        papers.expand(paper, paper.networks["googlenet"], largest=3)


def test_a_word_that_leaves_nothing_is_refused() -> None:
    paper = papers.load("densenet")
    with pytest.raises(UsageError, match=r"compression = 0.001 leaves transition_1.conv without a channel \(Table 2"):
        papers.expand(paper, paper.networks["densenet_40_12"], compression=0.001)


DEPARTING = [(paper, network) for paper, network in NETWORKS if network.kind == "departs"]


@pytest.mark.parametrize(("paper", "network"), DEPARTING, ids=lambda value: value.id)
def test_what_departs_is_not_said_to_stand_in_the_paper(paper: papers.Paper, network: papers.Architecture) -> None:
    assert {step.at for step in papers.expand(paper, network)} == {network.at}


def test_what_only_the_authors_release_says_is_deduced() -> None:
    assert not [fact.id for fact in FACTS if fact.at.startswith("authors'") and fact.kind != "deduced"]


TABLES = [(paper, table) for paper in PAPERS for table in paper.tables.values() if table.checks]


@pytest.mark.parametrize(("paper", "table"), TABLES, ids=lambda value: value.id)
def test_every_check_of_a_table_refuses_something(paper: papers.Paper, table: papers.ArchitectureTable) -> None:
    network = next(network for network in paper.networks.values() if network.table == table.id)
    tried: list[dict[str, object]] = [
        {word: value} for word, own in network.given.items() for value in (own, 2, 4, 9, 0.0, -1.0, 2.0, 1.0, "Z")
    ]
    tried += [{"shortcut": "conv", "order": "bn_after_addition"}]
    for check in table.checks:
        refused = 0
        for given in tried:
            try:
                papers.expand(paper, network, **given)  # type: ignore[arg-type]
            except UsageError as error:
                refused += f"expected {check} (" in str(error)
        assert refused, f"{table.id}: nothing breaks {check}"


@pytest.mark.parametrize("table", [table for paper in PAPERS for table in paper.tables.values()], ids=lambda table: table.id)
def test_a_printed_cost_is_the_exact_one_or_a_note_says_why_not(table: papers.ArchitectureTable) -> None:
    for stage in table.stages:
        for printed, exact in ((stage.printed_parameters, stage.weights), (stage.printed_macs, stage.macs)):
            if printed is not None and not stage.note:
                assert exact is not None
                assert printed == pytest.approx(exact, rel=0.03), f"{table.id}, {stage.place}"
