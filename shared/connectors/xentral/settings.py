"""What an interface says about its Xentral account."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.connectors.http import BaseUrl


class XentralSettings(BaseModel):
    """Address and personal access token of one Xentral instance.

    max_difference: above this difference between the marketplace's total and ours an order is not shipped on its own
    channel:        id of our sales channel there; where it is empty, the mapping `setting: channel` of the last order
                    that was drafted decides which orders are ours
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    token: SecretStr = Field(min_length=1, max_length=500)
    max_difference: Decimal = Field(default=Decimal("0.05"), ge=0, decimal_places=2)
    channel: str = Field(default="", pattern=r"^[0-9]*$")
