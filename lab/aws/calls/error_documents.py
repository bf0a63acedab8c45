"""Error answers in each service's protocol.

For: whoever answers instead of moto. Guarantees: botocore reads code and message out of it as out of AWS's.
Does not: choose codes. Source: AWS query, EC2, REST-XML and JSON 1.1 protocols, error documents.
"""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape

_JSON_SERVICES = ("elasticfilesystem", "lambda")


def error_document(service: str, code: str, message: str, *, is_json: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body of an error. `is_json`: the request was of the JSON protocol."""
    if is_json or service in _JSON_SERVICES:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
        return headers, json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    request_id = uuid.uuid4()
    if service == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return {"Content-Type": "text/xml"}, f'<?xml version="1.0"?>{text}'.encode()
