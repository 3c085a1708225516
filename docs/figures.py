"""Draws docs/lecture.svg, the picture of the README, from the runs of `etude reproduce lecture --seeds 3`."""

from pathlib import Path

from etude.files import write_text
from etude.report.figures import side_by_side
from etude.reproduce.jobs import reproduce

report = reproduce("lecture", seeds=3, say=print)
panels = {trained.recipe.model: (trained.results, trained.published) for trained in report.trained if trained.published}
write_text(Path(__file__).parent / "lecture.svg", side_by_side(panels))
