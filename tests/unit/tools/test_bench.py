"""Measuring: cases as data, figures of rounds, results, ratios, and the drawing, as far as they come without podman."""

import base64
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import case, results
from bench.case import PROJECT, Tool, expanded
from bench.edit_loop import put_into
from bench.edits import KINDS, Kind
from bench.load import groups, of_unknown_key
from bench.measure import Failed, figures, measured
from bench.pace import Connections, at_rate, looked, quantile
from bench.picture import LABEL_CHARACTERS, Axis, drawn
from bench.results import Results, Series, comparison, ratio
from bench.run import main
from hubpod.errors import UsageError
from hubpod_harness.slurm import SlurmUnavailableError
from hubpod_harness.users import User

TAG = "{http://www.w3.org/2000/svg}"
CASES = """
[words]
say = "sh -c 'echo {text}'"
text = "from {instance}"

[[case]]
name = "one"
command = ["{say}"]

[[case]]
name = "edit"
title = "edit of the {kind}"
opt_in = true
setup = ["touch {folder}/{each}"]
command = ["sh -c 'echo {round} >> {folder}/{each}'", "cat {folder}/{each}"]
reads = "figures"
[case.each]
hub-configuration = "hub.py"
wrappers = "wrapper.py"
"""


def tool(tmp_path: Path, text: str = CASES, name: str = "mine") -> Tool:
    """A tool with these cases."""
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    return case.load(path)


def series(*values: float, figure: str = "", of: str = "mine", title: str = "one") -> Series:
    """One figure."""
    return Series(case="one", title=title, figure=figure, tool=of, values=values)


def test_our_own_cases_can_be_read() -> None:
    """The file that is measured by default is valid, and every word in its commands stands for something."""
    own = case.load(PROJECT / "tools" / "bench" / "cases.toml", "hubpod")

    words = dict.fromkeys(("python", "bench", "project", "folder", "instance", "round"), "x") | dict(own.words)
    commands = [line for each in own.cases for line in (*each.setup, *each.command, *each.reset, *each.teardown)]
    assert not [line for line in commands if "{" in expanded(line, words)]
    names = {each.name for each in own.cases}
    assert {"cold", "up", "up-after-down", "up-again", "down", "spawn", "bare", "stack", "people"} <= names
    assert len([name for name in names if name.startswith("edit-")]) > 3
    assert {"watch-authenticator", "watch-wrappers", "suite-one-process", "suite-two-processes"} <= names


def test_each_entry_is_a_case(tmp_path: Path) -> None:
    """A table `each` makes one case of every entry, so that a kind of edit is added in a line."""
    mine = tool(tmp_path)

    assert [each.name for each in mine.cases] == ["one", "edit-hub-configuration", "edit-wrappers"]
    assert mine.cases[1].title == "edit of the hub configuration"
    assert mine.cases[2].setup == ("touch {folder}/wrapper.py",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it has no case"),
        ("[[case]", "Expected"),
        ("[[case]]\nname = 'x'", "case x: it needs a name and a command"),
        ("[[case]]\nname = 'x'\ncommands = ['y']", "case x has the key 'commands'; did you mean 'command'"),
        ("[[case]]\nname = 'x'\ncommand = 'y'", "case x: command cannot be 'y'"),
        ("[[case]]\nname = 'x'\ncommand = ['y']\nreads = 'z'", "case x: reads cannot be 'z'"),
        ("[[case]]\nname = 'x'\ncommand = ['y']\nrounds = true", "case x: rounds cannot be True"),
    ],
)
def test_a_file_that_holds_no_cases_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """What is wrong is told with the file and the case."""
    with pytest.raises(UsageError) as caught:
        tool(tmp_path, text)

    assert caught.value.message.startswith(f"{tmp_path / 'mine.toml'}: ")
    assert sentence in caught.value.message


def test_cases_are_chosen_by_name(tmp_path: Path) -> None:
    """Without names all are measured but those that have to be asked for; another tool's may be named, too."""
    mine, other = tool(tmp_path), tool(tmp_path, "[[case]]\nname = 'theirs'\ncommand = ['true']", "other")

    assert case.chosen([mine, other], ()) == ("one",)
    assert case.chosen([mine, other], ("edit-wrappers", "theirs")) == ("edit-wrappers", "theirs")
    with pytest.raises(UsageError, match=r"--case edit-wraper: there is none; did you mean 'edit-wrappers'"):
        case.chosen([mine], ("edit-wraper",))


