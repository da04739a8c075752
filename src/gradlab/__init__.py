"""gradlab: a laboratory for how deep networks train and generalise.

Declare what varies, what is trained and what is claimed; get verdicts with intervals instead of one run.
Names are imported when they are first used, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlab.component import vary as vary
    from gradlab.engine.evaluate import evaluate as evaluate
    from gradlab.errors import EnvironmentProblem as EnvironmentProblem
    from gradlab.errors import GradlabError as GradlabError
    from gradlab.errors import Interrupted as Interrupted
    from gradlab.errors import MeasureError as MeasureError
    from gradlab.errors import Problem as Problem
    from gradlab.errors import RunsFailed as RunsFailed
    from gradlab.errors import StoreError as StoreError
    from gradlab.errors import StudyError as StudyError
    from gradlab.errors import UsageError as UsageError
    from gradlab.errors import WeightsError as WeightsError
    from gradlab.model import CNN as CNN
    from gradlab.model import MLP as MLP
    from gradlab.model import After as After
    from gradlab.model import Default as Default
    from gradlab.model import Module as Module
    from gradlab.model import TorchStream as TorchStream
    from gradlab.model import equal_size as equal_size
    from gradlab.study.claims import Claim as Claim
    from gradlab.study.claims import all_of as all_of
    from gradlab.study.claims import claim as claim
    from gradlab.study.claims import correlates as correlates
    from gradlab.study.claims import equal as equal
    from gradlab.study.claims import fact as fact
    from gradlab.study.claims import falls as falls
    from gradlab.study.claims import fewer as fewer
    from gradlab.study.claims import less as less
    from gradlab.study.claims import matches as matches
    from gradlab.study.claims import more as more
    from gradlab.study.claims import not_ as not_
    from gradlab.study.claims import peaks as peaks
    from gradlab.study.claims import plateaus as plateaus
    from gradlab.study.claims import ranked as ranked
    from gradlab.study.claims import reaches as reaches
    from gradlab.study.claims import rises as rises
    from gradlab.study.claims import share as share
    from gradlab.study.claims import untestable as untestable
    from gradlab.study.instruments import CriticalPoint as CriticalPoint
    from gradlab.study.instruments import Density as Density
    from gradlab.study.instruments import Eigenvalues as Eigenvalues
    from gradlab.study.instruments import Hessian as Hessian
    from gradlab.study.instruments import Interpolation as Interpolation
    from gradlab.study.instruments import Landscape as Landscape
    from gradlab.study.instruments import MinimalRatio as MinimalRatio
    from gradlab.study.instruments import Sensitivity as Sensitivity
    from gradlab.study.instruments import Sharpness as Sharpness
    from gradlab.study.instruments import Trace as Trace
    from gradlab.study.instruments import Trajectory as Trajectory
    from gradlab.study.recipe import SGD as SGD
    from gradlab.study.recipe import Adam as Adam
    from gradlab.study.recipe import AdamW as AdamW
    from gradlab.study.recipe import Constant as Constant
    from gradlab.study.recipe import Cosine as Cosine
    from gradlab.study.recipe import GradientBelow as GradientBelow
    from gradlab.study.recipe import LossBelow as LossBelow
    from gradlab.study.recipe import LossSettled as LossSettled
    from gradlab.study.recipe import RMSprop as RMSprop
    from gradlab.study.recipe import Stalled as Stalled
    from gradlab.study.recipe import Step as Step
    from gradlab.study.record import Auto as Auto
    from gradlab.study.record import Every as Every
    from gradlab.study.record import LogSpaced as LogSpaced
    from gradlab.study.seeds import Seeds as Seeds
    from gradlab.study.study import Assumed as Assumed
    from gradlab.study.study import Published as Published
    from gradlab.study.study import Study as Study
    from gradlab.study.toml import load as load
    from gradlab.task import CIFAR10 as CIFAR10
    from gradlab.task import CIFAR100 as CIFAR100
    from gradlab.task import MNIST as MNIST
    from gradlab.task import Arrays as Arrays
    from gradlab.task import CropFlip as CropFlip
    from gradlab.task import Digits as Digits
    from gradlab.task import FashionMNIST as FashionMNIST
    from gradlab.task import Folder as Folder
    from gradlab.task import Function as Function
    from gradlab.task import GaussianInputs as GaussianInputs
    from gradlab.task import Grid as Grid
    from gradlab.task import RandomLabels as RandomLabels
    from gradlab.task import RandomPixels as RandomPixels
    from gradlab.task import ShuffledPixels as ShuffledPixels
    from gradlab.task import WrongLabels as WrongLabels

__version__ = "0.1.0"

_HOMES = {
    "gradlab.component": "vary",
    "gradlab.engine.evaluate": "evaluate",
    "gradlab.errors": (
        "EnvironmentProblem GradlabError Interrupted MeasureError Problem RunsFailed StoreError StudyError UsageError "
        "WeightsError"
    ),
    "gradlab.model": "CNN MLP After Default Module TorchStream equal_size",
    "gradlab.study.claims": (
        "Claim all_of claim correlates equal fact falls fewer less matches more not_ peaks "
        "plateaus ranked reaches rises share untestable"
    ),
    "gradlab.study.instruments": (
        "CriticalPoint Density Eigenvalues Hessian Interpolation Landscape MinimalRatio Sensitivity Sharpness "
        "Trace Trajectory"
    ),
    "gradlab.study.recipe": (
        "SGD Adam AdamW Constant Cosine GradientBelow LossBelow LossSettled RMSprop Stalled Step"
    ),
    "gradlab.study.record": "Auto Every LogSpaced",
    "gradlab.study.seeds": "Seeds",
    "gradlab.study.study": "Assumed Published Study",
    "gradlab.study.toml": "load",
    "gradlab.task": (
        "CIFAR10 CIFAR100 MNIST Arrays CropFlip Digits FashionMNIST Folder Function GaussianInputs Grid "
        "RandomLabels RandomPixels ShuffledPixels WrongLabels"
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *_HOME_OF]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'gradlab' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
