from .images import align_images as align_images
from .images import list_images as list_images
from .images import map_images as map_images
from .images import predict_images as predict_images
from .images import result_paths as result_paths
