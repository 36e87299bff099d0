"""Published divisions of people: everybody where the source has them, nobody twice, nobody lost without a word."""

import dataclasses
import random
import re

import pytest

from rppg_lib.data import ClipSource, build_store, split_subjects
from rppg_lib.data.protocols import GROUPS, TOLD, Fold, cross, fold_table, protocol, protocols, validates
from rppg_lib.data.readers import DATASETS, dataset

from ..checkout import ROOT
from .pieces import clip

PEOPLE = {
    "vipl": [f"vipl p{n}" for n in range(1, 108)],
    "ubfc2": [f"ubfc2 {n}" for n in (1, 3, 4, 5, *range(8, 19), 20, *range(22, 28), *range(30, 50))],
    "pure": [f"pure {n:02d}" for n in range(1, 11)],
    "cohface": [f"cohface {n}" for n in range(1, 41)],
    "mmpd": [f"mmpd {n}" for n in range(1, 34)],
}
SIZES = {
    "ubfc2 30/12": (30, 0, 12), "ubfc2 30/12 as text": (30, 0, 12), "pure 60/40": (6, 0, 4),
    "cohface 60/40": (24, 0, 16), "cohface 30/30/40": (12, 12, 16), "cohface 60/40 in order": (24, 0, 16),
    "mmpd 70/10/20": (23, 3, 7),
}


LISTED = [name for name, how in protocols().items() if how.groups]
"""Those whose people are known without a copy of the data set."""


def everybody(name):
    return PEOPLE[protocols()[name].dataset]


def groups(split):
    return [getattr(split, group) for group in GROUPS]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InPart(ClipSource):
    """A clip of a recording that tells in which part its data set came."""

    part: str

    def settings(self):
        return super().settings() | {"part": self.part}

    def play(self):
        playing = super().play()
        told = dataclasses.replace(playing.ending(), facts={"part": self.part})
        return dataclasses.replace(playing, ending=lambda: told)


def store(folder, people, *, name="tiny", frames=4, each=1, parts=None):
    """A store of tiny clips of these people, whose data set is the first word of their name; and their parts of it."""
    clips = [dataclasses.replace(clip(f"{person} {take}", subject=person, frames=frames, size=(4, 4)),
                                 dataset=person.split()[0]) for person in people for take in range(each)]
    sources = [InPart(clip=one, part=(parts or {}).get(one.subject, "not told")) for one in clips]
    return build_store(sources, folder, name=name, jobs=1, progress=False)


@pytest.mark.parametrize("name", protocols())
def test_every_protocol_is_of_a_data_set_that_can_be_read_and_says_what_is_told(name):
    how = protocols()[name]
    assert how.dataset in DATASETS and how.told in TOLD and how.source and how.reading and how.name == name


@pytest.mark.parametrize("name", LISTED)
def test_a_protocol_that_lists_people_lists_all_of_the_data_set(name):
    how = protocols()[name]
    assert dataset(how.dataset).people == len(how.people) == len(everybody(name))


@pytest.mark.parametrize("name", LISTED)
def test_nobody_is_in_two_groups_and_everybody_is_in_one(name):
    for fold in protocol(name, everybody(name)):
        found = groups(fold.split)
        assert sorted(person for group in found for person in group) == sorted(everybody(name))
        assert fold.missing == fold.left_out == () and fold.note == ""


def test_every_person_of_vipl_tests_once_in_five_folds():
    folds = protocol("vipl 5 folds", PEOPLE["vipl"])
    assert [fold.name for fold in folds] == [f"vipl 5 folds, fold {at}" for at in range(1, 6)]
    assert sorted(person for fold in folds for person in fold.split.test) == sorted(PEOPLE["vipl"])
    assert [len(fold.split.test) for fold in folds] == [21, 21, 21, 22, 22]
    assert {fold.told for fold in folds} == {"lists"}


def test_a_person_of_vipl_whose_number_has_three_digits_is_not_taken_for_the_tenth():
    in_fold = {person: at for at, fold in enumerate(protocol("vipl 5 folds", PEOPLE["vipl"]), 1)
               for person in fold.split.test}
    assert in_fold["vipl p10"] == 1
    assert [in_fold[f"vipl p{n}"] for n in range(100, 108)] == [1, 1, 5, 2, 5, 1, 3, 3]


@pytest.mark.parametrize("name", SIZES)
def test_groups_are_as_large_as_published(name):
    fold, = protocol(name, everybody(name))
    assert tuple(map(len, groups(fold.split))) == SIZES[name]


