"""HTML forms, with the values that a browser submits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hubpod.client.pages import parse_html

if TYPE_CHECKING:
    from bs4 import Tag

ENABLED_CONTROLS = ":is(input, select, textarea)[name]:not([name=''], :disabled, template *)"
"""CSS selector of the controls that a form may submit. `:disabled` includes those in a disabled fieldset."""

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
        choices: Choices of a select, radio or checkbox field, in the order of the page.
        text: Content of a text-like field.
        multiple: Whether several choices can be selected together.
    """

    name: str
    kind: str
    choices: tuple[Choice, ...] = ()
    text: str = ""
    multiple: bool = False

    @property
    def defaults(self) -> tuple[str, ...]:
        """The values submitted when the user changes nothing."""
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
        """The first value submitted when the user changes nothing, or an empty text."""
        return next(iter(self.defaults), "")

    @property
    def offers(self) -> tuple[str, ...]:
        """The values that a user can select, without placeholders."""
        return tuple(choice.value for choice in self.choices if choice.value and not choice.disabled)


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of a page, with its default values."""

    name: str = ""
    action: str = ""
    multipart: bool = False
    fields: tuple[Field, ...] = ()

    def field(self, name: str) -> Field | None:
        """Return the first field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    def fill(self, values: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the pairs to submit: the given values, and the form's defaults for the rest.

        Values and fields that the form does not offer are submitted too. Any client can send them, so the hub has to
        refuse them.
        """
        kept = [(field.name, value) for field in self.fields if field.name not in values for value in field.defaults]
        return kept + list(values.items())


def parse_forms(page: str) -> tuple[Form, ...]:
    """Return the forms of a page, in its order."""
    soup = parse_html(page)
    controls = [tag for tag in soup.select(ENABLED_CONTROLS) if _kind(tag) not in UNSENT_INPUTS]
    return tuple(
        Form(
            name=_attribute(form, "id"),
            action=_attribute(form, "action"),
            multipart=_attribute(form, "enctype").lower() == "multipart/form-data",
            fields=_merge_choices(_field(control) for control in controls if _belongs_to(control, form)),
        )
        for form in soup.find_all("form")
    )


def _belongs_to(control: "Tag", form: "Tag") -> bool:
    if control.has_attr("form"):
        return _attribute(control, "form") == _attribute(form, "id")
    return control.find_parent("form") is form


def _kind(control: "Tag") -> str:
    return _attribute(control, "type", "text").lower() if control.name == "input" else control.name


def _field(control: "Tag") -> Field:
    """Return the field for a control, with one choice for a radio button or checkbox."""
    kind = _kind(control)
    field = Field(name=_attribute(control, "name"), kind=kind)
    if kind == "select":
        choices = tuple(_option(option) for option in control.find_all("option"))
        return replace(field, choices=choices, multiple=control.has_attr("multiple"))
    if kind == "textarea":
        return replace(field, text=control.get_text().removeprefix("\n"))  # HTML ignores the first line break
    if kind in TICKED_INPUTS:
        choice = Choice(value=_attribute(control, "value", "on"), selected=control.has_attr("checked"))
        return replace(field, choices=(choice,))
    return replace(field, text=_attribute(control, "value"))


def _option(option: "Tag") -> Choice:
    # Without its end tag, which is optional, an option contains those that follow it.
    own = (text for text in option.strings if text.find_parent("option") is option)
    label = " ".join("".join(own).split())
    group = option.find_parent("optgroup")
    return Choice(
        value=_attribute(option, "value", label),
        label=label,
        selected=option.has_attr("selected"),
        disabled=option.has_attr("disabled") or (group is not None and group.has_attr("disabled")),
    )


def _merge_choices(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Merge the radio buttons, or the checkboxes, of one name into one field."""
    merged: dict[object, Field] = {}
    for number, field in enumerate(fields):
        key = (field.name, field.kind) if field.kind in TICKED_INPUTS else number
        before = merged.get(key)
        merged[key] = replace(before, choices=before.choices + field.choices) if before else field
    return tuple(merged.values())


def _attribute(tag: "Tag", name: str, default: str = "") -> str:
    return str(tag.get(name, default))
