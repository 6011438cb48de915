"""Reading the CREATE TABLE text that SQLite keeps: constraints and collations, which no PRAGMA shows whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))
    | (?P<string>[xX]?'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>\d[\w.]*)
    | (?P<sign><=|>=|<>|!=|==|\|\||->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[^\W\d]\w*")
# fmt: off
_KEYWORDS = frozenset({
    "ACTION", "ALWAYS", "AND", "AS", "ASC", "AUTOINCREMENT", "BEGIN", "BETWEEN", "BY", "CASCADE", "CASE", "CAST",
    "CHECK", "COLLATE", "CONFLICT", "CONSTRAINT", "CREATE", "DEFAULT", "DEFERRABLE", "DEFERRED", "DELETE", "DESC",
    "ELSE", "END", "ESCAPE", "EXISTS", "FOREIGN", "FROM", "GENERATED", "GLOB", "IF", "IN", "INDEX", "INITIALLY",
    "INSERT", "INTO", "IS", "ISNULL", "KEY", "LIKE", "MATCH", "NO", "NOT", "NOTNULL", "NULL", "ON", "OR", "ORDER",
    "PRIMARY", "REFERENCES", "REGEXP", "RESTRICT", "ROWID", "SELECT", "SET", "STORED", "STRICT", "TABLE", "THEN",
    "TRIGGER", "UNIQUE", "UPDATE", "VALUES", "VIEW", "VIRTUAL", "WHEN", "WHERE", "WITHOUT",
})
_STARTS = frozenset({
    "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "REFERENCES",
    "NOT", "NULL", "DEFAULT", "COLLATE", "GENERATED", "AS",
})
# fmt: on
_TABLE_STARTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_REPORTED = frozenset({"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "REFERENCES"})


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is as it shall be shown: keywords in capitals, names quoted only where they must be."""

    kind: str
    text: str
    value: str

    def keyword(self) -> str:
        return self.text if self.kind == "word" and self.text in _KEYWORDS else ""


def normalised(sql: str) -> str:
    """SQL text with single spaces, keywords in capitals, no comments and no needless quotes."""
    return _joined(tokens(sql))


def constraints(create_table: str) -> list[tuple[str, str]]:
    """(name or "", definition) of each constraint, those of columns written as those of tables are."""
    found: list[tuple[str, str]] = []
    for item in _items(tokens(create_table)):
        if item[0].keyword() in _TABLE_STARTS:
            found += _constraints_of("", item)
        else:
            found += _constraints_of(item[0].text, item[1:])
    return found


def collations(create_table: str) -> dict[str, str]:
    """Column name to the collation that its definition names."""
    found: dict[str, str] = {}
    for item in _items(tokens(create_table)):
        if item[0].keyword() in _TABLE_STARTS:
            continue
        for clause in _clauses(item[1:]):
            if clause[0].keyword() == "COLLATE" and len(clause) > 1:
                found[item[0].value] = clause[1].value.upper()
    return found


def options(create_table: str) -> frozenset[str]:
    """The keywords behind the outer parentheses: WITHOUT, ROWID, STRICT."""
    depth = 0
    all_tokens = tokens(create_table)
    for place, token in enumerate(all_tokens):
        if token.kind == "sign" and token.text in ("(", ")"):
            depth += 1 if token.text == "(" else -1
            if not depth:
                return frozenset(one.keyword() for one in all_tokens[place + 1 :]) - {""}
    return frozenset()


def tokens(sql: str) -> list[Token]:
    return [_token(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(sql) if match.lastgroup != "space"]


def _token(kind: str, text: str) -> Token:
    if kind == "name":
        close = text[-1]
        value = text[1:-1] if close == "]" else text[1:-1].replace(close * 2, close)
        if _PLAIN.fullmatch(value) and value.upper() not in _KEYWORDS:
            return Token("name", value, value)
        return Token("name", '"' + value.replace('"', '""') + '"', value)
    if kind == "word" and text.upper() in _KEYWORDS:
        return Token(kind, text.upper(), text)
    return Token(kind, text, text)


def _items(all_tokens: list[Token]) -> list[list[Token]]:
    """The column and constraint definitions between the outer parentheses."""
    items: list[list[Token]] = []
    depth = 0
    for token in all_tokens:
        if token.text == ")" and token.kind == "sign":
            depth -= 1
            if not depth:
                break
        if depth == 1 and token.kind == "sign" and token.text == ",":
            items.append([])
        elif depth:
            items[-1].append(token)
        if token.text == "(" and token.kind == "sign":
            depth += 1
            if depth == 1:
                items.append([])
    return [item for item in items if item]


def _clauses(item: list[Token]) -> list[list[Token]]:
    """A definition cut before each keyword that begins another clause; what comes before the first is dropped."""
    clauses: list[list[Token]] = []
    depth = 0
    for place, token in enumerate(item):
        if not depth and token.keyword() in _STARTS and _begins_clause(item, place, clauses):
            clauses.append([])
        if clauses:
            clauses[-1].append(token)
        if token.kind == "sign":
            depth += (token.text == "(") - (token.text == ")")
    return clauses


def _begins_clause(item: list[Token], place: int, clauses: list[list[Token]]) -> bool:
    """False for keywords inside a clause: SET NULL, NOT NULL's NULL, NOT DEFERRABLE, GENERATED … AS, DEFAULT NULL."""
    word = item[place].keyword()
    before = item[place - 1].keyword() if place else ""
    after = item[place + 1].keyword() if place + 1 < len(item) else ""
    if before in ("SET", "DEFAULT", "NOT"):
        return before == "DEFAULT" and word != "NULL"
    if word == "NOT" and after == "DEFERRABLE":
        return False
    inside = clauses[-1][0].keyword() if clauses else ""
    return (inside, word) not in {("GENERATED", "AS"), ("FOREIGN", "REFERENCES")}


def _constraints_of(column: str, item: list[Token]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    name = ""
    for clause in _clauses(item):
        word = clause[0].keyword()
        if word == "CONSTRAINT":
            name = clause[1].value if len(clause) > 1 else ""
            continue
        if word in _REPORTED:
            autoincrement = [token for token in clause if token.keyword() == "AUTOINCREMENT"]
            found.append((name, _definition(column, [token for token in clause if token not in autoincrement])))
            if autoincrement:
                found.append(("AUTOINCREMENT", f"AUTOINCREMENT ({column})" if column else "AUTOINCREMENT"))
        name = ""
    return found


def _definition(column: str, clause: list[Token]) -> str:
    word = clause[0].keyword()
    if not column or word == "CHECK":
        return _joined(clause)
    if word == "REFERENCES":
        return f"FOREIGN KEY ({column}) {_joined(clause)}"
    cut = 2 if word == "PRIMARY" else 1
    return " ".join(part for part in (_joined(clause[:cut]), f"({column})", _joined(clause[cut:])) if part)


def _joined(parts: list[Token]) -> str:
    text = ""
    for place, token in enumerate(parts):
        tight = token.text in (",", ")", ".", ";") or (place > 0 and parts[place - 1].text in ("(", "."))
        text += token.text if tight or not place else f" {token.text}"
    return text
