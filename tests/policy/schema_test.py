"""Validates the shipped policies, schema_samples.json and the examples of docs/policy.md against policies/schema.json.

schema_test.cc and documents_test.cc put the same before the decoder.
"""
import json
import pathlib
import re
import sys

import jsonschema


def load(text):
    """JSON with // and /* */ comments and trailing commas, as policy files have them."""
    token = r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/'
    bare = re.sub(token, lambda m: m[0] if m[0].startswith('"') else " ", text, flags=re.S)
    bare = re.sub(r'("(?:\\.|[^"\\])*")|,(\s*[}\]])', lambda m: m[1] or m[2], bare)
    return json.loads(bare)


def main(root):
    schema = load((root / "policies/schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures = 0

    def expect(valid, document, name):
        nonlocal failures
        errors = sorted(validator.iter_errors(document), key=str)
        if bool(errors) == valid:
            failures += 1
            print(f"{name}: expected {'valid' if valid else 'invalid'}: {json.dumps(document)}")
            for error in errors:
                print(f"  {error.json_path}: {error.message}")

    for path in sorted((root / "policies").glob("*.json")):
        if path.name != "schema.json":
            expect(True, load(path.read_text()), path.name)
    for sample in json.loads((root / "tests/policy/schema_samples.json").read_text()):
        expect(sample["valid"], sample["policy"], "sample")
    for number, example in enumerate(re.findall(r"```json\n(.*?)```", (root / "docs/policy.md").read_text(), re.S)):
        expect(True, load(example), f"docs/policy.md, example {number + 1}")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(pathlib.Path(sys.argv[1])) else 0)
