"""The store: one SQLite file and safetensors in a lab folder, with one writer."""

from gradlab.store.lab import Lab as Lab
from gradlab.store.measurements import NewMeasurement as NewMeasurement
from gradlab.store.measurements import Stored as Stored
from gradlab.store.rows import Ending as Ending
from gradlab.store.rows import Kept as Kept
from gradlab.store.rows import NewRun as NewRun
from gradlab.store.rows import Progress as Progress
from gradlab.store.rows import RunRow as RunRow
