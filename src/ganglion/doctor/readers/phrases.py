"""What the numbers of a line are called: for each mark of a skeleton the name before it, and the heading the name stands
under."""

from __future__ import annotations

import re
from typing import NamedTuple

from ganglion.doctor.readers.columns import Place
from ganglion.doctor.readers.headings import COUNTED, context_of, is_known, label_behind, player_in, whose_line
from ganglion.doctor.readers.names import tells
from ganglion.doctor.readers.skeleton import FLOAT, INT

__all__ = ["Slot", "slots"]


class Slot(NamedTuple):
    """What one number of a line is."""

    place: Place
    unit: str = ""


N, MARK = f"[{INT}{FLOAT}]", re.compile(f"[{INT}{FLOAT}]")
NOISE = re.compile(
    "|".join([
        rf"(?:\b[A-Z][a-z]{{2}},?\s+)?(?:[A-Z][a-z]{{2}}\s+)?{N}([-/.]){N}\1{N}(?:[T ,_]+(?={N}:{N}))?",  # a date
        rf"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+{INT}(?=[ ,])",  # Jan 31
        rf"(?:{INT}|-) ?days?,? (?={INT}:)",
        rf"{INT}:{INT}(?::{N})?(?:[.,]{N})?(?:\s?[AP]M\b)?(?:<(?:{INT}:{INT}(?::{N})?|\?))?",  # a time of day, a duration
        rf"\S*[/\\]\S*\.(?:png|jpe?g|gif|pth?|pkl|h5|ckpt|tar|npz|npy|py|pyc|onnx|safetensors|keras|mp4|wav)\b(?:[:,]{N})?",
        rf"[\w.-]*{N}?[\w-]*\.(?:png|jpe?g|gif|pth?|pkl|h5|ckpt|tar|npz|npy|safetensors|keras|mp4|wav)\b",
        rf"(?:{INT}\s+)?\b[\w.-]+\.(?:py|cc|cpp|cu|ipynb)(?::|, line |\({{0,1}}){N}\)?\]?",  # a place in a program
        rf"[(\[][\w.]+:{INT}[)\]]\s*(?=[A-Z]{{4,}}\b)",  # a line of a module, before the level
        rf"\b(?:line|cuda:|gpu:?|rank:?|pid:?|process|worker|thread|port|cudnn|version|seed[:=]?)\s*{N}",
        rf"\bv{N}(?:\.{N})*", rf"{N}\.\d+(?:\.\d+)*", r"\b(?:[Ss]ize|shape)\s*[=:]?\s*\(?\[?\(?[^()\[\]]*[)\]]\)?",
        rf"\b{N}[dhm]?(?: {N}[hms])+(?!\w)", rf"{N}%\s*\|[^|]*\|", rf"{N}%\s?\[[=>\-. #*]*\]", rf"{N}x{N}(?:x{N})*",
    ])
)  # fmt: skip
"""Dates, times, files, places in programs, devices, shapes, bars: numbers of these measure nothing."""

WORDS = r"(?:\s+(?:is|was|of|at|to|equals|are)\s*)"
SEPARATOR = re.compile(rf"(?:\s*(?::=|==|=>|->|[:=~@]|\|)+\s*|{WORDS}|\s+|\s*[_#-]\s*)$")
UNITS = re.compile(
    r"(%|‰|(?:m?s|sec|secs|seconds?|min|mins|minutes?|h|hrs?|hours?|[kKMGT]i?B|[kKMB](?![a-zA-Z])|it|its|imgs?|images?|iters?"
    r"|samples?|steps?|batch(?:es)?|epochs?)?(?:/(?:s|sec|it|iter|step|epoch|batch|img|kimg|sample|image)s?)?)(?![\w(])"
)
IRRELEVANT = re.compile(
    r"(?!kimg$)(?:\w*/\w+|m?s|secs?|seconds?|min\w*|h|hrs?|hours?|[kKMGT]i?B|samples?|images?|imgs?)"
)
"""Units of times, speeds and memory."""
JOINED = re.compile(r"\s*[,;]?\s*[\])]?\s*")
OPENING, CLOSING = "([{<", ")]}>"
PAIR_OF = dict(zip(CLOSING, OPENING, strict=True))
STOPS = set(f"{INT}{FLOAT},;|\t([{{<>!?\n\"'`:=~")
EDGES = " \t-_*#•·.…+&/\\@%^"


