"""m3ter's credential and the kinds of entities, with where each kind lives and how large its pages may be."""

from collections.abc import Mapping
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

    @property
    def filters(self) -> frozenset[str]:
        """The parameters of the list of this kind, other than `pageSize` and `nextToken`."""
        return _FILTERS[self]

    @property
    def whole(self) -> Mapping[str, bool]:
        """The parameters with which the list of this kind gives whole entities."""
        return _WHOLE.get(self, {})


_DATED = ("endDateStart", "endDateEnd")
_FILTERS: Mapping[EntityKind, frozenset[str]] = {
    kind: frozenset(names)
    for kind, names in {
        EntityKind.ACCOUNT: ("ids", "codes"),
        EntityKind.CONTRACT: ("ids", "codes", "accountId"),
        EntityKind.COMMITMENT: ("ids", "accountId", "contractId", "productId", "date", *_DATED),
        EntityKind.PLAN: ("ids", "accountId", "productId"),
        EntityKind.PRICING: ("ids", "date", "planId", "planTemplateId", "aggregationId"),
        EntityKind.ACCOUNT_PLAN: ("ids", "account", "contract", "date", "includeall", "plan", "product"),
        EntityKind.PRODUCT: ("ids",),
        EntityKind.PLAN_TEMPLATE: ("ids", "productId"),
        EntityKind.AGGREGATION: ("ids", "codes", "productId"),
        EntityKind.COMPOUND_AGGREGATION: ("ids", "codes", "productId"),
        EntityKind.BALANCE: ("ids", "accountId", "contract", "contractId", *_DATED),
        EntityKind.BILL: (
            *("ids", "accountId", "additional", "billDate", "billDateEnd", "billDateStart", "billJobId"),
            *("billingFrequency", "excludeLineItems", "externalInvoiceDateEnd", "externalInvoiceDateStart"),
            *("includeBillTotal", "locked", "status"),
        ),
        EntityKind.EXTERNAL_MAPPING: ("externalSystemId", "m3terIds", "integrationConfigId"),
    }.items()
}
_WHOLE: Mapping[EntityKind, Mapping[str, bool]] = {
    EntityKind.BILL: {"includeBillTotal": True, "excludeLineItems": False}
}


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