def test_a_word_that_stands_for_nothing_is_told() -> None:
    """A misspelt one is no part of a command."""
    assert expanded("{a} b", {"a": "{c} d", "c": "e"}) == "e d b"
    with pytest.raises(UsageError, match="'instanze' stands for nothing"):
        expanded("up {instanze}", {"instance": "x"})


def test_what_takes_long_is_measured_less_often(tmp_path: Path) -> None:
    """A case may limit its rounds; fewer are measured where fewer are asked for."""
    mine = tool(tmp_path, "[[case]]\nname = 'x'\ncommand = ['true']\nrounds = 2")

    assert [len(found.values) for found in measured([mine], "x", 5, lambda _: None)] == [2]
    assert [len(found.values) for found in measured([mine], "x", 1, lambda _: None)] == [1]


def test_tools_are_measured_in_turns(tmp_path: Path) -> None:
    """Each round goes through all tools, in alternating order, each with a folder and a name of its own."""
    log = tmp_path / "log"
    text = f"""
[[case]]
name = "one"
setup = ["sh -c 'echo setup >> {log}; echo 7 > {{folder}}/kept'"]
command = ["sh -c 'echo NAME {{round}} {{instance}} >> {log}; cat {{folder}}/kept'"]
reset = ["sh -c 'echo reset >> {log}'"]
teardown = ["sh -c 'echo teardown >> {log}'", "false"]
"""
    tools = [tool(tmp_path, text.replace("NAME", name), name) for name in ("mine", "other")]

    found = list(measured(tools, "one", 2, lambda _: None))

    lines = [line.split() for line in log.read_text().splitlines()]
    rounds = [line[:2] for line in lines if len(line) > 1]
    assert rounds == [["mine", "1"], ["other", "1"], ["other", "2"], ["mine", "2"]]
    assert len({line[2] for line in lines if len(line) > 1}) == 2
    assert [line[0] for line in lines].count("reset") == 4
    assert [line[0] for line in lines[-2:]] == ["teardown", "teardown"]
    assert [(each.tool, len(each.values)) for each in found] == [("mine", 2), ("other", 2)]


def test_a_command_that_fails_ends_its_case_and_leaves_nothing(tmp_path: Path) -> None:
    """What it said is told, and the teardown is done all the same."""
    text = "[[case]]\nname = 'one'\ncommand = [\"sh -c 'echo no >&2; exit 3'\"]\nteardown = ['touch PATH']"
    mine = tool(tmp_path, text.replace("PATH", str(tmp_path / "gone")))

    with pytest.raises(Failed, match="ended with 3") as caught:
        list(measured([mine], "one", 2, lambda _: None))

    assert caught.value.detail == ("no",)
    assert (tmp_path / "gone").exists()


def test_figures_come_from_where_the_case_says() -> None:
    """The command's own time, the steps of a probe counted from the click, or the numbers of its last line."""
    steps = [("login", 1.0, 1.0), ("submit", 1.5, 0.5), ("ready", 3.0, 1.5), ("open", 3.1, 0.1), ("kernel", 4.0, 0.9)]
    report = {"timeline": [{"name": name, "at_s": at, "took_s": took} for name, at, took in steps]}

    assert figures("time", 2.5, "whatever") == {"": 2.5}
    assert figures("probe", 2.5, json.dumps(report)) == {"click to ready": 2.0, "click to kernel": 3.0}
    assert figures("figures", 2.5, 'said before\n{"a": 1}\n') == {"a": 1.0}


@pytest.mark.parametrize(("reads", "output"), [("probe", "{}"), ("probe", "no"), ("figures", ""), ("figures", "[1]")])
def test_output_without_figures_is_told(reads: str, output: str) -> None:
    """A case never has figures that nobody measured."""
    with pytest.raises(Failed, match="its output has no figures"):
        figures(reads, 1.0, output)


def test_results_are_kept_and_read_again(tmp_path: Path) -> None:
    """A file holds every round and the machine's facts."""
    found = Results(machine={"processors": 2}, series=(series(1.0, 2.0), series(3.0, figure="memory, MiB")))

    found.save(tmp_path / "kept.json")

    assert results.load(tmp_path / "kept.json") == found
    (tmp_path / "kept.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no results"):
        results.load(tmp_path / "kept.json")


def test_a_ratio_is_of_all_pairs() -> None:
    """Each round over each round: the distribution tells whether a difference is more than chance."""
    found = ratio((2.0, 4.0), (1.0, 2.0))
    twice = ratio((2.0,) * 5, (1.0,) * 5)

    assert found is not None
    assert (found.low, found.middle, found.high, found.more) == (1.0, 2.0, 4.0, 0.75)
    assert twice is not None
    assert (twice.low, twice.high) == (2.0, 2.0)
    assert ratio((1.0,), (0.0,)) is None


