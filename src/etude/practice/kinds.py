"""Which kinds of layers an answer has and the exercise has not, or the other way round: what can be said beyond the first departure."""

from collections.abc import Iterator

from etude.explain.findings import Finding
from etude.practice.departure import Departure, described

MORE = ("dropout", "batch_norm")  # that nothing else is written with
LACKING = ("relu", "add", "concat", "batch_norm", "dropout", "sigmoid")  # that nothing plain stands for
PLAIN = (*MORE, "max_pool", "avg_pool")  # with which no ReLU and no sum is written


def beyond(departure: Departure) -> Iterator[Finding]:
    """Kinds that the departure itself does not name.

    What is missing is said only where all that runs is of kinds from which it cannot be made: a sum, for one, may be a product.
    A ReLU may stand once behind a concatenation for several before it.
    """
    steps, events = departure.run.steps, departure.answer.trace.events
    wanted, had = [step.op for step in steps], [event.op for event in events]
    named = {event.op for event in departure.instead[:1]} | ({departure.place.step.op} if departure.place else set())
    biased = [event for event in events if event.op == "conv" and event.bias and event.path]
    if biased and not any(step.bias for step in steps if step.op == "conv") and not named & {"conv"}:
        yield Finding("bias_extra", {"names": ", ".join(dict.fromkeys(event.path for event in biased))}, departure.line_of(biased[0]))
    more = {event.op: departure.called(event) for event in events if event.op in MORE and event.op not in named.union(wanted)}
    if more:
        yield Finding("has_more", {"names": [*more.values()]})
    if set(had) <= set(wanted).union(PLAIN):
        kinds = {step.op: step for step in steps if step.op in LACKING and step.op not in named.union(had)}
        lacking: list[Finding | str] = [described(step) for step in kinds.values()]
        if 0 < had.count("relu") < wanted.count("relu") and not named & {"relu"} and "concat" not in wanted:
            lacking.append(Finding("fewer", {"name": "ReLU", "have": had.count("relu"), "want": wanted.count("relu")}))
        if lacking:
            yield Finding("lacks", {"names": lacking})
