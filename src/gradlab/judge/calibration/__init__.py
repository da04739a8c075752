"""Simulated studies that show how often a verdict is false, and how often a true effect is found."""

from gradlab.judge.calibration.cells import LIMIT as LIMIT
from gradlab.judge.calibration.cells import Cell as Cell
from gradlab.judge.calibration.cells import Rates as Rates
from gradlab.judge.calibration.cells import all_cells as all_cells
from gradlab.judge.calibration.cells import run as run
from gradlab.judge.calibration.page import page as page