def slots(line: str) -> list[Slot | None]:
    """For each number of a skeleton: what it is; None for one that measures nothing."""
    noisy = {i for match in NOISE.finditer(line) for i in range(*match.span()) if line[i] in (INT, FLOAT)}
    marks = [match.start() for match in MARK.finditer(line)]
    found: list[Slot | None] = []
    unnamed, whose = 0, whose_line(line)
    base = Place("")
    for index, position in enumerate(marks):
        unit = _unit(line, position)
        if position in noisy or unit is None:
            found.append(None)
            continue
        label = label_behind(line, position)
        place = None if label else _joined(line, marks, index, found)
        place = place or _named(line, position)
        if label:
            base = place if place.name else base
            place = Place(label, base.name if tells(base.name) else base.context)
        if (match := COUNTED.match(line, position + 1)) and not place.total and not is_known(place.name) and not label:
            place = Place(match[1])
        before = last.place if found and (last := found[-1]) is not None else None
        since = marks[index - 1] + 1 if index else 0
        place = place._replace(context=context_of(place, before, whose or player_in(line[since:position])))
        if (not place.name or place.part) and (IRRELEVANT.fullmatch(unit) or (unit == "%" and not place.name)):
            found.append(None)
            continue
        if not place.name and not place.total:
            place, unnamed = Place("", "", unnamed), unnamed + 1
        found.append(Slot(place, unit))
    return _apart(_shared_names(found))


def _unit(line: str, position: int) -> str | None:
    """The unit after a number; None where letters follow that are none, as in `3x3` or `2nd`."""
    after = line[position + 1 : position + 12]
    if not after or not after[0].isascii() or not (after[0].isalpha() or after[0] in "%‰/" or after[0] == " "):
        return ""
    match = UNITS.match(after.lstrip(" ") if after[0] == " " else after)
    unit = match[1] if match else ""
    if after[0] == " ":  # `3.2 it/s` is one; in `0.5 s` and `10 steps` the word may begin a name
        return unit if "/" in unit or unit in ("sec", "secs", "ms", "seconds", "GB", "MB") else ""
    if after[0].isalpha() and not unit:
        return None
    return unit


def _joined(line: str, marks: list[int], index: int, found: list[Slot | None]) -> Place | None:
    """The place of a number that belongs to the one before it, as the second of `0.2 / 0.1`."""
    if index == 0 or (previous := found[index - 1]) is None:
        return None
    gap = line[marks[index - 1] + 1 : marks[index]]
    place = previous.place
    gap = gap[len(previous.unit) :] if previous.unit and gap.startswith(previous.unit) else gap
    if gap.strip() in ("/", "of", "out of"):
        if line[marks[index - 1]] == line[marks[index]] == INT and not place.total:
            return place._replace(total=True)
        return place._replace(part=place.part + 1, total=False) if place.name else Place("")
    if gap.strip() == "(" and line[marks[index] + 1 : marks[index] + 2] in (")", "%"):
        return place._replace(name=f"{place.name} (in parentheses)", part=0)  # `0.53 (0.61)`: the mean so far
    if gap.strip() in ("±", "+/-", "+-", "\\pm"):
        return place._replace(name=f"{place.name} std", part=0)
    listed = JOINED.fullmatch(gap) and not ("]" in gap or ")" in gap)
    if listed and gap != "" and "\t" not in gap:
        return Place("") if place.total or not place.name else place._replace(part=place.part + 1)
    return None


def _named(line: str, position: int) -> Place:
    """The name before a number, and its heading."""
    end = len(line[:position].rstrip(" \t'\""))
    wrapped = False
    while end and line[end - 1] in "([{<":
        end, wrapped = len(line[: end - 1].rstrip(" \t")), True
        word = re.search(r"(?:^|(?<=[\s:=(\[,]))[\w.]*(?:[Tt]ensor|[Aa]rray|float\d*|Variable)$", line[:end])
        end = len(line[: word.start()].rstrip(" \t")) if word else end
    match = SEPARATOR.search(line[:end])
    explicit = bool(match and match[0].strip())
    if match:
        end = match.start()
    end = len(line[:end].rstrip(" \t'\"`*"))
    start, end = _name_span(line, end, explicit and not (wrapped and line[end - 1 : end] == "]"))
    name = _tidy(line[start:end], start > 0 and line[start - 1] in (INT, FLOAT))
    if not name:
        return Place("")
    heading = _heading(line, start)
    return Place(name, heading if tells(heading) else "")


