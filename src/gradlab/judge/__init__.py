"""Statistics: from runs to verdicts. The rules stand in docs/claims.md."""

from gradlab.judge.judging import adjust as adjust
from gradlab.judge.judging import judge as judge
from gradlab.judge.verdict import Verdict as Verdict
from gradlab.judge.verdict import combine_settings as combine_settings
