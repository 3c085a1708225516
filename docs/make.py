"""Makes the tables and pictures of the pages, from records and from the networks themselves: python docs/make.py (`make docs`)

A record is the output of a command, kept as it came, but for where FOLDER lies. `python docs/make.py --measure` makes depth.json and
degradation.json anew (a quarter of an hour); the others take longer, or data:
    etude reproduce lecture --seeds 3 --json > docs/records/lecture-laptop.json
    etude reproduce lecture --budget paper --seeds 3 --json > docs/records/lecture-paper.json
    etude reproduce resnet --seeds 5 --data FOLDER --json > docs/records/resnet-laptop.json    (an hour; so for the two other papers)
    python benchmarks/paper.py "resnet20*" --runs RUNS --data FOLDER       (hours; then python docs/make.py --paper RUNS/paper.json)
    etude explain --depth 8,20,56,110 --json > docs/records/depth.json
    etude audit --json > docs/records/audit.json                    (an hour, and the package index)
    python benchmarks/lecture.py                                    (writes benchmarks/lecture.json)
and by `python benchmarks/NAME.py`, which says how long it takes, docs/records/NAME.json of degradation, engines, exports, finetune, many,
precision (one a data set), processes, steps, streaming.
"""

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import etude
from etude.audit.audit import Audited
from etude.data import catalog
from etude.explain.depth import DepthComparison
from etude.export.engines import ENGINES
from etude.files import write_text
from etude.lessons.pages import FOLDER
from etude.models import registry
from etude.papers import load
from etude.report.diagram import diagram
from etude.report.figures import Dots, Line, error_curves, pair_dots, side_by_side
from etude.report.gradients import depth_figure
from etude.reproduce import claims
from etude.tables import build, convert
from etude.verification.exact import without_weights
from etude.views.audit import counts, verdict_of, why_of
from etude.views.chinese import chinese
from etude.views.depth import depth_rows, depth_words
from etude.wording import percent

ROOT = Path(__file__).parent.parent
BUDGETS = ("laptop", "paper")
LESSONS = tuple(str(page.relative_to(ROOT)) for page in sorted(FOLDER.glob("[1-7]-*.md")))
PAGES = ("README.md", "docs/performance.md", "docs/audit.md", "docs/export.md", *LESSONS)
FIGURES = FOLDER / "figures"

README_ROWS = (("torchvision", "resnet50"), ("pytorchcv", "resnet50"), ("bearpaw/pytorch-classification", "resnet110"))

# the pictures of the lessons: network, options, block
BLOCKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "incep1": ("lecture_inception", {}, "incep1"),
    "inception_3a": ("googlenet", {}, "inception_3a"),
    "rblock1": ("lecture_residual", {}, "rblock1"),
    "bottleneck": ("resnet50", {}, "conv2_x.0"),
    "preactivation": ("preact_resnet110", {}, "conv2_x.1"),
    "dense_block": ("densenet_40_12", {"depth": 16}, "dense_block_1"),
}


def record(name: str) -> Any:
    content: Any = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return content