def _name_span(line: str, end: int, explicit: bool) -> tuple[int, int]:
    """From where to where the name before `end` reaches. What stands in parentheses behind a name is passed over."""
    while explicit and end and line[end - 1] in ")]":
        opening = _opening(line, end - 1)
        if opening is None:
            return end, end
        inside, glued = line[opening + 1 : end - 1], opening > 0 and not line[opening - 1].isspace()
        if glued and not re.search(f"{N}|[:=]", inside):
            break
        if not glued and not re.search(f"{N}|[:=]|using|\\s", inside, re.I) and opening > 0:
            break
        end = len(line[:opening].rstrip(" \t"))
    start = end
    while start and (character := line[start - 1]) not in STOPS:
        if character in ")]}":
            opening = _opening(line, start - 1)
            if opening is None or MARK.search(line[opening:start]) or not re.search(r"[^\W\d_]", line[opening:start]):
                break
            start = opening
            continue
        if line[start - 1 : start + 1] == "  " or re.match(r"\s[-–—]+\s", line[max(0, start - 2) : start + 1]):
            break
        start -= 1
    return start, end


def _opening(line: str, closing: int) -> int | None:
    """The bracket that the one at `closing` closes."""
    depth = 0
    for i in range(closing, -1, -1):
        if line[i] in ")]}":
            depth += 1
        elif line[i] in "([{":
            depth -= 1
            if depth == 0:
                return i
    return None


def _tidy(text: str, after_number: bool) -> str:
    """The name without bullets, and without the unit of the number before it."""
    if after_number and re.match(r"[^\W\d_]", text):
        text = re.sub(r"^\S+", "", text)  # `06h 12`: what is glued to a number is its unit
    if (
        after_number
        and (unit := UNITS.match(text))
        and unit[1]
        and text[unit.end() : unit.end() + 1] in (" ", "", "]", ")")
    ):
        text = text[unit.end() :]
    text = text.strip(EDGES)
    words = text.split()
    text = " ".join(words[-6:])
    return text if re.search(r"[^\W\d_]", text) else ""


def _heading(line: str, start: int) -> str:
    """The phrase that a name stands under: before an opening bracket around it, or before a colon earlier in its segment."""
    i, words = start, ""
    while i > 0 and not words:
        i -= 1
        character = line[i]
        if character in ")]}":
            opening = _opening(line, i)
            if opening is None:
                break
            i = opening
        elif character in "([{":
            end = len(line[:i].rstrip(" \t:=-'\""))
            words = _tidy(line[_name_span(line, end, False)[0] : end], False)
            first = re.match(r"[\[({]\s*([^:=,\[\](){}]*?)\s*[:=]", line[i:])
            if not words and first and i + first.start(1) < start - 1:
                words = _tidy(first[1], False)  # `[D loss: 0.6, acc: 61%]`
        elif character in "|;\t" or line[i : i + 3] == "   ":
            break
        elif re.match(r" [-–—]+ ", line[i:]):
            end = len(line[:i].rstrip())
            return _tidy(line[_name_span(line, end, False)[0] : end], True)
        elif character in ":=>" and not re.match(rf"[:=>]\s*['\"]?[\[(]?\s*-?{N}", line[i:]):
            end = len(line[:i].rstrip(" \t-='\""))
            return _tidy(line[_name_span(line, end, False)[0] : end], False)
    return words


def _shared_names(found: list[Slot | None]) -> list[Slot | None]:
    """`D/G: 0.5/1.2`: as many names as values, each its own."""
    out = list(found)
    for i, slot in enumerate(found):
        if slot is None or slot.place.part != 0 or "/" not in slot.place.name:
            continue
        values = [
            j for j in range(i, len(found)) if (s := found[j]) and s.place[:2] == slot.place[:2] and s.place.part >= 0
        ]
        names = _split_name(slot.place.name)
        if len(names) == len(values) > 1:
            for j, name in zip(values, names, strict=True):
                out[j] = Slot(Place(name, slot.place.context), slot.unit)
    return out


def _split_name(name: str) -> list[str]:
    """`Loss D/G` as `Loss D`, `Loss G`; `D/G loss` as `D loss`, `G loss`; `loss_D/loss_G` as it stands."""
    match = re.fullmatch(
        r"(.*?\b)?(\w+(?:\([^/]*\))?(?:\s?/\s?\w+(?:\([^/]*\))?)+)(\s.*)?\)?", name.replace("(D/G)", "D/G")
    )
    if not match:
        return []
    before, after = match[1] or "", match[3] or ""
    return [f"{before}{part.strip()}{after}".strip() for part in match[2].split("/")]


def _apart(found: list[Slot | None]) -> list[Slot | None]:
    """Two numbers of one name in one line become its first and second value."""
    seen: set[Place] = set()
    out: list[Slot | None] = []
    for slot in found:
        while slot is not None and slot.place in seen:
            slot = slot._replace(place=slot.place._replace(part=slot.place.part + 1))
        if slot is not None:
            seen.add(slot.place)
        out.append(slot)
    return out
