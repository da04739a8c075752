import pytest

from gradlab.engine.missing import covers, record_text, together
from gradlab.study.record import Auto, Every, LogSpaced, Record

LOSS = Record(("loss",), Auto())


@pytest.mark.parametrize(
    ("had", "wanted", "covered"),
    [
        (LOSS, LOSS, True),
        (Record(("loss", "gradient_norm"), Auto()), LOSS, True),
        (LOSS, Record(("loss", "gradient_norm"), Auto()), False),
        (Record(("loss",), Every(epochs=5)), Record(("loss",), Every(epochs=10)), True),
        (Record(("loss",), Every(epochs=10)), Record(("loss",), Every(epochs=5)), False),
        (LOSS, Record(("loss",), LogSpaced(3)), True),
        (Record(("loss",), Auto(), (0.1,)), LOSS, True),
        (LOSS, Record(("loss",), Auto(), (0.1,)), False),
        (Record(("loss",), Every(epochs=10), (), (15,)), Record(("loss",), Every(epochs=10)), True),
        (Record(("loss",), Every(epochs=10)), Record(("loss",), Every(epochs=10), (), (15,)), False),
        (Record(("loss",), Every(epochs=10)), Record(("loss",), Every(epochs=10), (), (1500,)), True),
    ],
)
def test_what_was_recorded_covers_what_is_asked(had, wanted, covered):
    assert covers(record_text(had), wanted, 100) is covered


@pytest.mark.parametrize("other", [Every(epochs=7), LogSpaced(3), Auto()])
def test_the_union_covers_both_and_keeps_the_schedule_asked_for(other):
    had = Record(("loss", "weight_norm"), other, (0.1,), (33,))
    asked = Record(("loss", "gradient_norm"), Every(epochs=10), (0.2,), (50,))
    both = together(asked, frozenset({record_text(had)}), 100)
    assert both.times == asked.times
    assert covers(record_text(both), had, 100)
    assert covers(record_text(both), asked, 100)


def test_without_a_past_the_record_is_the_one_asked_for():
    assert together(LOSS, frozenset(), 100) is LOSS


def test_the_text_is_one_for_equal_records():
    assert record_text(Record(("b", "a"), Auto(), (2.0, 1.0))) == record_text(
        Record(("a", "b"), Auto(), (1.0, 2.0))
    )
