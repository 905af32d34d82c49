from .audit import Audit as Audit
from .duplicates import inspect_image as inspect_image
from .duplicates import look_alikes as look_alikes
from .findings import Finding as Finding
from .report import write_report as write_report
from .stats import ROUNDING_ERROR as ROUNDING_ERROR
from .stats import DataStats as DataStats
from .stats import data_stats as data_stats
