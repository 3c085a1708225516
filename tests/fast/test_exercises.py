"""Every exercise is complete in both languages, and the judge of mutants knows right from wrong."""

import ast
import random
import re
from pathlib import Path

import pytest

import mutants
import places
from etude.practice.exercises import FOLDER, LANGUAGES, exercise, names
from etude.practice.words import messages

ANSWERS = sorted(places.ANSWERS.glob("*/*.py"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_exercises_are_those_of_the_folders() -> None:
    assert sorted(names()) == sorted(folder.name for folder in FOLDER.iterdir() if (folder / "exercise.toml").exists())
    assert len(names()) == 24
    assert sum(len(exercise(name).mistakes) for name in names()) >= 60


@pytest.mark.parametrize("name", names())
def test_an_exercise_is_complete_in_both_languages(name: str) -> None:
    task = exercise(name)
    assert len(task.hints) == 3
    assert sorted(task.mistakes) == sorted(file.stem for file in (task.folder / "mistakes").glob("*.py"))
    for words in (task.title, task.source, *task.hints, *task.mistakes.values()):
        assert words.en
        assert not CHINESE.search(words.en)
        assert CHINESE.search(words.zh)
    for language in LANGUAGES:
        start = task.starting_file(language)
        assert "TODO" in start
        assert ast.get_docstring(ast.parse(start), clean=False) == task.task(language) + "\n"
        assert bool(CHINESE.search(start)) == (language == "zh")
        assert max(map(len, start.splitlines())) <= 140
    begun, solved = (imported(task.folder / file) for file in ("start.py", "solution.py"))
    assert solved <= begun, "what an answer needs is imported already"


def imported(file: Path) -> set[str]:
    """The names that a file imports at its top."""
    tops = ast.parse(file.read_text(encoding="utf-8")).body
    return {name.asname or name.name for node in tops if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names}


CATALOGUE = {
    "inception-shared-reducer": "inception_a/shared_reducer",
    "inception-avgpool-missing": "inception_a/avgpool_missing",
    "inception-reducer-3x3": "inception_a/reducer_3x3",
    "inception-maxpool": "inception_a/maxpool",
    "inception-size-mismatch": "inception_a/no_padding_5x5 inception_a/no_padding_3x3 inception_a/pool_stride",
    "inception-cat-dim": "inception_a/cat_dim",
    "inception-add-not-cat": "inception_a/add_not_cat",
    "inception-next-in-channels": "lecture_inception/next_in_channels",
    "fc-in-features": "lecture_inception/fc_in_features lecture_residual/fc_in_features flatten_size/pool_dropped",
    "inception-typos": "lecture_inception/typo_forward lecture_inception/call_missing lecture_inception/no_argument",
    "residual-conv1-twice": "residual_block/conv1_twice",
    "residual-net-conv-overwritten": "lecture_residual/conv_overwritten",
    "residual-relu-before-add": "residual_block/relu_before_addition residual_block/relu_also_before_addition",
    "residual-conv-padding-2": "lecture_residual/conv_padding_2",
    "residual-shape-mismatch": "residual_block/no_padding",
    "residual-inplace-add": "residual_block/inplace_add",
    "residual-else-wrong-name": "downsampling_block/else_wrong_name",
    "conv-shortcut-feeds-branch": "conv_shortcut/feeds_branch",
    "scaling-one-side": "constant_scaling/branch_not_scaled constant_scaling/shortcut_not_scaled",
    "scaling-before-convs": "constant_scaling/scaled_before_convs",
    "exercise-variants-mixed": "conv_shortcut/mixed_with_scaling",
    "densenet-add-not-cat": "dense_block/add_not_cat",
    "densenet-in-channels-fixed": "dense_block/in_channels_fixed",
    "densenet-python-list": "dense_block/python_list",
    "densenet-conv-bn-relu": "dense_layer/conv_bn_relu",
    "densenet-no-transition": "densenet/no_transition transition/nothing",
    "bce-ten-classes": "train_loop/bce_ten_classes",
    "wrong-batch-name": "train_loop/wrong_batch_name",
    "softmax-before-ce": "train_loop/softmax_before_ce",
    "device-hardcoded": "train_loop/device_hardcoded",
    "no-eval-with-bn": "train_loop/no_eval",
}


@pytest.mark.parametrize("known", CATALOGUE)
def test_what_learners_are_known_to_get_wrong_is_catalogued(known: str) -> None:
    """The mistakes found in public answers to the lecture's exercises, and those of its training loop that two functions show."""
    for place in CATALOGUE[known].split():
        name, _, id_ = place.partition("/")
        assert id_ in exercise(name).mistakes


def test_there_are_enough_answers() -> None:
    assert len(ANSWERS) >= 50
    for name in names():
        assert sum(file.parent.name == name for file in ANSWERS) >= 2, name


@pytest.mark.parametrize("name", names())
def test_the_judge_of_the_mutants_tells_the_solution_from_the_mistakes(name: str) -> None:
    """It knows nothing of the checker; here it is itself put to the test."""
    task = exercise(name)
    assert not mutants.differs(mutants.Mutant(name, "", task.solution.read_text(encoding="utf-8")))
    rng = random.Random(0)
    for id_ in rng.sample(sorted(task.mistakes), 3):
        assert mutants.differs(mutants.Mutant(name, id_, task.mistake(id_).read_text(encoding="utf-8"))), id_


def test_every_message_can_be_said_in_both_languages() -> None:
    for key, words in messages().items():
        fields = [set(re.findall(r"{(\w+)", text)) for text in (words.en, words.zh)]
        assert fields[0] == fields[1], key


def test_no_mistake_is_called_like_a_message() -> None:
    """A finding is one or the other by its key."""
    assert not {f"{name}/{key}" for name in names() for key in exercise(name).mistakes if key in messages()}
