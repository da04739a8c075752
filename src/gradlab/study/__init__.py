"""Studies: the declaration, its factors and seeds, and the plan that follows from it."""

from gradlab.study.plan import Condition, Plan, Run
from gradlab.study.study import Assumed, Published, Study

__all__ = ["Assumed", "Condition", "Plan", "Published", "Run", "Study"]
