from .app import create_app as create_app
from .label_studio import LabelSettings as LabelSettings
from .label_studio import create_label_app as create_label_app
from .run import serve as serve
from .settings import ServiceLimits as ServiceLimits
from .settings import ServiceSettings as ServiceSettings
