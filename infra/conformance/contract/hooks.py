"""What a client knows and a generator cannot: keys are used once, and cursors and ids come from the API.

Only requests that are meant to be taken are touched; those that are meant to be refused go out as generated.
"""

import base64
import binascii
import itertools
import json

import schemathesis
from schemathesis import GenerationMode

KEY = "Idempotency-Key"
# Fields of bodies that name other records; each may be left out.
REFERENCES = {
    ("POST", "/cases"): ("contract", "contact", "type", "staged_files"),
    ("POST", "/files"): ("category", "visibility"),
    ("POST", "/cases/{caseId}/files"): ("category", "visibility", "replaces"),
    ("POST", "/cases/{caseId}/comments"): ("files",),
    ("PATCH", "/files/{fileId}"): ("category", "visibility"),
}
# Most bytes of a comment. Its schema can only say so many characters.
COMMENT_BYTES_MAX = 3600
# Most bytes of a file in one piece. Above, the parts that it goes up in follow from its size, which JSON Schema cannot say.
WHOLE_FILE_BYTES_MAX = 64 * 1024 * 1024
COMMANDS = itertools.count(1)


def files_of(body):
    """The files that a body declares: itself, or those in it."""
    if "sha256" in body:
        return [body]
    files = body.get("files")
    return [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []


def is_cursor(text):
    """Whether the API can have given it."""
    try:
        keys = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, UnicodeError, ValueError):
        return False
    return isinstance(keys, list)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    # The same key with another body is refused, as it must be: each request is a command of its own.
    if case.headers and KEY in case.headers:
        case.headers[KEY] = f"contract-{next(COMMANDS)}"
    # A cursor is opaque, so a made-up one is refused, as it must be: the first page is asked for instead.
    if case.query and "cursor" in case.query and not is_cursor(str(case.query["cursor"])):
        del case.query["cursor"]
    # What a preview is of is said once, which no parameter can say of another.
    if case.operation.path == "/billing/preview" and case.query and "contract" in case.query:
        case.query.pop("case", None)
    # What a body refers to must be the caller's own; a made-up reference is refused, as it must be.
    if isinstance(case.body, dict):
        for name in REFERENCES.get((case.operation.method.upper(), case.operation.path), ()):
            case.body.pop(name, None)
        for file in files_of(case.body):
            file.pop("category", None)
            file.pop("visibility", None)
            file.pop("parts", None)
            # A number without a fraction may be written with a point, and is an integer all the same.
            if isinstance(file.get("size"), (int, float)):
                file["size"] = min(file["size"], WHOLE_FILE_BYTES_MAX)
        # A comment's limit counts bytes of UTF-8, which JSON Schema cannot say: it is cut where it is longer, and so that
        # something other than white space is left of it.
        text = case.body.get("body")
        if isinstance(text, str) and len(text.encode()) > COMMENT_BYTES_MAX:
            case.body["body"] = text.strip().encode()[:COMMENT_BYTES_MAX].decode(errors="ignore")
