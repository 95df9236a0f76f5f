"""HTML forms as a browser fills and submits them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

_Attributes = dict[str, str]

UNSENT_INPUTS = frozenset({"button", "image", "reset", "submit", "file"})
TICKED_INPUTS = frozenset({"checkbox", "radio"})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value that a field offers: an option of a select, or one radio button or checkbox."""

    value: str
    label: str = ""
    selected: bool = False
    disabled: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One named field of a form.

    Attributes:
        name: The name it is submitted under.
        kind: "select", "textarea", or the type of the input element.
        choices: What a select, radio or checkbox field offers, in the page's order.
        text: What a text-like field contains.
        multiple: Whether several of the choices can be selected together.
    """

    name: str
    kind: str
    choices: tuple[Choice, ...] = ()
    text: str = ""
    multiple: bool = False

    @property
    def defaults(self) -> tuple[str, ...]:
        """The values that are submitted when the person changes nothing."""
        if self.kind not in TICKED_INPUTS | {"select"}:
            return (self.text,)
        enabled = [choice for choice in self.choices if not choice.disabled]
        selected = tuple(choice.value for choice in enabled if choice.selected)
        if self.multiple or self.kind == "checkbox":
            return selected
        if self.kind == "select" and not any(choice.selected for choice in self.choices):
            return tuple(choice.value for choice in enabled[:1])  # a browser shows the first one
        return selected[-1:]

    @property
    def default(self) -> str:
        """The value that is submitted when the person changes nothing; empty when none is."""
        return next(iter(self.defaults), "")

    @property
    def offers(self) -> tuple[str, ...]:
        """The values that a person can pick, without placeholders."""
        return tuple(choice.value for choice in self.choices if choice.value and not choice.disabled)


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of a page, ready to be filled."""

    name: str = ""
    action: str = ""
    multipart: bool = False
    fields: tuple[Field, ...] = ()

    def field(self, name: str) -> Field | None:
        """The field of that name, or None when the form has none."""
        return next((field for field in self.fields if field.name == name), None)

    def fill(self, values: Mapping[str, str]) -> list[tuple[str, str]]:
        """The pairs to submit: the given values, and the form's defaults for the rest.

        A value that the form does not offer, even a field that it does not have, is submitted all the same: refusing
        it is the hub's task, and a person can send whatever they like.
        """
        kept = [(field.name, value) for field in self.fields if field.name not in values for value in field.defaults]
        return kept + list(values.items())


def parse_forms(page: str) -> tuple[Form, ...]:
    """The forms of a page, in its order."""
    parser = _FormParser()
    parser.feed(page)
    parser.close()
    return tuple(parser.forms)


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._form: _Attributes | None = None
        self._fields: dict[str, Field] = {}
        self._control: tuple[str, _Attributes] | None = None  # the select or textarea that is open
        self._choices: list[Choice] = []
        self._option: _Attributes | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                self._form, self._fields = attributes, {}
            case "input":
                self._add_input(attributes)
            case "select" | "textarea":
                self._control, self._choices, self._text = (tag, attributes), [], ""
            case "option":
                self._end_option()  # its end tag may be left out
                self._option, self._text = attributes, ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "option":
                self._end_option()
            case "select" | "textarea":
                self._end_control()
            case "form":
                self._end_form()

    def _add_input(self, attributes: _Attributes) -> None:
        name, kind = attributes.get("name", ""), attributes.get("type", "text").lower()
        if not name or kind in UNSENT_INPUTS or "disabled" in attributes:
            return
        if kind not in TICKED_INPUTS:
            self._fields[name] = Field(name=name, kind=kind, text=attributes.get("value", ""))
            return
        choice = Choice(value=attributes.get("value", "on"), selected="checked" in attributes)
        before = self._fields.get(name)
        self._fields[name] = Field(name=name, kind=kind, choices=(*(before.choices if before else ()), choice))

    def _end_option(self) -> None:
        if self._option is None:
            return
        label = " ".join(self._text.split())
        self._choices.append(
            Choice(
                value=self._option.get("value", label),
                label=label,
                selected="selected" in self._option,
                disabled="disabled" in self._option,
            )
        )
        self._option = None

    def _end_control(self) -> None:
        self._end_option()
        if self._control is None:
            return
        (kind, attributes), self._control = self._control, None
        name = attributes.get("name", "")
        if name and "disabled" not in attributes:
            text = self._text.removeprefix("\n") if kind == "textarea" else ""
            self._fields[name] = Field(
                name=name, kind=kind, choices=tuple(self._choices), text=text, multiple="multiple" in attributes
            )

    def _end_form(self) -> None:
        if self._form is None:
            return
        form, self._form = self._form, None
        self.forms.append(
            Form(
                name=form.get("id", ""),
                action=form.get("action", ""),
                multipart=form.get("enctype", "") == "multipart/form-data",
                fields=tuple(self._fields.values()),
            )
        )
