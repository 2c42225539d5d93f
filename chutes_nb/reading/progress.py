"""Progress out of one line of text, with the evidence for it (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from .patterns import late
from .words import DONE, LOG_PREFIX, RATIOS, SECTIONS, UNITS, VERBS

_N = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_RATIO = late(
    rf"(?<![\w./:,+$~-])(?P<i>{_N})(?P<by>\s?/\s?|\s(?:out\s)?of\s{{1,4}})(?P<n>{_N})"
    r"(?![\w/%]|[.,:-]\w)",
    re.ASCII,
)
_PERCENT = late(r"(?<![\w./:,+$~-])(\d{1,3}(?:\.\d+)?)\s?%(?![\w%])", re.ASCII)
_TQDM = late(
    r"^(?P<desc>.*?)[:\s]*\b(?P<percent>\d{1,3})%\|[^|]*\|\s*"
    r"(?P<i>\d+(?:\.\d+)?)(?P<is>[kMGTP]?)/(?P<n>\d+(?:\.\d+)?)(?P<ns>[kMGTP]?)\s*"
    r"(?P<unit>[A-Za-z]*)\s*\[\s*[\d:]+<",
    re.ASCII,
)
_TQDM_RATE = late(r"[\d.?]+[kMG]?([A-Za-z]+)/s\b|\bs/([A-Za-z]+)", re.ASCII)
_TQDM_OPEN = late(
    r"^(?:(?P<desc>.+?):\s+)?(?P<i>\d+(?:\.\d+)?)(?P<is>[kMGTP]?)(?P<unit>[A-Za-z]+)"
    r"\s\[\d+:\d\d(?::\d\d)?,\s",
    re.ASCII,
)
_GLYPHS = late(
    r"[█▉▊▋▌▍▎▏▓▒░━╸╺■□◼◻⬛⬜]{4,}"
    r"|(?<!\w)[\[|] ?(?=.{5})[#=*█>]+[>#\d]?[ .\-_]*[\]|]"
    r"|\[[>.\-_ ]{5,}\]"
)
_SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_FFMPEG = late(r"\btime=(\d+):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)
DURATION = late(r"^\s*Duration:\s(\d+):(\d\d):(\d\d(?:\.\d+)?),", re.ASCII)

_I = re.IGNORECASE
_UNIT_BEFORE = late(rf"(?:^|[^\w])({UNITS})[\s:=#\[(]{{0,4}}$", _I)
_PROGRESS_BEFORE = late(r"\bprogress\b\W{0,4}(?:at\s)?$", _I)
_VERB_BEFORE = late(rf"(?:^|[^\w])(?:{VERBS})\b\W{{0,4}}(?:\w+\W{{1,3}}){{0,3}}$", _I)
_VERB_CLOSE = late(
    rf"(?:^|[^\w])(?:{VERBS})\b(?:[\s:.=…(\[-]{{1,5}}|\s\w+[\s:.=…(\[-]{{1,5}})$", _I
)
_VERB_COLON = late(rf"(?:^|[^\w])(?:{VERBS})\b.{{0,80}}(?::|\.\.\.|…)\s*$", _I)
_UNIT_AFTER = late(rf"^\s*({UNITS})\b(?!\s*(?:/|per))", _I)
_WORK_AFTER = late(rf"^\s*(?:\w+\s){{0,2}}{DONE}\b", _I)
_DONE_AFTER = late(rf"^\s*(?:is\s)?{DONE}\b", _I)
_CALM_AFTER = late(r"^\s*(?:$|[\[\](),;:|.…•-]|eta\b|at\b)", _I)
_PREPOSITION = late(
    r"\b(?:with|at|on|in|to|from|using|by|for|as|than|under|over|via|per)\b", _I
)
VULGAR = {("1", "2"), ("1", "3"), ("2", "3"), ("1", "4"), ("3", "4")}
_CLAUSE = late(r"[,;|\t\])]|(?<!\.)\. (?=[A-Z])| - ")
_DIGITS = late(r"[\d.,]+", re.ASCII)
_SAYS_VALUES = late(r"\w\s*[:=]\s*[-+]?\d*\.?\d", re.ASCII)
# A line with more ratios is a table, and each costs a look at the words around it.
MOST_RATIOS = 8
MOST_COUNTED = 1e99  # "1,000,000,...", of however many groups, may be no float
# Words that say what a ratio counts stand close to it; the patterns that look for them
# try each place of the text before it.
NEAR_CHARACTERS = 160
_LAST_NUMBER = late(r"\s*\(?(?:(?<![\w/])\d+\s?/\s?)?[\d.]+%?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """One sign of progress in a line.

    Attributes
    ----------
    key : str
        What the line says without its numbers: the same for the same loop.
    fraction : float or None
        0 to 1; None where only a count without a total is known.
    is_sure : bool
        Whether one line is evidence enough; else it must be seen to grow.
    is_bar : bool
        A drawn bar, so perhaps one inside an epoch or stage.
    section : str or None
        ``epoch``, ``stage``, ...: this opens (or names) an outer section.
    is_closing : bool
        The section's line tells values, so it was printed at its end.
    """

    key: str
    done: float | None = None
    total: float | None = None
    fraction: float | None = None
    message: str | None = None
    unit: str | None = None
    is_sure: bool = True
    is_bar: bool = False
    section: str | None = None
    is_closing: bool = False


def without_prefix(line: str) -> str:
    """Take a log line's time, level and logger off its front."""
    match = LOG_PREFIX.match(line)
    return line[match.end() :] if match else line


