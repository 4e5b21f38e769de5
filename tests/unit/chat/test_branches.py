"""Branches of a conversation: shown one at a time, merged without loss, deleted without a hole."""

from hypothesis import given
from hypothesis import strategies as st

from lib.chat import branches
from lib.chat.branches import Tree, merged
from lib.chat.conversations import Turn, said


def one(name: str, parent: str = "", role: str = "") -> Turn:
    """A turn whose id and text are its name: questions begin with q, answers with a."""
    return said("user" if (role or name)[0] == "q" else "assistant", name, name, parent)


def talk() -> list[Turn]:
    """Two questions; the first answer was repeated, the second question edited."""
    return [
        one("q1"),
        one("a1", "q1"),
        one("q2", "a1"),
        one("a2", "q2"),
        one("q2b", "a1"),
        one("a2b", "q2b"),
        one("a1b", "q1"),
    ]


def names(turns: list[Turn]) -> list[str]:
    return [turn["id"] for turn in turns]


@st.composite
def trees(draw: st.DrawFn) -> list[Turn]:
    found: list[Turn] = []
    for at in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from(["", *names(found)]))
        is_question = not parent or parent[0] == "a"
        turn = one(f"{'q' if is_question else 'a'}{at}", parent)
        turn["gone"] = draw(st.booleans())
        found.append(turn)
    return found


def test_a_path_leads_from_the_first_turn_to_the_leaf() -> None:
    assert names(Tree(talk()).path("a2b")) == ["q1", "a1", "q2b", "a2b"]
    assert names(Tree(talk()).path("a1b")) == ["q1", "a1b"]


def test_without_a_known_leaf_the_newest_end_is_shown() -> None:
    assert names(Tree(talk()).path("")) == ["q1", "a1b"]
    assert Tree([]).path("x") == []


def test_versions_are_what_stands_in_one_place() -> None:
    tree = Tree(talk())
    assert [names(tree.versions(turn)) for turn in tree.path("a2b")] == [
        ["q1"],
        ["a1", "a1b"],
        ["q2", "q2b"],
        ["a2b"],
    ]


def test_a_branch_is_entered_at_its_newest_end() -> None:
    assert Tree(talk()).end("a1") == "a2b"
    assert Tree(talk()).end("q2") == "a2"


def test_a_question_is_deleted_with_all_its_answers_and_what_follows_stays() -> None:
    turns = talk()
    assert sorted(branches.delete(turns, "q1")) == ["a1", "a1b", "q1"]
    assert names(Tree(turns).path("a2b")) == ["q2b", "a2b"]
    assert names(Tree(turns).versions(turns[2])) == ["q2", "q2b"]


def test_an_answer_is_deleted_with_its_question() -> None:
    turns = talk()
    assert branches.delete(turns, "a2b") == ["q2b", "a2b"]
    assert Tree(turns).nearest_end("a2b") == "a2"


def test_what_is_deleted_keeps_no_word() -> None:
    turns = talk()
    branches.delete(turns, "q2")
    assert [turn["content"] for turn in turns if turn["gone"]] == ["", ""]
    assert branches.delete(turns, "q2") == []
    assert branches.delete(turns, "unknown") == []


@given(trees(), st.data())
def test_copies_merge_without_losing_or_doubling(turns: list[Turn], data: st.DataObject) -> None:
    """A copy has the beginning of every branch that it knows."""
    mine = turns[: data.draw(st.integers(0, len(turns)))]
    assert {turn["id"] for turn in merged(mine, turns)} == {turn["id"] for turn in turns}
    assert merged(turns, turns) == turns
    assert len(merged(turns, mine)) == len(turns)


def test_what_one_copy_deleted_is_deleted_in_both() -> None:
    mine, theirs = talk(), talk()
    branches.delete(theirs, "q2")
    branches.delete(mine, "q2b")
    gone = {turn["id"] for turn in merged(mine, theirs) if turn["gone"]}
    assert gone == {"q2", "a2", "q2b", "a2b"}


@given(trees())
def test_every_undeleted_turn_can_be_reached(turns: list[Turn]) -> None:
    """By its own path, and from the top by going from version to version."""
    tree = Tree(turns)
    alive = {turn["id"] for turn in turns if not turn["gone"]}
    for turn_id in alive:
        path = tree.path(turn_id)
        assert path[-1]["id"] == turn_id
        assert tree.parent(path[0]) == ""
    reached, todo = set[str](), [""]
    while todo:
        below = tree.followers(todo.pop())
        reached |= {turn["id"] for turn in below}
        todo += [turn["id"] for turn in below]
    assert reached == alive


def test_a_version_that_was_gone_on_with_further_is_known_by_its_number() -> None:
    turns = [
        said("user", "q", "q"),
        said("assistant", "a", "a", "q"),
        said("user", "q2", "q2", "a"),
        said("assistant", "a2", "a2", "q2"),
        said("assistant", "again", "b", "q"),
        said("user", "edited", "e2", "a"),
    ]
    tree = Tree(turns)
    assert tree.passed_over(turns[4]) == (1, 1)  # newest below `a` is the edited question
    assert tree.passed_over(turns[1]) == (0, 0)
    assert tree.passed_over(turns[5]) == (1, 0)  # of the other question only its answer follows
    assert tree.passed_over(turns[0]) == (0, 0)
