"""The lives a payment can lead: its statuses, how long each lasts, and where a person is waited for.

Blikk's page names DRAFT, PENDING, SCA_REQUIRED, SUCCESS, CANCELLED, REJECTED and ERROR
(https://docs.blikk.tech/docs/paymentchannel). SCA_COMPLETE, the order, the times and the short life of a link
are known from a sister API of Blikk's, USER_ONBOARDING_REQUIRED from a public integrator's code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

TERMINAL: Final = frozenset({"SUCCESS", "CANCELLED", "REJECTED", "ERROR"})
UNHEARD_OF_STATUS: Final = "SETTLING_AT_BANK"
MAX_STATUSES: Final = 20


class LifeName(StrEnum):
    """The lives that can be asked for."""

    STANDARD = "standard"
    PUSH = "push"
    ONBOARDING = "onboarding"
    LATE_REJECTION = "late_rejection"
    URL_CHANGES = "url_changes"
    UNKNOWN_STATUS = "unknown_status"
    INSTANT_SUCCESS = "instant_success"
    INSTANT_REJECTION = "instant_rejection"
    SLOW_TO_SHOW = "slow_to_show"
    BAD_LINK = "bad_link"
    LINK_RENEWED = "link_renewed"


MissingUrl = Literal["absent", "null", "empty"]
Link = Literal["none", "new", "kept"]
Question = Literal["", "approve", "onboard"]


@dataclass(frozen=True, slots=True)
class Phase:
    """One status and how long it lasts by itself; `seconds` is None for a status that is never left.

    `asks` is what a person is waited for; when nobody answers in `seconds`, the next phase (ERROR) begins.
    """

    status: str
    seconds: float | None = None
    asks: Question = ""
    link: Link = "none"


@dataclass(frozen=True, slots=True)
class Life:
    """The phases a payment goes through by itself, and those that a person's answer leads to."""

    name: str
    opening: tuple[Phase, ...]
    after_approval: tuple[Phase, ...] = ()
    after_onboarding: tuple[Phase, ...] = ()
    hidden_seconds: float = 0.0
    redirect_url: str | None = None
    bank_message: str | None = None
    missing_url: MissingUrl = "absent"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that phases last. `speed` shortens what the bank does by itself, not the time a person has."""

    speed: float = 1.0
    draft_seconds: float = 0.4
    pending_seconds: float = 0.8
    settle_seconds: float = 1.0
    link_seconds: float = 120.0
    onboarding_link_seconds: float = 300.0
    hidden_seconds: float = 3.0


MAGIC_AMOUNTS: Final[Mapping[int, str]] = {121: "ERROR", 131: "CANCELLED", 141: "REJECTED", 151: "SUCCESS"}
"""Amounts that end at once, as on the stage host of a sister API of Blikk's."""


def ended_at_once(status: str) -> Life:
    """A life that is over in the answer to the POST."""
    return Life("magic_amount", (Phase(status),))


def make_life(name: LifeName, timing: Timing) -> Life:
    """The life called `name`, with the times of `timing`."""
    if name is LifeName.INSTANT_SUCCESS:
        return Life(name, (Phase("SUCCESS"),))
    if name is LifeName.INSTANT_REJECTION:
        return Life(name, (Phase("REJECTED"),))
    draft = Phase("DRAFT", timing.draft_seconds / timing.speed)
    pending = Phase("PENDING", timing.pending_seconds / timing.speed)
    approval = Phase("SCA_REQUIRED", timing.link_seconds, "approve", "new")
    lapsed = Phase("ERROR")
    settling = Phase("SCA_COMPLETE", timing.settle_seconds / timing.speed)
    standard = Life(name, (draft, pending, approval, lapsed), (settling, Phase("SUCCESS")))
    match name:
        case LifeName.PUSH:
            return replace(standard, opening=(draft, pending, replace(approval, link="none"), lapsed))
        case LifeName.ONBOARDING:
            onboarding = Phase("USER_ONBOARDING_REQUIRED", timing.onboarding_link_seconds, "onboard", "new")
            longer = replace(approval, seconds=timing.onboarding_link_seconds)
            return replace(standard, opening=(draft, pending, onboarding, lapsed), after_onboarding=(longer, lapsed))
        case LifeName.LATE_REJECTION:
            return replace(standard, after_approval=(settling, Phase("REJECTED")))
        case LifeName.URL_CHANGES:
            early = (replace(draft, link="new"), replace(pending, link="kept"))
            return replace(standard, opening=(*early, approval, lapsed))
        case LifeName.LINK_RENEWED:
            return replace(standard, opening=(draft, pending, approval, approval, lapsed))
        case LifeName.UNKNOWN_STATUS:
            unheard_of = replace(settling, status=UNHEARD_OF_STATUS)
            return replace(standard, after_approval=(unheard_of, Phase("SUCCESS")))
        case LifeName.SLOW_TO_SHOW:
            return replace(standard, hidden_seconds=timing.hidden_seconds)
        case LifeName.STANDARD | LifeName.BAD_LINK:
            return standard


def check_statuses(statuses: Sequence[str]) -> None:
    """Raise `ValueError` for a script that no payment could follow."""
    if any(status in TERMINAL for status in statuses[:-1]):
        raise ValueError("nothing comes after SUCCESS, CANCELLED, REJECTED or ERROR")
    asking = [status for status in statuses if status in ("USER_ONBOARDING_REQUIRED", "SCA_REQUIRED")]
    if asking not in ([], ["SCA_REQUIRED"], ["USER_ONBOARDING_REQUIRED", "SCA_REQUIRED"]):
        raise ValueError("USER_ONBOARDING_REQUIRED comes before SCA_REQUIRED, and each once")


def scripted_life(statuses: Sequence[str], timing: Timing) -> Life:
    """A life through these statuses: what stands before SCA_REQUIRED comes by itself, what follows after the approval."""
    parts: list[list[Phase]] = [[]]
    for status in statuses:
        match status:
            case "USER_ONBOARDING_REQUIRED":
                parts[-1].append(Phase(status, timing.onboarding_link_seconds, "onboard", "new"))
            case "SCA_REQUIRED":
                parts[-1].append(Phase(status, timing.link_seconds, "approve", "new"))
            case _:
                parts[-1].append(Phase(status, timing.pending_seconds / timing.speed))
                continue
        parts[-1].append(Phase("ERROR"))  # where nobody answers
        parts.append([])
    if parts[-1]:
        parts[-1][-1] = replace(parts[-1][-1], seconds=None)
    elif len(parts) > 1:
        parts[-1] = [Phase("SCA_COMPLETE", timing.settle_seconds / timing.speed), Phase("SUCCESS")]
    opening, *later = (tuple(part) for part in parts)
    onboarding = later[0] if len(later) == 2 else ()
    return Life("script", opening, after_approval=later[-1] if later else (), after_onboarding=onboarding)
