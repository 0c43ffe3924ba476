"""What an agent's words claim: whether something is paid."""

from __future__ import annotations

import re
from typing import Final

_VERDICT: Final = re.compile(r"\b(NOT[_ ]PAID|UNKNOWN|PAID)\b", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?<=[.!?:;])\s+|\n+")
_PAID: Final = re.compile(
    r"\b(paid|has gone through|went through|payment (is|was|has been) (complete|completed|made|settled|done)"
    r"|(hefur verið|er|var) (greitt|greidd|borgað))\b",
    re.IGNORECASE,
)
_HEDGED: Final = re.compile(
    r"\b(not|never|nothing|cannot|no|un(known|paid)|until|unless|once|when|whether|if|before|after|will|would|may|might|can"
    r"|should|must|to be|being|pending|waiting|ekki|þegar|hvort|ef|þar til|þangað til|verður)\b|n[’']t\b|\?",
    re.IGNORECASE,
)


def verdict_in(answer: str) -> str:
    """The first of PAID, NOT_PAID and UNKNOWN in an answer, or `""`."""
    found = _VERDICT.search(answer)
    return found[1].upper().replace(" ", "_") if found else ""


def claims_paid(text: str) -> bool:
    """Whether a sentence says without ifs and buts that something is paid."""
    return any(_PAID.search(sentence) and not _HEDGED.search(sentence) for sentence in _SENTENCE.split(text))
