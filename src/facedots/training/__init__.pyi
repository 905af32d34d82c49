from .export import export_onnx as export_onnx
from .losses import LOSSES as LOSSES
from .optimizers import OPTIMIZERS as OPTIMIZERS
from .recipe import Recipe as Recipe
from .recipe import load_recipe as load_recipe
from .run import export_run as export_run
from .run import load_run as load_run
from .run import train as train
