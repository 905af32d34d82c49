from .predictor import KeypointPredictor as KeypointPredictor
from .session import Session as Session
from .session import SessionOutput as SessionOutput
from .session import describe_model as describe_model
from .weights import WEIGHTS as WEIGHTS
from .weights import weights_file as weights_file
