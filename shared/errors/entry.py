"""What the error catalogue says about one code. Read from `entries/*.toml` and checked here, field by field.

Who raises an error names a code and its variables; everything else (whose turn it is, whether a retry helps, what to
do) is data. Used by the runtime (retry policy, key) and by Journal, CLI and mail (texts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, StringConstraints, model_validator

Language = Literal["de", "en"]
Kind = Literal["mapping", "data", "missing", "connection", "rate limit", "auth", "remote bug", "duplicate", "internal"]
Stage = Literal["intake", "connect", "erp", "any"]
Retry = Literal["never", "now", "backoff", "when the key clears"]
Clearer = Literal["mapping", "setting", "article", "breaker", "order"]
Owner = Literal["you", "shop", "ERP admin", "nobody"]
Sentence = Annotated[str, StringConstraints(min_length=10, max_length=400, strip_whitespace=True)]

GIVE_UP_AFTER = timedelta(days=5)
"""After this long a record that is tried again and again becomes `failed` with `gave-up`."""

SCHEDULE = (10, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14400)
"""Seconds before the 1st, 2nd … repetition; from then on every `LAST_DELAY` until `GIVE_UP_AFTER`. An entry may have a
schedule of its own, whose last delay is repeated."""

LAST_DELAY = 6 * 3600

VARIABLE = re.compile(r"\{([a-z_]+)\}")


class Texts(BaseModel):
    """One language. `{variables}` stand for the values of a `Problem`; `{place}` is the field in plain words.

    title_one: the title where `{count}` is 1, if the two differ.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Sentence
    title_one: Sentence | None = None
    cause: Sentence
    remedy: tuple[Sentence, ...] = Field(min_length=1, max_length=3)

    def variables(self) -> set[str]:
        """The names of all variables used."""
        return set(VARIABLE.findall("\n".join((self.title, self.title_one or "", self.cause, *self.remedy))))

    def title_of(self, values: Mapping[str, str]) -> str:
        """The title for these values, which are still to be filled in."""
        return self.title_one if self.title_one and str(values.get("count")) == "1" else self.title


class Entry(BaseModel):
    """One error of the catalogue.

    stage:      where it is found; `intake` makes a rejection
    retry:      whether trying again helps: `backoff` follows the schedule, up to five days
    schedule, give_up_hours: of its own, where the usual ones do not fit
    key:        template of what has to come true, e.g. `payment:{payment}`; the runtime scopes it by interface
    cleared_by: what makes the key come true: a saved mapping or setting, an article the ERP now knows, …
    owner:      whose turn it is; `nobody` heals by itself
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    code: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
    kind: Kind = Field(alias="class")
    stage: Stage
    retry: Retry
    schedule: tuple[PositiveInt, ...] | None = Field(None, min_length=1)
    give_up_hours: PositiveFloat | None = None
    key: str | None = None
    cleared_by: Clearer | None = None
    owner: Owner
    de: Texts
    en: Texts

    @model_validator(mode="after")
    def _fits_together(self) -> Entry:
        if self.de.variables() != self.en.variables():
            raise ValueError(f"{self.code}: de and en use different variables")
        if (self.de.title_one is None) != (self.en.title_one is None):
            raise ValueError(f"{self.code}: one language has a title for one, the other has none")
        if (self.key is None) != (self.cleared_by is None):
            raise ValueError(f"{self.code}: key and cleared_by belong together")
        if self.retry == "when the key clears" and self.key is None:
            raise ValueError(f"{self.code}: waits for a key but has none")
        if self.retry != "backoff" and (self.schedule or self.give_up_hours):
            raise ValueError(f"{self.code}: is not tried again by itself, so it has no schedule")
        return self

    def texts(self, language: Language) -> Texts:
        """The texts in one language."""
        return self.de if language == "de" else self.en

    def key_for(self, values: Mapping[str, str]) -> str | None:
        """The key that these values wait for, e.g. `payment:PAYPAL`; None without a template or a value."""
        if self.key is None or not set(VARIABLE.findall(self.key)) <= values.keys():
            return None
        return VARIABLE.sub(lambda match: values[match[1]], self.key)

    @property
    def give_up_after(self) -> float:
        """Seconds of trying after which a person has to look."""
        return GIVE_UP_AFTER.total_seconds() if self.give_up_hours is None else self.give_up_hours * 3600

    def delay(self, tries: int) -> float | None:
        """Seconds to wait before repetition number `tries` (from 1); None where repeating by itself is not the policy.

        Pure and without jitter, which the caller adds. When to give up is a matter of age (`give_up_after`).
        """
        if self.retry == "now":
            return 0.0
        if self.retry != "backoff":
            return None
        schedule = self.schedule or (*SCHEDULE, LAST_DELAY)
        return float(schedule[min(max(tries, 1), len(schedule)) - 1])
