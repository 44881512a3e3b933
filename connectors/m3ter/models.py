"""m3ter's credential and the kinds of entities, with where each kind lives and how large its pages may be."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.addresses import base_url

# What an external mapping calls Salesforce (m3ter's own example of `externalSystem`).
SALESFORCE = "Salesforce"


class EntityKind(StrEnum):
    """Values are m3ter's entity names, as external mappings and events spell them."""

    ACCOUNT = "Account"
    CONTRACT = "Contract"
    COMMITMENT = "Commitment"
    PLAN = "Plan"
    PRICING = "Pricing"
    ACCOUNT_PLAN = "AccountPlan"
    PRODUCT = "Product"
    PLAN_TEMPLATE = "PlanTemplate"
    AGGREGATION = "Aggregation"
    COMPOUND_AGGREGATION = "CompoundAggregation"
    BALANCE = "Balance"
    BILL = "Bill"
    EXTERNAL_MAPPING = "ExternalMapping"

    @property
    def path(self) -> str:
        """The collection under /organizations/{orgId}/."""
        return f"{self.value.lower()}s"

    @property
    def page_size(self) -> int:
        """The largest `pageSize` that m3ter documents for the list of this kind."""
        return 200 if self in (EntityKind.PRODUCT, EntityKind.EXTERNAL_MAPPING) else 100


def _filled(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise ValueError("it is empty")
    return secret


class M3terCredential(BaseModel):
    """A service user's access key for one m3ter organization."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(base_url)] = "https://api.m3ter.com"
    org_id: str = Field(min_length=1, pattern=r"^[A-Za-z0-9-]+$")
    api_key: str = Field(min_length=1)
    api_secret: Annotated[SecretStr, AfterValidator(_filled)]

    @field_validator("api_key")
    @classmethod
    def _has_no_colon(cls, api_key: str) -> str:
        if ":" in api_key:
            raise ValueError("an access key id has no colon: was the secret pasted with it?")
        return api_key

    def summary(self) -> dict[str, str]:
        """What may be shown of it."""
        return {"url": self.url, "org_id": self.org_id, "api_key": self.api_key}
