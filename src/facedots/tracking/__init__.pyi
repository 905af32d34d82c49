from .smoothing import FaceSmoother as FaceSmoother
from .smoothing import OneEuroParams as OneEuroParams
from .track import LOST_SCORE as LOST_SCORE
from .track import UNSURE_SCORE as UNSURE_SCORE
from .tracker import Tracker as Tracker
