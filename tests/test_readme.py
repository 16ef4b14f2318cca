"""The README has both commands, and the table of request fields is made from the code."""

from pathlib import Path

from chatcompat.request.fields import FATES, Fate, Ignored, Mapped

README = Path(__file__).parent.parent / "README.md"
TRANSLATION = README.parent / "docs" / "translation.md"
BEGIN = "<!-- fates: made from chatcompat.request.fields -->\n"
END = "<!-- end of fates -->"


def cell(fate: Fate) -> str:
    if isinstance(fate, Mapped):
        return f"mapped | {fate.to}"
    neutral = ", ".join(f"`{str(value).lower()}`" for value in fate.neutral)
    kind = "ignored" if isinstance(fate, Ignored) else "refused"
    return f"{kind} | {fate.why}" + (f"; {neutral} is neutral" if neutral else "")


def table() -> str:
    rows = [f"| `{name}` | {cell(fate)} |" for name, fate in FATES.items()]
    return "\n".join(["| field | fate | |", "|---|---|---|", *rows]) + "\n"


def test_the_table_of_fates_is_the_codes_own() -> None:
    text = TRANSLATION.read_text(encoding="utf-8")
    shown = text.partition(BEGIN)[2].partition(END)[0]
    assert shown == table(), f"put this between the marks:\n{table()}"


def test_both_commands_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    assert "pip install -e '.[serve]' && chatcompat serve" in text
    assert "pip install -e '.[test]' && pytest" in text
