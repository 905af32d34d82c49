from .smoothing import FaceSmoother as FaceSmoother
from .smoothing import OneEuroParams as OneEuroParams
from .track import CONFIDENT_SCORE as CONFIDENT_SCORE
from .track import LOST_SCORE as LOST_SCORE
from .tracker import Tracker as Tracker
