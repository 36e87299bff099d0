"""A folder that cannot be read is named, in every data set, and the rest is listed."""

from pathlib import Path

import pytest

from rppg_lib.data.readers import DATASETS, read_dataset

LGI = ("cv_camera_sensor_stream_handler.avi", "cms50_stream_handler.xml", "cv_camera_sensor_timer_stream_handler.xml")
COPIES = {                               # files of one recording, and the folder of another that cannot be read
    "ubfc1": (["5-gt/vid.avi", "5-gt/gtdump.xmp"], ["6-gt"]),
    "ubfc2": (["subject1/vid.avi", "subject1/ground_truth.txt"], ["subject3"]),
    "pure": (["01-01/01-01/Image1.png", "01-01/01-01.json"], ["01-02"]),
    "cohface": (["1/0/data.avi", "1/0/data.hdf5"], ["2", "1/1"]),
    "vipl": ([f"p1/v1/source1/{name}" for name in ("video.avi", "wave.csv", "time.txt")],
             ["p2", "p1/v2", "p1/v1/source3"]),
    "mmpd": (["subject1/p1_0.mat"], ["subject2"]),
    "scamps": (["Train/P000001.mat"], ["Test"]),
    "ubfcphys": (["s1/vid_s1_T1.avi", "s1/bvp_s1_T1.csv"], ["s2"]),
    "ibvp": (["p01_a/p01_a_rgb/1.bmp", "p01_a/p01_a_bvp.csv"], ["p02_a"]),
    "lgi": ([f"alex/alex_gym/{name}" for name in LGI], ["felix", "alex/alex_talk"]),
    "v4v": (["train/video/F001_T1.mkv", "train/signal/F001-T1-BP.txt"], ["test", "train/other"]),
    "folder": (["anna/rest.mp4", "anna/rest.csv"], ["bob", "anna/stills"]),
}
CASES = [(name, locked) for name, (_, every) in COPIES.items() for locked in every]


def copy(folder, name, locked):
    """Write a copy that has names only: nothing is opened to list it."""
    for path in COPIES[name][0]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    (folder / locked).mkdir(parents=True)
    (folder / locked / "x").write_text("x")
    return folder / locked


def test_every_data_set_with_folders_is_tried():
    assert set(COPIES) == {*DATASETS} - {"mcd"}                  # its folders are its own, and not people's


@pytest.mark.parametrize("name, locked", CASES)
def test_a_folder_without_permission_is_named_and_the_rest_is_listed(tmp_path, monkeypatch, name, locked):
    place, iterdir = copy(tmp_path, name, locked), Path.iterdir

    def refused(self):
        if self == place:
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refused)
    listing = read_dataset(name, tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert len(listing.recordings) == 1 and left[locked] == "cannot be read: Permission denied"


@pytest.mark.parametrize("name, locked", CASES)
def test_a_folder_whose_files_may_not_be_looked_at_is_named_and_the_rest_is_listed(tmp_path, monkeypatch, name, locked):
    """It may be read and not searched: names are told, and nothing else."""
    place, stat = copy(tmp_path, name, locked), Path.stat

    def refused(self, **how):
        if self.parent == place:
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, **how)

    monkeypatch.setattr(Path, "stat", refused)
    listing = read_dataset(name, tmp_path)
    assert len(listing.recordings) == 1 and any(each.what.startswith(locked) for each in listing.left_out)


@pytest.mark.parametrize("name, locked", CASES)
@pytest.mark.parametrize("leads_to", ["nowhere", "itself", "above"])
def test_a_link_in_place_of_a_folder_never_ends_the_listing(tmp_path, name, locked, leads_to):
    place = copy(tmp_path, name, locked)
    (place / "x").unlink()
    place.rmdir()
    place.symlink_to({"nowhere": tmp_path / "gone", "itself": place, "above": tmp_path}[leads_to])
    listing = read_dataset(name, tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert len(listing.recordings) == 1
    if leads_to != "above":              # a way round again is a folder that holds no recording of this name
        assert "is a link" in left[locked]


def test_a_video_that_may_not_be_looked_at_leaves_the_others_of_mcd(tmp_path, monkeypatch):
    for name in ("1_USBVideo_before", "2_USBVideo_before"):
        for path in (f"video/{name}.avi", f"meta/{name}.txt", f"ppg_sync/{name}.txt"):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text("x" * 2000)
    stat = Path.stat

    def refused(self, **how):
        if self.name == "1_USBVideo_before.avi":
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, **how)

    monkeypatch.setattr(Path, "stat", refused)
    listing = read_dataset("mcd", tmp_path)
    assert [each.id for each in listing.recordings] == ["mcd 2_USBVideo_before"]
    assert ("video/1_USBVideo_before.avi", "cannot be read: Permission denied") in \
        [(each.what, each.why) for each in listing.left_out]