def test_the_data_sets_own_lists_and_the_order_of_folders_test_other_people_of_cohface():
    own, = protocol("cohface 60/40", PEOPLE["cohface"])
    split, = protocol("cohface 30/30/40", PEOPLE["cohface"])
    ordered, = protocol("cohface 60/40 in order", PEOPLE["cohface"])
    assert own.split.test == split.split.test and own.split.train == split.split.train | split.split.validation
    assert ordered.split.test == {f"cohface {n}" for n in range(25, 41)} != own.split.test
    assert (own.told, ordered.told) == ("lists", "ratio only")


def test_the_first_thirty_by_number_and_by_text_are_not_the_same_people():
    numbered, = protocol("ubfc2 30/12", PEOPLE["ubfc2"])
    text, = protocol("ubfc2 30/12 as text", PEOPLE["ubfc2"])
    assert numbered.split.test == {f"ubfc2 {n}" for n in range(38, 50)}
    folders = sorted(f"subject{person.split()[1]}" for person in PEOPLE["ubfc2"])
    assert text.split.test == {f"ubfc2 {folder.removeprefix('subject')}" for folder in folders[30:]}
    assert len(numbered.split.test - text.split.test) == 3


@pytest.mark.parametrize("name", LISTED)
def test_neither_order_nor_repetition_matters(name):
    shuffled = everybody(name) * 2
    random.Random(3).shuffle(shuffled)
    assert protocol(name, shuffled, seed=1) == protocol(name, everybody(name), seed=1)


def test_who_is_missing_and_who_is_in_no_group_is_named_and_moves_nobody_else():
    whole, = protocol("pure 60/40", PEOPLE["pure"])
    here = [person for person in PEOPLE["pure"] if person not in ("pure 02", "pure 09")]
    fold, = protocol("pure 60/40", [*here, "pure 11", "ann", "purely 1"])
    assert fold.missing == ("pure 02", "pure 09") and fold.left_out == ("ann", "pure 11", "purely 1")
    assert fold.note == ("pure 60/40: missing of its people 2: pure 02, pure 09; left out, for being in none of its "
                         "groups 3: ann, pure 11, purely 1.")
    assert fold.split.train == whole.split.train - {"pure 02"} and fold.split.test == whole.split.test - {"pure 09"}
    assert "2 not here, 3 in no group" in repr(fold)


def test_a_long_list_of_missing_people_is_counted_and_cut_in_the_sentence_only():
    fold = protocol("vipl 5 folds", PEOPLE["vipl"][:90])[0]
    assert len(fold.missing) == 17 and "missing of its people 17: vipl p91" in fold.note
    assert fold.note.endswith("vipl p100 and 7 more.")


@pytest.mark.parametrize("gone, what", [(range(1, 7), "train"), (range(7, 11), "test")])
def test_a_fold_without_people_in_a_group_is_refused(gone, what):
    left = [person for person in PEOPLE["pure"] if int(person.split()[1]) not in gone]
    with pytest.raises(ValueError, match=f"protocol: pure 60/40 would have nobody for {what}: of {len(gone)} people"):
        protocol("pure 60/40", left)


def test_people_who_validate_as_published_may_not_all_be_missing_either():
    left = [person for person in PEOPLE["mmpd"] if int(person.split()[1]) not in (24, 25, 26)]
    with pytest.raises(ValueError, match="nobody for validation: of 3 people none is here .mmpd 24, mmpd 25, mmpd 26"):
        protocol("mmpd 70/10/20", left)


def test_people_of_other_data_sets_are_refused_with_what_is_needed():
    with pytest.raises(ValueError, match="divides people called as 'vipl p1', got pure 01, .*'rppg data build vipl"):
        protocol("vipl 5 folds", PEOPLE["pure"])
    with pytest.raises(ValueError, match="none called 'vipl 5 fold'. Did you mean 'vipl 5 folds'"):
        protocol("vipl 5 fold", PEOPLE["vipl"])
    with pytest.raises(TypeError, match="names of people"):
        protocol("pure 60/40", "pure 01")


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_a_share_of_those_who_train_validates_and_the_tested_stay(share):
    for plain, fold in zip(protocol("vipl 5 folds", PEOPLE["vipl"]),
                           protocol("vipl 5 folds", PEOPLE["vipl"], validation=share, seed=2)):
        assert fold.split.test == plain.split.test
        assert fold.split.train | fold.split.validation == plain.split.train
        assert abs(len(fold.split.validation) - share * len(plain.split.train)) <= 0.5


@pytest.mark.parametrize("share", [-0.1, 1, float("nan"), True, "0.2", None])
def test_shares_that_are_none_are_refused(share, tmp_path):
    with pytest.raises(ValueError, match="protocol: validation must be a share"):
        protocol("pure 60/40", PEOPLE["pure"], validation=share)


def test_a_protocol_with_people_to_validate_takes_no_share_of_others():
    with pytest.raises(ValueError, match="cohface 30/30/40 has people of its own to validate with"):
        protocol("cohface 30/30/40", PEOPLE["cohface"], validation=0.2)


