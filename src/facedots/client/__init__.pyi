from .answers import Answer as Answer
from .clients import AsyncClient as AsyncClient
from .clients import Client as Client
from .requests import FindOptions as FindOptions
from .requests import ImageInput as ImageInput
from .requests import ImageOptions as ImageOptions
