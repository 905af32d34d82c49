from .predictor import KeypointPredictor as KeypointPredictor
from .session import Session as Session
from .session import SessionOutput as SessionOutput
from .weights import WEIGHTS as WEIGHTS
from .weights import WeightFile as WeightFile
from .weights import describe_model as describe_model
from .weights import open_weights as open_weights
from .weights import weights_file as weights_file