def test_one_person_cannot_train_and_validate():
    with pytest.raises(ValueError, match="pure 60/40 has one person to train"):
        protocol("pure 60/40", ["pure 01", "pure 07"], validation=0.2)


def test_a_store_is_divided_as_its_people_are(tmp_path):
    here = store(tmp_path, PEOPLE["pure"])
    assert protocol("pure 60/40", here) == protocol("pure 60/40", PEOPLE["pure"])


PARTS = {"v4v F001": "train", "v4v F002": "train", "v4v F003": "validation", "v4v M001": "test", "v4v M002": "test"}


def test_v4v_is_divided_by_the_parts_that_its_recordings_tell(tmp_path):
    here = store(tmp_path, [*PARTS, "v4v M009", "pure 01"], each=2, parts=PARTS | {"pure 01": "test"})
    fold, = protocol("v4v", here)
    assert groups(fold.split) == [{"v4v F001", "v4v F002"}, {"v4v F003"}, {"v4v M001", "v4v M002"}]
    assert (fold.told, fold.left_out) == ("parts", ("pure 01", "v4v M009"))
    assert fold_table(fold, here).set_index("group").loc["in no group", "people"] == 2
    with pytest.raises(ValueError, match="protocol: v4v has people of its own to validate with, v4v F003"):
        protocol("v4v", here, validation=0.2)


def test_parts_of_v4v_of_which_nobody_is_here_are_named(tmp_path):
    training = store(tmp_path, ["v4v F001", "v4v F002"], parts=PARTS)
    with pytest.raises(ValueError, match="v4v would have nobody for validation and test: .* shares, such as 70/10/20"):
        protocol("v4v", training)
    for people in (list(PARTS), store(tmp_path, ["pure 01"])):
        with pytest.raises(ValueError, match="told by recordings of v4v, not by names, got none .*rppg data build v4v"):
            protocol("v4v", people)


def test_a_person_of_v4v_in_two_parts_is_refused_with_the_name(tmp_path):
    clips = [dataclasses.replace(clip(f"{person} {part}", subject=person, frames=4, size=(4, 4)), dataset="v4v")
             for person, part in [*PARTS.items(), ("v4v M002", "train")]]
    sources = [InPart(clip=one, part=one.id.split()[-1]) for one in clips]
    with pytest.raises(ValueError, match="train and test share 1 of 5 people: v4v M002"):
        protocol("v4v", build_store(sources, tmp_path, name="twice", jobs=1, progress=False))


@pytest.mark.parametrize("name, sizes", [("60/40", (12, 0, 8)), ("70/10/20", (14, 2, 4)), ("70/0/30", (14, 0, 6))])
def test_any_people_can_be_divided_by_plain_shares_of_them(name, sizes):
    people = [f"mine {n}" for n in range(20)]
    fold, = protocol(name, people, seed=5)
    assert tuple(map(len, groups(fold.split))) == sizes and fold.split.train.isdisjoint(fold.split.test)
    assert frozenset().union(*groups(fold.split)) == set(people)
    assert (fold.name, fold.told, fold.missing, fold.left_out) == (name, "shares", (), ())
    assert fold == protocol(name, people[::-1] * 2, seed=5)[0]
    assert len({protocol(name, people, seed=seed)[0].split for seed in range(10)}) > 5
    shares = tuple(size / 20 for size in sizes)
    assert fold.split == split_subjects(people, shares=shares, seed=5)


def test_of_shares_without_people_to_validate_some_who_train_can_be_taken():
    people = [f"mine {n}" for n in range(20)]
    plain, = protocol("60/40", people)
    fold, = protocol("60/40", people, validation=0.25)
    assert tuple(map(len, groups(fold.split))) == (9, 3, 8) and fold.split.test == plain.split.test
    with pytest.raises(ValueError, match="70/10/20 has people of its own to validate with"):
        protocol("70/10/20", people, validation=0.2)


@pytest.mark.parametrize("name", ["30/12", "60/30/20", "100/0", "0/100", "0/50/50"])
def test_shares_that_do_not_make_a_hundred_or_test_nobody_are_refused(name):
    with pytest.raises(ValueError, match=f"needs percent of the people that make 100, .* got '{name}'"):
        protocol(name, PEOPLE["pure"])


def test_too_few_people_for_shares_are_refused():
    with pytest.raises(ValueError, match="needs at least 3 people for shares .0.7, 0.1, 0.2., got 2"):
        protocol("70/10/20", ["ann", "bob"])
    with pytest.raises(ValueError, match="60/40 has one person to train"):
        protocol("60/40", ["ann", "bob"], validation=0.2)