def test_a_comparison_says_when_machines_differ() -> None:
    """Ratios between machines are no news about the code; load and date differ always."""
    now = Results(
        machine={"processors": 2, "podman": "5.4", "date": "b"}, series=(series(2.0), series(1.0, figure="x"))
    )
    before = Results(machine={"processors": 2, "podman": "4.3", "date": "a"}, series=(series(1.0),))

    lines = list(comparison(now, before))

    assert lines[0] == "another machine: podman is 5.4, was 4.3"
    assert [line.split() for line in lines[2:]] == [["one", "2.00", "2.00", "2.00", "100%"]]
    assert "another machine" not in "".join(comparison(before, before))


def test_the_drawing_has_a_dot_for_each_round() -> None:
    """Dots stand in the order of their values, the median among them; what is no time is left out; labels are text."""
    rows = [series(1.0, 9.0, 4.0, title="<up>"), series(100.0, figure="memory, MiB"), series(2.0, of="other")]

    root = ET.fromstring(drawn("title", "", rows))  # noqa: S314 - our own text

    dots = [float(each.attrib["cx"]) for each in root.iter(f"{TAG}circle") if each.attrib["class"].startswith("dot")]
    marks = [float(each.attrib["x"]) + 1 for each in root.iter(f"{TAG}rect") if each.attrib["class"] == "median"]
    assert len(dots) == 4
    assert dots[0] < dots[3] < dots[2] < dots[1]
    assert marks == pytest.approx([dots[2], dots[3]], abs=0.1)
    assert {"<up>", "4.00 s", "mine", "other"} <= {each.text for each in root.iter(f"{TAG}text")}


def test_tools_are_drawn_beside_each_other() -> None:
    """What is compared stands in neighbouring rows with its ratio, and a long title never hides which figure it is."""
    title = "an edit of something that has a long name, then `dev.reload`"
    rows = [
        series(value, figure=figure, of=of, title=title)
        for of, value in (("mine", 2.0), ("other", 3.0))
        for figure in ("live", "command ended")
    ]

    root = ET.fromstring(drawn("title", "", rows))  # noqa: S314 - our own text

    labels = [each.text or "" for each in root.iter(f"{TAG}text") if (each.text or "").startswith("an edit")]
    told = [each.text for each in root.iter(f"{TAG}text") if each.attrib.get("class") == "quiet beside"]
    assert [label.rpartition(", ")[2] for label in labels] == ["live", "live", "command ended", "command ended"]
    assert max(map(len, labels)) <= LABEL_CHARACTERS
    assert told == ["2.00 s", "3.00 s, 1.50 times"] * 2


@pytest.mark.parametrize(("lowest", "highest"), [(1.0, 1.0), (0.4, 27.0), (0.013, 1720.0), (5.0, 10.0)])
def test_an_axis_holds_everything(lowest: float, highest: float) -> None:
    """It begins at a round number at or below all values and ends at one at or above them."""
    ticks = Axis(lowest, highest).ticks

    assert ticks[0] <= lowest
    assert ticks[-1] >= highest
    assert all(before < after for before, after in pairwise(ticks))


