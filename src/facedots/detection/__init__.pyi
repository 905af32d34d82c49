from .base import Adjustment as Adjustment
from .base import Detector as Detector
from .base import PrecomputedBoxes as PrecomputedBoxes
from .base import SingleObjectDetector as SingleObjectDetector
from .finder import Finder as Finder
from .haar import Haar as Haar
from .retinaface import RetinaFace as RetinaFace
from .yunet import YuNet as YuNet