def test_what_has_people_of_its_own_to_validate_with_is_known_beforehand():
    assert [name for name in [*protocols(), "60/40", "70/0/30", "70/10/20", "unknown"] if validates(name)] == [
        "cohface 30/30/40", "mmpd 70/10/20", "v4v", "70/10/20"]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return [store(folder, PEOPLE[name][:count], name=name, each=each)
            for name, count, each in (("pure", 10, 2), ("cohface", 20, 1), ("ubfc2", 6, 1))]


def test_all_of_the_sources_train_or_validate_and_all_of_the_target_test(three):
    pure, cohface, ubfc = three
    fold = cross([pure, cohface], ubfc, seed=4)
    assert isinstance(fold, Fold) and fold.name == "cohface+pure -> ubfc2" and fold.told == "data sets"
    assert fold.split.test == set(ubfc.subjects)
    assert fold.split.train | fold.split.validation == {*pure.subjects, *cohface.subjects}
    assert [len(fold.split.validation & set(each.subjects)) for each in (pure, cohface)] == [2, 4]
    assert cross([cohface, pure], ubfc, seed=4).split == fold.split
    assert len({cross(pure, ubfc, seed=seed).split.validation for seed in range(10)}) > 5
    assert cross(pure, ubfc, validation=0).split.train == set(pure.subjects)


def test_one_name_in_two_stores_is_refused_with_the_name(three, tmp_path):
    pure, cohface, _ = three
    again = store(tmp_path, ["pure 03", "pure 08", "ubfc2 9"])
    with pytest.raises(ValueError, match=r"pure-\w+ \(store 1\) and tiny-\w+ \(store 2\) share 2 of 11 people: "
                                         r"pure 03, pure 08\. A network"):
        cross(pure, again)
    with pytest.raises(ValueError, match="share 10 of 30 people: pure 01, pure 02"):
        cross([pure, cohface], pure)
    with pytest.raises(ValueError, match="share 10 of"):
        cross([pure, pure], cohface)


def test_what_is_no_store_or_has_too_few_people_is_refused(three, tmp_path):
    pure, *_ = three
    with pytest.raises(TypeError, match="cross: needs one or more clip stores .* got tuple, ClipStore|got str"):
        cross("pure", pure)
    with pytest.raises(TypeError, match="got ClipStore"):
        cross([], pure)
    with pytest.raises(ValueError, match="cross: validation must be"):
        cross(pure, pure, validation=1.5)
    with pytest.raises(ValueError, match=r"cross: ubfc2 -> pure, tiny-\w+ has one person to train"):
        cross(store(tmp_path, ["ubfc2 1"]), pure)


def test_the_table_counts_people_clips_and_minutes_of_every_group(three):
    pure, cohface, ubfc = three
    table = fold_table(cross([pure, cohface], ubfc), pure, cohface, ubfc).set_index("group")
    assert list(table.index) == list(GROUPS)
    assert table["people"].sum() == 36 and table["clips"].sum() == 20 + 20 + 6 and table.loc["test", "clips"] == 6
    assert table["minutes"].sum() == pytest.approx(46 * 4 / 30 / 60)
    assert table.loc["test", "who"] == ", ".join(sorted(ubfc.subjects))


def test_the_table_has_rows_for_who_is_in_no_group_and_who_is_not_here(three):
    pure, _, ubfc = three
    here = [person for person in PEOPLE["pure"] if person != "pure 05"] + ["ann"]
    table = fold_table(protocol("pure 60/40", here), pure, ubfc).set_index("group")
    assert table["people"].to_dict() == {"train": 5, "validation": 0, "test": 4, "in no group": 8, "not here": 1}
    assert table.loc["in no group", "clips"] == 2 + 6                # of pure 05, who is in the store; and of ubfc2
    assert "ann" in table.loc["in no group", "who"] and table.loc["not here", "who"] == "pure 05"
    plain = fold_table(protocol("vipl 5 folds", PEOPLE["vipl"]))
    assert len(plain) == 15 and plain["clips"].isna().all() and plain["people"].sum() == 5 * 107


def test_the_page_names_every_protocol_and_its_code_runs(tmp_path, monkeypatch):
    page = (ROOT / "book" / "protocols.md").read_text("utf-8")
    for name, how in protocols().items():
        row, = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| {how.told} |" in row
    monkeypatch.chdir(tmp_path)
    for name in ("vipl", "pure", "cohface", "ubfc2"):
        people = PEOPLE[name] if name == "vipl" else PEOPLE[name][:10]
        store(tmp_path, people, name=name, frames=130).path.rename(tmp_path / f"{name}-DIGEST")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").symlink_to(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "book/protocols.md", "exec"), names)
    assert len(names["folds"]) == 5 and names["fold"].name == "cohface+pure -> ubfc2"
    assert names["data"].train.subjects == tuple(sorted(names["fold"].split.train))