def find(line: str, *, strict: bool = True) -> list[Found]:
    """Read one line: the outer section first, if there are two.

    Parameters
    ----------
    line : str
        Without colours and log prefix.
    strict : bool
        False reads shapes, whose digits are all ``1``: values are not judged.
    """
    bar = _tqdm(line, strict)
    if bar:
        return bar
    has_bar = "%" in line or "/" in line
    glyphs = _GLYPHS.search(line) if has_bar else None
    if glyphs is None and not (has_bar or " of " in line):
        return []
    ratios = _ratios(line, strict, is_bar=glyphs is not None)
    if ratios:
        sure = [found for found in ratios if found.is_sure]
        sections = [found.section for found in sure[:2]]
        if sections == ["step", "epoch"]:
            return sure[1::-1]  # the outer one first, wherever it stands
        return sure[:2] if sure else ratios[:1]
    percent = _percent(line, strict, is_bar=glyphs is not None)
    return [percent] if percent else []


def _tqdm(line: str, strict: bool) -> list[Found]:
    """Read a bar of tqdm, and the section that its description names: ``Epoch 2/5``."""
    if "[" not in line:
        return []
    match = _TQDM.match(line)
    if match is None:
        return _tqdm_open(line)
    done = float(match["i"]) * _SCALES[match["is"]]
    total = float(match["n"]) * _SCALES[match["ns"]]
    if strict and not 0 < total >= done:
        return []
    rate = _TQDM_RATE.search(line, match.end())
    unit = match["unit"] or (rate and (rate[1] or rate[2])) or None
    fraction = min(done / total, 1.0) if total else 0.0
    outer = _section_in(match["desc"], strict)
    title = None if outer else _title(match["desc"])  # a section says it in numbers
    return [*outer, Found("bar", done, total, fraction, title, unit, is_bar=True)]


def _tqdm_open(line: str) -> list[Found]:
    """Read a bar of tqdm that knows no total, so has no share of a section either."""
    match = _TQDM_OPEN.match(line)
    if match is None:
        return []
    done, title = float(match["i"]) * _SCALES[match["is"]], _title(match["desc"] or "")
    return [Found("bar", done, None, None, title, match["unit"], is_bar=True)]


def _section_in(text: str, strict: bool) -> list[Found]:
    named = _ratios(text, strict, is_bar=False)
    return [found for found in named if found.section and found.is_sure][:1]


def _ratios(line: str, strict: bool, *, is_bar: bool) -> list[Found]:
    founds = []
    for match in islice(_RATIO.finditer(line), MOST_RATIOS):
        done, total = _number(match["i"]), _number(match["n"])
        if (strict and not 0 < total >= done) or total > MOST_COUNTED:
            continue
        found = _judge_ratio(line, match, done, total, is_bar)
        if found is not None:
            founds.append(found)
    return founds


def _judge_ratio(
    line: str, match: re.Match[str], done: float, total: float, is_bar: bool
) -> Found | None:
    head, tail = line[: match.start()], line[match.end() :]
    close = head[-NEAR_CHARACTERS:]
    near_head, near_tail = _CLAUSE.split(close)[-1], _near(tail)
    before, after = _UNIT_BEFORE.search(close), _UNIT_AFTER.match(tail)
    near = near_head[-40:], near_tail[:24]
    if not (is_bar or before) and (RATIOS.search(near[0]) or RATIOS.search(near[1])):
        return None
    is_dated = match["i"].startswith("0") and len(match["i"]) > 1
    is_sure = is_bar or (
        bool(
            before
            or after
            or _PROGRESS_BEFORE.search(close)
            or _is_work(near_head, match)
            or (_WORK_AFTER.match(tail) and not is_dated)
            or _agrees(head, tail, done, total)
        )
        or (not is_dated and _stands_apart(head, tail))
    )
    word = before[1].lower() if before else None
    unit = after[1] if after else (before[1].lower() if before else None)
    message = _message(tail if before else head)
    if message is None and not (is_bar or after):
        message = _message(tail)  # "[3/10] Building foo"
    return Found(
        _key(head, tail),
        done,
        total,
        done / total if total else 0.0,
        message,
        unit,
        is_sure,
        is_bar=is_bar,
        section=word if word in SECTIONS and not is_bar else None,
        is_closing=bool(_SAYS_VALUES.search(tail)),
    )


