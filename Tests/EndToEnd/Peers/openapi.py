"""Holds an answer against the API's document: openapi.py DOCUMENT METHOD PATH STATUS < body

Prints nothing when it is as the document says; else what is wrong, and ends with 1.
"""

import json
import re
import sys

import jsonschema
import yaml


def known(schema, document):
    """The keys that an object's schema names, through references and allOf; None when it is open."""
    if "$ref" in schema:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return known(target, document)
    keys = set(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        keys |= known(part, document) or set()
    return keys or None


def main():
    path_of_document, method, path, status = sys.argv[1:5]
    with open(path_of_document, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    found = None
    for template, item in document["paths"].items():
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path.split("?")[0]):
            found = item
    if found is None or method.lower() not in found:
        sys.exit(f"the document has no {method} {path}")
    responses = found[method.lower()]["responses"]
    response = responses.get(status) or responses["default"]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    content = response["content"]
    if "application/json" not in content:
        sys.exit(f"{method} {path} {status} is no JSON by the document")
    schema = dict(content["application/json"]["schema"])
    body = json.load(sys.stdin)
    keys = known(schema, document)
    if keys and isinstance(body, dict) and set(body) - keys:
        sys.exit(f"{method} {path}: keys that the document does not have: {sorted(set(body) - keys)}")
    schema["components"] = document["components"]
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(body))
    if errors:
        sys.exit("\n".join(f"{method} {path}: {error.json_path}: {error.message}" for error in errors))


main()
