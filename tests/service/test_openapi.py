"""The OpenAPI document and the page that shows it."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from facedots.service.app import create_app
from facedots.service.problems import Problem
from facedots.service.requests import BatchOptions, FaceOptions
from facedots.service.settings import ServiceSettings


def resolved(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def test_examples_and_answers_fit_their_schemas(client: TestClient, portrait: bytes) -> None:
    document = client.get("/openapi.json").json()
    results, problem = resolved(document, "Results"), resolved(document, "Problem")
    for path in ("/v1/faces", "/v1/faces:batch"):
        content = document["paths"][path]["post"]["responses"]["200"]["content"]
        jsonschema.validate(content["application/json"]["example"], results)
    jsonschema.validate(document["components"]["schemas"]["Problem"]["example"], problem)
    jsonschema.validate(client.post("/v1/faces?pose=1", content=portrait).json(), results)
    jsonschema.validate(client.post("/v1/faces").json(), problem)
    jsonschema.validate(Problem(413, "large", limit=("max-bytes", 1)).document, problem)


def test_every_option_is_documented(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, kind in (("/v1/faces", FaceOptions), ("/v1/faces:batch", BatchOptions)):
        operation = paths[path]["post"]
        assert [each["name"] for each in operation["parameters"]] == list(kind.model_fields)
        assert all(each["description"] for each in operation["parameters"])
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["properties"].keys() == {"image", *kind.model_fields}
        assert {"200", "413", "422", "503"} <= operation["responses"].keys()


def test_the_page_loads_nothing_from_a_network(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert len(loaded) >= 3
    for address in loaded:
        assert address.startswith("/")
        assert client.get(address).status_code == 200
    assert '"validatorUrl": null' in page.text


def test_the_root_shows_the_browser_page_where_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facedots.web_page.FOLDER", tmp_path)
    client = TestClient(create_app(ServiceSettings(models=("tiny",))))
    assert client.get("/", follow_redirects=False).headers["location"] == "/docs"
    assert client.get("/icon.svg").status_code == 404
    (tmp_path / "index.html").write_text("the page")
    assert client.get("/").text == "the page"
    assert client.get("/icon.svg").status_code == 404
    assert client.get("/docs").status_code == 200
