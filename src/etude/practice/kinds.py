"""Which kinds of layers an answer has and the exercise has not, or the other way round: what can be said beyond the first departure."""

from collections.abc import Iterator

from etude.explain.findings import Finding
from etude.practice.departure import Departure, described

MORE = ("dropout", "batch_norm")  # that nothing else is written with


def beyond(departure: Departure) -> Iterator[Finding]:
    """Kinds that the departure itself does not name.

    A kind is said to be missing only where all that runs is of kinds from which nothing else is made: a sum, for one, may be a product.
    """
    steps, events = departure.run.steps, departure.answer.trace.events
    wanted, had = ({operator.op for operator in operators} for operators in (steps, events))
    named = {event.op for event in departure.instead[:1]} | ({departure.place.step.op} if departure.place else set())
    more = {event.op: departure.called(event) for event in events if event.op in MORE and event.op not in wanted | named}
    if more:
        yield Finding("has_more", {"names": [*more.values()]})
    lacking = {step.op: described(step) for step in steps if step.op not in had | named}
    if lacking and had <= wanted.union(MORE):
        yield Finding("lacks", {"names": [*lacking.values()]})