def results_table(_: str) -> str:
    """Every trained network at both budgets."""
    lines = [
        "| network | budget | n | mean % | spread | published % | verdict |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for budget in BUDGETS:
        for row in record(f"docs/records/lecture-{budget}.json")["trained"]:
            published = row["published"]
            source = f"{published['value']:.2f} ({published['at']})" if published else "none"
            lines.append(
                f"| `{row['network']}` | {budget} | {row['n']} | {row['mean']:.2f} | {row['spread']:.2f} | {source} | {row['verdict']} |"
            )
    return "\n".join(lines)


def speed_table(_: str) -> str:
    """The lecture's own way beside the laptop budget."""
    lines = [
        "| network | the lecture's way, ten epochs | ours, each seed | times sooner, each seed | median |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in record("benchmarks/lecture.json")["rows"]:
        ours = ", ".join(f"{run['accuracy']:.2f}" for run in row["ours"])
        ratios = ", ".join(f"{ratio:.1f}" for ratio in row["ratios"])
        lines.append(f"| `{row['network']}` | {row['lecture']['accuracy']:.2f} % | {ours} % | {ratios} | **{row['ratio']:.1f}** |")
    return "\n".join(lines)


def step_table(_: str) -> str:
    """Training steps, beside the usual way and the bare convolutions of the same network."""
    networks = record("docs/records/steps.json")["networks"].items()
    ways = tuple(dict.fromkeys(way for _, row in networks for way in row["ways"]))
    lines = tuple(
        (
            *(f"`{name}`", row["processor"], str(row["rounds"])),
            *(f"{row['ways'][way]['faster']:.2f} ({row['ways'][way]['share']:.0%})" if way in row["ways"] else "" for way in ways),
        )
        for name, row in networks
    )
    kept = tuple(
        (
            f"`{name}`",
            f"{row['ways'][ways[0]]['images']:.0f}",
            *(f"{row['ways'][way]['memory']:,.0f}" if way in row["ways"] else "" for way in ways),
        )
        for name, row in networks
    )
    threads, torch = (" and ".join(sorted({str(row[key]) for _, row in networks})) for key in ("threads", "torch"))
    said = f"On {threads} threads, torch {torch}, medians of so many rounds: times as fast as the usual way (and "
    said += "share of the rate of the bare convolutions)."
    memory = "The most MiB that a step of so many images takes beyond weights and gradients."
    tables = (markdown(("network", "processor", "rounds", *ways), lines, "en"), markdown(("network", "images", *ways), kept, "en"))
    return f"{said}\n\n{tables[0]}\n\n{memory}\n\n{tables[1]}"


def filled(text: str, name: str, content: str) -> str:
    """`text` with `content` between the comments <!-- name --> and <!-- end name -->."""
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"<!-- {name} --> without {end}")
    return f"{before}{start}\n{content}\n{end}{after}"


def page(name: str) -> str:
    """A page as it should be, with its tables."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for table, made in TABLES.items():
        if f"<!-- {table} -->" in text:
            try:
                content = made("zh" if ".zh." in name else "en")
            except FileNotFoundError:
                content = "Not measured yet."
            text = filled(text, table, content)
    return text


def depths() -> DepthComparison:
    return build(DepthComparison, record("docs/records/depth.json"), "docs/records/depth.json")


CHINESE = {  # words of these tables that no view has
    "He": "He",
    "torch's default": "torch 默认",
    "yes": "有",
    "no": "无",
    "plain": "普通",
    "residual": "残差",
    "preactivation": "预激活",
    "claimed before the runs": "训练之前的论断",
    "measured, % on average": "测得（平均，%）",
    "difference in points": "差值（百分点）",
    "at least": "至少",
    "first layer's gradient at the start": "开始时第一层的梯度",
    "row": "行",
    "seed": "种子",
    "steps": "步数",
    "training error, %": "训练错误率（%）",
    "test error, %": "测试错误率（%）",
    "published, %": "论文（%）",
    "processor": "处理器",
}


def depth_table(language: str) -> str:
    """Gradients of the first layer over depth, as `etude explain --depth` prints them."""
    found = depths()
    said, table = depth_words(found), depth_rows(found)
    if language == "zh":
        said = f"初始化时第一层权重的梯度范数，{found.images} 张图像；{len(found.seeds)} 个种子的均值 ± 标准差。"
        said += "无 BN 的预激活网络没有这一行：网络没有这个选项。"
    return f"{said}\n\n{markdown(table.columns, table.rows, language)}"


def degradation_table(language: str) -> str:
    """Training error of plain and residual networks."""
    measured = record("docs/records/degradation.json")
    lines = []
    for row in measured["rows"]:
        error, loss, gradient = (row[key] for key in ("error", "loss", "first gradient"))
        lines.append(
            (
                f"`{row['network']}`",
                str(row["n"]),
                f"{100 * error['mean']:.1f} ± {100 * error['spread']:.1f} %",
                f"{loss['mean']:.2f} ± {loss['spread']:.2f}",
                f"{gradient['mean']:.2g} ± {gradient['spread']:.1g}",
            )
        )
    table = markdown(("network", "n", "training error", "training loss", "first layer's gradient at the start"), tuple(lines), language)
    steps, batch = len(measured["rows"][0]["runs"][0]["losses"]), measured["batch"]
    what = f"{steps} steps of {batch} images; error and loss over the last fifth of the steps; mean ± standard deviation over n seeds"
    if language == "zh":
        what = f"{steps} 步，每步 {batch} 张图像；错误率和损失取最后五分之一的步；n 个种子的均值 ± 标准差"
    command = f"（`{measured['command']}`）。" if language == "zh" else f" (`{measured['command']}`)."
    return f"{what}{command}\n\n{table}"


def orders_of(*papers: str) -> Callable[[str], str]:
    """The table of the papers' claimed orders, as they were found."""

    def table(language: str) -> str:
        found = {paper: record(f"docs/records/{paper}-laptop.json") for paper in papers}
        lines = tuple(order_line(row, language) for one in found.values() for row in one["orders"])
        columns = ("claimed before the runs", "measured, % on average", "n", "difference in points", "at least", "verdict")
        commands = ", ".join(f"`etude reproduce {paper} --seeds {one['seeds']} --data FOLDER`" for paper, one in found.items())
        return f"{commands}{DATA[language]}\n\n{markdown(columns, lines, language)}"

    return table


ORDERS = ("resnet", "identity_mappings", "densenet")  # papers whose orders were run
DATA = {
    "en": "; data: CIFAR-10 in another encoding (JPEG), so that orders are judged and values are not. Differences are between runs of the "
    "same seed, mean ± standard deviation; “at least” is the lower end of the one-sided 95 % interval of their mean.",
    "zh": "；数据：另一种编码（JPEG）的 CIFAR-10，因此只判断次序，不判断数值。差值按同一种子逐对计算，给出均值 ± 标准差；"
    "“至少”是差值均值的单侧 95 % 区间下限。",
}


def full_table(language: str) -> str:
    """The rows of the papers that were trained in full, each as far as it has come."""
    found = record("docs/records/paper.json")
    lines = []
    for row in found["runs"]:
        curve, environment = row["curve"], row["environment"]
        training = next(one["train_accuracy"] for one in reversed(curve) if one["train_accuracy"] is not None)
        tested = next(one for one in reversed(curve) if "test_accuracy" in one)
        steps = f"{tested['step']:,} / {row['steps']:,}"
        errors = (f"{100 * (1 - accuracy):.2f}" for accuracy in (training, tested["test_accuracy"]))
        published = published_of(row["recipe"])
        lines.append(
            (f"`{row['recipe']}`", str(row["seed"]), steps, *errors, f"{published.value} ({published.at})", environment["device_name"])
        )
    columns = ("row", "seed", "steps", "training error, %", "test error, %", "published, %", "processor")
    return f"`{found['command']}`{FULL[language]}\n\n{markdown(columns, tuple(lines), language)}"


FULL = {
    "en": "; data: CIFAR-10 in another encoding (JPEG), so that values are not judged. The training error "
    "is that of the steps since the last row of the metrics, on images as they were augmented; the test error that after so many steps.",
    "zh": "；数据：另一种编码（JPEG）的 CIFAR-10，因此不判断数值。"
    "训练错误率取最近一段训练步，图像经过数据增强；测试错误率是训练到该步数时的值。",
}


def published_of(recipe: str) -> claims.PublishedValue:
    """What a paper gives of a row, NETWORK.RECIPE."""
    for name in claims.names():
        held = claims.load(name)
        for claim in claims.values(held, load(held.paper)):
            if claim.recipe == recipe and claim.published:
                return claims.published_value(load(held.paper), claim.published)
    raise KeyError(recipe)


def order_line(row: dict[str, Any], language: str) -> tuple[str, ...]:
    """What was claimed, both errors, the paired differences, and the verdict at its conditions."""
    means = [statistics.fmean(errors) for errors in zip(*row["errors"], strict=True)]
    pair = [f"`{name}` {mean:.1f}" for name, mean in zip(told_apart(row["worse"], row["better"]), means, strict=True)]
    says, measured, verdict, conditions = (said(row[key], language) for key in ("says", "measured", "verdict", "conditions"))
    numbers = (str(len(row["errors"])), f"{row['mean']:.1f} ± {row['spread']:.1f}", f"{row['bound']:.1f}")
    if language == "zh":
        return f"`{row['id']}`：{says}", f"{measured}：{'，'.join(pair)}", *numbers, f"{verdict}（{conditions}）"
    return f"`{row['id']}`: {says}", f"{measured}: {', '.join(pair)}", *numbers, f"{verdict} {conditions}"


def told_apart(*trained: str) -> tuple[str, ...]:
    """What is trained, by the options that the others have not, or else by the name of the network."""
    parts = [re.fullmatch(r"([^(]+?)(?:\((.*)\))?\.\w+", one) for one in trained]
    networks = [(part[1], (part[2] or "").split(", ")) for part in parts if part]
    shared = set.intersection(*(set(options) for _, options in networks))
    return tuple(", ".join(one for one in options if one not in shared) or name for name, options in networks)


def said(text: str, language: str) -> str:
    """A word or a sentence of a table in the page's language."""
    return CHINESE.get(text) or chinese(text) if language == "zh" else text


def audited() -> tuple[Audited, ...]:
    return convert(record("docs/records/audit.json"), tuple[Audited, ...], "docs/records/audit.json")


def audit_counts(_: str) -> str:
    """How many implementations have which verdict."""
    table = counts(audited())
    return markdown(table.columns, table.rows, "en")


def audit_tables(_: str) -> str:
    """A table for each network, and below it what authors say and what a departure means."""
    rows = audited()
    return "\n\n".join(
        audit_table(name, [row for row in rows if row.network == name]) for name in dict.fromkeys(row.network for row in rows)
    )


def audit_table(network: str, rows: Sequence[Audited]) -> str:
    lines = tuple(
        (
            f"{row.implementation} {row.version}",
            verdict_of(row),
            why_of(row).replace("|", "\\|"),
            f"`{row.found.line}`" if row.found.line else "",
            f"{row.found.parameters:,}" if row.found.parameters else "",
            f"{row.found.seconds:.0f}",
            f"`{row.commands[1]}`".replace("|", "\\|"),
        )
        for row in rows
    )
    columns = (
        "implementation",
        "verdict",
        "first departure, and where the paper says otherwise",
        "in its source",
        "parameters",
        "s",
        "shown by",
    )
    notes = {
        note: [row.implementation for row in rows if note in (row.said_so, row.note)] for row in rows for note in (row.said_so, row.note)
    }
    told = [f"- {', '.join(dict.fromkeys(names))}: {note}" for note, names in notes.items() if note]
    return "\n".join([f"### {network}", "", markdown(columns, lines, "en"), *([""] if told else []), *told])


def audit_lines(_: str) -> str:
    """Three rows that say what the audit is."""
    chosen = [next(row for row in audited() if row.implementation == name and row.network == network) for name, network in README_ROWS]
    lines = tuple(
        (
            f"{row.implementation} {row.version}",
            f"`{row.network}`",
            f"{row.found.verdict}: it is `{row.found.variant}`" if row.found.variant else verdict_of(row),
            row.found.departure.replace("|", "\\|"),
        )
        for row in chosen
    )
    return markdown(("implementation", "of", "verdict", "first departure"), lines, "en")


def audit_sources(_: str) -> str:
    """What gets the code of every implementation."""
    rows = dict.fromkeys((f"{row.implementation} {row.version}", f"`{row.commands[0]}`") for row in audited())
    return markdown(("implementation", "its code"), tuple(rows), "en")


def export_table(_: str) -> str:
    """Every network that was exported at full size, and how far its exports are from it."""
    rows = record("docs/records/exports.json")["networks"]
    differences = {(name, to): row[to] for name, row in rows.items() for to in ("pt2", "onnx") if isinstance(row[to], float)}
    said = f"{len(rows)} of the {len(registry.names())} networks, {len(differences)} of {2 * len(rows)} exports called right."
    lines = tuple(
        (f"`{name}`", *(apart(row[to]) for to in ("pt2", "onnx")), apart(row["rounding"]) if "rounding" in row else "")
        for name, row in rows.items()
    )
    return f"{said}\n\n{markdown(('network', 'torch.export', 'ONNX', 'float32 from float64'), lines, 'en')}"


def apart(difference: float | str) -> str:
    """A difference, or what was said in its place."""
    return difference if isinstance(difference, str) else f"{difference:.1e}" if difference else "0"


def engine_table(_: str) -> str:
    """Milliseconds an image by every engine, and what `auto` takes."""
    found = record("docs/records/engines.json")
    engines = tuple(name for name in ENGINES if any(name in row["engines"] for row in found["rows"]))
    lines = tuple(
        (
            f"`{row['network']}`",
            str(row["batch"]),
            *(f"{1e3 * row['engines'][name]['seconds']:.3g}" if name in row["engines"] else "fails" for name in engines),
            f"{max(timing['difference'] for timing in row['engines'].values()):.0e}",
            row["auto"]["10000"]["engine"],
            f"{row['auto']['10000']['times the best']:.2f}",
        )
        for row in found["rows"]
    )
    columns = ("network", "batch", *engines, "largest difference", "`auto` for 10,000 images", "times the best")
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    return f"On {found['threads']} threads of {found['processor']}; {versions}.\n\n{markdown(columns, lines, 'en')}"


def finetune_table(_: str) -> str:
    """What weights to begin with are worth on a small folder."""
    found = record("docs/records/finetune.json")
    lines = tuple(
        (
            f"`{found['network']}.{row['recipe']}`",
            f"{row['rate']:g}",
            ", ".join(f"{100 * choice['accuracy']:.1f} ({choice['rate']:g})" for choice in row["choosing"]),
            *(f"{100 * accuracy:.1f}" for accuracy in row["accuracies"]),
            f"{100 * statistics.fmean(row['accuracies']):.1f}",
        )
        for row in found["rows"]
    )
    seeds = tuple(f"seed {seed}" for seed in range(len(found["rows"][0]["accuracies"])))
    columns = ("recipe", "rate", "% of the images to choose by (rate)", *seeds, "mean %")
    images, source = found["images"], found["source"]
    said = f"{found['data']}: {images['train']} images to train with, {images['choose']} others to choose by, {images['test']:,} to test; "
    said += f"weights to begin with of {source['steps']} steps on {', '.join(source['classes'])} ({percent(source['accuracy'])} right)."
    return f"{said}\n\n{markdown(columns, lines, 'en')}"


def streaming_table(_: str) -> str:
    """What an image costs in a stream, beside what networks take to train on it; and memory."""
    found = record("docs/records/streaming.json")
    networks = found["networks"]
    lines = tuple(
        (
            *(f"`{row['recipe']}`", str(row["workers"]), f"{row['images a second']:.0f}", f"{row['milliseconds']:.1f}"),
            *(f"{row['milliseconds'] / network['milliseconds']:.1%}" for network in networks.values()),
        )
        for row in found["rows"]
    )
    columns = (
        "cut and coloured as by",
        "workers",
        "images a second",
        "ms of a processor",
        *(f"of a step of `{name}`" for name in networks),
    )
    steps = ", ".join(f"`{name}` {network['milliseconds']:.0f} ms" for name, network in networks.items())
    memory = ", ".join(f"{who} {then[0]} MB and {then[1]} MB" for who, then in found["memory"].items())
    said = f"{found['images']:,} JPEGs of about 256 pixels, by {found['environment']['processor']}. A step at 224 pixels takes of it, an "
    said += f"image: {steps}. Resident after the 100th batch of 50 and near the end, by two workers, while `resnet18` learns: {memory}."
    return f"{said}\n\n{markdown(columns, lines, 'en')}"


def precision_table(_: str) -> str:
    """What networks reach whose steps were taken in bfloat16, beside float32 on the same seeds."""
    data = {"precision-mnist": "MNIST", "precision-cifar10": "CIFAR-10 in another encoding (JPEG)"}
    lines = tuple(
        (
            *(f"`{row['recipe']}`", what, str(len(row["pairs"]))),
            *(f"{mean:.2f}" for mean in row["means"]),
            f"{row['difference']:+.2f} ± {row['half']:.2f}",
        )
        for name, what in data.items()
        for row in record(f"docs/records/{name}.json")["rows"]
    )
    columns = ("recipe, at `laptop`", "data", "n", "float32, %", "bfloat16, %", "difference of pairs, points (95 %)")
    return markdown(columns, lines, "en")


def markdown(columns: tuple[str, ...], lines: tuple[tuple[str, ...], ...], language: str) -> str:
    first, *others = ([said(cell, language) for cell in row] for row in (columns, *lines))
    return "\n".join(f"| {' | '.join(row)} |" for row in (first, ["---"] * len(columns), *others))


TABLES = {
    "results": results_table,
    "speed": speed_table,
    "steps": step_table,
    "depth": depth_table,
    "degradation": degradation_table,
    "orders": orders_of(*ORDERS),
    **{f"{paper} orders": orders_of(paper) for paper in ORDERS},
    "in full": full_table,
    "audit counts": audit_counts,
    "audit tables": audit_tables,
    "audit sources": audit_sources,
    "audit lines": audit_lines,
    "exports": export_table,
    "engines": engine_table,
    "finetune": finetune_table,
    "streaming": streaming_table,
    "precision": precision_table,
}


def lecture() -> str:
    """The curves of the two networks that the lecture gives results of."""
    curves = load("lecture").curves
    rows = [row for row in record("docs/records/lecture-laptop.json")["trained"] if row["published"]]
    return side_by_side(
        {
            row["network"]: ([Line(metrics, "ours, laptop budget") for metrics in row["metrics"]], curves[f"{row['network']}_accuracy"])
            for row in rows
        }
    )


def pairs_of(paper: str) -> str:
    """The paired differences of a paper's claimed orders, as the table has them."""
    found = record(f"docs/records/{paper}-laptop.json")["orders"]
    return pair_dots([Dots(row["id"], row["differences"], row["mean"], row["bound"], row["least"]) for row in found])


def in_full() -> str:
    """The curve of the first row that was trained in full, as far as it has come."""
    first = record("docs/records/paper.json")["runs"][0]
    tests = [row for row in first["curve"] if "test_accuracy" in row]
    return error_curves(f"{first['recipe']}, of {first['steps']:,} steps", [Line(tests, f"seed {first['seed']}", curve=first["curve"])])


def figures() -> dict[str, str]:
    """The pictures of the lessons, by file name."""
    drawn = {}
    for name, (network, options, block) in BLOCKS.items():
        graph = etude.graph(without_weights(network, **options), registry.row(network).input)
        drawn[name] = diagram(graph, only=block, title=f"{network}, {block}")
    pairs = {f"{paper}_orders": pairs_of(paper) for paper in ORDERS}
    return drawn | pairs | {"depth": depth_figure(depths()), "lecture": lecture(), "in_full": in_full()}


def without_places(found: Any) -> str:
    """The record of `benchmarks/paper.py` without where images and runs lie, nor for how long it trained; metrics to six digits."""
    places = {recipe["data"] for recipe in found["recipes"].values() if recipe["data"] not in catalog.names()}
    command = re.sub(r" --(runs|minutes) \S+", "", found["command"]).replace("'", '"')
    runs = [
        row
        | {"curve": [{key: rounded(value) for key, value in one.items()} for one in row["curve"]]}
        | (
            {"environment": row["environment"] | {"images": re.sub(r"/\S*/", "", row["environment"]["images"])}}
            if row["environment"]
            else {}
        )
        for row in found["runs"]
    ]
    text = json.dumps(found | {"command": command, "runs": runs}, indent=1, ensure_ascii=False)
    for place in places:
        text = text.replace(place, "FOLDER")
    return text + "\n"


def rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def measure() -> None:
    """Make the slow records of the lessons anew."""
    depth = subprocess.run(
        [sys.executable, "-m", "etude", "explain", "--depth", "8,20,56,110", "--json"], check=True, capture_output=True, encoding="utf-8"
    )
    write_text(ROOT / "docs" / "records" / "depth.json", depth.stdout)
    subprocess.run([sys.executable, str(ROOT / "benchmarks" / "degradation.py")], check=True)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure()
    if "--paper" in sys.argv:
        write_text(ROOT / "docs" / "records" / "paper.json", without_places(json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))))
    for name in PAGES:
        write_text(ROOT / name, page(name))
    for name, drawn in figures().items():
        write_text(FIGURES / f"{name}.svg", drawn)
