from __future__ import annotations

import fake_results
from fake_results import FakeResult

from gradlab.report.notebook import result_html


def test_a_result_shows_its_answer_and_its_verdicts(full: FakeResult) -> None:
    html = result_html(full)
    assert html.count("<tr>") == 1 + len(full.verdicts)
    assert "✓ supported" in html
    assert "full budget: 3,000 epochs, 6 replicates" in html


def test_text_is_escaped() -> None:
    assert "<script" not in result_html(fake_results.make(n=1, epochs=12, title="<script>x</script>"))
