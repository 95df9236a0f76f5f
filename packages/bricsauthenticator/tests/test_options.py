"""The user's options and their form."""

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricsauthenticator import options
from bricsauthenticator.options import OptionsError, choose, from_form, from_json
from bricsauthenticator.projects import Project

ONE = {"p1.portal": Project(name="P <1>", username="ada.p1")}
TWO = {**ONE, "p2.portal": Project(name='P "2"', username="ada.p2")}


def test_missing_options_take_the_forms_defaults() -> None:
    """With one project, nothing needs to be chosen."""
    assert choose({}, ONE).as_dict() == {
        "brics_project": "p1.portal",
        "runtime": "01:00:00",
        "ngpus": "1",
        "partition": "",
        "reservation": "",
    }


def test_all_options_are_accepted() -> None:
    """Every field can be chosen, a number of GPUs as a number too."""
    chosen = {"brics_project": "p2.portal", "runtime": "00:30:00", "ngpus": 0, "partition": "gpu", "reservation": "r-1"}

    assert choose(chosen, TWO).as_dict() == {**chosen, "ngpus": "0"}


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({}, "choose one of your projects"),
        ({"brics_project": "p3.portal"}, "not one of yours"),
        ({"brics_project": ["p1.portal"]}, "not one of yours"),
        ({"runtime": "00:00:00"}, "HH:MM:SS"),
        ({"runtime": "08:00:01"}, "up to 08:00:00"),
        ({"runtime": "1:00:00"}, "HH:MM:SS"),
        ({"runtime": "01:60:00"}, "HH:MM:SS"),
        ({"runtime": "01:00:00\n"}, "HH:MM:SS"),
        ({"runtime": "\N{ARABIC-INDIC DIGIT ZERO}1:00:00"}, "HH:MM:SS"),
        ({"runtime": 3600}, "must be a string"),
        ({"ngpus": "9"}, "from 0 to 4"),
        ({"ngpus": 9}, "from 0 to 4"),
        ({"ngpus": True}, "must be a string"),
        ({"ngpus": "-1"}, "from 0 to 4"),
        ({"partition": "gpu\n#SBATCH --wrap=id"}, "letters, digits"),
        ({"partition": "a" * 65}, "up to 64"),
        ({"reservation": "$(id)"}, "letters, digits"),
        ({"reservation": "é"}, "letters, digits"),
        ({"cmd": "id"}, "no option 'cmd'"),
        ({"prologue": "id"}, "no option 'prologue'"),
        ({"homedir": "/root"}, "no option 'homedir'"),
        ({"username": "root"}, "no option 'username'"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(chosen: dict[str, object], says: str) -> None:
    """Every impossible choice is refused, and the user reads why."""
    projects = TWO if not chosen or "brics_project" in chosen else ONE

    with pytest.raises(OptionsError, match=says):
        choose(chosen, projects)


def test_without_projects_the_user_reads_the_reason() -> None:
    """Neither form nor choice is possible without a project, and both say it."""
    assert "no project" in options.form({})
    with pytest.raises(OptionsError, match="no project"):
        choose({}, {})


@given(
    st.dictionaries(
        st.sampled_from(options.FIELDS), st.one_of(st.text(max_size=20), st.integers(), st.none(), st.booleans())
    )
)
def test_accepted_options_are_safe_in_a_script(chosen: dict[str, object]) -> None:
    """Accepted options have harmless characters only."""
    try:
        taken = choose(chosen, ONE)
    except OptionsError:
        return
    assert set("".join(taken.as_dict().values())) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
    )


def test_the_form_sends_lists_of_one() -> None:
    """A field that comes twice is refused, and the page's own token is not an option."""
    assert from_form({"ngpus": ["2"], "_xsrf": ["x"]}) == {"ngpus": "2"}
    with pytest.raises(OptionsError, match="one value for 'ngpus'"):
        from_form({"ngpus": ["2", "3"]})


@pytest.mark.parametrize("body", [[], ["runtime"], "runtime", 1, None, True])
def test_options_are_an_object(body: object) -> None:
    """Any other JSON is refused."""
    with pytest.raises(OptionsError, match="must be a JSON object"):
        from_json(body)


class Page(HTMLParser):
    """Collects the controls, labels and texts of a form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: set[str] = set()
        self.labelled: set[str] = set()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        values: dict[str, Any] = dict(attrs)
        self.tags.add(tag)
        if tag in ("select", "input"):
            self.names.append(values["name"])
            self.ids.add(values["id"])
        if tag == "label":
            self.labelled.add(values["for"])

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def test_the_form_is_labelled_and_escaped() -> None:
    """Every control has its label, and any name of a project is shown as text."""
    page = Page(options.form(TWO))

    assert tuple(page.names) == options.FIELDS
    assert page.labelled == page.ids
    assert "P <1> (p1.portal)" in page.texts
    assert page.tags == {"div", "label", "select", "option", "input"}


def test_the_site_chooses_the_times_offered() -> None:
    """The first time offered is the default, and the longest one the limit."""
    runtimes = ["00:10:00", "12:00:00"]

    assert choose({}, ONE, runtimes).runtime == "00:10:00"
    assert choose({"runtime": "11:59:59"}, ONE, runtimes).runtime == "11:59:59"
    assert "12 hours" in Page(options.form(ONE, runtimes)).texts


@pytest.mark.parametrize(
    ("gpus", "ngpus", "chosen"),
    [(("0",), None, "0"), (("0",), "0", "0"), (("1", "8", "0"), None, "1"), (("1", "8", "0"), "8", "8")],
)
def test_the_site_decides_what_gpus_are_offered(gpus: tuple[str, ...], ngpus: str | None, chosen: str) -> None:
    """The first offered number is the default, the largest one the maximum, and 0 always possible."""
    request = {"brics_project": "p1.portal"} | ({"ngpus": ngpus} if ngpus else {})

    assert choose(request, TWO, gpus=gpus).ngpus == chosen
    select = options.form(TWO, gpus=gpus).partition('name="ngpus"')[2].partition("</select>")[0]
    assert [part.partition('"')[0] for part in select.split('value="')[1:]] == list(gpus)


@pytest.mark.parametrize(("gpus", "ngpus"), [(("0",), "1"), (("1", "8"), "9"), (("1", "8"), "01"), (("1",), "")])
def test_more_gpus_than_offered_are_refused(gpus: tuple[str, ...], ngpus: str) -> None:
    """A number that the site does not have is refused with a sentence."""
    with pytest.raises(OptionsError, match="GPUs"):
        choose({"brics_project": "p1.portal", "ngpus": ngpus}, TWO, gpus=gpus)
