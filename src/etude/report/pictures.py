"""The pictures of a view, as SVG."""

import re
from html import escape, unescape

from etude.views.chinese import chinese
from etude.views.view import Calibration, Confusion, CurvePicture, DepthPicture, Diagram, GradientPicture, Photos, Picture


def svg_of(picture: Picture) -> str:
    """The picture as one <svg> element, which may stand alone."""
    match picture:
        case Diagram(graph, title, block):
            from etude.report.diagram import diagram

            return diagram(graph, only=block, title=title)
        case GradientPicture(report):
            from etude.report.gradients import gradient_figure

            return gradient_figure(report)
        case DepthPicture(comparison):
            from etude.report.gradients import depth_figure

            return depth_figure(comparison)
        case CurvePicture(title, metrics, curve):
            from etude.report.figures import Line, run_curves

            return run_curves(title, [Line(metrics, "this run", curve=curve)], None)
        case Photos(photos):
            from etude.report.photos import photos_figure

            return photos_figure(photos)
        case Confusion(classes, counts):
            from etude.report.mistakes import confusion_figure

            return confusion_figure(classes, counts)
        case Calibration(bins):
            from etude.report.mistakes import calibration_figure

            return calibration_figure(bins)


def writable(text: str) -> str:
    """A page or a picture as it can be written down: the name of a file in it may be any bytes, which UTF-8 has no place for."""
    return re.sub(r"[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def in_chinese(html: str) -> str:
    """The same, with what is written in its pictures in Chinese: each text stays where it is, and is no longer than before."""
    return re.sub("(<(?:text|title)(?: [^>]*)?>)([^<]+)(?=<)", lambda found: found[1] + escape(chinese(unescape(found[2]))), html)
