import sqlite3

import numpy as np
import polars as pl
import pytest
from labs import asked, slice_of

from gradlab.errors import StoreError
from gradlab.store import files, schema
from gradlab.store.export import export
from gradlab.store.lab import Lab
from gradlab.store.measurements import NewMeasurement, Stored


@pytest.fixture
def stored(tmp_path):
    """A lab with a few runs, closed."""
    with Lab.open(tmp_path / "lab", write=True) as lab:
        ids = asked(lab, 3)
        lab.begin(dict.fromkeys(ids, 0), "kernel")
        lab.store_slice([slice_of(run, 0, 200, ends=True) for run in ids], '{"q":1}')
    return tmp_path / "lab"


@pytest.mark.parametrize("write", [True, False])
def test_a_newer_lab_is_refused_with_the_version_it_needs_and_not_touched(stored, write):
    with sqlite3.connect(stored / "lab.sqlite") as database:
        database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        database.execute("UPDATE meta SET value = '9.1.0'")
    database.close()
    before = (stored / "lab.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"gradlab>=9\.1\.0"):
        Lab.open(stored, write=write)
    assert (stored / "lab.sqlite").read_bytes() == before


@pytest.mark.parametrize("write", [True, False])
def test_the_database_of_another_program_is_refused(tmp_path, write):
    with sqlite3.connect(tmp_path / "lab.sqlite") as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    with pytest.raises(StoreError, match="another program"):
        Lab.open(tmp_path, write=write)


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("content", [b"not a database at all" * 50, b"SQLite format 3\0" + b"\xff" * 4000])
def test_garbage_is_refused_and_says_how_to_go_on(tmp_path, write, content):
    (tmp_path / "lab.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*move the folder aside"):
        Lab.open(tmp_path, write=write)
    assert (tmp_path / "lab.sqlite").read_bytes() == content


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_torn_database_is_never_written_to(stored, share):
    file = stored / "lab.sqlite"
    whole = file.read_bytes()
    torn = whole[: int(len(whole) * share)]
    file.write_bytes(torn)
    with pytest.raises(StoreError, match="damaged"):
        Lab.open(stored, write=True)
    assert file.read_bytes() == torn


def test_flipped_pages_are_found_or_leave_an_error_of_the_store(stored):
    file = stored / "lab.sqlite"
    whole = file.read_bytes()
    refused = 0
    for page in range(len(whole) // 4096):
        broken = bytearray(whole)
        broken[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
        file.write_bytes(broken)
        try:
            with Lab.open(stored, write=True) as lab:
                lab.digest()
        except StoreError:
            refused += 1
    assert refused > len(whole) // 4096 // 2


def test_an_empty_file_becomes_a_lab_for_a_writer_only(tmp_path):
    (tmp_path / "lab.sqlite").touch()
    with pytest.raises(StoreError, match="empty"):
        Lab.open(tmp_path)
    with Lab.open(tmp_path, write=True) as lab:
        assert lab.ids() == []


def test_a_reader_makes_nothing(tmp_path):
    with pytest.raises(StoreError, match="no lab"):
        Lab.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_columns_keep_their_types(stored):
    database = sqlite3.connect(stored / "lab.sqlite")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE run SET epoch = 'many'")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE run SET state = 'sleeping'")
    database.close()


LATER = {
    2: ("learned", "labels"),
    3: ("measured", "meaning", "measurement", "instrument", "snapshot"),
}
"""The tables that each version added, those first that refer to others."""


@pytest.fixture
def second_version(stored):
    """The lab as version 2 made it."""
    with sqlite3.connect(stored / "lab.sqlite") as database:
        for table in LATER[3]:
            database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA user_version = 2")
    database.close()
    return stored


def test_a_lab_of_the_second_version_has_measured_nothing_until_a_writer_adds_the_tables(second_version):
    before = (second_version / "lab.sqlite").read_bytes()
    with Lab.open(second_version) as lab:
        digest = lab.digest()
        assert lab.measured("of an instrument", ["a"]) == lab.subjects() == {}
        assert lab.known()[lab.ids()[0]].snapshots == frozenset()
    assert (second_version / "lab.sqlite").read_bytes() == before
    with Lab.open(second_version, write=True) as lab:
        lab.store_measurements("d", {}, [NewMeasurement("a", (), Stored("refused", failure="why"))])
        assert lab.measured("d", ["a"])["a"].failure == "why"
        assert lab.digest(lab.ids()) == digest
    assert version_of(second_version) == schema.VERSION


@pytest.fixture
def first_version(stored):
    """The lab as version 1 made it: without the tables that came later."""
    with sqlite3.connect(stored / "lab.sqlite") as database:
        for table in (*LATER[3], *LATER[2]):
            database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA user_version = 1")
    database.close()
    return stored


def version_of(folder):
    database = sqlite3.connect(folder / "lab.sqlite")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    database.close()
    return found


def test_an_older_lab_is_read_as_it_is(first_version):
    before = (first_version / "lab.sqlite").read_bytes()
    with Lab.open(first_version) as lab:
        assert lab.labels(lab.ids()[0]) is None
        assert lab.digest()
    assert (first_version / "lab.sqlite").read_bytes() == before


def test_an_older_lab_gets_the_new_tables_from_its_next_writer_and_loses_nothing(first_version):
    with Lab.open(first_version) as lab:
        before = lab.digest()
    with Lab.open(first_version, write=True) as lab:
        assert lab.digest() == before
        lab.keep_labels(lab.ids()[0], "key", np.arange(3))
        assert lab.labels(lab.ids()[0]).tolist() == [0, 1, 2]
    assert version_of(first_version) == schema.VERSION
    fresh, upgraded = set(tables(first_version)), set()
    with Lab.open(first_version.parent / "fresh", write=True):
        upgraded = set(tables(first_version.parent / "fresh"))
    assert fresh == upgraded


def tables(folder):
    database = sqlite3.connect(folder / "lab.sqlite")
    found = [row[0] for row in database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]
    database.close()
    return found


@pytest.mark.parametrize("older", ["first_version", "second_version"])
def test_an_older_lab_is_exported_as_it_is_with_no_measurements(older, request, tmp_path):
    folder = request.getfixturevalue(older)
    before = (folder / "lab.sqlite").read_bytes()
    with Lab.open(folder) as lab:
        ids = lab.ids()
        assert list(lab.measurements()) == []
        assert {row["state"] for row in lab.describe()} == {"done"}
        assert all(len(lab.trace(run, "loss")[0]) == 201 for run in ids)
        assert [state.epoch for state in lab.load_states([(run, None) for run in ids])] == [200] * 3
        for form in ("parquet", "csv", "json"):
            export(lab, tmp_path / "out", form)
    tables = [
        pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("runs", "traces", "measurements")
    ]
    assert [table.height for table in tables] == [3, 3 * 202, 0]
    assert tables[2].schema["number"] == pl.Float64()
    with Lab.open(stored_now(tmp_path)) as current:
        assert pl.DataFrame.equals(tables[2], pl.read_parquet(export(current, tmp_path / "now")[2]))
    assert (tmp_path / "out" / "measurements.csv").read_text().startswith("kind,instrument,settings,")
    assert (tmp_path / "out" / "measurements.json").read_text() == "[]\n"
    assert (folder / "lab.sqlite").read_bytes() == before


def stored_now(tmp_path):
    """A lab of this version in which nothing was measured."""
    with Lab.open(tmp_path / "current", write=True) as lab:
        asked(lab, 1)
    return tmp_path / "current"


@pytest.mark.parametrize("point", ["database.begin", "database.begun", "database.commit"])
def test_an_upgrade_that_is_interrupted_leaves_the_older_lab(first_version, point):
    def full(reached):
        if reached == point:
            raise OSError(28, "No space left on device")

    with files.watching(full), pytest.raises(StoreError, match="full"):
        Lab.open(first_version, write=True)
    assert version_of(first_version) == 1
    with Lab.open(first_version, write=True) as lab:
        assert len(lab.ids()) == 3
