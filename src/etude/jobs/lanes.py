"""Many lanes side by side: which task begins when, and what becomes of one whose process dies."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence

from etude.jobs.lane import End, Lane
from etude.jobs.task import Outcome, Task
from etude.train.job import Interrupted, Means

POLL_SECONDS = 0.2
DEATHS = 3  # in a row, without getting further, after which a task is given up


class Lanes:
    """Does tasks in lanes.

    start  begins a task; raises EtudeError where it cannot
    room   for how many lanes there is room, asked while tasks wait
    """

    def __init__(self, tasks: Sequence[Task], means: Means, start: Callable[[Task], Lane], room: Callable[[], int]) -> None:
        self.waiting, self.means, self.start, self.room = list(tasks), means, start, room
        self.lanes: dict[Task, Lane] = {}
        self.died: dict[Task, tuple[int, int]] = {}  # how often, and with which checkpoint
        self.missing: dict[str, str] = {}
        self.told: set[str] = set()

    def run(self) -> Generator[Outcome | None]:
        """As of an engine."""
        try:
            while self.waiting or self.lanes:
                yield from self.begin()
                for task in tuple(self.lanes):
                    yield self.look(task)
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise Interrupted("stopped, and every run saved; the same command again continues there") from None
        finally:
            self.stop()

    def begin(self) -> Iterator[Outcome]:
        """Begin what there is room for. A run that another process writes waits for that to end."""
        room = self.room() if self.waiting else 0
        for task in tuple(self.waiting):
            data = task.job.recipe.data
            if task.run.finished or data in self.missing:
                self.waiting.remove(task)
                yield result_of(task) if task.run.finished else Outcome(task.job, None, self.missing[data], no_data=True)
            elif len(self.lanes) >= room:
                return
            elif task.run.running:
                self.say(f"{task.job}: another process writes {task.run.folder}; it is waited for")
            else:
                self.waiting.remove(task)
                self.lanes[task] = self.start(task)

    def look(self, task: Task) -> Outcome | None:
        """Pass on what is heard of a task; what came of it, where it has ended."""
        lane = self.lanes[task]
        news = lane.look()
        if news.progress:
            self.means.watch(task.job, news.progress)
        for text in news.said:
            self.say(text)
        if news.end is None:
            return None
        del self.lanes[task]
        lane.close()
        if task.run.finished:
            return result_of(task)
        if not news.end.why:
            return self.again(task, news.end)
        if news.end.no_data:
            self.missing[task.job.recipe.data] = news.end.why
        return Outcome(task.job, None, news.end.why, news.end.no_data)

    def again(self, task: Task, end: End) -> Outcome | None:
        """Let a task whose process died go on where it was saved, unless it does not get further."""
        reached = task.run.checkpoint.stat().st_mtime_ns if task.run.checkpoint.exists() else 0
        times, before = self.died.get(task, (0, reached))
        times = times + 1 if reached == before else 1
        self.died[task] = times, reached
        if times == DEATHS:
            return Outcome(
                task.job, None, f"{end.words}, {DEATHS} times without getting further; is there enough memory for so many at a time?"
            )
        self.means.say(f"{task.job}: {end.words}; it goes on from {'its last checkpoint' if reached else 'the start'}")
        self.waiting.insert(0, task)
        return None

    def say(self, text: str) -> None:
        """Once of many that say the same."""
        if text not in self.told:
            self.told.add(text)
            self.means.say(text)

    def stop(self) -> None:
        """Stop all, and wait until every run is saved."""
        if self.lanes:
            self.means.say("stopping: every run finishes its step and is saved")
        for lane in self.lanes.values():
            lane.stop()
        for lane in self.lanes.values():
            while lane.look().end is None:
                time.sleep(POLL_SECONDS)
            lane.close()
        self.lanes.clear()


def result_of(task: Task) -> Outcome:
    return Outcome(task.job, task.run.result())
