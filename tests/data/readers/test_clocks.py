
import numpy as np
import pytest

from rppg_lib.data.readers.clocks import moment
from rppg_lib.data.readers.folder import listed
from rppg_lib.data.readers.own_label import reference

from .miniature import colours, pulse, video

STEPS_S = np.arange(0, 4, 0.01)




def export(path, words, values, *, name="Zeit;Time;PPG;SpO2"):
    """Write what a pulse oximeter exports: semicolons, decimal commas, times of a day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"x;{word};{value:.5f};98".replace(".", ",") for word, value in zip(words, values)]
    path.write_text("\n".join([name, *rows]) + "\n", encoding="cp1252")


def day_words(start_s, steps=STEPS_S):
    whole = np.rint((start_s + steps) * 1000).astype(int) % 86_400_000
    return [f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}" for ms in whole]


@pytest.mark.parametrize("word, seconds", [
    ("0:00:01,5", 1.5), ("23:59:59.999", 86399.999), ("1970-01-01 00:00:02", 2.0),
    ("1970-01-02T00:00:00.25Z", 86400.25),
    ("2024-02-29T12:00:00+00:00", 1709208000.0), ("2024-02-29T12:00:00-0530", 1709208000.0 + 5.5 * 3600), ("7,5", 7.5)])
def test_a_time_is_seconds_since_midnight_or_1970(word, seconds):
    assert moment(word)[0] == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("start, start_s", [
    ("10:15:00.250", 36900.25), ("36900.25", 36900.25), ("23:59:58.5", 86398.5)])
def test_hours_of_a_day_count_from_when_the_film_began_and_midnight_may_pass(tmp_path, start, start_s):
    times = video(tmp_path / "anna" / "IMG_001.MOV", seconds=4.0, fs=25, bpm=72.0, codec="h264")
    export(tmp_path / "anna" / "IMG_001.CSV", day_words(start_s), pulse(STEPS_S))
    (tmp_path / "people.csv").write_text(f"file;start_s\nanna/IMG_001.mov;{start}\n")
    listing = listed(tmp_path)
    recording, = listing.recordings
    found = recording.reference()
    assert not listing.left_out and not listing.missing
    assert found.times_s == pytest.approx(STEPS_S, abs=1e-3) and found.wave == pytest.approx(pulse(STEPS_S), abs=1e-4)
    rgb, shown = colours(recording)
    assert np.corrcoef(np.interp(shown, found.times_s, found.wave), -rgb[:, 1])[0, 1] > 0.8 and len(times) == 100
    assert "column 'time' is read as hours, minutes and seconds" in found.notes
    assert "decimal commas are read as points" in found.notes and any("as people.csv says" in x for x in found.notes)


def test_a_film_that_began_before_midnight_and_a_label_after_it_belong_together(tmp_path):
    export(tmp_path / "a.csv", day_words(0.5), pulse(STEPS_S))
    assert reference(tmp_path / "a.csv", start_s="23:59:59.5").times_s == pytest.approx(STEPS_S + 1, abs=1e-6)


def test_hours_that_begin_with_the_film_need_nothing_and_those_of_a_day_ask_for_its_beginning(tmp_path):
    film = tmp_path / "a.mkv"
    video(film, seconds=4.0, fs=25)
    export(tmp_path / "a.csv", day_words(0.0), pulse(STEPS_S))
    assert reference(tmp_path / "a.csv", film).times_s == pytest.approx(STEPS_S, abs=1e-6)
    export(tmp_path / "a.csv", day_words(36900.0), pulse(STEPS_S))
    with pytest.raises(ValueError, match=r"of a day, 10\.25 hours the first, .* Give that in people.csv as start_s"):
        reference(tmp_path / "a.csv", film)


@pytest.mark.parametrize("zone, start, note", [
    ("", "2024-03-01T10:15:00.5", "a date without a zone, as if in universal time"),
    ("", "1709288100.5", "a date without a zone, as if in universal time"),
    ("Z", "2024-03-01 12:15:00,5+02:00", "a date with a zone"),
    ("+01:00", "1709284500.5", "a date with a zone"),
])
def test_dates_count_from_when_the_film_began(tmp_path, zone, start, note):
    words = [f"2024-03-01T{word}{zone}" for word in day_words(36901.0)]
    export(tmp_path / "a.csv", words, pulse(STEPS_S), name="x;Timestamp;label;SpO2")
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text("cp1252"))
    found = reference(tmp_path / "a.csv", start_s=float(start) if start.startswith("17") else start)
    assert found.times_s == pytest.approx(STEPS_S + 0.5, abs=1e-5)
    assert f"column 'timestamp' is read as {note}" in found.notes


@pytest.mark.parametrize("words, message", [
    (["10:15:00.00 AM"] * 9, r"line 2, column 'time': '10:15:00,00 AM' is not read as a time; times are numbers"),
    (["01.03.2024 10:15:00"] * 9, "is not read as a time; times are numbers, 10:15:00.250 or 2024-03-01T10:15:00.250"),
    (["10:15:00.25", "2024-03-01T10:15:00.26"], "line 3, column 'time': .* all lines alike"),
    (["2024-02-30T10:15:00"] * 9, "is not read as a time"),
    (["25:00:00"] * 9, "is not read as a time"),
    (["10:15:00"] * 50 + ["10:15:01"] * 50, "the same time in many lines, as '10:15:00' without fractions of a second"),
])
def test_times_that_cannot_be_read_say_how_they_should_look(tmp_path, words, message):
    export(tmp_path / "a.csv", words, np.arange(len(words)))
    with pytest.raises(ValueError, match=message) as caught:
        reference(tmp_path / "a.csv")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("start", ["2024-03-01T10:15:00", "2024-03-01T10:15:00Z"])
def test_a_beginning_on_another_clock_than_the_labels_is_refused(tmp_path, start):
    export(tmp_path / "a.csv", day_words(36900.0), pulse(STEPS_S))
    with pytest.raises(ValueError, match="Write start_s as the label writes its times"):
        reference(tmp_path / "a.csv", start_s=start)


def test_a_header_below_what_the_device_tells_of_itself_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Device;CMS50\nStart;10:15\n\nTime;PPG;SpO2\n0;1;98\n")
    with pytest.raises(ValueError, match="got device, cms50. Line 4 looks like its header: delete the lines above it"):
        reference(path)
    path.write_text("Time;SpO2;PR\n10:15:00;98;72\n")
    with pytest.raises(ValueError, match="heart rates and oxygen alone are no wave. It should look so: 'time_s,label'"):
        reference(path)
