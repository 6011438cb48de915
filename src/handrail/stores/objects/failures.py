"""What a cloud's refusal means, in words: its code and message, and what to do about it."""

from __future__ import annotations

import re

from handrail.pages import page
from handrail.stores.store import StoreError

_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*(.*?)\s*</Message>", re.DOTALL)
_JSON_MESSAGE = re.compile(r'"message":\s*"([^"]+)"')
_STATUS = re.compile(r"status code: (\d{3})(?: ([A-Za-z ]+))?")
_HTTP = re.compile(r"HTTP error: ([^\n]+)")

_HOST = re.compile(r"https?://([A-Za-z0-9.:\[\]-]+)")

#: Signs in the library's text of what went wrong below HTTP, the sure ones first.
_NETWORK_SIGNS = (
    ("dns error", "there is no such host"),
    ("Connection refused", "nobody listens there"),
    ("certificate", "the server's certificate is not trusted"),
    ("InvalidContentType", "the server speaks no TLS: its address may have to begin with http://"),
    ("kind: Timeout", "no answer in time"),
    ("IncompleteMessage", "the connection was cut before the answer came"),
    ("kind: Interrupted", "the connection was cut half-way"),
    ("Connection reset", "the connection was cut half-way"),
    ("Broken pipe", "the connection was cut half-way"),
)

_CREDENTIALS = f"check the keys or the profile in the environment: {page('stores')} says which variables are read"
_RIGHTS = f"give these credentials the rights that {page('stores')} lists, or use other ones"
_EXPIRED = "renew the credentials (aws sso login, or a new session token), then run the command again"
_BUCKET = "make the bucket, or correct `store` or `copies` of the environment"
_BUSY = "the server is busy or broken: wait, then run the command again"
_NETWORK = "check the network, and the endpoint in the environment (AWS_ENDPOINT_URL); then run the command again"

_UNKNOWN = f"handrail doctor tries the store; {page('stores')} says what a store must be able to do"

_COLD = (
    "it lies in a cold storage class: ask for it (aws s3api restore-object --restore-request Days=7 with its bucket and"
    " key), wait some hours until aws s3api head-object says so, then run the command again"
)

_HINTS = {
    "InvalidObjectState": _COLD,
    "NoSuchBucket": _BUCKET,
    "ContainerNotFound": _BUCKET,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "AuthenticationFailed": _CREDENTIALS,
    "AuthorizationFailure": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "AccessDenied": _RIGHTS,
    "AuthorizationPermissionMismatch": _RIGHTS,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": "set this machine's clock: the server refuses requests that are over 15 minutes off",
}


def code_of(error: BaseException) -> str:
    """The cloud's own word for what went wrong ("NoSuchBucket"), "" when the answer held none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def explained(error: BaseException, message: str) -> StoreError:
    """The library's error as ours. Its own text shows addresses and its inner values: only what a person needs is
    taken from it."""
    text = str(error).partition("\nDebug source")[0]
    code, status = code_of(error), _STATUS.search(text)
    if code:
        said = _MESSAGE.search(text)
        # Azure's message goes on with the request's id and time.
        why = f"{code}: {said[1].splitlines()[0]}" if said and said[1] else code
        return StoreError(message, why=why, hint=_HINTS.get(code) or _hint_for(status[1] if status else ""))
    if status:
        said = _JSON_MESSAGE.search(text)
        words = f": {said[1]}" if said else f" {status[2].strip()}" if status[2] else ""
        why = f"the server answered {status[1]}{words}"
        return StoreError(message, why=why, hint=_hint_for(status[1]))
    http = _HTTP.search(text)
    if http:
        return StoreError(message, why=_network_words(str(error), http[1]), hint=_NETWORK)
    return StoreError(message, why=_first_line(text), hint=_CREDENTIALS if "redential" in text else _NETWORK)


def _hint_for(status: str) -> str:
    if status in ("401", "403"):
        return _RIGHTS
    return _BUSY if status == "429" or status.startswith("5") else _UNKNOWN


def is_of_the_network(error: BaseException) -> bool:
    """Whether no answer came at all, so that the same request may be made again."""
    text = str(error)
    return "HTTP error: " in text and _STATUS.search(text) is None


def _network_words(text: str, said: str) -> str:
    host = _HOST.search(text)
    where = f"{host[1]}: " if host else ""
    for sign, words in _NETWORK_SIGNS:
        if sign in text:
            return where + words
    return where + said.strip()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]