class Answering(BaseHTTPRequestHandler):
    """Counts requests, and refuses each."""

    protocol_version = "HTTP/1.1"
    seen: list[str]

    def do_GET(self) -> None:
        """Answer."""
        self.seen.append(self.headers["X-Token"])
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def answering() -> Iterator[tuple[str, list[str]]]:
    """A server, and what it was sent."""
    seen: list[str] = []
    handler = type("Handler", (Answering,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x", seen
        server.shutdown()


def test_requests_go_out_at_a_rate() -> None:
    """As many as were asked for, none before it is due, and each is counted by its answer."""
    with answering() as (url, seen):
        connections = Connections(url)

        paced = at_rate(100, 0.2, lambda: connections.get("/x", {"X-Token": "t"}), workers=2)

    assert seen == ["t"] * 20
    assert paced.outcomes == {401: 20}
    assert len(paced.took_s) == 20
    assert paced.rate <= 110


def test_a_server_that_does_not_answer_is_counted_as_that() -> None:
    """A failure is an outcome, and not the end of the measurement."""
    with answering() as (url, _):
        pass

    paced = at_rate(100, 0.02, lambda: Connections(url).get("/x", {}), workers=1)

    assert paced.outcomes == {"ConnectionRefusedError": 2}


def test_quantiles_are_values_that_were_seen() -> None:
    """The nearest rank: of a hundred values the 99th, and not a number of none."""
    values = list(range(1, 101))

    assert [quantile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]
    assert math.isnan(quantile([], 0.5))


def test_a_token_of_an_unknown_key_is_the_same_but_for_its_key() -> None:
    """Only the name of the key differs, each time."""
    header = base64.urlsafe_b64encode(b'{"alg": "RS256", "kid": "known"}').decode().rstrip("=")

    first, second = of_unknown_key(f"{header}.payload.signature"), of_unknown_key(f"{header}.payload.signature")

    fields = json.loads(base64.urlsafe_b64decode(first.partition(".")[0] + "=="))
    assert first.endswith(".payload.signature")
    assert (fields["alg"], fields["kid"] == "known", first == second) == ("RS256", False, False)


def test_people_come_in_groups() -> None:
    """All of them, so many at a time."""
    people = [User(name=str(number), projects=()) for number in range(5)]

    assert [len(group) for group in groups(people, 2)] == [2, 2, 1]
    assert [person for group in groups(people, 2) for person in group] == people


def test_a_slurm_that_is_silent_is_asked_again() -> None:
    """A look without an answer is unknown: it neither ends the measurement nor counts as nothing left."""
    answers: list[int | Exception] = [SlurmUnavailableError("no answer"), 2, SlurmUnavailableError("no answer"), 0]

    def look() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert looked(look, enough=0, within_s=60.0, again_s=0.0) == 0
    assert answers == []


def test_what_nobody_answers_is_no_number() -> None:
    """When the time is over, the last look counts: what it has seen, or that it has seen nothing."""

    def silent() -> int:
        raise SlurmUnavailableError("no answer")

    assert math.isnan(looked(silent, enough=0, within_s=0.0))
    assert looked(lambda: 3, enough=0, within_s=0.0) == 3
    assert looked(lambda: 3, within_s=60.0) == 3


def test_the_cases_can_be_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Ours first, then another tool's."""
    tool(tmp_path)

    assert main(["--list", "--against", str(tmp_path / "mine.toml")]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cold ")
    assert lines[-1].split() == ["edit-wrappers", "edit", "of", "the", "wrappers,", "only", "when", "asked", "for"]


def test_a_recorded_loop_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Only what is between the marks is replaced, whatever it has in it."""
    document = tmp_path / "loop.md"
    document.write_text("before\n<!-- loop -->\nold\n<!-- /loop -->\nafter\n")

    put_into(document, r"new \1")
    put_into(document, r"newer \1")

    assert document.read_text() == "before\n<!-- loop -->\n\nnewer \\1\n<!-- /loop -->\nafter\n"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_edited_is_there(kind: Kind) -> None:
    """Each kind of edit has a file, in the clone or in what it is cloned from, and stays Python where that is."""
    path = PROJECT / kind.path.replace("containers/jupyterhub/_dev_build_data", "packages").replace(
        "containers/slurm/_dev_build_data", "packages"
    )

    text = path.read_text() + kind.lines.format(word="word")

    assert path.suffix != ".py" or compile(text, str(path), "exec")
    assert "word" in text


def test_another_checkout_is_measured_in_its_own_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An older commit is measured by the cases of this one; a folder with something else in it is refused."""
    mine = tool(tmp_path, "[[case]]\nname = 'one'\ncommand = ['touch {project}/seen', 'test -e seen']")
    (tmp_path / "before" / "hubpod").mkdir(parents=True)

    list(measured([replace(mine, project=tmp_path / "before")], "one", 1, lambda _: None))

    assert (tmp_path / "before" / "seen").exists()
    assert main(["--list", "--against", str(tmp_path / "before")]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[: len(names) // 2] == names[len(names) // 2 :]
    with pytest.raises(UsageError, match="is no checkout of this project"):
        main(["--list", "--against", str(tmp_path)])


def test_tools_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    """Two files that are called the same are refused before anything is measured."""
    tool(tmp_path, name="hubpod")

    with pytest.raises(UsageError, match="two of the tools have the same name"):
        main(["--against", str(tmp_path / "hubpod.toml")])


@pytest.mark.parametrize("option", ["--json=nosuch/a", "--svg=.", "--rounds=0"])
def test_what_cannot_be_is_told_before_anything_is_measured(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody measures for an hour and cannot keep it."""
    with pytest.raises(SystemExit, match="2"):
        main([option])

    assert option.partition("=")[2] in capsys.readouterr().err
