"""What a reader of the import report should know first, in plain words, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MANY_EXCLUDED = 0.05
MOST_NAMED = 12  # classes of one finding that are named
SMALL_CLASS = 0.05
FEW_PATIENTS = 30
LONGEST_NAME = 48
ORDER = ("error", "warning", "info")
Json = Mapping[str, Any]
Item = dict[str, str]


def attention(found: Json) -> list[Item]:
    """Sentences about what needs a decision or a look.

    Args:
        found: What `core.data.findings` collected.

    Returns:
        ``level`` (error, warning, info), ``title``, ``text`` and the ``section`` of the report that
        says more.
    """
    items = [
        *_division(found), *_patients(found), *_copies(found), *_excluded(found), *_classes(found),
        *_shortcuts(found), *_pictures(found),
    ]  # fmt: skip
    return sorted(items, key=lambda item: ORDER.index(item["level"]))


def _item(level: str, section: str, title: str, text: str) -> Item:
    return {"level": level, "section": section, "title": title, "text": text}


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _division(found: Json) -> Iterator[Item]:
    problem = (found["division"] or {}).get("problem")
    proposed = found["proposed"]
    crossing = bool(proposed and any(proposed["crossings"]["counts"].values()))
    if problem:
        whose = f": {problem['item']}" if problem.get("item") else ""
        text = f"{problem['what'].rstrip('.')}{whose}. {problem['todo']}"
        yield _item("error", "division", "The patients are not divided", text)
    elif crossing:
        anew = (found["division"] or {}).get("origin") == "new"
        yield _item(
            "info" if anew else "warning",
            "division",
            "The division that comes with the data leaks",
            f"It puts {_crossing_words(proposed)} in two of its parts. "
            + ("The patients were divided anew." if anew else "Divide by patient instead."),
        )
    leak = (proposed or {}).get("by_pattern")
    if leak and leak["patients"]:
        yield _item(
            "warning",
            "division",
            "The division that comes with the data may leak",
            "If file names are read as suggested, "
            f"{_count(leak['patients'], 'patient is', 'patients are')} in two of its parts. "
            "Confirm how a patient is recognised, or divide anew.",
        )


def _crossing_words(proposed: Json) -> str:
    counts = proposed["crossings"]["counts"]
    kinds = {
        "patients": ("patient", "patients"),
        "copies": ("picture with copies", "pictures with copies"),
        "alike": ("look-alike pair", "look-alike pairs"),
    }
    return ", ".join(_count(counts[key], *words) for key, words in kinds.items() if counts[key])


def _patients(found: Json) -> Iterator[Item]:
    patients, total = found["patients"], found["totals"]["usable"]
    unknown, suggested = patients["unknown"], found["suggestions"]
    if unknown:
        each = "each" if found["totals"]["patients"] == total else "each file"
        text = (
            f"No patient is named for {unknown:,} of {total:,} images; {each} counts as a patient "
            "of its own. If a patient has several images, they may stand on both sides of the "
            "division, and every figure is then too good."
        )
        if suggested:
            best = suggested[0]
            text += (
                f" The file names suggest {best['patients']:,} patients ({best['about']}); confirm "
                "or change that pattern."
            )
        yield _item("warning", "patients", "How is one patient recognised?", text)
    if patients["in_several_classes"]:
        yield _item(
            "info",
            "patients",
            "Patients with images in several classes",
            f"{patients['in_several_classes']:,} patients have images under different labels. That "
            "is right where a patient has healthy and ill images; elsewhere a label may be wrong.",
        )


def _copies(facts: Json) -> Iterator[Item]:
    same, alike = facts["copies"], facts["alike"]
    if same["contradictory"]:
        number = _count(same["contradictory"], "picture stands", "pictures stand")
        text = (
            f"{number} under different labels. At least one of the labels is wrong, so all copies "
            "are left out until that is mended."
        )
        yield _item("warning", "copies", "The same picture under two labels", text)
    if alike["across_labels"]:
        pairs = _count(alike["across_labels"], "pair", "pairs")
        text = (
            f"{pairs} of nearly identical pictures with different labels. Look at them: they are "
            "probably one scan, labelled twice."
        )
        yield _item("warning", "copies", "Nearly the same picture under two labels", text)
    numbers = same["groups"], alike["identical"]
    if any(numbers):
        found = [
            f"{_count(same['groups'], 'group', 'groups')} of exact copies "
            f"({_count(same['images'], 'image', 'images')})",
            f"{_count(alike['identical'], 'pair', 'pairs')} of nearly identical pictures of "
            "different patients",
        ]
        there = [words for words, number in zip(found, numbers, strict=True) if number]
        text = f"{' and '.join(there)}. What belongs together stays in one part of the division."
        yield _item("info", "copies", "Copies and look-alikes", text)


def _excluded(found: Json) -> Iterator[Item]:
    totals = found["totals"]
    if not totals["excluded"]:
        return
    share = totals["excluded"] / max(1, totals["found"])
    first = found["excluded"][0]
    yield _item(
        "warning" if share > MANY_EXCLUDED else "info",
        "excluded",
        f"{totals['excluded']:,} of {totals['found']:,} images cannot be used",
        f"Most frequent reason ({first['count']:,}): {first['reason']}",
    )


def _classes(found: Json) -> Iterator[Item]:
    few = [each for each in found["classes"] if each["patients"] < FEW_PATIENTS]
    rare = [each for each in found["classes"] if each["share"] < SMALL_CLASS and each not in few]
    for level, small in (("warning", few), ("info", rare)):
        counts = [
            f"{_count(each['images'], 'image', 'images')} of "
            f"{_count(each['patients'], 'patient', 'patients')} ({each['share']:.1%})"
            for each in small
        ]
        names = [_cut(each["name"]) for each in small]
        if len(small) == 1:
            text = f"{counts[0]}. Figures about this class will be uncertain; their intervals say"
            yield _item(level, "classes", f"A small class: {names[0]}", f"{text} how much.")
        elif small:
            told = [f"{name}: {count}" for name, count in zip(names, counts, strict=True)]
            more = ["and others"] * (len(told) > MOST_NAMED)
            text = f"{'; '.join([*told[:MOST_NAMED], *more])}. Figures about these classes will be"
            text += " uncertain; their intervals say how much."
            yield _item(level, "classes", f"{len(small)} small classes", text)


def _shortcuts(found: Json) -> Iterator[Item]:
    for each in found["shortcuts"]:
        if each["warning"] and each["name"] != "all":
            title = f"{each['title']} gives the label away"
            yield _item("warning", "shortcuts", title, each["sentence"])


def _pictures(found: Json) -> Iterator[Item]:
    pictures = found["pictures"]
    burned = {key: pictures["burned_in"].get(key, 0) for key in ("yes", "possible")}
    if sum(burned.values()):
        yield _item(
            "warning",
            "pictures",
            "Text in the pixels",
            f"{_burned(burned)}. It may name a patient and may give the label away.",
        )
    if pictures["lossy"]:
        yield _item(
            "info",
            "pictures",
            "Lossy compression",
            f"{pictures['lossy']:,} images were compressed with loss. If only one class was, the "
            "network may learn the compression.",
        )


def _burned(counts: Mapping[str, int]) -> str:
    """How many images have text burned in, or may have; only what there is."""
    said, possible = counts["yes"], counts["possible"]
    parts = []
    if said:
        parts.append(f"{_count(said, 'image says', 'images say')} that text is burned in")
    if possible:
        parts.append(f"{_count(possible, 'image is', 'images are')} of a kind that often has text")
    return ", ".join(parts)