def _is_work(near_head: str, ratio: re.Match[str]) -> bool:
    """Whether a verb of work before a ratio makes it a count of that work.

    "Processing 10/20" is one; "trained with 2/3", "built for 3.10/3.11", "done 05/06"
    and "converted 1/2" may be anything, and have to be seen to grow.
    """
    verb = _VERB_BEFORE.search(near_head)
    if verb is None or near_head.endswith("=") or _PREPOSITION.search(verb[0]):
        return False
    done, total = ratio["i"], ratio["n"]
    is_count = not (done.startswith("0") and len(done) > 1) and "." not in done + total
    return is_count and (done, total) not in VULGAR


def _stands_apart(head: str, tail: str) -> bool:
    """Whether the ratio is all of the line, or bracketed at one of its ends."""
    left, right = head.rstrip(), tail.strip()
    if not left and (not right or right[0] in ":"):
        return True
    is_boxed = left[-1:] in ("(", "[") and right[:1] in (")", "]")
    return is_boxed and (not left[:-1].strip() or not right[1:].strip(" .:…"))


def _agrees(head: str, tail: str, done: float, total: float) -> bool:
    """Whether a percentage beside the ratio says the same, as in ``45% (9/20)``."""
    if not total:
        return True
    for text in (head[-16:], tail[:16]):
        for percent in _PERCENT.finditer(text):
            if abs(float(percent[1]) - 100 * done / total) <= 1:
                return True
    return False


def _percent(line: str, strict: bool, *, is_bar: bool) -> Found | None:
    matches = list(_PERCENT.finditer(line))
    if not matches or (len(matches) > 1 and not is_bar):
        return None  # "80% train, 20% test" splits something
    match = matches[0]
    share = float(match[1])
    if strict and share > 100:
        return None
    head, tail = line[: match.start()], line[match.end() :]
    if not (is_bar or _is_percent_done(head, tail)):
        return None
    fraction = min(share / 100, 1.0)
    return Found(
        _key(head, tail), None, None, fraction, _message(head), None, is_bar=is_bar
    )


def _is_percent_done(head: str, tail: str) -> bool:
    left, right = head.strip(), tail.strip()
    if not left.strip("[(") and not right.strip("])….:"):
        return True
    near_head, near_tail = _CLAUSE.split(head)[-1], _near(tail)
    if RATIOS.search(near_head[-40:]) or RATIOS.search(near_tail[:24]):
        return False
    if _PROGRESS_BEFORE.search(head) or _DONE_AFTER.match(tail):
        return True
    if left.endswith("[") and right.startswith("]"):
        # CMake's "[ 45%] Building", pytest's "..... [ 45%]"
        return left == "[" or right == "]"
    closes = _VERB_CLOSE.search(near_head) or _VERB_COLON.search(near_head)
    return bool(closes and _CALM_AFTER.match(tail))


def film_time(line: str) -> float | None:
    """Give the seconds of film that ffmpeg's status line says are done."""
    match = _FFMPEG.search(line) if "bitrate=" in line else None
    return clock(match) if match else None


def clock(match: re.Match[str]) -> float:
    """Turn groups hours, minutes, seconds into seconds."""
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _key(head: str, tail: str) -> str:
    return _DIGITS.sub("", head[-60:] + "#" + _near(tail)[:24])


def _near(tail: str) -> str:
    """Cut off what follows the clause in which the number stands."""
    return _CLAUSE.split(tail.lstrip("])"), maxsplit=1)[0]


def _message(text: str) -> str | None:
    """What a line says beside a number; without another one that stands there."""
    if _SAYS_VALUES.search(text):
        return None  # metrics have their own place
    text = _GLYPHS.sub("", text).strip(" \t:-|.,()[]%=#•")
    text = _LAST_NUMBER.sub("", text).strip(" \t:-|.,()[]")
    return _told(text)


def _title(text: str) -> str | None:
    """What a bar is called, with a number where that is a part of it: ``fold 3``."""
    return None if _SAYS_VALUES.search(text) else _told(text.strip(" \t:-|.,=#•"))


def _told(text: str) -> str | None:
    return None if not text or text.lower() == "progress" else text[:120]
