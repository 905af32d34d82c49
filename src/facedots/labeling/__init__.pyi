from .batch import LabelingBatch as LabelingBatch
from .batch import load_batch as load_batch
from .batch import save_batch as save_batch
from .changes import FaceChange as FaceChange
from .changes import changes_csv as changes_csv
from .changes import find_changes as find_changes
from .ranking import rank_by_uncertainty as rank_by_uncertainty
