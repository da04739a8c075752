"""The kinds of claims, each with the null that its verdict is judged against.

People write them through the functions of `gradlab.study.claims`; `gradlab.judge` decides them.
"""

from gradlab.study.kinds.association import Correlates as Correlates
from gradlab.study.kinds.association import Peaks as Peaks
from gradlab.study.kinds.association import Trend as Trend
from gradlab.study.kinds.base import Scope as Scope
from gradlab.study.kinds.base import Test as Test
from gradlab.study.kinds.compare import Compare as Compare
from gradlab.study.kinds.compare import Equal as Equal
from gradlab.study.kinds.compound import AllOf as AllOf
from gradlab.study.kinds.compound import AnyTest as AnyTest
from gradlab.study.kinds.compound import Fact as Fact
from gradlab.study.kinds.compound import Not as Not
from gradlab.study.kinds.compound import Untestable as Untestable
from gradlab.study.kinds.share import Matches as Matches
from gradlab.study.kinds.share import Share as Share
