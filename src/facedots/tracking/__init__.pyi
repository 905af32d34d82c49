from .smoothing import FaceSmoother as FaceSmoother
from .smoothing import OneEuro as OneEuro
from .tracker import Tracker as Tracker
