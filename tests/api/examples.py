"""Checks that every example in the document has the shape that the document says: examples.py FILE."""

import json
import sys

import jsonschema_rs

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)

# A list of what is wrong, each with its place.
wrong = []
count = 0


def check(place, schema, example):
    """Notes what of the example does not fit the schema."""
    global count
    count += 1
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema], "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    wrong.extend(f"{place}: {error.message}" for error in validator.iter_errors(example))


def walk(place, node):
    """Finds what has a schema and examples, wherever it is."""
    if isinstance(node, dict):
        schema = node.get("schema")
        if isinstance(schema, dict):
            if "example" in node:
                check(place, schema, node["example"])
            for name, example in node.get("examples", {}).items():
                check(f"{place} {name}", schema, example["value"])
        if isinstance(node.get("examples"), list):
            for example in node["examples"]:
                check(place, {key: value for key, value in node.items() if key != "examples"}, example)
        for key, child in node.items():
            if key not in ("example", "examples"):
                walk(f"{place}/{key}", child)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            walk(f"{place}/{index}", child)


walk("", document)
for line in wrong:
    print(line, file=sys.stderr)
print(f"examples: {count} in the document, {len(wrong)} wrong")
sys.exit(1 if wrong or not count else 0)
