from .base import HeatmapHead as HeatmapHead
from .base import KeypointNet as KeypointNet
from .base import RegressionHead as RegressionHead
from .baseline_cnn import BaselineCNN as BaselineCNN
from .efficientnet_lite import EfficientNetLiteHeatmap as EfficientNetLiteHeatmap
from .registry import MODELS as MODELS
from .registry import build_model as build_model
from .residual import ResidualNet as ResidualNet
